//! Tests of the tiers that need no desktop; the one that does is `tests/secret_service.rs`.

use super::service::State;
use super::vault::CACHE_KEY;
use super::*;
use crate::files::host_id;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

mod moving;

const LIMIT: Duration = Duration::from_secs(20);

fn on_tokio<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn keyring(state: &Path, wanted: Option<Tier>) -> OsKeyring {
    OsKeyring::new(state.join("state"), wanted, LIMIT)
}

/// One whose look at the desktop says what the test says.
fn looking(state: &Path, look: fn(Duration) -> Result<State, Error>) -> OsKeyring {
    let mut keyring = keyring(state, None);
    Arc::get_mut(&mut keyring.vault).unwrap().look = look;
    keyring
}

fn nobody(_: Duration) -> Result<State, Error> {
    Ok(State::Absent("there is no session bus".into()))
}

/// Makes its key there. Where that is refused the test is skipped, but not in CI.
fn kernel_works(keyring: &OsKeyring) -> bool {
    let made = keyring.vault.make_key(Tier::Kernel);
    if let Err(error) = &made {
        println!("skipped: {error}");
        #[allow(clippy::disallowed_methods)] // whether a skip is a failure is for the environment to say
        let in_ci = std::env::var_os("CI").is_some();
        assert!(!in_ci, "in CI the kernel's keyring must work: {error}");
    }
    made.is_ok()
}

async fn round_trip(keyring: &OsKeyring) {
    assert_eq!(keyring.load("a").await.unwrap(), None);
    keyring.store("a", &Secret::new("one")).await.unwrap();
    keyring.store("a", &Secret::new("two")).await.unwrap();
    keyring.store("b", &Secret::new("b")).await.unwrap();
    assert_eq!(keyring.load("a").await.unwrap(), Some(Secret::new("two")));
    let key = keyring.key(true).await.unwrap().unwrap();
    assert_eq!(keyring.key(false).await.unwrap().unwrap().0, key.0);
    keyring.delete("a").await.unwrap();
    keyring.delete("a").await.unwrap();
    assert_eq!(keyring.load("a").await.unwrap(), None);
    assert_eq!(keyring.load("b").await.unwrap(), Some(Secret::new("b")));
}

