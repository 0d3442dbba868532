//! The store fails between the exchange and the write: the new secret is kept, and shown next.

use crate::common::desktop::{self, HOME, run_under_a_bus, wait_for_collection};
use crate::common::small_disk::SmallDisk;
use crate::common::{HELPER, Place, credentials, refused, stderr};
use crate::rig::{ALONE, OFFLINE, Rig, good};
use rustix::process::Signal;
use std::process::Child;

#[test]
fn f12_a_disk_that_fills_between_exchange_and_store_loses_no_secret() {
    for daemon in [true, false] {
        let place = Place::new();
        let Some(disk) = SmallDisk::mount(place.path().join("state")) else { return };
        let rig = Rig::at(place, ALONE, OFFLINE);
        // Taken away before the place, whose directory could not be removed else.
        let disk = disk;
        rig.sign_in();
        let running = daemon.then(|| rig.place.start_daemon());
        let (gate, before) = (rig.withhold(), rig.good().unwrap());
        let asking: Child = rig.place.program(HELPER).arg("p0").spawn().unwrap();
        rig.wait_for_exchange(&before);
        disk.fill();
        gate.open();
        credentials(&asking.wait_with_output().unwrap());
        assert_eq!(rig.stored(), before, "the disk took nothing");
        // While it is full nothing is exchanged: nothing could be kept.
        rig.forget_access();
        disk.fill();
        assert!(refused(&rig.place.helper("p1"), 6).contains("No space left"));
        rig.exchanged(1);
        // Whoever asks next has it, though the process that made the exchange was killed.
        drop(running);
        disk.make_room();
        good(&rig.token());
        rig.exchanged(2);
        assert_eq!(Some(rig.stored()), rig.good());
    }
}

#[test]
fn f16_a_keyring_that_hangs_between_exchange_and_store_loses_no_secret() {
    run_under_a_bus("stores::under_a_bus_of_its_own");
}

#[test]
#[ignore = "run by the test above, under a bus of its own"]
fn under_a_bus_of_its_own() {
    if std::env::var_os(HOME).is_none() {
        return;
    }
    let service = desktop::Daemon::start(Some("pw"));
    wait_for_collection();
    for daemon in [true, false] {
        let mut place = Place::new();
        let bus = std::env::var("DBUS_SESSION_BUS_ADDRESS").unwrap();
        place.environment.push(("DBUS_SESSION_BUS_ADDRESS".to_owned(), bus));
        let rig = Rig::at(place, "keyring = \"service\"\nautostart = false", OFFLINE);
        rig.sign_in();
        let running = daemon.then(|| rig.place.start_daemon());
        let (gate, before) = (rig.withhold(), rig.good().unwrap());
        let asking = rig.place.program(HELPER).arg("p0").spawn().unwrap();
        rig.wait_for_exchange(&before);
        service.signal(Signal::STOP);
        gate.open();
        let answer = asking.wait_with_output().unwrap();
        service.signal(Signal::CONT);
        assert!(answer.status.success(), "{}", stderr(&answer));
        rig.exchanged(1);
        drop(running);
        rig.forget_access();
        good(&rig.token());
        good(&rig.place.helper("p1"));
        rig.exchanged(2);
        rig.forget_access();
        good(&rig.token());
        rig.exchanged(3);
    }
}
