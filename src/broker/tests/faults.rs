//! The issuer's side of the fault list: down, torn, silent, a portal, a page; and many profiles, and files of any date.

use super::*;
use crate::access::Access;
use crate::provider::Answer;
use crate::standin::End;
use std::time::UNIX_EPOCH;

/// The rest after a first failure, in seconds, at most.
const STEP: i64 = 2;

#[tokio::test]
async fn f01_an_issuer_that_is_down_at_the_start_costs_only_what_is_not_cached() {
    let rig = Rig::new().await;
    let first = crowd(1, || rig.daemon()).await.remove(0).unwrap();
    rig.standin.clone().stop().await;
    for manner in [Manner::Daemon, Manner::OneShot] {
        let broker = rig.with(rig.config(&["p", "q"]), manner);
        assert_eq!(broker.credentials("p", 0).await.unwrap().lease, first.lease, "from the cache");
        let error = broker.credentials("q", 0).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.hint().starts_with("asked again in "), "{}", error.text());
    }
    rig.standin.start_again().await.unwrap();
    let broker = rig.with(rig.config(&["p", "q"]), Manner::Daemon);
    assert_eq!(kind(&broker.credentials("q", 0).await), Kind::Unavailable, "on record for the next process");
    rig.clock.advance(STEP);
    broker.credentials("q", 0).await.expect("P3: one step later");
    assert_eq!(rig.asked(), 2);
}

#[tokio::test]
async fn f02_an_absurd_retry_after_is_a_second_at_least_and_a_quarter_of_an_hour_at_most() {
    // A failure that names no time rests for a second or two.
    for (retry_after, least, most) in [(0, 0, STEP), (4_000_000_000, 899, 900)] {
        let rig = Rig::new().await;
        rig.standin.behave_once("/tea/", Behaviour::TooManyRequests { retry_after });
        let broker = rig.daemon();
        assert_eq!(kind(&broker.credentials("p", 0).await), Kind::Unavailable);
        broker.settle(LONGEST_WAIT).await;
        rig.clock.advance(least);
        assert_eq!(kind(&broker.credentials("p", 0).await), Kind::Unavailable, "{retry_after}");
        assert_eq!(rig.asked(), 1, "{retry_after}");
        rig.clock.advance(most - least);
        broker.credentials("p", 0).await.unwrap();
    }
}

/// Breaks an answer off after 0, 1, 2 .. bytes, until it is whole: at each for the provider, at some for all that is
/// above it, which writes to the disk each time.
async fn broken_off_at_any_byte(end: End) {
    let rig = Rig::new().await;
    let (broker, config, http) = (rig.daemon(), rig.config(&["p"]), rig.outside().http);
    let access = Access::Bearer(rig.keyring.stored("earthdata").unwrap().secret);
    let mut failures = 0;
    for bytes in 0.. {
        rig.standin.behave_once("/tea/", Behaviour::Torn { bytes, end });
        let asked = rig.asked();
        match config.profiles["p"].provider.issue(&access, &http).await {
            Err(error) => assert_eq!(error.kind(), Kind::Unavailable, "byte {bytes}: {}", error.text()),
            Ok(Answer::Issued(_)) => {
                assert!(bytes > 800, "head and body: {bytes}");
                return;
            }
            Ok(other) => panic!("byte {bytes}: {other:?}"),
        }
        assert_eq!(rig.asked(), asked + 1, "byte {bytes}: one request");
        if bytes % 64 == 0 {
            failures += 1;
            rig.clock.advance(600);
            rig.standin.behave_once("/tea/", Behaviour::Torn { bytes, end });
            for broker in [&broker, &rig.daemon(), &rig.one_shot()] {
                assert_eq!(kind(&broker.credentials("p", 0).await), Kind::Unavailable, "byte {bytes}");
                broker.settle(LONGEST_WAIT).await;
            }
            assert_eq!(rig.asked(), asked + 2, "byte {bytes}: one request, whoever asks");
            let record = std::fs::read(rig.home.path().join("failures/profile.p.json")).unwrap();
            let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
            assert_eq!(record["attempts"], failures, "byte {bytes}: one failure");
        }
    }
}

#[tokio::test]
async fn f04_an_answer_reset_at_any_byte_is_one_failure_and_no_credentials() {
    broken_off_at_any_byte(End::Reset).await;
}

#[tokio::test]
async fn f04_an_answer_that_ends_early_at_any_byte_is_one_failure_and_no_credentials() {
    broken_off_at_any_byte(End::Closed).await;
}

