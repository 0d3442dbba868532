//! What is known is used: over outages, restarts and reloads, for as long as it is valid and meant.

use super::*;

#[tokio::test]
async fn p0_a_restart_is_answered_from_the_cache() {
    let rig = Rig::new().await;
    let first = crowd(1, || rig.daemon()).await.remove(0).unwrap();
    rig.behave(Behaviour::Hang);
    assert_eq!(rig.daemon().credentials("p", 0).await.unwrap(), first);
    assert_eq!(rig.one_shot().credentials("p", 0).await.unwrap(), first);
    assert_eq!(rig.asked(), 1);
}

#[tokio::test]
async fn s18_what_the_cache_holds_for_other_settings_logins_or_keys_is_not_used() {
    let rig = Rig::new().await;
    crowd(1, || rig.daemon()).await;
    let edited = || rig.with(rig.config_with(&["p"], "earthdata", "app_name = \"x\""), Manner::Daemon);
    crowd(1, edited).await.remove(0).unwrap();
    assert_eq!(rig.asked(), 2, "an edited profile");
    rig.keyring.put("earthdata", &rig.new_login());
    crowd(1, edited).await.remove(0).unwrap();
    assert_eq!(rig.asked(), 3, "another sign-in");
    rig.keyring.state().key = None;
    crowd(1, edited).await.remove(0).unwrap();
    assert_eq!(rig.asked(), 4, "another key");
    crowd(1, edited).await.remove(0).unwrap();
    assert_eq!(rig.asked(), 4, "nothing new");
}

#[tokio::test]
async fn f15_a_damaged_file_is_a_miss() {
    let rig = Rig::new().await;
    crowd(1, || rig.daemon()).await;
    let file = std::fs::read_dir(rig.home.path().join("cache")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    crowd(1, || rig.daemon()).await.remove(0).unwrap();
    assert_eq!(rig.asked(), 2);
    crowd(1, || rig.daemon()).await.remove(0).unwrap();
    assert_eq!(rig.asked(), 2, "written anew");
}

#[tokio::test]
async fn p0_an_outage_is_not_noticed_and_its_end_is() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    let first = crowd(1, || broker.clone()).await.remove(0).unwrap();
    rig.behave(Behaviour::ServerError500);
    for (later, asked) in [(2000, 2), (0, 2), (1000, 3), (580, 4)] {
        rig.clock.advance(later);
        assert_eq!(broker.credentials("p", 0).await.unwrap().lease, first.lease, "{later} s later");
        broker.settle(LONGEST_WAIT).await;
        assert_eq!(rig.asked(), asked, "{later} s later");
    }
    rig.clock.advance(10);
    assert_eq!(broker.credentials("p", 0).await.unwrap().lease, first.lease, "10 s are left");
    rig.clock.advance(1);
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::Unavailable, "9 s are none");
    rig.behave(Behaviour::Normal);
    rig.clock.advance(120);
    assert_ne!(broker.credentials("p", 0).await.unwrap().lease, first.lease);
}

