//! Keycloak's tokens for many profiles: few requests, no lockout, no session lost to a rotation.

use super::*;

const TEN: [&str; 10] = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9"];
const PASSWORD: &str = "username = \"ada\"\n";
const OFFLINE: &str = "username = \"ada\"\nscope = \"offline_access\"\n";
const CLIENT: &str = "grant = \"client\"\nclient_id = \"admin-client\"\n";
const CRAY: &str = "provider = \"cray\"";
const WEB: &str = "provider = \"sts\"\noperation = \"web-identity\"\nrole_arn = \"arn:aws:iam:::role/reader\"";

/// Ada has the password `pw` and the role.
async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.standin.add_user("ada", "pw");
    rig
}

/// Profiles of one login whose settings are `login`.
fn config(rig: &Rig, profiles: &[&str], provider: &str, login: &str) -> Config {
    let mut text =
        format!("[logins.shasta]\nkind = \"keycloak\"\ntoken_url = \"{}\"\n", rig.standin.url(Standin::TOKEN));
    text += login;
    let place = match provider {
        CRAY => format!("gateway = \"{}\"", rig.standin.url("")),
        _ => format!("endpoint = \"{}\"", rig.standin.url(Standin::STS)),
    };
    for name in profiles {
        text += &format!("[profiles.{name}]\nlogin = \"shasta\"\n{provider}\n{place}\n");
    }
    rig.config_of(&text)
}

/// What was asked of Keycloak, and of the issuers of credentials.
fn asked(rig: &Rig) -> (usize, usize) {
    (rig.standin.count(Standin::TOKEN), rig.standin.count(Standin::CRAY) + rig.standin.count("/sts"))
}

/// All profiles of both brokers at once; all must have credentials.
async fn all(brokers: [&Broker; 2]) {
    let pairs = brokers.into_iter().flat_map(|broker| TEN.map(|name| (broker.clone(), name)));
    let tasks: Vec<_> =
        pairs.map(|(broker, name)| tokio::spawn(async move { broker.credentials(name, 0).await })).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    for broker in brokers {
        broker.settle(LONGEST_WAIT).await;
    }
}

#[tokio::test]
async fn f08_a_wrong_password_is_sent_once_whoever_asks_and_however_often() {
    let rig = rig().await;
    let config = || config(&rig, &["p"], CRAY, PASSWORD);
    rig.sign_in(&config(), "shasta", "wrong", &[]).await;
    let broker = rig.with(config(), Manner::Daemon);
    for _ in 0..10_000 {
        assert_eq!(kind(&broker.credentials("p", 0).await), Kind::LoginRequired);
    }
    for restart in 0..100 {
        rig.clock.advance(3600);
        let manner = if restart % 2 == 0 { Manner::Daemon } else { Manner::OneShot };
        assert_eq!(kind(&rig.with(config(), manner).credentials("p", 0).await), Kind::LoginRequired);
    }
    assert_eq!(asked(&rig), (1, 0));
    assert_eq!((rig.standin.failed_attempts("ada"), rig.standin.is_locked("ada")), (1, false));
    rig.sign_in(&config(), "shasta", "pw", &[]).await;
    rig.with(config(), Manner::Daemon).credentials("p", 0).await.unwrap();
    assert_eq!(asked(&rig), (2, 1));
}

#[tokio::test]
async fn f08_a_wrong_password_is_one_attempt_for_ten_profiles_at_once() {
    let rig = rig().await;
    let config = config(&rig, &TEN, CRAY, PASSWORD);
    rig.sign_in(&config, "shasta", "wrong", &[]).await;
    let brokers = [rig.with(config.clone(), Manner::Daemon), rig.with(config, Manner::Daemon)];
    let pairs = brokers.iter().flat_map(|broker| TEN.map(|name| (broker.clone(), name)));
    let tasks: Vec<_> =
        pairs.map(|(broker, name)| tokio::spawn(async move { broker.credentials(name, 0).await })).collect();
    for task in tasks {
        assert_eq!(kind(&task.await.unwrap()), Kind::LoginRequired);
    }
    assert_eq!((asked(&rig), rig.standin.is_locked("ada")), ((1, 0), false));
}

#[tokio::test]
async fn f08_another_password_waits_until_the_account_has_rested_from_the_last() {
    let rig = rig().await;
    let config = config(&rig, &["p"], CRAY, PASSWORD);
    for password in ["wrong", "wrong as well"] {
        rig.sign_in(&config, "shasta", password, &[]).await;
        let asked = tokio::time::Instant::now();
        assert_eq!(kind(&rig.with(config.clone(), Manner::OneShot).credentials("p", 0).await), Kind::LoginRequired);
        let rested = asked.elapsed() >= Duration::from_secs(2);
        assert_eq!(rested, password == "wrong as well", "{password}");
    }
    assert_eq!((asked(&rig), rig.standin.failed_attempts("ada")), ((2, 0), 2));
}

