//! Herds: 200 helpers at once on a cold profile, with a daemon, without one, and with none allowed.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "../common/mod.rs"]
mod common;
mod hangs;

use common::{HELPER, Issuer, Place, read_to_end, refused, same_credentials, signed_in, until, within};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use valetkey::standin::{Behaviour, Gate, Standin};

const HERD: usize = 200;
const FILE: &str = "keyring = \"file\"";
const NO_DAEMON: &str = "keyring = \"file\"\nautostart = false";

/// P2. It takes 20 s of waiting: its name makes it start first, and the others run meanwhile.
#[test]
fn a_f03_hang_of_issuer_or_socket_ends_in_time_and_was_one_call() {
    hangs::all_at_the_same_time();
}

#[test]
fn f19_a_herd_at_a_running_daemon_makes_one_call() {
    let (issuer, place) = signed_in(FILE);
    let _daemon = place.start_daemon();
    same_credentials(&place.herd("podaac", HERD));
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
}

#[test]
fn f18_a_herd_that_finds_no_daemon_starts_one_and_makes_one_call() {
    let (issuer, place) = signed_in(FILE);
    same_credentials(&place.herd("podaac", HERD));
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
    assert_eq!(place.daemons().len(), 1);
}

#[test]
fn the_first_callers_pipes_close_when_its_helper_ends() {
    for script in ["exec \"$0\" podaac", "exec 9>&1; \"$0\" podaac", "exec 8>&2 9>&1; \"$0\" podaac 2>&1"] {
        let (_issuer, place) = signed_in(FILE);
        let mut shell: Command = place.program("sh");
        let mut caller = shell.args(["-c", script, HELPER]).spawn().unwrap();
        let (said, ended) = within(Duration::from_secs(15), script, move || {
            let said = read_to_end(&mut caller);
            (said, caller.wait_with_output().unwrap())
        });
        assert!(ended.status.success() && said.starts_with("{\"Version\":1"), "{said}");
        assert_eq!(place.daemons().len(), 1, "and the daemon lives on");
    }
}

#[test]
fn a_herd_of_one_shots_makes_one_call() {
    let (issuer, place) = signed_in(NO_DAEMON);
    same_credentials(&place.herd("podaac", HERD));
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
    assert_eq!(place.daemons(), [0; 0]);
}

#[test]
fn a_herd_of_one_shots_with_its_key_in_the_kernel_makes_one_call() {
    let (issuer, place) = (Issuer::start(), Place::new());
    let _entry = KernelEntry(place.path().join("state"));
    place.configure(&issuer.earthdata_config("keyring = \"kernel\"\nautostart = false"));
    let login = place.login("earthdata", &issuer.standin.mint_token("ada", 3600));
    if common::stderr(&login).contains("the kernel's keyring refuses") {
        return common::skip(&common::stderr(&login));
    }
    let asked = issuer.standin.count(Standin::TEA);
    same_credentials(&place.herd("podaac", HERD));
    assert_eq!(issuer.standin.count(Standin::TEA), asked + 1);
    assert!(!place.path().join("state/key").exists(), "the key is in the kernel");
}

/// The key of the place whose state directory this is, taken out of the kernel at the end.
struct KernelEntry(std::path::PathBuf);

impl Drop for KernelEntry {
    fn drop(&mut self) {
        use keyring_core::api::CredentialStoreApi;
        let Ok(state) = self.0.canonicalize() else { return };
        let service = format!("valetkey-{}", &valetkey::seal::digest(&[state.as_os_str().as_encoded_bytes()])[..12]);
        let store = linux_keyutils_keyring_store::Store::new();
        let entry = store.and_then(|store| store.build(&service, "cache-key", None));
        let _ = entry.and_then(|entry| entry.delete_credential());
    }
}

/// Each way of an issuer to say no: the exit code, and whether a second attempt would be due within two seconds.
fn refusals() -> [(&'static str, Behaviour, i32, bool); 4] {
    [
        ("401", Behaviour::json(401, "{}"), 3, false),
        ("403, a EULA", Behaviour::Eula, 4, false),
        ("500", Behaviour::ServerError500, 5, true),
        ("closed", Behaviour::Close, 5, true),
    ]
}

#[test]
fn an_issuer_that_refuses_a_herd_at_the_daemon_is_asked_once() {
    for (name, behaviour, code, soon_again) in refusals() {
        let (issuer, place) = signed_in(FILE);
        let _daemon = place.start_daemon();
        let gate = Gate::shut();
        issuer.standin.behave(Standin::TEA, behaviour.held_by(&gate));
        let herd: Vec<_> = (0..HERD).map(|_| place.start_helper("podaac")).collect();
        if soon_again {
            until("all to wait", || common::connections(&place.socket()) >= HERD);
        }
        gate.open();
        let outputs: Vec<Output> = herd.into_iter().map(|helper| helper.wait_with_output().unwrap()).collect();
        outputs.iter().for_each(|output| drop(refused(output, code)));
        assert_eq!((issuer.standin.count(Standin::TEA), place.failures()), (1, 1), "{name}");
    }
}

#[test]
fn an_issuer_that_refuses_a_herd_of_one_shots_is_asked_once() {
    for (name, behaviour, code, soon_again) in refusals() {
        let (issuer, place) = signed_in(NO_DAEMON);
        let gate = Gate::shut();
        issuer.standin.behave(Standin::TEA, behaviour.held_by(&gate));
        let herd: Vec<_> = (0..HERD).map(|_| place.start_helper("podaac")).collect();
        if soon_again {
            until("all to wait", || herd.iter().all(|helper| common::has_a_flight(helper.id())));
        }
        gate.open();
        let outputs: Vec<Output> = herd.into_iter().map(|helper| helper.wait_with_output().unwrap()).collect();
        outputs.iter().for_each(|output| drop(refused(output, code)));
        assert_eq!((issuer.standin.count(Standin::TEA), place.failures()), (1, 1), "{name}");
    }
}

#[test]
fn an_issuer_that_nobody_reaches_is_tried_no_oftener_than_its_rests_allow() {
    for head in [FILE, NO_DAEMON] {
        let (issuer, place) = signed_in(head);
        issuer.stop();
        let started = Instant::now();
        place.herd("podaac", HERD).iter().for_each(|output| drop(refused(output, 5)));
        // A failure rests for a second at least.
        assert!(place.failures() <= 1 + started.elapsed().as_secs(), "{} attempts", place.failures());
    }
}
