//! Moves between tiers: what is taken along, what stays, and what a move that was cut off leaves to the next.

use super::super::pin;
use super::*;

const OTHER_HOST: &str = "state/keyring-0123456789ab";

/// Forgets the kernel's key at the end.
struct Cleared(String);

impl Drop for Cleared {
    fn drop(&mut self) {
        kernel::delete(&self.0, CACHE_KEY);
    }
}

/// Logins in files, on a host that can move them to the kernel.
fn in_files(scratch: &Path, names: &[&str]) -> Option<(OsKeyring, Cleared)> {
    let keyring = looking(scratch, nobody);
    let cleared = Cleared(keyring.vault.service_name());
    if !kernel_works(&keyring) {
        return None;
    }
    names.iter().for_each(|name| on_tokio(keyring.store(name, &Secret::new(*name))).unwrap());
    keyring.pinned_now();
    Some((keyring, cleared))
}

fn note_of_another_host(scratch: &Path, text: &str) {
    std::fs::write(scratch.join(OTHER_HOST), text).unwrap();
    std::fs::set_permissions(scratch.join(OTHER_HOST), std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn move_to(keyring: &OsKeyring, tier: Tier) -> Option<String> {
    let names = on_tokio(keyring.resting()).unwrap().into_iter().collect();
    on_tokio(keyring.move_to(tier, names)).unwrap();
    keyring.pinned_now()
}

fn loaded(keyring: &OsKeyring, name: &str) -> Option<String> {
    on_tokio(keyring.load(name)).unwrap().map(|secret| secret.expose().to_owned())
}

#[test]
fn what_another_host_of_the_home_reads_stays_and_that_is_said() {
    let scratch = tempfile::tempdir().unwrap();
    let Some((keyring, _cleared)) = in_files(scratch.path(), &["a"]) else { return };
    let file = scratch.path().join("state/logins/a.sealed");
    for (note, stays) in [("file\n", true), ("what is this", true), ("kernel\n", false)] {
        note_of_another_host(scratch.path(), note);
        let news = move_to(&keyring, Tier::Kernel);
        assert_eq!(loaded(&keyring, "a").as_deref(), Some("a"));
        assert_eq!(file.exists(), stays, "{note:?}");
        assert_eq!(news.is_some_and(|news| news.starts_with("a stays in ")), stays, "{note:?}");
    }
}

#[test]
fn all_that_rests_is_moved_whatever_the_config_names() {
    let scratch = tempfile::tempdir().unwrap();
    let Some((keyring, _cleared)) = in_files(scratch.path(), &["a", "aws"]) else { return };
    for none_of_ours in ["x y.sealed", ".sealed", "notes.txt"] {
        std::fs::write(scratch.path().join("state/logins").join(none_of_ours), "").unwrap();
    }
    let names: Vec<_> = on_tokio(keyring.resting()).unwrap().into_iter().collect();
    assert_eq!(names, ["a", "aws"]);
    assert_eq!(move_to(&keyring, Tier::Kernel), None);
    assert_eq!(["a", "aws"].map(|name| loaded(&keyring, name)), [Some("a".to_owned()), Some("aws".to_owned())]);
    assert!(!scratch.path().join("state/logins/aws.sealed").exists());
}

#[test]
fn a_move_that_was_cut_off_is_ended_by_the_next_and_loses_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let Some((keyring, _cleared)) = in_files(scratch.path(), &["a", "b"]) else { return };
    let file = |name: &str| scratch.path().join(format!("state/logins/{name}.sealed")).exists();
    // As if cut off after the note, with another sign-in since, and one that never got there.
    keyring.vault.store_in(Tier::Kernel, "a", Secret::new("newer")).unwrap();
    pin::replace(&scratch.path().join("state"), Tier::Kernel).unwrap();
    let news = move_to(&keyring, Tier::Kernel).unwrap();
    assert!(news.starts_with("b was left in ") && news.contains("valetkey keyring file, then"), "{news}");
    assert_eq!((file("a"), file("b")), (false, true));
    assert_eq!((loaded(&keyring, "a").as_deref(), loaded(&keyring, "b")), (Some("newer"), None));
    // What the sentence says helps.
    move_to(&keyring, Tier::File);
    assert_eq!(move_to(&keyring, Tier::Kernel), None);
    assert_eq!((loaded(&keyring, "a").as_deref(), loaded(&keyring, "b").as_deref()), (Some("newer"), Some("b")));
    assert_eq!((file("a"), file("b")), (false, false));
}

#[test]
fn a_host_that_reads_what_another_stored_is_noted_too() {
    let scratch = tempfile::tempdir().unwrap();
    let state = scratch.path().join("state");
    let keyring = looking(scratch.path(), nobody);
    on_tokio(keyring.store("a", &Secret::new("a"))).unwrap();
    std::fs::remove_file(pin::path(&state)).unwrap();
    assert_eq!(loaded(&keyring, "none"), None);
    assert_eq!(pin::read(&state).unwrap(), None, "nothing of its own rests there");
    assert_eq!(loaded(&keyring, "a").as_deref(), Some("a"));
    assert_eq!(pin::read(&state).unwrap(), Some(Tier::File));
}
