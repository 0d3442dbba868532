//! The desktop tier against a real gnome-keyring on a D-Bus of its own: unlocked, locked, stopped, killed.
//!
//! Needs gnome-keyring, dbus and gdbus; where they are missing this is skipped, but not in CI.

#![cfg(feature = "agent")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test of the outside starts programs, waits, panics

mod common;

use common::desktop::{Daemon, HOME, lock_collection, run_under_a_bus};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use valetkey::error::{Error, Remedy};
use valetkey::ports::{Keyring, Tier};
use valetkey::secret::Secret;
use valetkey::system::keyring::OsKeyring;

/// What the daemon and one-shots grant.
const LIMIT: Duration = Duration::from_secs(2);
/// Asks until the keyring describes itself with `word`.
async fn until(keyring: &OsKeyring, word: &str) {
    let started = Instant::now();
    loop {
        match keyring.describe().await {
            Ok(text) if text.contains(word) => return,
            other => assert!(started.elapsed() < Duration::from_secs(20), "waiting for {word:?}: {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn collections(home: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(home.join("data/keyrings")).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".keyring")).collect()
}

/// The part under the bus. In the order of a bad day.
#[test]
#[ignore = "run by the test below, under a bus of its own"]
fn under_a_bus_of_its_own() {
    let Some(home) = std::env::var_os(HOME).map(PathBuf::from) else { return };
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(a_bad_day(&home));
}

async fn a_bad_day(home: &Path) {
    let state = home.join("state");
    let keyring = OsKeyring::new(state.clone(), None, LIMIT);
    let secret = Secret::new("marker-of-a-login");

    // A bus without a service, then a service without a collection: a file would be used, and nothing is made.
    until(&keyring, "file (").await;
    {
        let _locked_out = Daemon::start(None);
        let service = OsKeyring::new(state.clone(), Some(Tier::Service), LIMIT);
        until(&service, "no default collection").await;
        assert!(matches!(service.store("a", &secret).await, Err(Error::Unavailable { .. })));
        until(&keyring, "file (").await;
    }
    assert!(!state.exists());
    assert!(collections(home).is_empty(), "no collection was made");

    // The same process finds the desktop once it is there.
    let daemon = Daemon::start(Some("pw"));
    until(&keyring, "service (Secret Service, unlocked), not pinned").await;
    assert_eq!(collections(home), ["login.keyring"], "this is where one would be");
    assert_eq!(keyring.load("a").await.unwrap(), None);
    keyring.store("a", &Secret::new("old")).await.unwrap();
    assert_eq!(keyring.pinned_now().unwrap(), "logins rest in the desktop keyring (it is unlocked)");
    keyring.store("a", &secret).await.unwrap();
    assert_eq!(keyring.load("a").await.unwrap(), Some(secret.clone()));
    assert_eq!(keyring.key(false).await.unwrap(), None);
    let key = keyring.key(true).await.unwrap().unwrap();
    assert!(keyring.key(true).await.unwrap() == Some(key));
    keyring.store("b", &secret).await.unwrap();
    keyring.delete("b").await.unwrap();
    keyring.delete("b").await.unwrap();
    assert_eq!(keyring.load("b").await.unwrap(), None);
    let other = OsKeyring::new(home.join("other"), Some(Tier::Service), LIMIT);
    assert_eq!(other.load("a").await.unwrap(), None, "a second instance sees nothing of the first");
    assert!(!state.join("key").exists() && !state.join("logins").exists(), "nothing but the pin rests in files");

    // Its logins are found by themselves, and moved there and back.
    let moving = OsKeyring::new(home.join("moving"), None, LIMIT);
    for name in ["a", "aws"] {
        moving.store(name, &secret).await.unwrap();
    }
    moving.key(true).await.unwrap();
    for tier in [Tier::File, Tier::Service, Tier::File] {
        let names: Vec<String> = moving.resting().await.unwrap().into_iter().collect();
        assert_eq!(names, ["a", "aws"]);
        moving.move_to(tier, names).await.unwrap();
        assert_eq!(moving.load("aws").await.unwrap(), Some(secret.clone()));
        assert_eq!(home.join("moving/logins/aws.sealed").exists(), tier == Tier::File);
    }
    std::fs::remove_dir_all(home.join("moving")).unwrap();
    assert!(moving.resting().await.unwrap().is_empty(), "the desktop keyring holds none of them any more");

    lock_collection();
    let started = Instant::now();
    for error in [
        keyring.load("a").await.err(),
        keyring.store("a", &secret).await.err(),
        keyring.delete("a").await.err(),
        keyring.key(true).await.err(),
    ] {
        let locked = matches!(error, Some(Error::LoginRequired { remedy: Remedy::UnlockKeyring, .. }));
        assert!(locked, "F16 locked: {error:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(15), "nobody waited for a dialog");
    until(&keyring, "service (Secret Service, locked), pinned").await;

    // Stopped, four times: were threads lost, the fourth would be refused at once and for ever.
    daemon.signal(Signal::STOP);
    for _ in 0..4 {
        let started = Instant::now();
        let error = keyring.key(true).await.unwrap_err();
        assert_eq!(error.to_string(), "the keyring did not answer within 2 s", "F16 hung");
        assert!(started.elapsed() < Duration::from_secs(15));
    }
    daemon.signal(Signal::CONT);
    until(&keyring, "locked").await;

    // Killed in the middle of a call.
    daemon.signal(Signal::STOP);
    let (killed, ()) = tokio::join!(keyring.load("a"), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        daemon.signal(Signal::KILL);
    });
    assert!(matches!(killed, Err(Error::Unavailable { .. })), "F16 killed: {killed:?}");
    drop(daemon);
    let gone = keyring.load("a").await;
    assert!(matches!(gone, Err(Error::Unavailable { .. })), "pinned: no file instead: {gone:?}");
    assert!(!state.join("key").exists());

    let _again = Daemon::start(Some("pw"));
    until(&keyring, "service (Secret Service, unlocked), pinned").await;
    assert_eq!(keyring.load("a").await.unwrap(), Some(secret));
}

#[test]
fn f16_s22_a_desktop_keyring_may_be_absent_locked_hung_or_killed() {
    run_under_a_bus("under_a_bus_of_its_own");
}