#[test]
fn without_a_desktop_logins_are_sealed_files_and_that_is_said_once() {
    let scratch = tempfile::tempdir().unwrap();
    on_tokio(async {
        let keyring = looking(scratch.path(), nobody);
        assert_eq!(keyring.key(false).await.unwrap(), None);
        assert!(!scratch.path().join("state").exists(), "looking makes nothing");
        round_trip(&keyring).await;
        let news = keyring.pinned_now().unwrap();
        assert!(news.contains("state/key (no desktop keyring answers here: there is no session bus)"), "{news}");
        assert_eq!(keyring.pinned_now(), None);
        let described = keyring.describe().await.unwrap();
        assert!(described.starts_with("file (") && described.ends_with("state/key), pinned"), "{described}");
    });
    let state = scratch.path().join("state");
    let sealed = std::fs::read(state.join("logins/b.sealed")).unwrap();
    assert!(sealed.starts_with(b"vltkey"), "S18: sealed");
    for file in ["key", "logins/b.sealed", "locks/key.lock"] {
        assert_eq!(std::fs::metadata(state.join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    // A second process, in which the desktop is up by now: the note decides.
    let later = looking(scratch.path(), |_| panic!("nobody looks once the tier is noted"));
    assert_eq!(on_tokio(later.load("b")).unwrap(), Some(Secret::new("b")));
}

#[test]
fn f16_a_locked_desktop_is_said_and_never_replaced_by_a_file() {
    let scratch = tempfile::tempdir().unwrap();
    on_tokio(async {
        let keyring = looking(scratch.path(), |_| Ok(State::Locked));
        let secret = Secret::new("x");
        for result in
            [keyring.load("a").await.err(), keyring.store("a", &secret).await.err(), keyring.key(true).await.err()]
        {
            assert_eq!(result, Some(service::locked()));
        }
        assert_eq!(keyring.describe().await.unwrap(), "service (Secret Service, locked), not pinned");
    });
    assert!(!scratch.path().join("state").exists());
}

#[test]
fn f16_a_keyring_that_hangs_is_unavailable_and_no_key_is_made() {
    let scratch = tempfile::tempdir().unwrap();
    on_tokio(async {
        let mut keyring = looking(scratch.path(), |_| {
            loop {
                std::thread::park();
            }
        });
        keyring.limit = Duration::from_millis(30);
        let error = keyring.key(true).await.unwrap_err();
        assert_eq!(error, Error::unavailable("the keyring did not answer within 0.03 s"));
    });
    assert!(!scratch.path().join("state").exists());
}

#[test]
fn the_key_is_made_once_by_many_who_ask_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    let keys: Vec<[u8; 32]> = std::thread::scope(|scope| {
        let asks = (0..16).map(|_| scope.spawn(|| on_tokio(keyring(scratch.path(), Some(Tier::File)).key(true))));
        asks.collect::<Vec<_>>().into_iter().map(|ask| ask.join().unwrap().unwrap().unwrap().0).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[test]
fn a_config_that_wants_another_place_is_told_where_the_logins_are() {
    let scratch = tempfile::tempdir().unwrap();
    on_tokio(async {
        keyring(scratch.path(), Some(Tier::File)).store("a", &Secret::new("x")).await.unwrap();
        let error = keyring(scratch.path(), Some(Tier::Kernel)).load("a").await.unwrap_err();
        assert!(error.to_string().starts_with("logins rest in the file keyring on this host"), "{error}");
        assert_eq!(
            error.hint(),
            "write keyring = \"file\" into the config, or remove the line keyring = \"kernel\"; to move: valetkey keyring kernel"
        );
        assert_eq!(keyring(scratch.path(), None).load("a").await.unwrap(), Some(Secret::new("x")));
    });
}

#[test]
fn memory_keeps_nothing_on_disk() {
    let scratch = tempfile::tempdir().unwrap();
    on_tokio(async {
        let keyring = keyring(scratch.path(), Some(Tier::Memory));
        round_trip(&keyring).await;
        assert_eq!(keyring.describe().await.unwrap(), "memory (nothing outlives the daemon), not pinned");
        assert_eq!(keyring.pinned_now(), None);
    });
    assert!(!scratch.path().join("state").exists());
}

#[test]
fn s20_a_key_that_others_may_read_or_that_is_none_is_refused_and_never_replaced() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("state/key");
    on_tokio(async {
        let keyring = keyring(scratch.path(), Some(Tier::File));
        keyring.key(true).await.unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(keyring.key(true).await.unwrap_err().hint().contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "é".repeat(32)).unwrap();
        assert!(keyring.key(true).await.unwrap_err().to_string().ends_with("state/key is no key"));
    });
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "é".repeat(32));
}

#[test]
fn a_sealed_login_under_another_name_or_key_is_no_login() {
    let scratch = tempfile::tempdir().unwrap();
    on_tokio(async {
        let keyring = keyring(scratch.path(), Some(Tier::File));
        keyring.store("a", &Secret::new("x")).await.unwrap();
        let logins = scratch.path().join("state/logins");
        std::fs::copy(logins.join("a.sealed"), logins.join("b.sealed")).unwrap();
        assert_eq!(keyring.load("b").await.unwrap(), None);
        std::fs::remove_file(scratch.path().join("state/key")).unwrap();
        assert_eq!(keyring.load("a").await.unwrap(), None, "S21: a lost key is no error");
        keyring.key(true).await.unwrap();
        assert_eq!(keyring.load("a").await.unwrap(), None);
    });
}

#[test]
fn s21_the_kernel_holds_the_key_and_files_the_logins() {
    let scratch = tempfile::tempdir().unwrap();
    let keyring = keyring(scratch.path(), Some(Tier::Kernel));
    let service = keyring.vault.service_name();
    if !kernel_works(&keyring) {
        return;
    }
    on_tokio(round_trip(&keyring));
    assert!(!scratch.path().join("state/key").exists());
    let moving = OsKeyring::new(scratch.path().join("state"), None, LIMIT);
    on_tokio(moving.move_to(Tier::File, vec!["b".into(), "none".into()])).unwrap();
    assert_eq!(on_tokio(moving.load("b")).unwrap(), Some(Secret::new("b")));
    assert!(!scratch.path().join(format!("state/logins-{}/b.sealed", host_id())).exists());
    on_tokio(moving.move_to(Tier::Kernel, vec!["b".into()])).unwrap();
    on_tokio(moving.move_to(Tier::Memory, vec!["b".into()])).unwrap_err();
    assert_eq!(on_tokio(keyring.load("b")).unwrap(), Some(Secret::new("b")));
    assert!(!scratch.path().join("state/logins/b.sealed").exists());
    assert!(scratch.path().join(format!("state/logins-{}/b.sealed", host_id())).exists());
    kernel::delete(&service, CACHE_KEY);
}

#[test]
fn entries_are_named_after_the_state_directory_whether_it_exists_yet_or_not() {
    let scratch = tempfile::tempdir().unwrap();
    let keyring = keyring(scratch.path(), None);
    let before = keyring.vault.service_name();
    std::fs::create_dir(scratch.path().join("state")).unwrap();
    assert_eq!(keyring.vault.service_name(), before);
    assert_eq!(before.len(), "valetkey-".len() + 12);
    let link = scratch.path().join("link");
    std::os::unix::fs::symlink(scratch.path(), &link).unwrap();
    assert_eq!(OsKeyring::new(link.join("state"), None, LIMIT).vault.service_name(), before);
}
