//! Logins that are about to move to another keyring: nobody stores beside it, and nothing that waits is left behind.

use super::*;
use crate::cache::Pending;

fn names() -> Vec<String> {
    vec!["earthdata".to_owned(), "earthdata".to_owned()]
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_sign_in_or_out_beside_a_move_is_refused_rather_than_lost() {
    let rig = Rig::new().await;
    rig.keyring.state().limit = Some(Duration::from_millis(20));
    let (broker, before) = (rig.one_shot(), rig.keyring.stored("earthdata"));
    let held = rig.daemon().hold_logins(&names()).await.unwrap();
    refused(broker.store_login("earthdata", &rig.new_login()).await);
    refused(broker.forget_login("earthdata").await);
    assert_eq!(rig.keyring.stored("earthdata"), before);
    drop(held);
    broker.store_login("earthdata", &rig.new_login()).await.unwrap();
    assert_ne!(rig.keyring.stored("earthdata"), before);
}

#[tokio::test]
async fn a_move_is_refused_beside_a_sign_in_that_waits_for_its_keyring() {
    let rig = Rig::new().await;
    rig.keyring.state().limit = Some(Duration::from_millis(20));
    let storing = rig.daemon().0.store_turn("earthdata").await.unwrap();
    refused(rig.one_shot().hold_logins(&names()).await);
    drop(storing);
    rig.one_shot().hold_logins(&names()).await.unwrap();
}

#[tokio::test]
async fn f14_where_files_cannot_be_locked_a_sign_in_is_stored_all_the_same() {
    let rig = Rig::new().await;
    std::fs::write(rig.home.path().join("locks"), "").unwrap();
    rig.one_shot().store_login("earthdata", &rig.new_login()).await.unwrap();
}

#[tokio::test]
async fn f12_a_move_stores_what_waits_first_and_is_refused_where_that_fails() {
    let rig = Rig::new().await;
    let key = rig.keyring.key(true).await.unwrap().unwrap();
    let stored = rig.keyring.stored("earthdata").unwrap();
    let rotated = stored.rotated(Secret::new("rotated"));
    let pending = Pending { instead_of: stored.version.clone(), login: rotated.to_secret() };
    let cache = Cache::new(rig.home.path());
    cache.write_pending("earthdata", &key, &pending).unwrap();
    rig.keyring.state().writes_left = Some(0);
    assert!(refused(rig.one_shot().hold_logins(&names()).await).contains("waits to be stored"));
    assert_eq!(rig.keyring.stored("earthdata"), Some(stored));
    assert_eq!(cache.pending("earthdata", &key).unwrap(), Some(pending), "still there for later");
    rig.keyring.state().writes_left = None;
    rig.one_shot().hold_logins(&names()).await.unwrap();
    assert_eq!(rig.keyring.stored("earthdata"), Some(rotated));
    assert_eq!(cache.pending("earthdata", &key).unwrap(), None);
}
