//! What failed is not asked again before its time, and what a person mends is seen.

use super::*;
use crate::access::{Access, Need};
use crate::ports::Http;
use crate::provider::{Answer, Provider};
use std::sync::atomic::AtomicBool;

#[tokio::test]
async fn f08_a_rejected_token_is_sent_once_whoever_asks_and_however_often() {
    let rig = Rig::new().await;
    let bad = rig.keyring.stored("earthdata").unwrap();
    rig.standin.revoke(bad.secret.expose());
    let broker = rig.daemon();
    for _ in 0..10_000 {
        assert_eq!(kind(&broker.credentials("p", 0).await), Kind::LoginRequired);
    }
    for restart in 0..100 {
        rig.clock.advance(3600);
        let answer = if restart % 2 == 0 { rig.daemon() } else { rig.one_shot() }.credentials("p", 0).await;
        assert_eq!(kind(&answer), Kind::LoginRequired);
    }
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::LoginRequired);
    assert_eq!(rig.asked(), 1);
    broker.store_login("earthdata", &rig.new_login()).await.unwrap();
    broker.credentials("p", 0).await.unwrap();
    assert_eq!(rig.asked(), 2);
}

#[tokio::test]
async fn f08_a_secret_that_has_worked_is_tried_again_after_a_quarter_one_and_six_hours_and_then_no_more() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    broker.credentials("p", 0).await.unwrap();
    rig.behave(Behaviour::status(401));
    rig.clock.advance(3600);
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::LoginRequired);
    for (minutes, asked) in [(15, 3), (60, 4), (360, 5), (100_000, 5)] {
        rig.clock.advance(minutes * 60 - 1);
        for process in [&broker, &rig.daemon(), &rig.one_shot()] {
            assert_eq!(kind(&process.credentials("p", 0).await), Kind::LoginRequired);
        }
        assert_eq!(rig.asked(), asked - usize::from(minutes < 1000), "a second before {minutes} minutes");
        rig.clock.advance(1);
        for process in [&broker, &rig.daemon(), &rig.one_shot()] {
            assert_eq!(kind(&process.credentials("p", 0).await), Kind::LoginRequired);
        }
        assert_eq!(rig.asked(), asked, "after {minutes} minutes");
    }
}

#[tokio::test]
async fn a_crash_loop_and_commands_without_a_daemon_share_what_an_issuer_may_be_asked_again() {
    let rig = Rig::new().await;
    let names = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"];
    rig.behave(Behaviour::ServerError500);
    for (start, manner) in [Manner::Daemon, Manner::OneShot].into_iter().cycle().take(20).enumerate() {
        let broker = rig.with(rig.config(&names), manner);
        for name in names {
            assert_eq!(kind(&broker.credentials(name, 0).await), Kind::Unavailable, "start {start}");
        }
        broker.settle(LONGEST_WAIT).await;
        rig.clock.advance(3);
    }
    let again = rig.asked() - names.len();
    assert!((5..=10).contains(&again), "{again} attempts that follow a failure in a minute");
    rig.behave(Behaviour::Normal);
    rig.clock.advance(60);
    for name in names {
        rig.with(rig.config(&names), Manner::OneShot).credentials(name, 0).await.unwrap();
    }
}

#[tokio::test]
async fn p3_a_directory_that_had_a_bad_day_takes_the_secret_again_and_all_is_forgotten() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    broker.credentials("p", 0).await.unwrap();
    rig.standin.behave_once("/tea", Behaviour::status(401));
    rig.clock.advance(3600);
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::LoginRequired);
    rig.clock.advance(15 * 60);
    broker.credentials("p", 0).await.unwrap();
    rig.clock.advance(3600);
    broker.credentials("p", 0).await.unwrap();
}

#[tokio::test]
async fn a_sign_in_by_another_process_is_seen() {
    let rig = Rig::new().await;
    rig.standin.revoke(rig.keyring.stored("earthdata").unwrap().secret.expose());
    let broker = rig.daemon();
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::LoginRequired);
    rig.keyring.put("earthdata", &rig.new_login());
    rig.clock.advance(10);
    broker.credentials("p", 0).await.unwrap();
}

#[tokio::test]
async fn a_right_that_is_refused_is_asked_for_once_a_minute_at_most() {
    let rig = Rig::new().await;
    rig.behave(Behaviour::Eula);
    let broker = rig.daemon();
    for second in 0..180 {
        assert_eq!(kind(&broker.credentials("p", 0).await), Kind::Denied);
        assert_eq!(kind(&rig.one_shot().credentials("p", 0).await), Kind::Denied);
        assert_eq!(rig.asked(), 1 + second / 60, "second {second}");
        rig.clock.advance(1);
    }
    rig.behave(Behaviour::Normal);
    broker.credentials("p", 0).await.unwrap();
}

