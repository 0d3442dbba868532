//! The helper as an SDK sees it: one line on stdout or nothing, a silent stderr, and stdin that is somebody else's.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use common::{COMMAND, HELPER, Place, credentials, refused, signed_in, stderr, until, within};
use rustix::io::{Errno, FdFlags, fcntl_setfd, ioctl_fionread};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const FILE: &str = "keyring = \"file\"";
const NO_DAEMON: &str = "keyring = \"file\"\nautostart = false";
const SOON: Duration = Duration::from_secs(15);

fn run(mut command: Command) -> Output {
    within(SOON, "a helper", move || command.output().unwrap())
}

fn shell(place: &Place, script: &str) -> Output {
    let mut command = place.program("sh");
    command.args(["-c", script, HELPER]);
    run(command)
}

#[test]
fn s28_a_success_is_one_line_of_json_and_silence() {
    for head in [FILE, NO_DAEMON] {
        let (_issuer, place) = signed_in(head);
        for warmth in ["cold", "warm"] {
            let output = place.helper("podaac");
            let keys = credentials(&output);
            let names: Vec<&String> = keys.as_object().unwrap().keys().collect();
            assert_eq!(names, ["AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken", "Version"], "{warmth}");
            let line = String::from_utf8(output.stdout).unwrap();
            assert!(line.ends_with("}\n") && line.lines().count() == 1 && line.len() <= 4096);
            let end = keys["Expiration"].as_str().unwrap();
            assert!(end.len() == "2030-01-01T00:00:00Z".len() && end.ends_with('Z'), "{end}");
        }
    }
}

/// Begun at eight times, for a coarse timer is more or less late by when it was set.
#[test]
fn p2_s46_a_daemon_that_does_not_answer_is_given_up_after_twenty_seconds_and_no_later() {
    let place = Place::new();
    let directory = place.path().join("run");
    std::fs::create_dir(&directory).unwrap();
    common::chmod(&directory, 0o700);
    let _hung = UnixListener::bind(place.socket()).unwrap();
    let begun = Instant::now();
    let ask = |number: u32| {
        let at = begun + number * Duration::from_millis(250);
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        let started = Instant::now();
        let said = refused(&place.helper("podaac"), 5);
        assert!(said.contains("has not answered within 20 s"), "{said}");
        started.elapsed()
    };
    let took: Vec<Duration> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8).map(|number| scope.spawn(move || ask(number))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let late = took.iter().filter(|took| **took > Duration::from_secs(21)).count();
    assert!(late <= 1, "an SDK waits for 22 s: {took:?}");
}

#[test]
fn stdin_is_never_read() {
    for head in [FILE, NO_DAEMON] {
        let (_issuer, place) = signed_in(head);
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"not ours").unwrap();
        let mut helper = place.program(HELPER);
        helper.arg("podaac").stdin(reader.try_clone().unwrap());
        credentials(&run(helper));
        assert_eq!(ioctl_fionread(&reader).unwrap(), 8, "and its writer, who is still there, is not waited for");
    }
}

#[test]
fn f29_closed_descriptors_change_nothing() {
    for head in [FILE, NO_DAEMON] {
        let (_issuer, place) = signed_in(head);
        for script in ["\"$0\" podaac <&- 2>&-", "\"$0\" podaac 2>&-", "\"$0\" podaac <&-"] {
            credentials(&shell(&place, script));
        }
        for (script, code) in [("\"$0\" podaac >&-", 0), ("\"$0\" nobody <&- >&- 2>&-", 6)] {
            let output = shell(&place, script);
            assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{script}");
        }
    }
}

#[test]
fn f28_a_full_pipe_on_stderr_holds_nobody() {
    let (_issuer, place) = signed_in(FILE);
    let (_reader, writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while rustix::io::write(&writer, &[0; 4096]) != Err(Errno::AGAIN) {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    fcntl_setfd(&writer, FdFlags::CLOEXEC).unwrap();

    // A daemon whose log nobody reads, and who has much to say.
    let mut daemon = place.program(COMMAND);
    daemon.arg("daemon").env("VALETKEY_LOG", "trace").stdout(Stdio::null()).stderr(writer.try_clone().unwrap());
    let mut daemon = daemon.spawn().unwrap();
    until("the daemon", || place.socket().exists());
    for (profile, code) in [("podaac", 0), ("nobody", 6)] {
        for program in [HELPER, COMMAND] {
            let mut command = place.program(program);
            command.args((program == COMMAND).then_some("credentials")).arg(profile);
            command.stderr(writer.try_clone().unwrap());
            assert_eq!(run(command).status.code(), Some(code));
        }
    }
    place.ok(&["stop"]);
    assert!(daemon.wait().unwrap().success());
}

#[test]
fn what_cannot_be_written_is_no_success() {
    for head in [FILE, NO_DAEMON] {
        let (_issuer, place) = signed_in(head);
        for _ in ["cold", "warm"] {
            let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
            let mut helper = place.program(HELPER);
            helper.arg("podaac").stdout(full);
            assert!(refused(&run(helper), 6).contains("cannot write to standard output"));
        }
        let output = shell(&place, "\"$0\" nobody 2>/dev/full");
        assert_eq!(output.status.code(), Some(6), "nor does an error that cannot be told become another");
    }
}

#[test]
fn the_command_is_taken_from_the_helpers_own_directory_and_never_from_path() {
    let place = Place::new();
    let (own, evil) = (place.path().join("own"), place.path().join("evil"));
    for directory in [&own, &evil] {
        std::fs::create_dir(directory).unwrap();
    }
    script(&evil.join("valetkey"), "echo evil");
    let helper = own.join("valetkey-credential-process");
    std::fs::copy(HELPER, &helper).unwrap();
    let ask = |program: &Path, profile: &str| {
        let mut command = place.program(program.to_str().unwrap());
        command.arg(profile).current_dir(&evil);
        command.env("PATH", format!("{}:/usr/bin:/bin", evil.display()));
        run(command)
    };
    let said = refused(&ask(&helper, "podaac"), 5);
    assert!(said.contains("valetkey daemon") && said.contains(own.to_str().unwrap()), "{said}");

    script(&own.join("valetkey"), "echo own \"$@\"");
    let said = |program: &Path, profile: &str| String::from_utf8(ask(program, profile).stdout).unwrap();
    assert_eq!(said(&helper, "podaac"), "own credentials podaac\n");
    assert_eq!(said(&helper, "-x"), "own credentials -- -x\n", "a name is never an option");
    let link = evil.join("valetkey-credential-process");
    symlink(&helper, &link).unwrap();
    assert_eq!(said(&link, "podaac"), "own credentials podaac\n", "a link's own directory counts for nothing");
}

fn script(path: &Path, line: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{line}\n")).unwrap();
    common::chmod(path, 0o755);
}

#[test]
fn s12_neither_daemon_nor_one_shot_may_leave_a_core() {
    let (issuer, place) = signed_in(NO_DAEMON);
    let no_core = |pid: u32| {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        core.split_whitespace().skip(4).take(2).eq(["0", "0"])
    };
    let gate = valetkey::standin::Gate::shut();
    issuer.standin.behave("/", valetkey::standin::Behaviour::Normal.held_by(&gate));
    let helper = place.start_helper("podaac");
    issuer.wait_for("/", 1);
    assert!(no_core(helper.id()));
    gate.open();
    let output = helper.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let mut daemon = place.start_daemon();
    assert!(no_core(daemon.id()));
    place.ok(&["stop"]);
    daemon.wait().unwrap();
}
