//! What outlives a daemon, and what an edit, another login, a damaged file or a signal does to it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use common::{COMMAND, Place, credentials, refused, same_credentials, signed_in, stderr, until};
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Output};
use std::time::{Duration, Instant};
use valetkey::standin::{Behaviour, Gate, Standin};

const FILE: &str = "keyring = \"file\"";

fn end(daemon: &mut Child, signal: Signal) {
    kill_process(Pid::from_child(daemon), signal).unwrap();
    daemon.wait().unwrap();
}

#[test]
fn p0_a_killed_daemon_costs_no_upstream_call() {
    let (issuer, place) = signed_in(FILE);
    let mut daemon = place.start_daemon();
    let before = credentials(&place.helper("podaac"));
    // The answer goes out before the cache is written.
    until("the cache", || !leases(&place).is_empty());
    end(&mut daemon, Signal::KILL);
    assert!(place.socket().exists(), "nobody cleaned up");
    assert_eq!(credentials(&place.helper("podaac")), before);
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
    assert_eq!(place.daemons().len(), 1, "the helper started another");
}

#[test]
fn f15_s18_a_damaged_cache_is_a_miss() {
    let (issuer, place) = signed_in(FILE);
    let mut before = credentials(&place.helper("podaac"));
    for (damage, calls) in [("cut", 2), ("flipped", 3), ("empty", 4), ("swapped", 5)] {
        until("the cache", || !leases(&place).is_empty());
        place.ok(&["stop"]);
        let file = leases(&place).remove(0);
        let mut bytes = std::fs::read(&file).unwrap();
        match damage {
            "cut" => bytes.truncate(bytes.len() / 2),
            "flipped" => *bytes.last_mut().unwrap() ^= 1,
            "empty" => bytes.clear(),
            _ => bytes = std::fs::read(place.path().join("state/key")).unwrap(),
        }
        std::fs::write(&file, bytes).unwrap();
        let after = credentials(&place.helper("podaac"));
        assert_ne!(after, before, "{damage}");
        assert_eq!(issuer.standin.count(Standin::TEA), calls, "{damage}");
        before = after;
    }
}

