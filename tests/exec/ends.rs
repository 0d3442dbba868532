//! How it ends: exit codes, signals, and programs that are none.

use super::common::{refused, signed_in, until};
use super::{FILE, Waiting, exec, places};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

#[test]
fn its_exit_code_is_ours_and_so_is_the_signal_that_ends_it() {
    let (_issuer, place) = signed_in(FILE);
    for code in [0, 1, 42, 255] {
        let status = exec(&place, &["/bin/sh", "-c", &format!("exit {code}")]).status().unwrap();
        assert_eq!(status.code(), Some(code));
    }
    for signal in [9, 15] {
        let status = exec(&place, &["/bin/sh", "-c", &format!("kill -{signal} $$")]).status().unwrap();
        assert_eq!(status.signal(), Some(signal), "{status}");
    }
}

#[test]
fn a_signal_to_us_reaches_it_once_and_it_decides() {
    let (_issuer, place) = signed_in(FILE);
    let script = "use strict; $| = 1; my $n = 0; $SIG{$_} = sub { print \"$_[0]\\n\" } for qw(TERM HUP INT USR1 USR2);\
                  $SIG{QUIT} = sub { print \"QUIT\\n\"; exit 9 }; print \"ready\\n\"; sleep 60 while 1;";
    let mut child = exec(&place, &["/usr/bin/perl", "-e", script]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "ready");
    let us = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    for (signal, name) in [
        (Signal::TERM, "TERM"),
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::QUIT, "QUIT"),
    ] {
        kill_process(us, signal).unwrap();
        assert_eq!(lines.next().unwrap(), name);
    }
    assert_eq!(lines.next(), None, "each came once");
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

/// A terminal sends Ctrl-C to all who are in front. Programs take the second one for impatience.
#[test]
fn a_terminals_interrupt_comes_once() {
    let (_issuer, place) = signed_in(FILE);
    let perl = r#"$| = 1; $SIG{INT} = sub { print "INT\n" }; print "ready\n"; while (<STDIN>) { exit 5 if /q/ }"#;
    let program = place.path().join("program");
    std::fs::write(&program, perl).unwrap();
    let line = format!("exec {} exec podaac -- perl {}", super::common::COMMAND, program.display());
    let mut terminal = place.program("script");
    terminal.args(["-qefc", &line, "/dev/null"]).stdin(Stdio::piped());
    let mut child = match terminal.spawn() {
        Ok(child) => child,
        Err(error) => return super::common::skip(&format!("script: {error}")),
    };
    let mut keys = child.stdin.take().unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap) {
        match line.trim() {
            "ready" => keys.write_all(b"\x03").unwrap(),
            line if line.ends_with("INT") => keys.write_all(b"q\n").unwrap(),
            _ => {}
        }
        said.push(line);
    }
    assert_eq!(said.iter().filter(|line| line.contains("INT")).count(), 1, "{said:?}");
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

#[test]
fn what_was_ignored_for_the_program_stays_ignored_with_a_daemon_and_without() {
    for head in [FILE, "keyring = \"file\"\nautostart = false"] {
        let (_issuer, place) = signed_in(head);
        for option in ["", "--static "] {
            let script = format!(
                "trap '' HUP; exec {} exec {option}podaac -- /bin/sh -c 'grep SigIgn /proc/self/status'",
                super::common::COMMAND
            );
            let output = place.program("/bin/sh").args(["-c", &script]).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            let mask = u64::from_str_radix(said.trim().rsplit('\t').next().unwrap(), 16).unwrap();
            assert_eq!(mask & 1, 1, "SIGHUP, {head} {option}: {said}");
            assert_eq!(mask >> 12 & 1, 0, "SIGPIPE is not ours to ignore for it: {said}");
        }
    }
}

/// The kernel tells the end of a terminal to the leader of its session, which we are under `ssh -t`.
#[test]
fn a_terminal_that_is_closed_ends_it() {
    let (_issuer, place) = signed_in(FILE);
    let pid = place.path().join("pid");
    let line =
        format!("exec {} exec podaac -- sh -c 'echo $$ >{}; exec sleep 60'", super::common::COMMAND, pid.display());
    let mut terminal = place.program("script");
    terminal.args(["-qefc", &line, "/dev/null"]).stdin(Stdio::piped());
    let mut child = match terminal.spawn() {
        Ok(child) => child,
        Err(error) => return super::common::skip(&format!("script: {error}")),
    };
    let read = || std::fs::read_to_string(&pid).ok().and_then(|text| text.trim().parse::<i32>().ok());
    until("the program", || read().is_some());
    let program = Pid::from_raw(read().unwrap()).unwrap();
    // Whoever holds the terminal's other end is gone.
    child.kill().unwrap();
    child.wait().unwrap();
    until("the program's end", || rustix::process::test_kill_process(program).is_err());
}

#[test]
fn what_cannot_be_run_is_told_as_a_shell_would() {
    let (_issuer, place) = signed_in(FILE);
    refused(&exec(&place, &["/no/such/program"]).output().unwrap(), 127);
    refused(&exec(&place, &["/etc/hostname"]).output().unwrap(), 126);
    assert_eq!(place.command(&["exec", "podaac"]).status.code(), Some(2), "no program is a mistake of usage");
    let mut fixed = place.program(super::common::COMMAND);
    let output = fixed.args(["exec", "--static", "podaac", "--", "/no/such/program"]).output().unwrap();
    assert_eq!(output.status.code(), Some(127));
}

#[test]
fn a_killed_parent_leaves_files_that_the_next_one_sweeps() {
    let (_issuer, place) = signed_in(FILE);
    let mut waiting = Waiting::start(&place);
    waiting.child.kill().unwrap();
    waiting.child.wait().unwrap();
    drop(waiting.child.stdin.take());
    assert_eq!(places(&place), 1);
    let status = exec(&place, &["true"]).stdout(Stdio::null()).status().unwrap();
    assert!(status.success());
    until("the sweep", || places(&place) == 0);
}
