//! Bad input: said in a line and a hint, most of it before anything is sent.

use super::common::{COMMAND, stderr};
use super::{BUCKET, Stage};
use std::net::TcpListener;

/// Its exit code and standard error, with no issuer to ask.
fn said(words: &[&str]) -> (Option<i32>, String) {
    let place = super::common::Place::new();
    let mut command = place.program(COMMAND);
    command.args([
        "localserver",
        BUCKET,
        "--endpoint-url",
        "http://127.0.0.1:9",
        "--access-key",
        "A",
        "--secret-key",
        "s",
    ]);
    let output = command.args(words).output().unwrap();
    (output.status.code(), stderr(&output))
}

#[test]
fn options_that_are_wrong_are_told_in_the_words_of_s3_credentials() {
    for (words, why) in [
        (&[][..], "--duration"),
        (&["-d", "14m"], "Duration must be between 15 minutes and 12 hours"),
        (&["-d", "13h"], "Duration must be between 15 minutes and 12 hours"),
        (&["-d", "soon"], "Duration must be of form 3600s or 15m or 2h"),
        (&["-d", "1h", "--read-only", "--write-only"], "Cannot use --read-only and --write-only at the same time"),
        (&["-d", "1h", "--statement", "{"], "Invalid JSON string"),
        (&["-d", "1h", "--statement", "[1]"], "JSON must be an object"),
        (
            &["-d", "1h", "--statement", r#"{"Effect":"Allow"}"#],
            "Statement JSON missing required keys: Action, Resource",
        ),
        (&["-d", "1h", "--port", "70000"], "70000"),
    ] {
        let (code, said) = said(words);
        assert!(code == Some(2) && said.contains(why), "{words:?}: {code:?} {said}");
    }
}

#[test]
fn addresses_that_others_reach_want_a_token_and_names_are_none() {
    for host in ["0.0.0.0", "::", "192.0.2.1", "169.254.170.2"] {
        let (code, said) = said(&["-d", "1h", "--host", host]);
        assert!(code == Some(6) && said.contains("--token-file"), "{host}: {said}");
    }
    assert!(said(&["-d", "1h", "--host", "example.org"]).1.contains("is no address"));
}

#[test]
fn a_port_in_use_is_told_with_who_to_ask() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, said) = said(&["-d", "1h", "-p", &port]);
    assert!(code == Some(6) && said.contains("cannot listen on 127.0.0.1:") && said.contains("ss -ltnp"), "{said}");
}

#[test]
fn a_bucket_that_is_not_there_and_an_issuer_that_is_away_are_told() {
    let Some(stage) = Stage::new() else { return };
    let mut command = stage.place.program(COMMAND);
    command.args(["localserver", "no-such-bucket", "-d", "1h", "--endpoint-url", &stage.moto.url, "-p", "0"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(6));
    assert!(stderr(&output).contains("Bucket does not exist: no-such-bucket"), "{}", stderr(&output));
    let (code, said) = said(&["-d", "1h", "-p", "0"]);
    assert_eq!(code, Some(5), "{said}");
}

#[test]
fn a_prefix_with_a_wildcard_inside_or_a_bucket_that_is_none_is_refused_before_anything_is_sent() {
    // Nobody listens there: asking would be another error.
    let (code, said) = said(&["-d", "1h", "-p", "0", "--prefix", "a*b"]);
    assert!(code == Some(6) && said.contains("a prefix has no wildcards"), "{said}");
}
