//! Who hangs: an issuer, behind the daemon and behind one-shots, and whatever holds the socket. All wait at the same time.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use common::{Place, refused, signed_in};
use std::os::unix::net::UnixListener;
use std::process::Output;
use std::time::{Duration, Instant};
use valetkey::standin::{Behaviour, Standin};

const HERD: usize = 50;
/// The strictest SDK gives up at about 22 s.
const LIMIT: Duration = Duration::from_secs(21);

#[test]
fn f03_p2_whoever_hangs_every_helper_ends_in_time_and_the_issuer_was_asked_once() {
    std::thread::scope(|scope| {
        scope.spawn(|| a_hung_issuer("keyring = \"file\""));
        scope.spawn(|| a_hung_issuer("keyring = \"file\"\nautostart = false"));
        scope.spawn(a_hung_listener);
        scope.spawn(a_full_backlog);
    });
}

fn a_hung_issuer(head: &str) {
    let (issuer, place) = signed_in(head);
    issuer.standin.behave(Standin::TEA, Behaviour::Hang);
    let started = Instant::now();
    let children: Vec<_> = (0..HERD).map(|_| place.start_helper("podaac")).collect();
    let outputs: Vec<Output> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(started.elapsed() < LIMIT, "{head}: {:?}", started.elapsed());
    outputs.iter().for_each(|output| drop(refused(output, 5)));
    assert_eq!(issuer.standin.count(Standin::TEA), 1, "{head}");
    let status = Instant::now();
    place.status();
    assert!(status.elapsed() < Duration::from_secs(2), "a hung issuer blocks no status");
}

/// Connections wait in its queue for ever.
fn a_hung_listener() {
    let place = Place::new();
    let listener = listen(&place);
    let started = Instant::now();
    let said = refused(&place.helper("podaac"), 5);
    assert!(said.contains("has not answered within") && started.elapsed() < LIMIT, "{said}");
    drop(listener);
}

/// S46: a connect that finds no room in the queue waits for ever by itself.
fn a_full_backlog() {
    let place = Place::new();
    let listener = listen(&place);
    rustix::net::listen(&listener, 0).unwrap();
    let _queued = std::os::unix::net::UnixStream::connect(place.socket()).unwrap();
    let started = Instant::now();
    let said = refused(&place.helper("podaac"), 5);
    assert!(said.contains("takes no more connections") && started.elapsed() < Duration::from_secs(8), "{said}");
    drop(listener);
}

fn listen(place: &Place) -> UnixListener {
    let directory = place.path().join("run");
    std::fs::create_dir(&directory).unwrap();
    common::chmod(&directory, 0o700);
    UnixListener::bind(place.socket()).unwrap()
}
