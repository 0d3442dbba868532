//! A process that is told to end, or whose time is over, in the middle of an exchange: awaited, and stored.

use crate::common::{COMMAND, refused, until};
use crate::rig::{Rig, good};
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;
use valetkey::standin::{Behaviour, Standin};

/// It takes 18 s of waiting: its name makes it start first.
#[test]
fn a_one_shot_whose_time_is_over_still_stores_what_it_exchanged() {
    std::thread::scope(|scope| {
        for verb in [["credentials", "p0"], ["token", "shasta"]] {
            scope.spawn(move || {
                let rig = Rig::new();
                let late = Behaviour::Normal.after(Duration::from_millis(18_500));
                rig.standin().behave_once(Standin::TOKEN, late);
                refused(&rig.elsewhere(COMMAND).args(verb).output().unwrap(), 5);
                assert_eq!(Some(rig.stored()), rig.good());
                // Its access is there for the next one, too.
                good(&rig.token());
                rig.exchanged(1);
            });
        }
    });
}

#[test]
fn f23_a_daemon_told_to_end_awaits_its_exchange_and_stores_it() {
    let rig = Rig::new();
    let mut daemon = rig.place.start_daemon();
    let (gate, before) = (rig.withhold(), rig.good().unwrap());
    let asking = rig.helpers(true, 0..1);
    rig.wait_for_exchange(&before);
    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    until("the socket to go", || !rig.place.socket().exists());
    assert_eq!(rig.stored(), before);
    gate.open();
    assert!(daemon.wait().unwrap().success());
    assert_eq!(Some(rig.stored()), rig.good());
    for helper in asking {
        helper.wait_with_output().unwrap();
    }
    good(&rig.token());
    rig.exchanged(1);
}

#[test]
fn f23_a_one_shot_told_to_end_awaits_its_exchange_and_stores_it() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        for verb in [["credentials", "p0"], ["token", "shasta"]] {
            let rig = Rig::new();
            let (gate, before) = (rig.withhold(), rig.good().unwrap());
            let asking = rig.elsewhere(COMMAND).args(verb).spawn().unwrap();
            rig.wait_for_exchange(&before);
            kill_process(Pid::from_child(&asking), signal).unwrap();
            gate.open();
            refused(&asking.wait_with_output().unwrap(), 5);
            assert_eq!(Some(rig.stored()), rig.good());
            good(&rig.token());
            rig.exchanged(1);
        }
    }
}
