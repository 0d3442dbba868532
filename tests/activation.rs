//! Socket activation, by systemd's own tool for trying it: the socket is the manager's, and stays its own.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use common::{COMMAND, credentials, same_credentials, signed_in, skip};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use valetkey::standin::Standin;

const ACTIVATE: &str = "systemd-socket-activate";

#[test]
fn f18_a_herd_at_an_activated_socket_is_answered_and_the_socket_stays() {
    if Command::new(ACTIVATE).arg("--version").stdout(Stdio::null()).status().is_err() {
        return skip(&format!("{ACTIVATE} is not installed"));
    }
    let (issuer, place) = signed_in("keyring = \"file\"");
    std::fs::create_dir(place.path().join("run")).unwrap();
    common::chmod(&place.path().join("run"), 0o700);
    let home = format!("-EVALETKEY_HOME={}", place.path().display());
    let mut manager = Command::new(ACTIVATE);
    manager.arg(home).arg("-l").arg(place.socket()).arg(COMMAND).arg("daemon");
    let mut daemon = manager.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(daemon.stderr.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("Listening on"));
    let inode = std::fs::metadata(place.socket()).unwrap().ino();

    same_credentials(&place.herd("podaac", 200));
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
    assert_eq!(place.daemons(), [daemon.id().cast_signed()], "the manager's, and no other");

    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    let log: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(daemon.wait().unwrap().success(), "{log:?}");
    assert_eq!(std::fs::metadata(place.socket()).unwrap().ino(), inode, "not unlinked");
}

#[test]
fn s11_descriptors_meant_for_another_process_are_left_alone() {
    let (_issuer, mut place) = signed_in("keyring = \"file\"");
    let of_another = [("LISTEN_FDS", "1"), ("LISTEN_PID", "1"), ("LISTEN_FDNAMES", "x")];
    place.environment.extend(of_another.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let mut daemon = place.start_daemon();
    credentials(&place.helper("podaac"));
    assert_eq!(place.daemons(), [daemon.id().cast_signed()]);
    place.ok(&["stop"]);
    daemon.wait().unwrap();
}
