//! F21 and F24: clients that are slow, half-open or gone, at every byte; and very many profiles.

use crate::common::{COMMAND, Place, connections, credentials, signed_in, until};
use crate::{FILE, daemon_of};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use valetkey::standin::{Behaviour, Gate, Standin};

const REQUEST: &[u8] = b"GET /v1/profiles/podaac/credentials HTTP/1.0\r\naccept: text/plain\r\n\r\n";

fn connect(place: &Place) -> UnixStream {
    UnixStream::connect(place.socket()).unwrap()
}

fn answer(mut stream: UnixStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The daemon's descriptors, once nobody is connected.
fn descriptors(place: &Place, pid: u32) -> usize {
    until("all to be gone", || connections(&place.socket()) == 0);
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[test]
fn f21_a_client_that_leaves_at_any_byte_costs_nothing() {
    let (issuer, place) = signed_in(FILE);
    let daemon = place.start_daemon();
    let first = credentials(&place.helper("podaac"));
    let before = descriptors(&place, daemon.id());
    for bytes in 0..=REQUEST.len() {
        for half in [false, true] {
            let mut stream = connect(&place);
            stream.write_all(&REQUEST[..bytes]).unwrap();
            if half {
                stream.shutdown(Shutdown::Write).unwrap();
                // Who says no more counts as gone, unless the answer was on its way: a whole one, or nothing.
                let (answer, whole) = (answer(stream), bytes == REQUEST.len());
                assert!(
                    answer.is_empty() || (whole && answer.ends_with("}\n")) || answer.contains(" 400 "),
                    "{bytes}: {answer}"
                );
            }
        }
    }
    // And in the middle of the answer.
    let whole = {
        let mut stream = connect(&place);
        stream.write_all(REQUEST).unwrap();
        answer(stream).len()
    };
    for bytes in 1..whole {
        let mut stream = connect(&place);
        stream.write_all(REQUEST).unwrap();
        stream.read_exact(&mut vec![0; bytes]).unwrap();
    }
    let after = descriptors(&place, daemon.id());
    assert!(after <= before, "{before} descriptors, then {after}");
    assert_eq!(credentials(&place.helper("podaac")), first);
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
}

#[test]
fn f21_a_client_that_leaves_while_it_waits_cancels_nothing() {
    let (issuer, place) = signed_in(FILE);
    let daemon = place.start_daemon();
    let gate = Gate::shut();
    issuer.standin.behave(Standin::TEA, Behaviour::Normal.held_by(&gate));
    for _ in 0..20 {
        connect(&place).write_all(REQUEST).unwrap();
    }
    issuer.wait_for(Standin::TEA, 1);
    gate.open();
    credentials(&place.helper("podaac"));
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
    descriptors(&place, daemon.id());
}

#[test]
fn f21_slow_clients_hold_nobody_up_and_are_let_go() {
    let (_issuer, place) = signed_in(FILE);
    let _daemon = place.start_daemon();
    let first = credentials(&place.helper("podaac"));
    let mut slow = connect(&place);
    for byte in REQUEST {
        slow.write_all(&[*byte]).unwrap();
    }
    assert!(answer(slow).contains("AccessKeyId"), "byte by byte");
    let silent: Vec<UnixStream> = (0..100)
        .map(|n| {
            let mut s = connect(&place);
            s.write_all(&REQUEST[..n % 60]).unwrap();
            s
        })
        .collect();
    assert_eq!(credentials(&place.helper("podaac")), first);
    // Two seconds are theirs.
    for stream in silent {
        assert!(!answer(stream).contains("200 OK"));
    }
}

fn resident_kib(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn f24_a_thousand_profiles_need_bounded_memory_and_a_second_round_none() {
    let (issuer, place) = signed_in(FILE);
    let mut text = issuer.earthdata_config("keyring = \"file\"");
    let lines = text.split_once("[profiles.podaac]").unwrap().1.to_owned();
    for n in 0..1000 {
        text += &format!("[profiles.p{n}]{lines}");
    }
    place.configure(&text);
    // Without a disk: this is about memory.
    for name in ["cache", "worked"] {
        let directory = place.path().join("state").join(name);
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::write(directory, "").unwrap();
    }
    let daemon = daemon_of(&place, place.program(COMMAND));
    let empty = resident_kib(daemon.0.id());
    let ask_all = |times: usize| {
        for n in 0..1000 * times {
            let mut stream = connect(&place);
            write!(stream, "GET /v1/profiles/p{}/credentials HTTP/1.0\r\n\r\n", n % 1000).unwrap();
            assert!(answer(stream).contains("AccessKeyId"), "p{n}");
        }
    };
    ask_all(1);
    let full = resident_kib(daemon.0.id());
    assert!(full < empty + 32 * 1024, "{empty} KiB empty, {full} KiB with a thousand");
    ask_all(2);
    let later = resident_kib(daemon.0.id());
    assert!(later < full + 4 * 1024, "{full} KiB, then {later} KiB");
    assert_eq!(issuer.standin.count("/tea"), 1000);
    daemon.stop(&place);
}
