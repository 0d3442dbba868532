//! One dance at a time for each login, and a refused password sent once.

use super::*;

#[tokio::test]
async fn f08_a_wrong_password_is_sent_once_for_fifty_askers_of_ten_profiles() {
    let place = Place::new().await;
    place.rig.standin.add_user("ada", "new");
    let names: Vec<String> = (0..10).map(|n| format!("p{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let brokers = [place.daemon(&names), place.daemon(&names)];
    let gate = Gate::shut();
    place.rig.standin.behave(PAGE, Behaviour::Normal.held_by(&gate));
    let askers = (0..50).map(|n| {
        let (broker, profile) = (brokers[n % 2].clone(), names[n % 10].to_owned());
        tokio::spawn(async move { broker.credentials(&profile, 0).await })
    });
    let askers: Vec<_> = askers.collect();
    // The first is refused when all of them want it tried.
    place.rig.standin.wait_for("/urs/api/users/ada", names.len()).await;
    gate.open();
    for asker in askers {
        assert_eq!(kind(&asker.await.unwrap()), Kind::LoginRequired);
    }
    assert_eq!((place.rig.standin.count(PAGE), place.rig.standin.failed_attempts("ada")), (1, 1));
    let asked = place.asked();
    for restart in 0..20 {
        // Less than the quarter of an hour after which one that has worked is tried again.
        place.rig.clock.advance(40);
        assert_eq!(kind(&place.ask(names[restart % 10]).await), Kind::LoginRequired);
    }
    assert_eq!(place.asked(), asked);
    place.nothing_leaked("a wrong password");
}

#[tokio::test]
async fn f08_a_token_that_is_good_elsewhere_does_not_forgive_a_refused_password() {
    let place = Place::new().await;
    place.rig.standin.add_user("ada", "new");
    let gate = Gate::shut();
    place.archive.behave("/tea/open/", Behaviour::Normal.held_by(&gate));
    let broker = place.daemon(&["p", "open"]);
    let under_way = tokio::spawn({
        let broker = broker.clone();
        async move { broker.credentials("open", 0).await }
    });
    place.archive.wait_for("/tea/open/", 1).await;
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::LoginRequired);
    gate.open();
    under_way.await.unwrap().unwrap();
    broker.settle(LONGEST_WAIT).await;
    place.rig.clock.advance(800);
    assert_eq!(kind(&place.ask("p").await), Kind::LoginRequired);
    assert_eq!(place.rig.standin.failed_attempts("ada"), 1);
}

#[tokio::test]
async fn one_dance_at_a_time_for_each_login() {
    let place = Place::new().await;
    let gate = Gate::shut();
    place.rig.standin.behave(PAGE, Behaviour::Normal.held_by(&gate));
    let names = ["a", "b", "c", "d", "e", "f"];
    let brokers = [place.daemon(&names), place.daemon(&names)];
    let ask = |(n, name): (usize, &str)| {
        let (broker, name) = (brokers[n % 2].clone(), name.to_owned());
        tokio::spawn(async move { broker.credentials(&name, 0).await })
    };
    let asked: Vec<_> = names.into_iter().enumerate().map(ask).collect();
    // All know by now that they have to dance, and one does. The others have time for it while the stranger is asked.
    place.rig.standin.wait_for("/urs/api/users/ada", names.len()).await;
    place.rig.standin.wait_for(PAGE, 1).await;
    place.pass_time().await;
    assert_eq!(place.rig.standin.count(PAGE), 1);
    gate.open();
    for asked in asked {
        asked.await.unwrap().unwrap();
    }
    let steps = place.archive.requests().into_iter().filter(|request| request.header("authorization").is_none());
    let steps: Vec<_> = steps.map(|step| (step.path.clone(), step.header("cookie").is_some())).collect();
    assert_eq!(steps.len(), 3 * names.len());
    for dance in steps.chunks(3) {
        let endpoint = &dance[0].0;
        assert!(endpoint.ends_with("/s3credentials"), "{steps:?}");
        assert_eq!(dance[1..], [("/tea/login".to_owned(), false), (endpoint.clone(), true)], "{steps:?}");
    }
    assert_eq!(place.rig.standin.count(PAGE), names.len());
}

#[tokio::test]
async fn a_dance_that_takes_its_time_holds_up_nobody_with_a_bearer() {
    let place = Place::new().await;
    let gate = Gate::shut();
    place.rig.standin.behave(PAGE, Behaviour::Normal.held_by(&gate));
    place.archive.behave("/tea/open/", Behaviour::Normal);
    let broker = place.daemon(&["p", "open"]);
    let dance = tokio::spawn({
        let broker = broker.clone();
        async move { broker.credentials("p", 0).await }
    });
    place.rig.standin.wait_for(PAGE, 1).await;
    broker.credentials("open", 0).await.unwrap();
    broker.token("earthdata").await.unwrap();
    assert!(!dance.is_finished());
    gate.open();
    dance.await.unwrap().unwrap();
}
