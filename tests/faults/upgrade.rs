//! F22: an upgrade under a running daemon, and two versions that meet.

use crate::common::{COMMAND, HELPER, Place, credentials, refused, signed_in, stderr, until};
use crate::{FILE, daemon_of};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Output;
use valetkey::standin::Standin;

/// As a package manager does: a new file under the old name.
fn install(from: &str, directory: &Path) -> String {
    let name = Path::new(from).file_name().unwrap();
    let fresh = directory.join("fresh");
    std::fs::copy(from, &fresh).unwrap();
    std::fs::rename(&fresh, directory.join(name)).unwrap();
    directory.join(name).display().to_string()
}

#[test]
fn f22_an_upgrade_under_a_running_daemon_is_not_noticed_and_taken_up_at_the_next_start() {
    let (issuer, place) = signed_in(FILE);
    let bin = place.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let (command, helper) = (install(COMMAND, &bin), install(HELPER, &bin));
    let ask = || credentials(&place.program(&helper).arg("podaac").output().unwrap());
    let first = ask();
    let old = place.daemons();
    assert_eq!(old.len(), 1);
    install(COMMAND, &bin);
    install(HELPER, &bin);
    assert_eq!(ask(), first);
    assert_eq!(place.daemons(), old, "the old one answers the new helper");
    let image = |pid: i32| std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    assert!(image(old[0]).display().to_string().ends_with("(deleted)"));
    assert!(place.program(&command).arg("stop").status().unwrap().success());
    until("the old one's end", || place.daemons().is_empty());
    assert_eq!(ask(), first, "P0: from the cache");
    assert_eq!(image(place.daemons()[0]).display().to_string(), command);
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
}

#[test]
fn f22_what_an_old_daemon_does_not_know_is_said_with_its_version() {
    let (_issuer, place) = signed_in(FILE);
    let daemon = daemon_of(&place, place.program(COMMAND));
    for (request, accept) in [("GET /v1/tomorrow", "text/plain"), ("PATCH /v2/x", "application/json")] {
        let mut stream = UnixStream::connect(place.socket()).unwrap();
        write!(stream, "{request} HTTP/1.0\r\naccept: {accept}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("valetkey-error: protocol") && answer.contains("does not know"), "{answer}");
        assert!(answer.contains(env!("CARGO_PKG_VERSION")), "{answer}");
    }
    daemon.stop(&place);
}

/// What helper and command make of an answer.
fn told(answer: &'static str) -> [Output; 2] {
    let place = Place::new();
    std::fs::create_dir(place.path().join("run")).unwrap();
    crate::common::chmod(&place.path().join("run"), 0o700);
    let listener = UnixListener::bind(place.socket()).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    [place.helper("podaac"), place.command(&["credentials", "podaac"])]
}

#[test]
fn f22_a_kind_of_error_from_a_newer_daemon_is_still_an_error_with_a_remedy() {
    let text = "valetkey: error: the moon is full\nhint: wait for the sun to rise again\n";
    let newer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nvaletkey-error: full-moon\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    );
    let [helper, command] = told(newer.leak());
    assert!(refused(&helper, 5).contains("wait for the sun"), "by its status, in its words");
    assert!(refused(&command, 7).contains("another version"), "{}", stderr(&command));
    let [helper, command] = told("HTTP/1.1 418 ?\r\nvaletkey-error: teapot\r\ncontent-length: 0\r\n\r\n");
    assert!(!helper.status.success() && helper.stdout.is_empty());
    assert!(!command.status.success() && command.stdout.is_empty());
}
