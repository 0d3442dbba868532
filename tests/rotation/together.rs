//! Two processes that renew one login at once, and a person who signs in between.

use crate::common::{Daemon, connections, has_a_flight, refused, until};
use crate::rig::{Rig, all_served, good};
use std::process::Child;
use valetkey::standin::{Behaviour, Gate, Standin};

/// Ten profiles, five asked for here and five elsewhere, while the one exchange is held: three times, in three states.
fn renew_at_once(rig: &Rig, other: Option<&Daemon>) {
    let all_wait = |helpers: &[Child]| match other {
        Some(_) => connections(&rig.other_socket()) >= helpers.len(),
        None => helpers.iter().all(|helper| has_a_flight(helper.id())),
    };
    // Cold.
    let gate = rig.withhold();
    let before = rig.good().unwrap();
    let here = rig.helpers(true, 0..5);
    rig.wait_for_exchange(&before);
    let there = rig.helpers(false, 5..10);
    until("all elsewhere to wait", || all_wait(&there));
    gate.open();
    all_served(here);
    all_served(there);
    rig.exchanged(1);

    // The access is gone: each asks for what the other one's memory has.
    rig.forget_access();
    let (here, there) = (rig.helpers(true, 5..7), rig.helpers(false, 0..2));
    all_served(here);
    all_served(there);
    rig.exchanged(2);

    // The access is there, and the gateway takes it no more.
    rig.standin().void_access();
    let (here, there) = (rig.helpers(true, 7..9), rig.helpers(false, 2..4));
    all_served(here);
    all_served(there);
    rig.exchanged(3);
    assert_eq!(Some(rig.stored()), rig.good(), "both are signed in");
}

#[test]
fn a_daemon_and_one_shots_that_rotate_at_once_make_one_exchange_and_stay_signed_in() {
    let rig = Rig::new();
    let _daemon = rig.place.start_daemon();
    renew_at_once(&rig, None);
    // STS takes the same access as an identity.
    good(&rig.place.helper("web"));
    rig.exchanged(3);
}

#[test]
fn two_daemons_that_rotate_at_once_make_one_exchange_and_stay_signed_in() {
    let rig = Rig::new();
    let (_one, other) = (rig.place.start_daemon(), rig.second_daemon());
    renew_at_once(&rig, Some(&other));
}

#[test]
fn a_login_in_the_middle_of_a_rotation_stands() {
    for tested in [false, true] {
        let rig = Rig::new();
        let _daemon = rig.place.start_daemon();
        let (gate, before) = (rig.withhold(), rig.good().unwrap());
        let asking = rig.helpers(true, 0..1);
        rig.wait_for_exchange(&before);

        // The second session is opened beside the first. Its trial waits for the rotation's end, the sign-in does not.
        let login = rig.start_login(if tested { &[] } else { &["--untested"] });
        if tested {
            until("the login to wait for its turn", || rig.standin().refresh_tokens().len() == 2);
            until("the login to wait for its turn", || has_a_flight(login.id()));
            rig.exchanged(1);
            gate.open();
            good(&login.wait_with_output().unwrap());
        } else {
            good(&login.wait_with_output().unwrap());
            assert_eq!(Some(rig.stored()), rig.good());
            gate.open();
        }
        for helper in asking {
            helper.wait_with_output().unwrap();
        }
        assert_eq!(Some(rig.stored()), rig.good(), "nothing of the old session is written over the new one");
        // One by the daemon for the old session; one for the new session, after the one that tried it.
        good(&rig.place.helper("p1"));
        good(&rig.token());
        rig.exchanged(if tested { 3 } else { 2 });
        assert_eq!(Some(rig.stored()), rig.good());
    }
}

#[test]
fn f08_a_login_is_tried_when_no_daemon_tries_its_own_and_never_beside_it() {
    let rig = Rig::at(crate::common::Place::new(), crate::rig::ALONE, "username = \"ada\"");
    rig.sign_in();
    rig.standin().set_password("ada", "changed since");
    let _daemon = rig.place.start_daemon();
    let gate = Gate::shut();
    rig.standin().behave_once(Standin::TOKEN, Behaviour::Normal.held_by(&gate));
    let asking = rig.helpers(true, 0..1);
    rig.issuer.wait_for(Standin::TOKEN, 1);
    let login = rig.start_login(&[]);
    until("the login to wait for its turn", || has_a_flight(login.id()));
    assert_eq!(rig.asked().len(), 1, "the daemon's attempt is not over");
    gate.open();
    refused(&login.wait_with_output().unwrap(), 3);
    for helper in asking {
        refused(&helper.wait_with_output().unwrap(), 3);
    }
    // Wrong both times, and not so soon after each other that the account would be locked.
    assert_eq!((rig.asked().len(), rig.standin().is_locked("ada")), (2, false));
}
