//! F20: no descriptor, or no memory, for another connection. The daemon waits; it does not spin, and it does not end.

use crate::common::trace::{may_trace, traced};
use crate::common::{COMMAND, Place, credentials, signed_in, until};
use crate::{FILE, daemon_of, log};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// Clients that send the start of a request and then nothing.
fn idle(place: &Place, count: usize) -> Vec<UnixStream> {
    let connect = |_| {
        let mut stream = UnixStream::connect(place.socket()).unwrap();
        stream.write_all(b"GET /v1/st").unwrap();
        stream
    };
    (0..count).map(connect).collect()
}

#[test]
fn f20_without_a_descriptor_it_does_not_spin_and_serves_when_there_is_one() {
    let (_issuer, place) = signed_in(FILE);
    let mut command = place.program(COMMAND);
    command.env("VALETKEY_LOG", "debug");
    let daemon = daemon_of(&place, command);
    let first = credentials(&place.helper("podaac"));
    let open = std::fs::read_dir(format!("/proc/{}/fd", daemon.0.id())).unwrap().count() as u64;
    let limit = |current| {
        let limit = Rlimit { current: Some(current), maximum: Some(4096) };
        prlimit(Some(Pid::from_child(&daemon.0)), Resource::Nofile, limit).unwrap();
    };
    limit(open + 2);
    let started = Instant::now();
    let waiting = idle(&place, 40);
    let failed = || log(&place).matches("accept: Too many open files").count();
    until("twenty tries", || failed() >= 20);
    // A pause of 50 ms follows each.
    let (tries, passed) = (failed() as u128, started.elapsed().as_millis());
    assert!(tries <= passed / 50 + 2, "{tries} tries in {passed} ms");
    drop(waiting);
    assert_eq!(credentials(&place.helper("podaac")), first);
    daemon.stop(&place);
}

#[test]
fn f20_a_herd_of_idle_clients_at_a_small_limit_keeps_nobody_out() {
    let (_issuer, place) = signed_in(FILE);
    // Less the reserve this is the least room that a daemon gives itself.
    let mut command = place.program("prlimit");
    command.args(["--nofile=80:80", COMMAND]);
    let daemon = daemon_of(&place, command);
    // Two seconds are each one's, and there is room for sixteen.
    let waiting = idle(&place, 40);
    credentials(&place.helper("podaac"));
    assert_eq!(log(&place).matches("accept:").count(), 0, "and the limit is never met");
    drop(waiting);
    daemon.stop(&place);
}

#[test]
fn f20_an_accept_that_fails_for_whatever_reason_is_tried_again() {
    if !may_trace() {
        return;
    }
    for error in ["ENOMEM", "ENFILE", "ENOBUFS", "ECONNABORTED", "EPERM"] {
        let (_issuer, place) = signed_in(FILE);
        let inject = format!("inject=accept4:error={error}:when=1..3");
        let daemon = daemon_of(&place, traced(&place, &["-e", "trace=accept4", "-e", &inject]));
        credentials(&place.helper("podaac"));
        daemon.stop(&place);
    }
}
