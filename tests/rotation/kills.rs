//! Killed at every moment of a rotation: the old secret or the new one is stored, and a lost session is told.

use crate::common::trace::may_trace;
use crate::common::{COMMAND, HELPER, credentials, refused, until};
use crate::rig::{Rig, good};
use std::process::Child;
use valetkey::standin::{Behaviour, Gate, Standin};

/// Whoever renews: asks, and is killed.
fn killed_while(rig: &Rig, daemon: bool, at_the_issuer: impl FnOnce()) {
    if daemon {
        let mut daemon = rig.place.start_daemon();
        let helper = rig.place.program(HELPER).arg("p0").spawn().unwrap();
        at_the_issuer();
        end(&mut daemon);
        // It asks again by itself, or it says that the daemon left.
        let _ = helper.wait_with_output().unwrap();
    } else {
        let mut one_shot = rig.elsewhere(COMMAND).args(["credentials", "p0"]).spawn().unwrap();
        at_the_issuer();
        end(&mut one_shot);
    }
}

fn end(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn killed_before_the_issuer_did_anything_costs_nothing() {
    for daemon in [true, false] {
        let rig = Rig::new();
        let before = rig.stored();
        let never = Gate::shut();
        rig.standin().behave_once(Standin::TOKEN, Behaviour::Normal.held_by(&never));
        killed_while(&rig, daemon, || rig.issuer.wait_for(Standin::TOKEN, 2));
        good(&rig.token());
        let shown = rig.shown();
        assert_eq!((shown.len(), &shown[0], &shown[1]), (2, &before, &before), "the first was for nothing");
        assert_eq!(Some(rig.stored()), rig.good());
    }
}

#[test]
fn killed_after_the_exchange_and_before_its_answer_is_a_lost_session_that_is_told() {
    let rig = Rig::new();
    let before = rig.stored();
    let _never = rig.withhold();
    killed_while(&rig, false, || rig.wait_for_exchange(&before));
    assert_eq!(rig.stored(), before);
    rig.told_of_the_loss();
    rig.sign_in();
    good(&rig.token());

    // A daemon's helper asks again by itself, and is the one who is told.
    let (before, _never) = (rig.stored(), rig.withhold());
    rig.forget_access();
    killed_while(&rig, true, || rig.wait_for_exchange(&before));
    assert_eq!(rig.stored(), before);
    assert!(refused(&rig.token(), 3).contains("the session at 127.0.0.1 is over"));
}

#[test]
fn an_answer_that_never_arrives_is_a_lost_session_that_is_told() {
    let rig = Rig::new();
    let _daemon = rig.place.start_daemon();
    rig.standin().behave_once(Standin::TOKEN, Behaviour::Cut { bytes: 0 });
    refused(&rig.place.helper("p0"), 5);
    until("the next attempt", || rig.place.helper("p0").status.code() == Some(3));
    let said = refused(&rig.place.helper("p0"), 3);
    assert!(said.contains("is over") && said.contains("cut off") && said.contains("valetkey login shasta"), "{said}");
    assert_eq!(rig.shown().len(), 2, "the renewal and one attempt after it");
    rig.sign_in();
    credentials(&rig.place.helper("p0"));
}

/// What a rotation does to the disk, to the locks and on the network.
const CALLS: &[&str] = &["openat", "write", "fsync", "renameat", "flock", "recvfrom", "ftruncate", "unlinkat"];
/// Where a secret rests, or waits. A file is opened below its directory: other files that are opened do not count.
const PLACES: &[&str] = &["", "key", "logins", "pending", "access", "locks"];

/// At the entry of each call of each kind, in turn.
#[test]
fn f11_killed_at_any_call_of_a_rotation_leaves_the_old_secret_or_the_new_one() {
    if !may_trace() {
        return;
    }
    let (kept, lost) = std::thread::scope(|scope| {
        let rows: Vec<_> = CALLS.iter().map(|call| scope.spawn(|| at_each(call))).collect();
        rows.into_iter().map(|row| row.join().unwrap()).fold((0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1))
    });
    assert!(kept > 20 && lost > 0, "before, between and after: {kept} kept, {lost} lost");
}

/// How often the session was kept and lost.
fn at_each(call: &str) -> (usize, usize) {
    let rig = Rig::new();
    // Too short to be stored for others: each process exchanges.
    rig.standin().set_token_life(20);
    let (mut kept, mut lost) = (0, 0);
    for number in 1.. {
        let before = rig.stored();
        assert_eq!(Some(&before), rig.good().as_ref());
        let mut traced = rig.elsewhere("strace");
        traced.args(["-f", "-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={call}"));
        if call == "openat" {
            let state = rig.place.path().join("state");
            for place in PLACES {
                traced.arg("-P").arg(state.join(place));
            }
        }
        traced.arg("-e").arg(format!("inject={call}:signal=KILL:when={number}")).args([COMMAND, "token", "shasta"]);
        let survived = traced.output().unwrap().status.success();
        let (stored, now) = (rig.stored(), rig.good().expect("the session"));
        assert!(stored == before || stored == now, "{call} {number}: neither the old nor the new one");
        if stored == now {
            kept += 1;
            let asked = rig.asked().len();
            good(&rig.token());
            assert_eq!(rig.asked().len(), asked + 1, "{call} {number}");
        } else {
            lost += 1;
            rig.told_of_the_loss();
            rig.sign_in();
        }
        if survived {
            break;
        }
    }
    println!("{call}: {kept} kept, {lost} lost");
    (kept, lost)
}