#[tokio::test]
async fn p0_a_process_that_starts_during_an_outage_serves_what_is_on_disk() {
    for (age, failure) in [(2000, Behaviour::ServerError500), (3000, Behaviour::status(401)), (3580, Behaviour::Eula)] {
        let rig = Rig::new().await;
        let first = crowd(1, || rig.daemon()).await.remove(0).unwrap();
        rig.behave(failure);
        rig.clock.advance(age);
        for n in 0..3 {
            assert_eq!(rig.one_shot().credentials("p", 0).await.unwrap().lease, first.lease, "{age} s, {n}");
        }
        let daemon = rig.daemon();
        assert_eq!(daemon.credentials("p", 0).await.unwrap().lease, first.lease, "{age} s");
        daemon.settle(LONGEST_WAIT).await;
        assert_eq!(rig.asked(), 2, "{age} s: the failure is on record");
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_an_error_of_the_right_kind() {
    let rig = Rig::new().await;
    let cases = [
        (Behaviour::PastExpiration, Kind::Protocol),
        (Behaviour::MissingExpiration, Kind::Protocol),
        (Behaviour::EmptyJson, Kind::Protocol),
        (Behaviour::Html200, Kind::Unavailable),
        (Behaviour::Cut { bytes: 20 }, Kind::Unavailable),
        (Behaviour::Close, Kind::Unavailable),
        (Behaviour::status(404), Kind::Configuration),
        (Behaviour::NoBucket, Kind::Denied),
    ];
    for (n, (behaviour, expected)) in cases.into_iter().enumerate() {
        let name = format!("p{n}");
        rig.behave(behaviour.clone());
        let broker = rig.with(rig.config(&[&name]), Manner::Daemon);
        assert_eq!(kind(&broker.credentials(&name, 0).await), expected, "{behaviour:?}");
    }
}

#[tokio::test]
async fn a_life_below_ten_seconds_is_never_served() {
    let rig = Rig::new().await;
    rig.standin.set_life(9);
    assert_eq!(kind(&rig.daemon().credentials("p", 0).await), Kind::Protocol);
}

#[tokio::test]
async fn f10_a_flight_that_landed_before_a_suspend_gives_nobody_what_is_over() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    let first = broker.credentials("p", 0).await.unwrap();
    rig.clock.advance(3600);
    assert_ne!(broker.credentials("p", 0).await.unwrap().lease, first.lease);
}

#[tokio::test]
async fn who_wants_more_than_the_flight_he_joined_waits_for_more() {
    let rig = Rig::new().await;
    let first = crowd(1, || rig.daemon()).await.remove(0).unwrap();
    rig.clock.advance(2000);
    let (broker, gate) = (rig.daemon(), Gate::shut());
    rig.behave(Behaviour::Normal.held_by(&gate));
    assert_eq!(broker.credentials("p", 0).await.unwrap(), first, "due, so it is answered from the disk");
    let open = async {
        rig.standin.wait_for("/tea/", 2).await;
        gate.open();
    };
    let (more, ()) = tokio::join!(broker.credentials("p", 3000), open);
    assert_ne!(more.unwrap().lease, first.lease);
    assert_eq!(rig.asked(), 2);
}

#[tokio::test]
async fn what_no_credentials_of_the_issuer_meet_is_a_configuration_error() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    for _ in 0..20 {
        let error = broker.credentials("p", 3600).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(error.to_string().contains("3540 s"), "{error}");
    }
    assert!(rig.asked() <= 2);
    assert!(broker.credentials("p", 3540).await.is_ok());
}

#[tokio::test]
async fn f23_a_reload_forgets_what_was_edited_and_nothing_else() {
    let rig = Rig::new().await;
    let broker = rig.with(rig.config(&["p", "q"]), Manner::Daemon);
    broker.credentials("p", 0).await.unwrap();
    broker.credentials("q", 0).await.unwrap();
    broker.reload(rig.config(&["p", "q"]));
    broker.credentials("p", 0).await.unwrap();
    assert_eq!(rig.asked(), 2);
    broker.reload(rig.config_with(&["p"], "earthdata", "app_name = \"x\""));
    broker.credentials("p", 0).await.unwrap();
    assert_eq!(rig.asked(), 3);
    assert_eq!(kind(&broker.credentials("q", 0).await), Kind::Configuration, "it is gone");
}

#[tokio::test]
async fn a_reload_that_names_another_login_forgets_the_ones_credentials() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    broker.credentials("p", 0).await.unwrap();
    // As where the login is not written but implied, and its table was renamed: the settings are the same.
    let mut config = rig.config(&["p"]);
    config.profiles.get_mut("p").unwrap().login = "other".to_owned();
    broker.reload(config);
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::LoginRequired, "nobody has signed in as other");
    assert_eq!(rig.asked(), 1);
}