#[tokio::test]
async fn f04_a_body_that_belies_its_head_is_no_credentials() {
    let keys =
        r#"{"accessKeyId":"ASIAFALSE","secretAccessKey":"s","sessionToken":"t","expiration":"2100-01-01T00:00:00Z"}"#;
    let (whole, length) = (format!("{:x}\r\n{keys}\r\n", keys.len()), keys.len());
    let chunked = |body: &str| format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}");
    let answers = [
        ("no last chunk", chunked(&whole)),
        ("half a last chunk", chunked(&format!("{whole}0\r\n"))),
        ("no size", chunked(&format!("zz\r\n{keys}\r\n0\r\n\r\n"))),
        ("a negative size", chunked(&format!("-1\r\n{keys}\r\n0\r\n\r\n"))),
        ("a size without end", chunked(&format!("fffffffffffffffff\r\n{keys}\r\n0\r\n\r\n"))),
        ("a size too large", chunked(&format!("ffff\r\n{keys}\r\n0\r\n\r\n"))),
        ("a size too small", chunked(&format!("10\r\n{keys}\r\n0\r\n\r\n"))),
        ("a length too small", format!("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{keys}")),
        ("a length too large", format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{keys}", length + 1)),
        ("two lengths", format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\ncontent-length: 9\r\n\r\n{keys}")),
        ("no length and half of it", format!("HTTP/1.1 200 OK\r\n\r\n{}", &keys[..length - 1])),
        ("no head", keys.to_owned()),
        ("no HTTP", "\u{0}\u{1}\u{2}".repeat(300)),
    ];
    for end in [End::Closed, End::Reset] {
        for (what, answer) in &answers {
            let rig = Rig::new().await;
            rig.standin.behave_once("/tea/", Behaviour::Raw { answer: answer.clone(), end });
            let broker = rig.daemon();
            let answer = broker.credentials("p", 0).await;
            broker.settle(LONGEST_WAIT).await;
            assert!(matches!(kind(&answer), Kind::Unavailable | Kind::Protocol), "{what}: {answer:?}");
            assert!(!format!("{answer:?}").contains("ASIAFALSE"), "{what}: {answer:?}");
            assert_eq!(rig.asked(), 1, "{what}");
            rig.clock.advance(3600);
            assert_eq!(key_id(broker.credentials("p", 0).await), rig.standin.issued().pop().unwrap().access_key_id);
        }
    }
}

#[tokio::test]
async fn f03_silence_after_the_head_is_given_up_and_one_failure() {
    let rig = Rig::new().await;
    let broker = rig.daemon();
    rig.standin.behave_once("/tea/", Behaviour::Torn { bytes: 250, end: End::Silence });
    let waiter = tokio::spawn({
        let broker = broker.clone();
        async move { broker.credentials("p", 0).await }
    });
    rig.standin.wait_for("/tea/", 1).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_millis(18_100)).await;
    let told = waiter.await.unwrap().unwrap_err();
    assert!(told.to_string().contains("still asking"), "{}", told.text());
    tokio::time::advance(Duration::from_secs(3)).await;
    // What follows is the disk's, which knows no such clock.
    tokio::time::resume();
    broker.settle(LONGEST_WAIT).await;
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::Unavailable);
    assert!(rig.home.path().join("failures/profile.p.json").exists());
    rig.clock.advance(STEP);
    broker.credentials("p", 0).await.unwrap();
    assert_eq!(rig.asked(), 2);
}

#[tokio::test]
async fn f06_a_captive_portal_is_told_hears_no_secret_and_ends_nothing_that_is_valid() {
    let portal = Standin::start().await.unwrap();
    let there = vec![("location".to_owned(), portal.url("/welcome"))];
    let page = |code, headers| Behaviour::Status {
        code,
        content_type: "text/html".to_owned(),
        body: "<html><title>Hotel Wi-Fi</title></html>".to_owned(),
        headers,
    };
    // A portal cannot redirect what goes over TLS: where an issuer does, its URL is wrong.
    let answers = [
        (page(200, vec![]), Kind::Unavailable),
        (page(511, vec![]), Kind::Unavailable),
        (page(302, there.clone()), Kind::Configuration),
        (page(307, there), Kind::Configuration),
    ];
    for (answer, expected) in answers {
        let rig = Rig::new().await;
        let broker = rig.with(rig.config(&["p", "q"]), Manner::Daemon);
        let first = broker.credentials("p", 0).await.unwrap();
        broker.settle(LONGEST_WAIT).await;
        rig.clock.advance(2000);
        rig.standin.behave("/", answer.clone());
        assert_eq!(broker.credentials("p", 0).await.unwrap().lease, first.lease, "{answer:?}");
        let error = broker.credentials("q", 0).await.unwrap_err();
        broker.settle(LONGEST_WAIT).await;
        assert_eq!(error.kind(), expected, "{answer:?}: {}", error.text());
        assert!(!error.text().contains("Hotel"), "{}", error.text());
        assert_eq!(portal.count("/"), 0, "{answer:?}");
        rig.standin.behave("/", Behaviour::Normal);
        rig.clock.advance(STEP);
        broker.credentials("q", 0).await.expect("P3: one step later");
    }
}

