//! The service's own verbs: refresh, reload, lock and unlock, keyring, and what it counts.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, credentials, refused, signed_in, stderr};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use valetkey::standin::{Behaviour, Gate, Standin};

fn key_id(place: &Place) -> String {
    credentials(&place.helper("podaac"))["AccessKeyId"].as_str().unwrap().to_owned()
}

#[test]
fn refresh_asks_anew_with_a_daemon_and_without_and_says_until_when() {
    for head in ["keyring = \"file\"", "keyring = \"file\"\nautostart = false"] {
        let (issuer, place) = signed_in(head);
        let first = key_id(&place);
        for words in [&["refresh"][..], &["refresh", "podaac"]] {
            let done = place.command(words);
            assert!(
                done.status.success() && stderr(&done).contains("podaac: new credentials until 20"),
                "{}",
                stderr(&done)
            );
        }
        assert_eq!(issuer.standin.count(Standin::TEA), 3);
        assert_ne!(key_id(&place), first);
        assert_eq!(issuer.standin.count(Standin::TEA), 3, "what it got is what is served");
        let unknown = refused(&place.command(&["refresh", "podaak"]), 6);
        assert!(unknown.contains("did you mean podaac?"), "{unknown}");
        issuer.standin.behave("/tea", Behaviour::ServerError500);
        assert!(refused(&place.command(&["refresh"]), 5).contains("500"));
        key_id(&place);
    }
}

#[test]
fn f23_reload_takes_in_what_is_sound_and_names_the_line_that_is_not() {
    let (issuer, place) = signed_in("keyring = \"file\"");
    assert!(stderr(&place.command(&["reload"])).contains("no daemon is running"));
    let first = key_id(&place);
    assert!(stderr(&place.command(&["reload"])).contains("profiles 1"));
    place.configure(&issuer.earthdata_config("keyring = \"file\"\nautostrat = true"));
    let bad = refused(&place.command(&["reload"]), 6);
    assert!(bad.contains("did you mean autostart?") && bad.contains("config.toml:2"), "{bad}");
    assert_eq!(key_id(&place), first, "the old config still serves");
}

#[test]
fn s17_a_lock_holds_for_every_process_and_over_restarts_until_it_is_ended() {
    let (issuer, place) = signed_in("keyring = \"file\"");
    let first = key_id(&place);
    place.ok(&["lock"]);
    let all_refuse = |when: &str| {
        for output in [
            place.helper("podaac"),
            place.command(&["credentials", "podaac"]),
            place.command(&["token", "earthdata"]),
            place.command(&["refresh"]),
        ] {
            assert!(refused(&output, 3).contains("run: valetkey unlock"), "{when}");
        }
    };
    all_refuse("the daemon that held them");
    assert!(place.status()["locked"].as_bool().unwrap() && place.ok(&["status"]).contains("valetkey unlock"));
    place.ok(&["stop"]);
    all_refuse("a daemon that started later");
    assert!(refused(&place.login("earthdata", "secret"), 3).contains("unlock"));
    place.ok(&["stop"]);
    place.configure(&issuer.earthdata_config("keyring = \"file\"\nautostart = false"));
    all_refuse("a one-shot");
    place.ok(&["unlock"]);
    assert_eq!(key_id(&place), first, "the sealed cache was not touched");
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
}

#[test]
fn s17_a_marker_that_another_process_leaves_is_honoured_by_a_running_daemon_at_once() {
    let (_issuer, place) = signed_in("keyring = \"file\"");
    key_id(&place);
    let marker = place.path().join("state/locked");
    std::fs::write(&marker, "").unwrap();
    // Whatever its mode: somebody wants it locked.
    for mode in [0o600, 0o644] {
        common::chmod(&marker, mode);
        assert!(refused(&place.helper("podaac"), 3).contains("locked"));
        assert!(refused(&place.command(&["token", "earthdata"]), 3).contains("locked"));
    }
    std::fs::remove_file(&marker).unwrap();
    key_id(&place);
}

#[test]
fn s17_what_was_asked_for_before_a_lock_and_comes_after_it_is_not_given_out() {
    for head in ["keyring = \"file\"", "keyring = \"file\"\nautostart = false"] {
        let (issuer, place) = signed_in(head);
        let gate = Gate::shut();
        issuer.standin.behave("/tea", Behaviour::Normal.held_by(&gate));
        let asking = place.start_helper("podaac");
        issuer.wait_for("/tea", 1);
        place.ok(&["lock"]);
        gate.open();
        assert!(refused(&asking.wait_with_output().unwrap(), 3).contains("run: valetkey unlock"), "{head}");
    }
}

