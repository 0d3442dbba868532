//! A herd without a daemon whose logins and key are in the desktop's keyring: a real gnome-keyring on a bus of its own.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use common::desktop::{Daemon, HOME, lock_collection, run_under_a_bus, wait_for_collection};
use common::{Issuer, Place, refused, same_credentials, stderr};
use valetkey::standin::Standin;

#[test]
fn f16_a_herd_on_the_desktop_keyring_makes_one_call_and_a_locked_one_none() {
    run_under_a_bus("under_a_bus_of_its_own");
}

#[test]
#[ignore = "run by the test above, under a bus of its own"]
fn under_a_bus_of_its_own() {
    if std::env::var_os(HOME).is_none() {
        return;
    }
    let _keyring = Daemon::start(Some("pw"));
    wait_for_collection();
    let (issuer, mut place) = (Issuer::start(), Place::new());
    let bus = std::env::var("DBUS_SESSION_BUS_ADDRESS").unwrap();
    place.environment.push(("DBUS_SESSION_BUS_ADDRESS".to_owned(), bus));
    place.configure(&issuer.earthdata_config("keyring = \"service\"\nautostart = false"));
    let login = place.login("earthdata", &issuer.standin.mint_token("ada", 3600));
    assert!(login.status.success(), "{}", stderr(&login));

    let asked = issuer.standin.count(Standin::TEA);
    same_credentials(&place.herd("podaac", 20));
    assert_eq!(issuer.standin.count(Standin::TEA), asked + 1);
    assert!(!place.path().join("state/key").exists(), "the key is in the service");

    // With and without something in the cache: it is sealed by a key that nobody gets.
    lock_collection();
    for _ in 0..2 {
        for output in place.herd("podaac", 5) {
            assert!(refused(&output, 3).contains("unlock"));
        }
        let _ = std::fs::remove_dir_all(place.path().join("state/cache"));
    }
    assert_eq!(issuer.standin.count("/"), asked + 1, "nothing is asked upstream");
}