#[tokio::test]
async fn f07_a_login_page_under_200_is_told_as_one_and_asked_for_once() {
    let rig = Rig::new().await;
    rig.behave(Behaviour::Html200);
    let broker = rig.daemon();
    for broker in [&broker, &rig.daemon(), &rig.one_shot()] {
        let error = broker.credentials("p", 0).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("page") && !error.text().contains("line 1"), "{}", error.text());
    }
    assert_eq!(rig.asked(), 1);
    rig.behave(Behaviour::Normal);
    rig.clock.advance(STEP);
    broker.credentials("p", 0).await.unwrap();
}

#[tokio::test]
async fn f24_a_thousand_profiles_are_answered_each_with_its_own_and_unknown_names_leave_nothing() {
    let rig = Rig::new().await;
    let names: Vec<String> = (0..1000).map(|n| format!("p{n}")).collect();
    let config = || rig.config(&names.iter().map(String::as_str).collect::<Vec<_>>());
    // Without a disk, of which this is not.
    let file = rig.home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let broker = Broker::new(rig.outside(), &file, config(), Manner::Daemon);
    let tasks: Vec<_> = names
        .iter()
        .map(|name| {
            let (broker, name) = (broker.clone(), name.clone());
            tokio::spawn(async move { key_id(broker.credentials(&name, 0).await) })
        })
        .collect();
    let mut keys = std::collections::BTreeSet::new();
    for task in tasks {
        keys.insert(task.await.unwrap());
    }
    assert_eq!((keys.len(), rig.asked()), (1000, 1000));
    for n in 0..100 {
        assert_eq!(kind(&broker.credentials(&format!("nobody-{n}"), 0).await), Kind::Configuration);
    }
    let held = |broker: &Broker| {
        let state = broker.0.lock();
        (state.slots.len(), state.counts.len())
    };
    assert_eq!(held(&broker), (1000, 1000));
    broker.reload(rig.config(&["p1"]));
    assert_eq!(held(&broker).0, 1, "what is no profile any more is let go");
}

/// Puts every file and directory below `place` at this time.
fn date_all(place: &Path, seconds: u64) {
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    for entry in std::fs::read_dir(place).unwrap().flatten() {
        if entry.path().is_dir() {
            date_all(&entry.path(), seconds);
        }
        let times = std::fs::FileTimes::new().set_modified(time).set_accessed(time);
        std::fs::File::open(entry.path()).unwrap().set_times(times).unwrap();
    }
}

#[tokio::test]
async fn f27_files_of_1970_and_of_2100_are_what_they_say_and_not_what_their_dates_say() {
    for seconds in [0, 4_102_444_800] {
        let rig = Rig::new().await;
        rig.standin.behave("/tea/q/", Behaviour::TooManyRequests { retry_after: 60 });
        let of = || rig.with(rig.config(&["p", "q"]), Manner::Daemon);
        let broker = of();
        let first = broker.credentials("p", 0).await.unwrap();
        assert_eq!(kind(&broker.credentials("q", 0).await), Kind::Unavailable);
        broker.settle(LONGEST_WAIT).await;
        date_all(rig.home.path(), seconds);
        for broker in [of(), rig.with(rig.config(&["p", "q"]), Manner::OneShot)] {
            assert_eq!(broker.credentials("p", 0).await.unwrap().lease, first.lease, "valid, and so served");
            assert_eq!(kind(&broker.credentials("q", 0).await), Kind::Unavailable, "a rest lasts as long as it says");
        }
        assert_eq!(rig.asked(), 2);
        rig.standin.behave("/tea/q/", Behaviour::Normal);
        rig.clock.advance(3590);
        date_all(rig.home.path(), seconds);
        let broker = of();
        assert_ne!(broker.credentials("p", 0).await.unwrap().lease, first.lease, "nearly over, and so renewed");
        broker.credentials("q", 0).await.unwrap();
    }
}

#[tokio::test]
async fn f30_an_issuer_of_shorter_lives_than_asked_is_not_asked_in_a_loop() {
    for life in [60, 900] {
        let rig = Rig::new().await;
        rig.standin.set_life(life);
        let broker = rig.daemon();
        let seconds = 10 * life;
        for second in 0..seconds {
            let served = broker.credentials("p", 0).await.unwrap();
            assert!(served.lease.remaining(&rig.clock.now()) >= 10, "second {second} of {life}");
            broker.settle(LONGEST_WAIT).await;
            rig.clock.advance(1);
        }
        // Renewed when a fifth to a third of each is over.
        assert!((10..=51).contains(&rig.asked()), "{} requests in ten lives of {life} s", rig.asked());
    }
}
