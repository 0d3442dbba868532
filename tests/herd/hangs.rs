//! Who hangs: an issuer, behind the daemon and behind one-shots, and whatever holds the socket. All wait at the same time.

use crate::common::{self, Place, refused, signed_in};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};
use valetkey::standin::{Behaviour, Standin};

const HERD: usize = 50;
/// A helper gives itself 20 s, as its message says. This only tells an end from none: herds of two hundred run beside it.
const LIMIT: Duration = Duration::from_secs(45);

pub(crate) fn all_at_the_same_time() {
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
    let ask = || {
        let started = Instant::now();
        refused(&place.helper("podaac"), 5);
        assert!(started.elapsed() < LIMIT, "{head}: {:?}", started.elapsed());
    };
    std::thread::scope(|scope| (0..HERD).for_each(|_| drop(scope.spawn(ask))));
    assert_eq!(issuer.standin.count(Standin::TEA), 1, "{head}");
    // Answered though the issuer still hangs.
    place.status();
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
    assert!(said.contains("takes no more connections") && started.elapsed() < LIMIT, "{said}");
    drop(listener);
}

fn listen(place: &Place) -> UnixListener {
    let directory = place.path().join("run");
    std::fs::create_dir(&directory).unwrap();
    common::chmod(&directory, 0o700);
    UnixListener::bind(place.socket()).unwrap()
}
