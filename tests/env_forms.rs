//! `valetkey env`, `credentials` and `token` as scripts use them: each form through the reader that it is for.

#![allow(clippy::unwrap_used)]

mod common;

use common::{refused, signed_in, stderr};
use serde_json::Value;
use std::process::Output;
use valetkey::standin::Standin;

/// Runs a script of sh in which `valetkey` is ours.
fn sh(place: &common::Place, script: &str) -> Output {
    let script = format!("valetkey() {{ {} \"$@\"; }}\n{script}", common::COMMAND);
    place.program("/bin/sh").args(["-c", &script]).output().unwrap()
}

#[test]
fn a_shell_that_evaluates_it_has_what_the_process_form_says() {
    let (_issuer, place) = signed_in("keyring = \"file\"");
    let json: Value = serde_json::from_str(&place.ok(&["credentials", "podaac"])).unwrap();
    let script = r#"eval "$(valetkey env podaac)" && printf '%s\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" \
        "$AWS_SESSION_TOKEN" "$AWS_CREDENTIAL_EXPIRATION" "$AWS_REGION" "$AWS_DEFAULT_REGION""#;
    let output = sh(&place, script);
    assert_eq!(stderr(&output), "");
    let said = String::from_utf8(output.stdout).unwrap();
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    let wanted = ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"].map(text);
    assert_eq!(said.lines().collect::<Vec<_>>(), [&wanted[..], &["us-west-2".into(), "us-west-2".into()]].concat());
}

#[test]
fn clearing_takes_out_what_was_set_and_needs_no_profile() {
    let (_issuer, place) = signed_in("keyring = \"file\"");
    let output = sh(&place, r#"eval "$(valetkey env podaac)"; eval "$(valetkey env --clear)"; env"#);
    assert_eq!(stderr(&output), "");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("AWS_"));
    for format in ["dotenv", "process", "ini"] {
        refused(&place.command(&["env", "--clear", "--format", format]), 2);
    }
}

#[test]
fn every_form_is_written_with_nothing_on_standard_error() {
    let (_issuer, place) = signed_in("keyring = \"file\"");
    for format in
        ["sh", "env", "env-no-export", "fish", "powershell", "windows-cmd", "dotenv", "ini", "container", "process"]
    {
        let output = place.command(&["env", "podaac", "--format", format]);
        assert!(output.status.success() && stderr(&output).is_empty(), "{format}: {}", stderr(&output));
        assert!(output.stdout.ends_with(b"\n"), "{format}");
    }
    let container: Value = serde_json::from_str(&place.ok(&["env", "podaac", "--format", "container"])).unwrap();
    let names: Vec<&String> = container.as_object().unwrap().keys().collect();
    assert_eq!(names, ["AccessKeyId", "Expiration", "SecretAccessKey", "Token"]);
    assert_eq!(place.ok(&["env", "podaac", "--format", "process"]), place.ok(&["credentials", "podaac"]));
}

#[test]
fn without_a_daemon_the_forms_are_the_same() {
    let (issuer, place) = signed_in("keyring = \"file\"");
    let with = place.ok(&["env", "podaac"]);
    place.ok(&["stop"]);
    let config = std::fs::read_to_string(place.config_file()).unwrap();
    place.configure(&format!("autostart = false\n{config}"));
    let asked = issuer.standin.count(Standin::TEA);
    assert_eq!(place.ok(&["env", "podaac"]), with);
    assert_eq!(issuer.standin.count(Standin::TEA), asked, "out of the cache");
    assert!(place.daemons().is_empty());
}

#[test]
fn what_cannot_be_given_is_said_on_standard_error_alone() {
    let (_issuer, place) = signed_in("keyring = \"file\"");
    refused(&place.command(&["env", "podaacc"]), 6);
    refused(&place.command(&["env", "podaac", "--min-valid", "12h"]), 6);
    assert_eq!(place.command(&["env", "podaac", "--format", "yaml"]).status.code(), Some(2));
    assert_eq!(place.command(&["env"]).status.code(), Some(2));
}

/// C++ runs `cmd 2>&1`: a byte on standard error would break the JSON.
#[test]
fn both_streams_as_one_are_json_from_every_program_that_an_sdk_may_run() {
    let (_issuer, place) = signed_in("keyring = \"file\"");
    for command in [format!("{} podaac", common::HELPER), format!("{} credentials podaac", common::COMMAND)] {
        // Cold, with a daemon to be started, and warm.
        place.ok(&["stop"]);
        for _ in 0..2 {
            let output = place.program("/bin/sh").args(["-c", &format!("{command} 2>&1")]).output().unwrap();
            let json: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(json["Version"], 1, "{command}");
        }
    }
}

/// As a script of that shell's own runs them: the words that evaluate the file `$FILE`.
const SHELLS: [(&str, &[&str], valetkey::export::Shell, &str); 3] = [
    ("sh", &["-c"], valetkey::export::Shell::Sh, r#"eval "$(cat "$FILE")"; /usr/bin/printenv AWS_SECRET_ACCESS_KEY"#),
    ("fish", &["-c"], valetkey::export::Shell::Fish, "cat $FILE | source; /usr/bin/printenv AWS_SECRET_ACCESS_KEY"),
    (
        "tcsh",
        &["-f", "-c"],
        valetkey::export::Shell::Csh,
        r#"eval "`cat $FILE`"; /usr/bin/printenv AWS_SECRET_ACCESS_KEY"#,
    ),
];

#[test]
fn s48_each_shell_that_is_here_reads_back_what_could_have_been_a_command() {
    let place = common::Place::new();
    let file = place.path().join("lines");
    for (name, options, shell, script) in SHELLS {
        let Some(program) = common::peers::installed(&[name]) else { continue };
        for value in ["plain/+==", r#"a'b"c$HOME`id`\x;&|<>(*)~#^%"#, "a!b !x", " a  b ", "-n"] {
            std::fs::write(&file, shell.set(&[("AWS_SECRET_ACCESS_KEY", value.to_owned())]).unwrap()).unwrap();
            let mut command = place.program(program[0].to_str().unwrap());
            let output = command.args(options).arg(script).env("FILE", &file).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            assert_eq!(said.strip_suffix('\n'), Some(value), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let cleared = format!(
            "{}; /usr/bin/printenv AWS_SECRET_ACCESS_KEY",
            shell.clear(&["AWS_SECRET_ACCESS_KEY"]).unwrap().trim()
        );
        let mut command = place.program(program[0].to_str().unwrap());
        let output = command.args(options).arg(cleared).env("AWS_SECRET_ACCESS_KEY", "x").output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "{name}");
    }
}
