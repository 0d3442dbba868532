//! Strangers at the socket: what listens there without being our daemon, and who asks without being our user.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use common::{Place, credentials, refused, signed_in, stderr};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers each connection with these bytes and closes it; counts them.
fn listen(place: &Place, answer: Vec<u8>) -> Arc<AtomicUsize> {
    let directory = place.path().join("run");
    let _ = std::fs::create_dir(&directory);
    common::chmod(&directory, 0o700);
    let listener = UnixListener::bind(place.socket()).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut stream = stream.unwrap();
            // The request is read, or the close would be a reset that may overtake the answer.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&answer);
        }
    });
    count
}

#[test]
fn what_is_no_daemon_of_ours_is_told_and_nothing_of_it_passed_on() {
    let head = |rest: &str| format!("HTTP/1.1 {rest}").into_bytes();
    for (answer, code) in [
        (b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), 7),
        (vec![0; 200_000], 7),
        (head("200 OK\r\n\r\n{\"Version\":1}\n"), 7),
        (head("500 Oops\r\ncontent-length: 3\r\n\r\nno\n"), 7),
        (head("200 OK\r\ncontent-length: 999\r\n\r\n{\"Version\":1,\"AccessKeyId\":\"half"), 5),
        (head("200 OK\r\ncontent-le"), 5),
    ] {
        let place = Place::new();
        listen(&place, answer.clone());
        let shown = String::from_utf8_lossy(&answer[..answer.len().min(80)]).into_owned();
        let said = refused(&place.helper("podaac"), code);
        assert!(!said.contains("Version") && !said.contains("OpenSSH"), "{shown}: {said}");
        assert_eq!(place.daemons(), [0; 0], "{shown}: nothing is started beside it");
    }
}

#[test]
fn the_command_tells_a_stranger_from_a_daemon_that_is_leaving_as_well() {
    let (issuer, place) = signed_in("keyring = \"file\"");
    listen(&place, b"SSH-2.0-OpenSSH_9.6\r\n".to_vec());
    refused(&place.command(&["credentials", "podaac"]), 7);
    assert_eq!(issuer.standin.count("/"), 0);
}

#[test]
fn closed_without_a_byte_is_asked_once_more_and_then_answered_without_it() {
    let (issuer, place) = signed_in("keyring = \"file\"");
    let count = listen(&place, Vec::new());
    credentials(&place.helper("podaac"));
    assert!(count.load(Ordering::Relaxed) > 2, "twice by the helper, then by the command");
    assert_eq!(issuer.standin.count("/"), 1);
    assert!(place.socket().exists(), "and what is alive there is left alone");
}

/// Perl is on every Debian, and can be run by a user who sees little else.
const PERL: &str = "/usr/bin/perl";
const LISTENER: &str = r#"use IO::Socket::UNIX; $| = 1;
my $server = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 9) or die $!; print "ready\n";
for (1..2) { my $client = $server->accept; sysread($client, my $heard, 100); print length($heard), "\n"; }"#;
const CLIENT: &str = r#"use IO::Socket::UNIX; $SIG{PIPE} = 'IGNORE'; my $heard = '';
my $client = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die $!;
syswrite($client, "GET /v1/status HTTP/1.0\r\n\r\n"); sysread($client, $heard, 100); print length($heard), "\n";"#;

/// A Perl program as the user nobody. None, with a word about it, where that cannot be had.
fn as_nobody(program: &str, place: &Place) -> Option<Child> {
    if !common::is_root() {
        println!("skipped: only root can become another user");
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", PERL, "-e", program]);
    let started = command.arg(place.socket()).stdout(Stdio::piped()).spawn();
    started.inspect_err(|error| common::skip(&format!("setpriv: {error}"))).ok()
}

#[test]
fn s07_a_socket_of_another_uid_is_refused_and_hears_no_byte() {
    let place = Place::new();
    let directory = place.path().join("run");
    std::fs::create_dir(&directory).unwrap();
    common::chmod(place.path(), 0o711);
    common::chmod(&directory, 0o777);
    let Some(mut squatter) = as_nobody(LISTENER, &place) else { return };
    let mut lines = BufReader::new(squatter.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    // As if it had come while nobody looked.
    common::chmod(&directory, 0o700);
    common::chmod(place.path(), 0o700);
    for output in [place.helper("podaac"), place.command(&["credentials", "podaac"])] {
        assert!(refused(&output, 6).contains("uid 65534"), "{}", stderr(&output));
        assert_eq!(lines.next().unwrap().unwrap(), "0");
    }
    squatter.wait().unwrap();
}

#[test]
fn s06_a_client_of_another_uid_is_closed_with_zero_bytes() {
    let (_issuer, place) = signed_in("keyring = \"file\"");
    let mut daemon = place.start_daemon();
    for (path, mode) in [(place.path(), 0o711), (&place.path().join("run"), 0o711), (&place.socket(), 0o666)] {
        common::chmod(path, mode);
    }
    let Some(stranger) = as_nobody(CLIENT, &place) else { return };
    assert_eq!(String::from_utf8(stranger.wait_with_output().unwrap().stdout).unwrap(), "0\n");
    let ours = Command::new(PERL).args(["-e", CLIENT]).arg(place.socket()).output().unwrap();
    assert_eq!(String::from_utf8(ours.stdout).unwrap(), "100\n", "the same request of our own is answered");
    // `stop` would not speak to a socket in a directory that is open to others.
    common::chmod(&place.path().join("run"), 0o700);
    assert!(place.command(&["stop"]).status.success());
    daemon.wait().unwrap();
}