#[test]
fn an_edited_profile_is_newly_issued_at_the_very_next_answer_and_the_others_notice_nothing() {
    let (issuer, place) = signed_in(FILE);
    issuer.standin.accept_key_id("AKIATEST");
    let sts = format!(
        "[profiles.uploads]\nprovider = \"sts\"\nendpoint = \"{}\"\nrole_arn = \"arn:aws:iam::123456789012:role/up\"\nbucket = \"my-bucket\"\n",
        issuer.standin.url(Standin::STS)
    );
    let text = issuer.earthdata_config(FILE) + &sts;
    place.configure(&text);
    let login = place.login("aws", r#"{"AccessKeyId":"AKIATEST","SecretAccessKey":"secret"}"#);
    assert!(login.status.success(), "{}", stderr(&login));
    let counts = || (issuer.standin.count(Standin::TEA), issuer.standin.count(Standin::STS));
    let (podaac, uploads) = (credentials(&place.helper("podaac")), credentials(&place.helper("uploads")));
    let (tea, sts) = counts();

    let text = text.replace("bucket = \"my-bucket\"\n", "bucket = \"my-bucket\"\naccess = \"read-only\"\n");
    place.configure(&text);
    let narrowed = credentials(&place.helper("uploads"));
    assert_ne!(narrowed, uploads);
    assert_eq!(credentials(&place.helper("podaac")), podaac);
    assert_eq!(counts(), (tea, sts + 1));

    place.configure(&text.replace(Standin::TEA, "/tea/other/s3credentials"));
    issuer.standin.behave("/tea/other/", Behaviour::Normal);
    assert_ne!(credentials(&place.helper("podaac")), podaac);
    assert_eq!(credentials(&place.helper("uploads")), narrowed);
    assert_eq!((issuer.standin.count("/tea/other/"), counts()), (1, (tea, sts + 1)));

    // And what was edited while no daemon ran is not yesterday's either.
    place.ok(&["stop"]);
    place.configure(&text.replace("read-only", "write-only"));
    assert_ne!(credentials(&place.helper("uploads")), narrowed);
}

#[test]
fn f23_a_bad_edit_keeps_the_old_config_and_status_says_so() {
    let (issuer, place) = signed_in(FILE);
    let before = credentials(&place.helper("podaac"));
    let text = issuer.earthdata_config(FILE);
    place.configure(&text.replace("endpoint =", "endpiont ="));
    assert_eq!(credentials(&place.helper("podaac")), before);
    let trouble = place.status()["troubles"]["config"].as_str().unwrap().to_owned();
    assert!(trouble.contains("endpiont") && trouble.contains("endpoint"), "{trouble}");
    place.configure(&text);
    assert_eq!(credentials(&place.helper("podaac")), before);
    assert!(place.status()["troubles"].get("config").is_none(), "and says no more when it is mended");
}

#[test]
fn another_login_is_newly_issued_with_and_without_a_daemon() {
    let (issuer, place) = signed_in(FILE);
    let mut before = credentials(&place.helper("podaac"));
    for (user, running) in [("bob", true), ("eve", false)] {
        if !running {
            place.ok(&["stop"]);
        }
        let login = place.login("earthdata", &issuer.standin.mint_token(user, 3600));
        assert!(login.status.success(), "{}", stderr(&login));
        let asked = issuer.standin.count(Standin::TEA);
        let after = credentials(&place.helper("podaac"));
        assert_ne!(after, before);
        assert_eq!(issuer.standin.count(Standin::TEA), asked + 1);
        before = after;
    }
}

#[test]
fn f23_sigterm_in_a_herd_leaves_whole_answers_and_typed_errors() {
    let (issuer, place) = signed_in(FILE);
    let mut daemon = place.start_daemon();
    let gate = Gate::shut();
    issuer.standin.behave(Standin::TEA, Behaviour::Normal.held_by(&gate));
    let mut herd: Vec<Child> = (0..100).map(|_| place.start_helper("podaac")).collect();
    until("a hundred to wait", || common::connections(&place.socket()) >= 100);
    // Some wait for a flight that the signal cancels, some come while the daemon leaves, some start the next one.
    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    herd.extend((0..100).map(|_| place.start_helper("podaac")));
    gate.open();
    for helper in herd {
        let output: Output = helper.wait_with_output().unwrap();
        if output.status.success() {
            assert_eq!(credentials(&output)["Version"], 1);
        } else {
            refused(&output, 5);
        }
    }
    assert!(daemon.wait().unwrap().success());
}

#[test]
fn s10_stop_leaves_no_socket_and_no_process() {
    let (_issuer, place) = signed_in(FILE);
    credentials(&place.helper("podaac"));
    assert!(place.socket().exists());
    place.ok(&["stop"]);
    assert!(!place.socket().exists());
    assert_eq!(place.daemons(), [0; 0]);
    place.ok(&["stop"]);
}

#[test]
fn s09_f17_of_twenty_daemons_one_lives_and_no_helper_sees_an_error() {
    let (issuer, place) = signed_in(FILE);
    let mut daemons: Vec<Child> = (0..20).map(|_| place.program(COMMAND).args(["daemon"]).spawn().unwrap()).collect();
    same_credentials(&place.herd("podaac", 40));
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
    until("nineteen to end", || place.daemons().len() == 1);
    let survivor = place.daemons()[0];
    for daemon in daemons.extract_if(.., |daemon| daemon.id() != survivor.cast_unsigned()) {
        let output = daemon.wait_with_output().unwrap();
        let said = stderr(&output);
        assert!(output.status.code() == Some(6) && said.contains("answers on"), "{:?} {said}", output.status);
    }
    place.ok(&["stop"]);
}

fn leases(place: &Place) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(place.path().join("state/cache")).into_iter().flatten().flatten();
    files.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "sealed")).collect()
}

/// Killed in the middle of each request: nobody ever learns how one ends.
#[test]
fn a_crash_loop_asks_no_more_often_than_failures_in_a_row_would() {
    for head in [FILE, "keyring = \"file\"\nautostart = false"] {
        let (issuer, place) = signed_in(head);
        issuer.standin.behave(Standin::TEA, Behaviour::Hang);
        let asked = || issuer.standin.count(Standin::TEA);
        let (started, mut rounds) = (Instant::now(), 0);
        while started.elapsed() < Duration::from_secs(6) {
            let (before, mut helper, round) = (asked(), place.start_helper("podaac"), Instant::now());
            while asked() == before && round.elapsed() < Duration::from_millis(300) {
                std::thread::yield_now();
            }
            // One-shots are the helper itself, which has become the command.
            for pid in place.daemons() {
                let _ = rustix::process::kill_process(
                    rustix::process::Pid::from_raw(pid).unwrap(),
                    rustix::process::Signal::KILL,
                );
            }
            let _ = helper.kill();
            helper.wait().unwrap();
            rounds += 1;
        }
        // At 0 s, and after rests of at least 1, 1 and 2 s; a busy machine asks less often.
        assert!(rounds >= 10 && (1..=4).contains(&asked()), "{head}: asked {} times in {rounds} rounds", asked());
        // Once it answers, so do we.
        issuer.standin.behave(Standin::TEA, Behaviour::Normal);
        until("an answer", || place.helper("podaac").status.success());
    }
}
