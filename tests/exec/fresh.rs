//! For as long as it runs: through renewals, restarts of the daemon, without a daemon, and behind a lock.

use super::common::{signed_in, until};
use super::{FILE, Waiting};
use serde_json::Value;
use valetkey::standin::Standin;

fn token(answer: &(u16, String)) -> Value {
    assert_eq!(answer.0, 200, "{}", answer.1);
    serde_json::from_str::<Value>(&answer.1).unwrap()["Token"].clone()
}

#[test]
fn a_daemon_that_is_restarted_or_killed_changes_nothing_at_the_port() {
    let (issuer, place) = signed_in(FILE);
    let waiting = Waiting::start(&place);
    let first = token(&waiting.get());
    place.ok(&["stop"]);
    assert_eq!(token(&waiting.get()), first, "from memory, or by a daemon that was started again");
    until("a daemon", || !place.daemons().is_empty());
    for pid in place.daemons() {
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    for _ in 0..20 {
        assert_eq!(token(&waiting.get()), first);
    }
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
    // Others renew, and the program gets what is new.
    place.ok(&["refresh", "podaac"]);
    let renewed = super::common::credentials(&place.helper("podaac"))["SessionToken"].clone();
    assert_ne!(renewed, first);
    assert_eq!(token(&waiting.get()), renewed);
    assert_eq!(waiting.end(), Some(7));
}

#[test]
fn without_a_daemon_we_renew_ourselves_under_the_same_locks() {
    let (issuer, place) = signed_in("keyring = \"file\"\nautostart = false");
    issuer.standin.set_life(40);
    let waiting = Waiting::start(&place);
    let first = token(&waiting.get());
    until("a renewal", || token(&waiting.get()) != first);
    assert!(place.daemons().is_empty());
    assert!(issuer.standin.count(Standin::TEA) >= 2);
    assert_eq!(waiting.end(), Some(7));
}

#[test]
fn a_lock_holds_for_the_port_and_an_outage_does_not_show_at_it() {
    let (issuer, place) = signed_in(FILE);
    let waiting = Waiting::start(&place);
    let first = token(&waiting.get());
    place.ok(&["lock"]);
    assert_eq!(waiting.get().0, 401);
    place.ok(&["unlock"]);
    assert_eq!(token(&waiting.get()), first);
    issuer.stop();
    place.ok(&["stop"]);
    assert_eq!(token(&waiting.get()), first);
    assert_eq!(waiting.end(), Some(7));
}

#[test]
fn f22_an_upgrade_under_a_long_job_is_what_the_next_daemon_is() {
    let (_issuer, place) = signed_in(FILE);
    let installed = place.path().join("bin");
    std::fs::create_dir(&installed).unwrap();
    let program = installed.join("valetkey");
    let install = || {
        let new = installed.join("new");
        std::fs::copy(super::common::COMMAND, &new).unwrap();
        std::fs::rename(&new, &program).unwrap();
    };
    install();
    let mut command = place.program(program.to_str().unwrap());
    let waiting = Waiting::of(command.args(["exec", "podaac", "--"]));
    let first = token(&waiting.get());
    install();
    place.ok(&["stop"]);
    assert_eq!(token(&waiting.get()), first);
    until("a daemon", || !place.daemons().is_empty());
    let pid = place.daemons()[0];
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/exe")).unwrap(), program);
    assert_eq!(waiting.end(), Some(7));
}

#[test]
fn a_config_that_is_bad_or_changed_is_no_reason_to_leave_a_program_without_keys() {
    let (issuer, place) = signed_in("keyring = \"file\"\nautostart = false");
    let waiting = Waiting::start(&place);
    let first = token(&waiting.get());
    let good = std::fs::read_to_string(place.config_file()).unwrap();
    place.configure("[profiles.podaac]\nprovder = \"earthdata\"\n");
    assert_eq!(token(&waiting.get()), first);
    // Another app_name is another profile: what is new is asked for, since it may be narrower.
    place.configure(&(good + "app_name = \"job\"\n"));
    until("the new settings", || token(&waiting.get()) != first);
    assert_eq!(issuer.standin.count(Standin::TEA), 2);
    assert_eq!(waiting.end(), Some(7));
}
