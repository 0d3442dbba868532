//! `valetkey doctor` on places where something is wrong: what it says, and that it exits with 1.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, signed_in, stderr};
use std::net::TcpListener;
use valetkey::standin::Standin;

/// Its exit code, and what it says.
fn doctor(place: &Place, words: &[&str]) -> (i32, String) {
    let output = place.command(&[&["doctor"], words].concat());
    assert_eq!(stderr(&output), "");
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_place_that_is_well_is_told_so_and_no_credentials_are_asked_for() {
    let (issuer, place) = signed_in("keyring = \"file\"");
    place.ok(&["configure"]);
    let (code, said) = doctor(&place, &[]);
    assert!(code == 0 && said.ends_with("nothing is wrong\n"), "{said}");
    for about in ["helper", "daemon", "socket", "keyring", "config", "earthdata", "podaac"] {
        assert!(said.contains(&format!("  {about}")), "{about}: {said}");
    }
    assert_eq!(issuer.standin.count(Standin::TEA), 0);
    place.ok(&["credentials", "podaac"]);
    assert_eq!(doctor(&place, &["podaac"]).0, 0, "beside a daemon as well");
}

#[test]
fn each_thing_that_is_wrong_has_a_remedy_below_it_and_the_exit_code_says_so() {
    let (issuer, mut place) = signed_in("keyring = \"file\"");
    place.ok(&["configure"]);
    std::fs::write(place.path().join(".aws/credentials"), "[podaac]\naws_access_key_id = AKIAOLD\n").unwrap();
    place.environment.push(("AWS_ACCESS_KEY_ID".into(), "AKIAENV".into()));
    place.environment.push(("AWS_REGION".into(), "eu-west-1".into()));
    place.ok(&["logout", "earthdata"]);
    issuer.stop();
    let (code, said) = doctor(&place, &[]);
    assert_eq!(code, 1, "{said}");
    for what in [
        "aws_access_key_id of [podaac]",
        "AWS_ACCESS_KEY_ID is set",
        "AWS_REGION is eu-west-1",
        "nobody has signed in as earthdata",
        "hint: run: valetkey login earthdata",
        "cannot reach 127.0.0.1",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    assert!(!said.contains("AKIA"), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("wrong ")) {
        assert!(lines[index + 1].trim_start().starts_with("hint: "), "{line}");
    }
}

#[test]
fn a_server_that_could_not_be_opened_and_a_bad_config_are_wrong() {
    let (issuer, place) = signed_in("keyring = \"file\"");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("[loopback.jobs]\nlisten = \"{}\"\n", taken.local_addr().unwrap());
    place.configure(&(issuer.earthdata_config("keyring = \"file\"") + &server));
    let _daemon = place.start_daemon();
    common::until("the trouble", || place.status()["troubles"]["loopback"].is_string());
    let (code, said) = doctor(&place, &["podaac"]);
    assert!(code == 1 && said.contains("cannot listen on"), "{said}");
    place.configure("[profiles.podaac]\nprovder = \"earthdata\"\n");
    let (code, said) = doctor(&place, &[]);
    assert!(code == 1 && said.contains("did you mean provider?"), "{said}");
    assert_eq!(place.command(&["doctor", "nobody"]).status.code(), Some(1), "the config comes first");
}
