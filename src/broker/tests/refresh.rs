//! New credentials because a person says so.

use super::*;

#[tokio::test]
async fn what_is_good_is_asked_for_anew_and_once_by_however_many() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    let first = key_id(broker.credentials("p", 0).await);
    rig.clock.advance(1);
    let asked = (0..20).map(|_| {
        let broker = broker.clone();
        tokio::spawn(async move { broker.refresh("p").await })
    });
    let asked: Vec<_> = asked.collect();
    for answer in asked {
        assert_ne!(key_id(answer.await.unwrap()), first);
    }
    assert_eq!(rig.asked(), 2);
    assert_ne!(key_id(broker.credentials("p", 0).await), first, "memory has the new ones");
    rig.clock.advance(1);
    rig.one_shot().refresh("p").await.unwrap();
    assert_eq!(rig.asked(), 3, "what another process got before is not new");
}

#[tokio::test]
async fn f08_a_person_who_is_in_a_hurry_sends_no_rejected_secret_again_and_loses_nothing() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    let first = key_id(broker.credentials("p", 0).await);
    rig.standin.revoke(rig.keyring.stored("earthdata").unwrap().secret.expose());
    rig.clock.advance(1);
    for _ in 0..10 {
        assert_eq!(kind(&broker.refresh("p").await), Kind::LoginRequired);
        assert_eq!(kind(&rig.one_shot().refresh("p").await), Kind::LoginRequired);
    }
    assert_eq!(rig.asked(), 2);
    assert_eq!(key_id(broker.credentials("p", 0).await), first, "P0");
}
