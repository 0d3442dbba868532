//! A disk that fails costs a note in `status`, never an answer.

use super::*;
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn f13_a_state_directory_that_is_none_is_noted_and_answers_go_out() {
    let rig = Rig::new().await;
    let file = rig.home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let broker = Broker::new(rig.outside(), &file, rig.config(&["p"]), Manner::Daemon);
    broker.credentials("p", 0).await.unwrap();
    broker.settle(LONGEST_WAIT).await;
    let troubles = broker.status().troubles;
    assert!(troubles["cache"].contains("file"), "{troubles:?}");
    assert!(troubles.contains_key("lock"), "{troubles:?}");
    broker.credentials("p", 0).await.unwrap();
    assert_eq!(rig.asked(), 1);
}

#[tokio::test]
async fn f12_s17_what_was_locked_though_the_disk_took_no_marker_is_unlocked_though_it_takes_no_removal() {
    let rig = Rig::new().await;
    let file = rig.home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let broker = Broker::new(rig.outside(), &file, rig.config(&["p"]), Manner::Daemon);
    broker.lock().await.unwrap_err();
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::LoginRequired);
    broker.unlock().await.unwrap();
    broker.credentials("p", 0).await.unwrap();
}

#[tokio::test]
async fn s01_a_cache_that_others_may_write_to_is_not_used_until_it_is_mended() {
    let rig = Rig::new().await;
    let cache = rig.home.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).unwrap();
    let broker = rig.daemon();
    broker.credentials("p", 0).await.unwrap();
    broker.settle(LONGEST_WAIT).await;
    assert!(broker.status().troubles["cache"].contains("others may write"));
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 0);
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o700)).unwrap();
    rig.clock.advance(2000);
    broker.credentials("p", 0).await.unwrap();
    broker.settle(LONGEST_WAIT).await;
    assert!(broker.status().troubles.is_empty());
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 1);
}

#[tokio::test]
async fn what_is_over_is_swept_when_the_scheduler_starts() {
    let rig = Rig::new().await;
    crowd(1, || rig.daemon()).await.remove(0).unwrap();
    rig.clock.advance(3 * 3600);
    let scheduler = tokio::spawn(rig.with(rig.config(&["q"]), Manner::Daemon).renew_ahead());
    while std::fs::read_dir(rig.home.path().join("cache")).unwrap().count() > 0 {
        tokio::task::yield_now().await;
    }
    scheduler.abort();
}

#[tokio::test]
async fn f08_f12_a_rejected_token_is_sent_once_though_it_cannot_be_put_on_record() {
    let rig = Rig::new().await;
    rig.standin.revoke(rig.keyring.stored("earthdata").unwrap().secret.expose());
    let file = rig.home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let broker = Broker::new(rig.outside(), &file, rig.config(&["p", "q"]), Manner::Daemon);
    for _ in 0..20 {
        for profile in ["p", "q"] {
            assert_eq!(kind(&broker.credentials(profile, 0).await), Kind::LoginRequired);
        }
        broker.settle(LONGEST_WAIT).await;
        rig.clock.advance(11);
    }
    assert_eq!(rig.asked(), 1, "by one profile of the two");
    rig.keyring.put("earthdata", &rig.new_login());
    rig.clock.advance(11);
    broker.credentials("p", 0).await.unwrap();
}

#[tokio::test]
async fn a_sign_out_leaves_nothing_on_disk_that_depended_on_it() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    broker.credentials("p", 0).await.unwrap();
    broker.settle(LONGEST_WAIT).await;
    let cached = || std::fs::read_dir(rig.home.path().join("cache")).unwrap().count();
    assert_eq!(cached(), 1);
    broker.forget_login("earthdata").await.unwrap();
    assert_eq!(cached(), 0);
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::LoginRequired);
}
