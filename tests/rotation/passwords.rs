//! F08: a password that is right no more is sent once, whoever asks, however often, over restarts too.

use crate::common::{COMMAND, HELPER, Issuer, Place, credentials, refused, stderr};
use crate::rig::{ALONE, OFFLINE, PASSWORD, Rig};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};
use valetkey::standin::Standin;

/// Helpers, as an SDK starts them. The rest of the ten thousand is the same bytes sent from here: so many processes
/// would be most of the time that all these tests take.
const HELPERS: usize = 1000;
const CALLS: usize = 10_000;
const AT_ONCE: usize = 40;
const RESTARTS: usize = 100;

#[test]
fn f08_a_wrong_password_at_keycloak_is_sent_once() {
    let rig = Rig::at(Place::new(), ALONE, "username = \"ada\"");
    rig.sign_in();
    rig.standin().set_password("ada", "changed since");
    is_sent_once(&rig.issuer, &rig.place, ["p0", "shasta"], Standin::TOKEN);
    // What mends it is seen, by a daemon that refused it ten thousand times too.
    rig.standin().set_password("ada", PASSWORD);
    let _daemon = rig.place.start_daemon();
    refused(&rig.place.helper("p0"), 3);
    rig.sign_in();
    credentials(&rig.place.helper("p0"));
    assert_eq!(rig.asked().len(), 2);
}

#[test]
fn f08_a_wrong_password_at_earthdata_login_is_sent_once() {
    let (issuer, place) = (Issuer::start(), Place::new());
    issuer.standin.add_user("ada", PASSWORD);
    let urs = format!("kind = \"earthdata\"\nurs = \"{}\"\n", issuer.standin.url(Standin::URS));
    place.configure(&issuer.earthdata_config(ALONE).replacen("kind = \"earthdata\"\n", &urs, 1));
    let mut login = place.program(COMMAND);
    login.args(["login", "earthdata", "--untested", "--from-env"]);
    login.envs([("EARTHDATA_USERNAME", "ada"), ("EARTHDATA_PASSWORD", PASSWORD)]);
    let done = login.output().unwrap();
    assert!(done.status.success(), "{}", stderr(&done));
    issuer.standin.set_password("ada", "changed since");
    is_sent_once(&issuer, &place, ["podaac", "earthdata"], "/urs/api/users/");
}

#[test]
fn f08_two_who_sign_in_with_a_wrong_password_at_once_are_two_seconds_apart() {
    for login in ["username = \"ada\"", OFFLINE] {
        let rig = Rig::at(Place::new(), ALONE, login);
        rig.standin().set_password("ada", "changed since");
        let begun = Instant::now();
        let both = [(); 2].map(|()| rig.start_login(&[]));
        let said = both.map(|login| refused(&login.wait_with_output().unwrap(), 3));
        assert!(said.iter().all(|said| said.contains("wrong password")), "{said:?}");
        // Each keeps its turn for as long.
        assert!(begun.elapsed() >= Duration::from_secs(4), "{login}: {:?}", begun.elapsed());
        assert_eq!((rig.asked().len(), rig.standin().is_locked("ada")), (2, false), "{login}");
    }
}

fn is_sent_once(issuer: &Issuer, place: &Place, [profile, login]: [&str; 2], path: &str) {
    let daemon = place.start_daemon();
    for _ in 0..HELPERS / AT_ONCE {
        for output in place.herd(profile, AT_ONCE) {
            refused(&output, 3);
        }
    }
    let ask = || (0..(CALLS - HELPERS) / 4).for_each(|_| refused_at_the_socket(place, profile));
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(ask))));
    refused(&place.command(&["token", login]), 3);
    assert_eq!(issuer.standin.count(path), 1, "ten thousand calls");
    drop(daemon);

    for _ in 0..RESTARTS {
        // Killed with its guard, as in a crash.
        let _daemon = place.start_daemon();
        refused_at_the_socket(place, profile);
    }
    assert_eq!(issuer.standin.count(path), 1, "a hundred daemons");

    for _ in 0..RESTARTS / 10 {
        let one_shots: Vec<_> =
            (0..10).map(|_| place.program(HELPER).arg(profile).stdin(Stdio::null()).spawn().unwrap()).collect();
        for one_shot in one_shots {
            refused(&one_shot.wait_with_output().unwrap(), 3);
        }
    }
    refused(&place.command(&["token", login]), 3);
    assert_eq!(issuer.standin.count(path), 1, "a hundred processes without a daemon");
    assert_eq!((issuer.standin.failed_attempts("ada"), issuer.standin.is_locked("ada")), (1, false));
}

fn refused_at_the_socket(place: &Place, profile: &str) {
    let mut stream = UnixStream::connect(place.socket()).unwrap();
    stream.write_all(&valetkey::wire::credentials_request(profile)).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.contains("login-required") && reply.contains("valetkey login"), "{reply}");
}