#[test]
fn f12_s17_a_daemon_locks_though_the_disk_takes_no_marker() {
    let (_issuer, place) = signed_in("keyring = \"file\"");
    key_id(&place);
    let socket = place.socket();
    let post = |path: &str| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        write!(stream, "POST {path} HTTP/1.0\r\ncontent-length: 0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let state = place.path().join("state");
    common::chmod(&state, 0o777);
    assert!(!post("/v1/lock").contains(" 200 "), "the marker could not be left");
    common::chmod(&state, 0o700);
    assert!(!state.join("locked").exists());
    assert!(refused(&place.helper("podaac"), 3).contains("locked"));
    assert!(post("/v1/unlock").contains(" 200 "));
    key_id(&place);
}

#[test]
fn the_keyring_is_shown_and_logins_are_moved_without_a_new_sign_in() {
    let (issuer, place) = signed_in("");
    assert!(place.ok(&["keyring"]).starts_with("file ("), "{}", place.ok(&["keyring"]));
    key_id(&place);
    // Signed in before the config has a table for it.
    let keys = r#"{"AccessKeyId":"AKIALONGLIVED","SecretAccessKey":"marker-of-a-long-lived-key"}"#;
    assert!(place.login("aws", keys).status.success());
    let in_files = || place.path().join("state/logins/aws.sealed").exists();
    assert!(in_files());
    let moved = place.command(&["keyring", "kernel"]);
    if !moved.status.success() {
        common::skip(&stderr(&moved));
        return;
    }
    assert!(
        place.ok(&["keyring"]).starts_with("kernel (")
            && place.status()["keyring"].as_str().unwrap().starts_with("kernel")
    );
    assert!(!in_files(), "taken along");
    place.ok(&["refresh"]);
    place.ok(&["keyring", "file"]);
    assert!(in_files());
    place.ok(&["refresh"]);
    assert_eq!(issuer.standin.count(Standin::TEA), 3, "signed in all the time");
    assert!(refused(&place.command(&["keyring", "memory"]), 6).contains("cannot be moved to memory"));
    assert_eq!(place.command(&["keyring", "desktop"]).status.code(), Some(2));
    place.configure(&issuer.earthdata_config("keyring = \"file\""));
    assert!(refused(&place.command(&["keyring", "kernel"]), 6).contains("the config wants keyring = \"file\""));
}

/// The whole answer to one request.
fn asked(place: &Place, path: &str) -> String {
    let mut stream = UnixStream::connect(place.socket()).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn metrics_count_what_happened_and_hold_no_secret() {
    let (issuer, place) = signed_in("keyring = \"file\"");
    let given = credentials(&place.helper("podaac"));
    key_id(&place);
    issuer.standin.behave("/tea", Behaviour::ServerError500);
    place.command(&["refresh"]);
    place.status();
    let text = asked(&place, "/v1/metrics");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    for line in [
        "valetkey_answers_total{profile=\"podaac\"} 2",
        "valetkey_hits_total{profile=\"podaac\"} 1",
        "valetkey_flights_total{profile=\"podaac\"} 2",
        "valetkey_failures_total{profile=\"podaac\",kind=\"unavailable\"} 1",
        "valetkey_failures_total{profile=\"podaac\",kind=\"denied\"} 0",
        "# EOF",
    ] {
        assert!(body.lines().any(|there| there == line), "{line} in {body}");
    }
    for gauge in
        ["valetkey_age_seconds{profile", "valetkey_remaining_seconds{profile", "valetkey_login_remaining_seconds{login"]
    {
        assert!(body.contains(gauge), "{gauge} in {body}");
    }
    assert!(body.ends_with("# EOF\n"));
    for secret in ["SecretAccessKey", "SessionToken"] {
        assert!(!body.contains(given[secret].as_str().unwrap()));
    }
}

/// One that is halted, as a daemon that hangs would be.
#[test]
fn a_daemon_that_does_not_hear_is_named_with_what_ends_it() {
    let (_issuer, place) = signed_in("keyring = \"file\"");
    let mut daemon = place.start_daemon();
    let pid = rustix::process::Pid::from_raw(i32::try_from(daemon.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let said = refused(&place.command(&["stop"]), 6);
    assert!(said.contains(&format!("kill -9 {}", daemon.id())), "{said}");
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    // What it was told it heard in the end.
    daemon.wait().unwrap();
}