#[tokio::test]
async fn f02_an_issuer_is_left_alone_for_as_long_as_it_says() {
    let rig = Rig::new().await;
    rig.behave(Behaviour::TooManyRequests { retry_after: 120 });
    let broker = rig.daemon();
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::Unavailable);
    rig.clock.advance(119);
    let error = broker.credentials("p", 0).await.unwrap_err();
    assert!(error.hint().contains("1 s"), "{}", error.hint());
    assert_eq!(kind(&rig.daemon().credentials("p", 0).await), Kind::Unavailable);
    assert_eq!(rig.asked(), 1);
    rig.behave(Behaviour::Normal);
    rig.clock.advance(1);
    broker.credentials("p", 0).await.unwrap();
}

#[tokio::test]
async fn ten_attempts_a_minute_follow_a_failure_at_most() {
    let rig = Rig::new().await;
    rig.behave(Behaviour::ServerError500);
    let (a, b) = (rig.daemon(), rig.daemon());
    for _ in 0..60 {
        assert_eq!(kind(&a.credentials("p", 0).await), Kind::Unavailable);
        assert_eq!(kind(&b.credentials("p", 0).await), Kind::Unavailable);
        rig.clock.advance(1);
    }
    assert!((3..=11).contains(&rig.asked()), "{}", rig.asked());
    rig.behave(Behaviour::Normal);
    rig.clock.advance(60);
    a.credentials("p", 0).await.unwrap();
    rig.behave(Behaviour::ServerError500);
    rig.clock.advance(3600);
    assert_eq!(kind(&a.credentials("p", 0).await), Kind::Unavailable);
    rig.clock.advance(2);
    rig.behave(Behaviour::Normal);
    a.credentials("p", 0).await.expect("a success ends the growing pauses");
}

#[tokio::test]
async fn many_profiles_of_one_issuer_share_ten_attempts_a_minute() {
    let names: Vec<String> = (0..14).map(|i| format!("p{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let rig = Rig::new().await;
    rig.behave(Behaviour::ServerError500);
    let broker = rig.with(rig.config(&names), Manner::Daemon);
    for second in 0..60 {
        for name in &names {
            assert_eq!(kind(&broker.credentials(name, 0).await), Kind::Unavailable);
        }
        let first = names.len();
        assert!(rig.asked() >= first && rig.asked() <= first + 10, "{} after {second} s", rig.asked());
        rig.clock.advance(1);
    }
    rig.behave(Behaviour::Normal);
    rig.clock.advance(60);
    for name in &names {
        broker.credentials(name, 0).await.expect("P3: when it is back, it is back for all");
    }
}

#[tokio::test]
async fn f16_a_keyring_that_is_locked_or_hangs_is_never_a_reason_to_ask() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    rig.keyring.state().locked = true;
    let error = broker.credentials("p", 0).await.unwrap_err();
    assert_eq!((error.kind(), error.hint().contains("unlock")), (Kind::LoginRequired, true));
    rig.keyring.state().locked = false;
    rig.keyring.state().hung = true;
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::Unavailable);
    assert_eq!((rig.asked(), rig.keyring.state().key.is_none()), (0, true));
    rig.keyring.state().hung = false;
    broker.credentials("p", 0).await.expect("as soon as it is unlocked");
    rig.keyring.state().hung = true;
    rig.clock.advance(2000);
    broker.credentials("p", 0).await.expect("P0: what is valid is served");
}

#[tokio::test]
async fn nobody_signed_in_is_an_error_without_a_request() {
    let rig = Rig::new().await;
    rig.keyring.state().entries.clear();
    let error = rig.daemon().credentials("p", 0).await.unwrap_err();
    assert_eq!((error.kind(), error.hint().as_str()), (Kind::LoginRequired, "run: valetkey login earthdata"));
    assert_eq!(rig.asked(), 0);
}

#[derive(Debug)]
struct Panics {
    once: AtomicBool,
    then: Arc<dyn Provider>,
}

impl Provider for Panics {
    fn asks(&self) -> Option<url::Url> {
        None
    }

    fn need(&self) -> Need {
        self.then.need()
    }
    fn issue<'a>(&'a self, access: &'a Access, http: &'a Arc<dyn Http>) -> Later<'a, Result<Answer, Error>> {
        assert!(!self.once.swap(false, Ordering::SeqCst), "on purpose");
        self.then.issue(access, http)
    }
}

#[tokio::test]
async fn s15_a_provider_that_panics_is_an_error_for_its_waiters_and_the_next_request_works() {
    let rig = Rig::new().await;
    let mut config = rig.config(&["p"]);
    let profile = config.profiles.get_mut("p").unwrap();
    profile.provider = Arc::new(Panics { once: AtomicBool::new(true), then: profile.provider.clone() });
    let broker = rig.with(config, Manner::Daemon);
    let answers = crowd(20, || broker.clone()).await;
    assert!(answers.iter().all(|answer| kind(answer) == Kind::Unavailable), "{answers:?}");
    broker.credentials("p", 0).await.unwrap();
}