#[tokio::test]
async fn ten_profiles_of_one_login_make_one_token_request() {
    for provider in [CRAY, WEB] {
        let rig = rig().await;
        let config = config(&rig, &TEN, provider, PASSWORD);
        rig.sign_in(&config, "shasta", "pw", &[]).await;
        let brokers = [rig.with(config.clone(), Manner::Daemon), rig.with(config, Manner::Daemon)];
        all([&brokers[0], &brokers[1]]).await;
        assert_eq!(asked(&rig), (1, 10), "{provider}");
    }
}

#[tokio::test]
async fn a_rotated_refresh_token_is_stored_before_the_access_token_is_used() {
    let rig = rig().await;
    let config = config(&rig, &["p"], CRAY, OFFLINE);
    let first = rig.sign_in(&config, "shasta", "pw", &[]).await;
    assert!(!first.expose().contains("pw"), "the password was spent for a session");
    rig.standin.behave(Standin::CRAY, Behaviour::Hang);
    let broker = rig.with(config, Manner::Daemon);
    let task = tokio::spawn(async move { broker.credentials("p", 0).await });
    rig.standin.wait_for(Standin::CRAY, 1).await;
    assert_ne!(rig.keyring.stored("shasta").unwrap().secret, first);
    task.abort();
}

#[tokio::test]
async fn two_brokers_that_rotate_at_once_make_one_refresh_and_both_stay_signed_in() {
    let rig = rig().await;
    let config = config(&rig, &TEN, CRAY, OFFLINE);
    rig.sign_in(&config, "shasta", "pw", &[]).await;
    let brokers = [rig.with(config.clone(), Manner::Daemon), rig.with(config, Manner::Daemon)];
    for round in 1..=3 {
        all([&brokers[0], &brokers[1]]).await;
        assert_eq!(asked(&rig), (1 + round, 10 * round));
        rig.clock.advance(7200);
    }
}

#[tokio::test]
async fn a_session_that_is_over_is_said_so_after_one_request() {
    let rig = rig().await;
    let config = config(&rig, &["p"], CRAY, OFFLINE);
    rig.sign_in(&config, "shasta", "pw", &[]).await;
    rig.standin.end_sessions();
    for _ in 0..3 {
        let error = rig.with(config.clone(), Manner::Daemon).credentials("p", 0).await.unwrap_err();
        assert_eq!(error.kind(), Kind::LoginRequired);
        assert!(error.text().contains("is over") && error.hint().contains("valetkey login shasta"), "{}", error.text());
        rig.clock.advance(3600);
    }
    assert_eq!(asked(&rig), (2, 0));
}

#[tokio::test]
async fn a_403_is_one_fresh_token_one_retry_and_then_the_tokens_own_words() {
    let rig = rig().await;
    let config = config(&rig, &["p"], CRAY, PASSWORD);
    rig.sign_in(&config, "shasta", "pw", &[]).await;
    rig.standin.set_admin("ada", false);
    let broker = rig.with(config.clone(), Manner::Daemon);
    for _ in 0..50 {
        let error = broker.credentials("p", 0).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Denied);
        for part in ["/keycloak/realms/shasta", "for shasta gatekeeper", "until 2027-", "roles shasta/user"] {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
        assert!(error.hint().contains("shasta/admin"));
    }
    assert_eq!(kind(&rig.with(config, Manner::OneShot).credentials("p", 0).await), Kind::Denied);
    assert_eq!(asked(&rig), (2, 2));
    let bearers = rig.standin.requests().into_iter().filter(|request| request.method == "PUT");
    let bearers: Vec<_> = bearers.map(|request| request.header("authorization").unwrap().to_owned()).collect();
    assert_ne!(bearers[0], bearers[1], "the second is another token");
    rig.standin.set_admin("ada", true);
    rig.clock.advance(60);
    broker.credentials("p", 0).await.expect("the role was given meanwhile");
}

#[tokio::test]
async fn a_token_that_died_early_is_replaced_unseen() {
    let rig = rig().await;
    let config = config(&rig, &["p"], CRAY, PASSWORD);
    rig.sign_in(&config, "shasta", "pw", &[]).await;
    rig.standin.behave_once(Standin::CRAY, Behaviour::status(403));
    let served = rig.with(config, Manner::Daemon).credentials("p", 0).await.unwrap();
    assert_eq!(served.lease.endpoint.as_deref(), Some(Standin::CRAY_S3));
    assert_eq!(asked(&rig), (2, 2));
}

#[tokio::test]
async fn a_clients_secret_may_hold_any_character() {
    let rig = rig().await;
    rig.standin.add_client("admin-client", "a&b+c%d=e f");
    let config = config(&rig, &["p"], CRAY, CLIENT);
    rig.sign_in(&config, "shasta", "a&b+c%d=e f", &[]).await;
    rig.with(config, Manner::Daemon).credentials("p", 0).await.unwrap();
    assert_eq!(asked(&rig), (1, 1));
}
