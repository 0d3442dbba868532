//! F11: killed at every system call of a cache write, and of a move of the logins.

use crate::NO_DAEMON;
use crate::common::trace::{may_trace, traced};
use crate::common::{Issuer, Place, credentials, signed_in, skip, stderr, until};
use valetkey::standin::{Behaviour, Standin};

/// What both do to the disk and to the locks, and to the kernel's keyring.
const CALLS: &[&str] = &["openat", "write", "fsync", "renameat", "flock", "unlinkat", "linkat", "keyctl", "add_key"];

/// Runs `words` once for each call of each kind, killed at its entry, until it is not killed any more.
/// Returns how often it was killed.
fn killed_at_each(place: &Place, words: &[&str], check: impl Fn(&str)) -> usize {
    let mut killed = 0;
    for call in CALLS {
        for number in 1.. {
            let inject = format!("inject={call}:signal=KILL:when={number}");
            let mut options = vec!["-e".to_owned(), format!("trace={call}")];
            if *call == "openat" {
                // Only what is opened below the state directory: a program opens much else.
                for name in ["", "cache", "failures", "worked", "locks", "logins", "key", "access", "pending"] {
                    options.extend(["-P".to_owned(), place.path().join("state").join(name).display().to_string()]);
                }
            }
            options.extend(["-e".to_owned(), inject]);
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let done = traced(place, &options).args(words).output().unwrap();
            check(&format!("{call} {number}"));
            if done.status.code().is_some() {
                assert!(done.status.success(), "{call} {number}: {}", stderr(&done));
                break;
            }
            killed += 1;
        }
    }
    killed
}

fn leftovers(place: &Place) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(place.path().join("state")).unwrap().flatten() {
        let inner = std::fs::read_dir(entry.path()).into_iter().flatten().flatten();
        found.extend(inner.chain([entry]).map(|entry| entry.file_name().into_string().unwrap()));
    }
    found.retain(|name| name.starts_with(".tmp-"));
    found
}

#[test]
fn f11_killed_at_any_call_of_a_cache_write_leaves_the_old_credentials_or_the_new_ones() {
    if !may_trace() {
        return;
    }
    let (issuer, place) = signed_in(NO_DAEMON);
    credentials(&place.helper("podaac"));
    let killed = killed_at_each(&place, &["refresh", "podaac"], |at| {
        // With the issuer away there is what rests on the disk, and nothing else.
        issuer.standin.behave(Standin::TEA, Behaviour::ServerError500);
        let asked = issuer.standin.count(Standin::TEA);
        let id = credentials(&place.helper("podaac"))["AccessKeyId"].as_str().unwrap().to_owned();
        assert_eq!(issuer.standin.count(Standin::TEA), asked, "{at}: from the disk");
        let issued = issuer.standin.issued();
        assert!(issued.iter().any(|keys| keys.access_key_id == id), "{at}");
        issuer.standin.behave(Standin::TEA, Behaviour::Normal);
        // Else the next one would rest for longer and longer, as it should: it is one crash that is looked at each time.
        let _ = std::fs::remove_dir_all(place.path().join("state/failures"));
    });
    assert!(killed > 20, "{killed}");
    assert_eq!(leftovers(&place), [""; 0], "the last one, which was not killed, swept");
}

#[test]
fn f11_a_daemon_sweeps_what_killed_writers_left() {
    if !may_trace() {
        return;
    }
    let (_issuer, place) = signed_in(NO_DAEMON);
    traced(&place, &["-e", "trace=renameat", "-e", "inject=renameat:signal=KILL"]).args(["refresh"]).output().unwrap();
    assert_eq!(leftovers(&place).len(), 1);
    let _daemon = place.start_daemon();
    until("the sweep", || leftovers(&place).is_empty());
}

#[test]
fn f11_a_move_of_the_logins_killed_at_any_call_loses_none() {
    if !may_trace() {
        return;
    }
    let (issuer, place) = (Issuer::start(), Place::new());
    place.configure(&issuer.earthdata_config("autostart = false"));
    let login = place.login("earthdata", &issuer.standin.mint_token("ada", 3600));
    assert!(login.status.success(), "{}", stderr(&login));
    let tried = place.command(&["keyring", "kernel"]);
    if !tried.status.success() {
        return skip(&stderr(&tried));
    }
    for (tier, back) in [("file", "kernel"), ("kernel", "file")] {
        let killed = killed_at_each(&place, &["keyring", tier], |at| {
            let refreshed = place.command(&["refresh", "podaac"]);
            assert!(refreshed.status.success(), "{tier} {at}: {}", stderr(&refreshed));
            place.ok(&["keyring", back]);
        });
        assert!(killed > 8, "to {tier}: {killed}");
        place.ok(&["keyring", tier]);
    }
    place.ok(&["keyring", "file"]);
    forget_the_key(&place);
}

/// The kernel would keep it for three days.
fn forget_the_key(place: &Place) {
    use keyring_core::api::CredentialStoreApi;
    let state = place.path().join("state").canonicalize().unwrap();
    let service = format!("valetkey-{}", &valetkey::seal::digest(&[state.as_os_str().as_encoded_bytes()])[..12]);
    let store = linux_keyutils_keyring_store::Store::new();
    let entry = store.and_then(|store| store.build(&service, "cache-key", None));
    let _ = entry.and_then(|entry| entry.delete_credential());
}
