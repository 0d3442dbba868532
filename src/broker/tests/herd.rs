//! Many ask at once: one request goes out, whatever comes of it.

use super::*;

#[tokio::test]
async fn f19_a_thousand_cold_clients_make_one_request() {
    let rig = Rig::new().await;
    let (broker, gate) = (rig.daemon(), Gate::shut());
    rig.behave(Behaviour::Normal.held_by(&gate));
    let open = async {
        rig.standin.wait_for("/tea/", 1).await;
        gate.open();
    };
    let (answers, ()) = tokio::join!(crowd(1000, || broker.clone()), open);
    let first = answers[0].clone().unwrap();
    assert!(answers.into_iter().all(|answer| answer.unwrap() == first));
    assert_eq!(rig.asked(), 1);
}

#[tokio::test]
async fn t08_a_fresh_profile_needs_neither_keyring_nor_issuer() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    let first = broker.credentials("p", 0).await.unwrap();
    broker.settle(LONGEST_WAIT).await;
    rig.keyring.state().hung = true;
    rig.behave(Behaviour::Hang);
    let calls = rig.keyring.calls.load(Ordering::SeqCst);
    assert_eq!(broker.credentials("p", 0).await.unwrap(), first);
    assert_eq!((rig.asked(), rig.keyring.calls.load(Ordering::SeqCst)), (1, calls));
}

#[tokio::test]
async fn ten_profiles_of_one_login_make_one_request_each() {
    let rig = Rig::new().await;
    let names: Vec<String> = (0..10).map(|n| format!("p{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let broker = rig.with(rig.config(&names), Manner::Daemon);
    let tasks: Vec<_> = names
        .iter()
        .flat_map(|name| [*name; 5])
        .map(|name| {
            let (broker, name) = (broker.clone(), name.to_owned());
            tokio::spawn(async move { key_id(broker.credentials(&name, 0).await) })
        })
        .collect();
    let mut keys = std::collections::BTreeSet::new();
    for task in tasks {
        keys.insert(task.await.unwrap());
    }
    assert_eq!((keys.len(), rig.asked()), (10, 10));
}

#[tokio::test]
async fn f17_two_daemons_on_one_state_directory_make_one_request() {
    let rig = Rig::new().await;
    let (a, b) = (rig.daemon(), rig.daemon());
    let (first, second) = tokio::join!(a.credentials("p", 0), b.credentials("p", 0));
    assert_eq!(key_id(first), key_id(second));
    assert_eq!(rig.asked(), 1);
}

#[tokio::test]
async fn fifty_one_shots_make_one_request() {
    let rig = Rig::new().await;
    let answers = crowd(50, || rig.one_shot()).await;
    let first = key_id(answers[0].clone());
    assert!(answers.into_iter().all(|answer| key_id(answer) == first));
    assert_eq!(rig.asked(), 1);
}

#[tokio::test]
async fn fifty_one_shots_behind_an_issuer_that_refuses_make_one_attempt() {
    let cases = [
        (Behaviour::status(401), Kind::LoginRequired),
        (Behaviour::ServerError500, Kind::Unavailable),
        (Behaviour::Eula, Kind::Denied),
        (Behaviour::EmptyJson, Kind::Protocol),
    ];
    for (behaviour, expected) in cases {
        let rig = Rig::new().await;
        rig.behave(behaviour);
        let answers = crowd(50, || rig.one_shot()).await;
        assert!(answers.iter().all(|answer| kind(answer) == expected), "{expected:?}: {answers:?}");
        assert_eq!(rig.asked(), 1, "{expected:?}");
    }
}

#[tokio::test]
async fn f03_a_hung_issuer_costs_its_waiters_18_seconds_and_the_flight_goes_on() {
    let rig = Rig::new().await;
    let (broker, gate) = (rig.daemon(), Gate::shut());
    rig.behave(Behaviour::Normal.held_by(&gate));
    let waiters = tokio::spawn({
        let broker = broker.clone();
        async move { futures_of(100, &broker).await }
    });
    rig.standin.wait_for("/tea/", 1).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_millis(17_900)).await;
    assert!(!waiters.is_finished());
    tokio::time::advance(Duration::from_millis(200)).await;
    let answers = waiters.await.unwrap();
    tokio::time::resume();
    assert!(answers.iter().all(|answer| kind(answer) == Kind::Unavailable));
    assert!(answers[0].as_ref().unwrap_err().to_string().contains("still asking"));
    gate.open();
    broker.settle(LONGEST_WAIT).await;
    broker.credentials("p", 0).await.unwrap();
    assert_eq!(rig.asked(), 1);
}

async fn futures_of(n: usize, broker: &Broker) -> Vec<Result<Served, Error>> {
    let tasks: Vec<_> = (0..n)
        .map(|_| {
            let broker = broker.clone();
            tokio::spawn(async move { broker.credentials("p", 0).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn a_one_shot_has_its_failure_on_record_before_it_leaves() {
    let rig = Rig::new().await;
    rig.behave(Behaviour::Hang);
    let first = tokio::spawn({
        let broker = rig.one_shot();
        async move { broker.credentials("p", 0).await }
    });
    rig.standin.wait_for("/tea/", 1).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_millis(17_010)).await;
    tokio::time::resume();
    assert_eq!(kind(&first.await.unwrap()), Kind::Unavailable);
    assert!(rig.home.path().join("failures/profile.p.json").exists(), "before it leaves");
    assert_eq!(kind(&rig.one_shot().credentials("p", 0).await), Kind::Unavailable);
    assert_eq!(rig.asked(), 1);
    rig.behave(Behaviour::Normal);
    rig.clock.advance(3);
    rig.one_shot().credentials("p", 0).await.unwrap();
}

#[tokio::test]
async fn a_profile_has_so_many_waiters_and_no_more_and_others_do_not_notice() {
    let rig = Rig::new().await;
    let broker = rig.with(rig.config(&["p", "q"]), Manner::Daemon);
    rig.standin.behave("/tea/p/", Behaviour::Hang);
    let waiter = tokio::spawn({
        let broker = broker.clone();
        async move { broker.credentials("p", 0).await }
    });
    rig.standin.wait_for("/tea/p/", 1).await;
    broker.0.lock().slots.get_mut("p").unwrap().waiters = MOST_WAITERS;
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::Unavailable);
    broker.credentials("q", 0).await.unwrap();
    waiter.abort();
    let _ = waiter.await;
    assert_eq!(broker.0.lock().slots["p"].waiters, MOST_WAITERS - 1, "who leaves is no longer counted");
}
