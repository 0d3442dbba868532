//! What a person should hear early: a token in its last week, on every error and in `status`.

use super::*;

const DAY: i64 = 86_400;

#[tokio::test]
async fn a_tokens_last_week_is_announced_on_every_error_and_in_the_status() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    rig.standin.set_life(60);
    broker.credentials("p", 0).await.unwrap();
    let told = async || broker.credentials("p", 0).await.unwrap_err().to_string();
    let notice = || broker.status().logins.into_iter().find(|login| login.name == "earthdata").unwrap().notice;

    rig.clock.advance(22 * DAY);
    rig.behave(Behaviour::ServerError500);
    assert!(!told().await.contains("valetkey login"), "eight days are left");
    assert_eq!(notice(), None);
    rig.clock.advance(2 * DAY);
    let error = told().await;
    assert!(
        error.contains("500") && error.contains("ends in 6 days") && error.contains("valetkey login earthdata"),
        "{error}"
    );
    assert!(notice().unwrap().contains("6 days"));
    rig.behave(Behaviour::Eula);
    rig.clock.advance(DAY);
    assert!(told().await.contains("ends in 5 days"));
    rig.clock.advance(6 * DAY);
    let over = told().await;
    assert!(over.contains("expired") && !over.contains("by the way"), "{over}");
}

#[tokio::test]
async fn the_status_tells_who_we_are_and_why_not_of_each_login() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    broker.look_at_logins().await;
    let login = |name: &str| broker.status().logins.into_iter().find(|login| login.name == name).unwrap();
    let ada = login("earthdata");
    assert_eq!((ada.who.as_deref(), ada.remaining, ada.error), (Some("ada"), Some(30 * DAY), None));
    assert_eq!(login("other").error.map(|error| error.kind()), Some(Kind::LoginRequired));
    rig.keyring.put("other", &rig.new_login());
    broker.look_at_logins().await;
    assert_eq!(login("other").error, None);
    assert_eq!(rig.standin.requests().len(), 0, "no issuer is asked");
}

#[tokio::test]
async fn f16_a_keyring_that_hangs_is_asked_once_for_a_status() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    rig.keyring.state().hung = true;
    broker.look_at_logins().await;
    assert_eq!(rig.keyring.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_status_without_a_daemon_tells_what_failed_last_and_when_it_is_tried_again() {
    let rig = Rig::new().await;
    let look = async || {
        let broker = rig.one_shot();
        broker.look().await;
        broker.status().profiles.remove(0)
    };
    rig.behave(Behaviour::TooManyRequests { retry_after: 60 });
    assert_eq!(kind(&rig.one_shot().credentials("p", 0).await), Kind::Unavailable);
    let seen = look().await;
    assert_eq!((seen.state.as_str(), seen.next_attempt), ("failing", Some(60)));
    assert_eq!(seen.error.map(|error| error.kind()), Some(Kind::Unavailable));

    rig.clock.advance(60);
    rig.behave(Behaviour::status(401));
    assert_eq!(kind(&rig.one_shot().credentials("p", 0).await), Kind::LoginRequired);
    let seen = look().await;
    assert_eq!((seen.state.as_str(), seen.next_attempt), ("failing", None));
    assert_eq!(seen.error.map(|error| error.kind()), Some(Kind::LoginRequired));
    assert_eq!(rig.asked(), 2, "no issuer is asked for a look");

    rig.keyring.put("earthdata", &rig.new_login());
    rig.behave(Behaviour::Normal);
    assert_eq!(look().await.error, None, "another secret was not refused");
    let broker = rig.one_shot();
    broker.credentials("p", 0).await.unwrap();
    broker.settle(LONGEST_WAIT).await;
    let seen = look().await;
    assert_eq!((seen.state.as_str(), seen.error), ("fresh", None));
}
