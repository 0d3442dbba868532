//! Renewal ahead: of what is used, once, and never in a loop.

use super::*;

/// Lets everything that is ready run, many times over: a loop would show.
async fn let_run() {
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_used_profile_is_renewed_ahead_and_an_unused_one_left_alone() {
    let rig = Rig::new().await;
    let broker = rig.with(rig.config(&["used", "unused"]), Manner::Daemon);
    let scheduler = tokio::spawn(broker.clone().renew_ahead());
    broker.credentials("used", 0).await.unwrap();
    broker.credentials("unused", 0).await.unwrap();
    broker.settle(LONGEST_WAIT).await;
    rig.clock.advance(2000);
    broker.0.wake.notify_one();
    rig.standin.wait_for("/tea/", 4).await;
    broker.settle(LONGEST_WAIT).await;
    rig.clock.advance(1500);
    broker.credentials("used", 0).await.unwrap();
    rig.clock.advance(500);
    broker.0.wake.notify_one();
    rig.standin.wait_for("/tea/used/", 3).await;
    broker.settle(LONGEST_WAIT).await;
    let_run().await;
    assert_eq!((rig.standin.count("/tea/used/"), rig.standin.count("/tea/unused/")), (3, 2));
    broker.close().await;
    scheduler.await.expect("it ends with the broker");
}

#[tokio::test]
async fn what_is_due_in_memory_is_due_on_disk() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    broker.credentials("p", 0).await.unwrap();
    broker.settle(LONGEST_WAIT).await;
    broker.0.lock().slots.get_mut("p").unwrap().jitter = 1.0;
    rig.clock.advance(1700);
    broker.credentials("p", 0).await.unwrap();
    broker.settle(LONGEST_WAIT).await;
    assert_eq!(rig.asked(), 2, "at 1,900 s of 3,600 the flight asks and is not content with the old lease");
}

#[tokio::test]
async fn f16_a_locked_keyring_is_not_asked_in_a_loop() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    broker.credentials("p", 0).await.unwrap();
    broker.settle(LONGEST_WAIT).await;
    rig.keyring.state().locked = true;
    rig.clock.advance(2000);
    let before = rig.keyring.calls.load(Ordering::SeqCst);
    let scheduler = tokio::spawn(broker.clone().renew_ahead());
    while rig.keyring.calls.load(Ordering::SeqCst) == before {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        broker.credentials("p", 0).await.unwrap();
        let_run().await;
    }
    assert_eq!(rig.keyring.calls.load(Ordering::SeqCst), before + 1);
    rig.keyring.state().locked = false;
    rig.clock.advance(5);
    broker.0.wake.notify_one();
    rig.standin.wait_for("/tea/", 2).await;
    scheduler.abort();
}

#[tokio::test]
async fn f30_an_issuer_that_repeats_itself_is_not_asked_in_a_loop() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    rig.behave(Behaviour::RepeatSame);
    broker.credentials("p", 0).await.unwrap();
    broker.settle(LONGEST_WAIT).await;
    rig.clock.advance(2000);
    let scheduler = tokio::spawn(broker.clone().renew_ahead());
    rig.standin.wait_for("/tea/", 2).await;
    for _ in 0..60 {
        broker.credentials("p", 0).await.unwrap();
        rig.clock.advance(1);
        let_run().await;
    }
    broker.settle(LONGEST_WAIT).await;
    assert!(rig.asked() <= 3, "{}", rig.asked());
    scheduler.abort();
}

#[tokio::test]
async fn a_closed_broker_serves_what_it_holds_and_starts_nothing() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    broker.credentials("p", 0).await.unwrap();
    broker.settle(LONGEST_WAIT).await;
    rig.clock.advance(2000);
    broker.close().await;
    broker.clone().renew_ahead().await;
    broker.credentials("p", 0).await.expect("P0: it is valid");
    rig.clock.advance(1595);
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::Unavailable);
    broker.settle(LONGEST_WAIT).await;
    assert_eq!(rig.asked(), 1);
}
