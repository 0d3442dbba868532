//! A login whose secret changes with every use: asked once for all, and nothing is lost.

use super::super::disk::Owner;
use super::*;
use crate::access::Access;
use crate::login::{About, AccessRequest, Granted, Login, SignIn};
use tokio::sync::{Semaphore, watch};

/// Gives a token for the secret that it gave last, and signs everybody out who shows an older one.
#[derive(Debug)]
struct Rotating {
    standin: Standin,
    current: Mutex<String>,
    asked: watch::Sender<usize>,
    gate: Semaphore,
    fails: bool,
}

impl Login for Rotating {
    fn sign_in<'a>(&'a self, _: &'a SignIn<'a>) -> Later<'a, Result<Secret, Error>> {
        unreachable!("nobody is here")
    }

    fn access<'a>(&'a self, ask: AccessRequest<'a>) -> Later<'a, Result<Granted, Error>> {
        Box::pin(async move {
            let number = *self.asked.borrow() + 1;
            self.asked.send_replace(number);
            let _ = self.gate.acquire().await.map(|permit| permit.forget());
            if self.fails {
                return Err(Error::unavailable("the token endpoint is away"));
            }
            let mut current = self.current.lock().unwrap();
            if *current != ask.secret.expose() {
                return Err(Error::sign_in("earthdata", "an old secret was used again"));
            }
            *current = format!("secret {number}");
            let expires = ask.now.wall.checked_add(SignedDuration::from_secs(3600)).unwrap();
            let access = Access::Bearer(Secret::new(self.standin.mint_token("ada", 3600)));
            Ok(Granted { access, expires: Some(expires), rotated: Some(Secret::new(current.as_str())) })
        })
    }

    fn rotates(&self, _: &Secret) -> bool {
        true
    }

    fn asks_issuer(&self, _: &Secret) -> bool {
        true
    }

    fn about(&self, _: &Secret) -> About {
        About::default()
    }
}

impl Rotating {
    /// Signed in with `secret 0`; shut or open for exchanges.
    fn new(rig: &Rig, open: bool, fails: bool) -> Arc<Rotating> {
        rig.keyring.put("earthdata", &StoredLogin::signed_in("earthdata", Secret::new("secret 0")));
        let gate = Semaphore::new(0);
        if open {
            gate.close();
        }
        let (standin, asked) = (rig.standin.clone(), watch::channel(0).0);
        Arc::new(Rotating { standin, current: Mutex::new("secret 0".to_owned()), asked, gate, fails })
    }

    fn broker(self: &Arc<Self>, rig: &Rig, profiles: &[&str]) -> Broker {
        let mut config = rig.config(profiles);
        config.logins.get_mut("earthdata").unwrap().login = self.clone();
        rig.with(config, Manner::Daemon)
    }

    fn asked(&self) -> usize {
        *self.asked.borrow()
    }

    async fn wait_for(&self, n: usize) {
        self.asked.subscribe().wait_for(|asked| *asked >= n).await.unwrap();
    }
}

fn ask(broker: &Broker, profile: &'static str) -> tokio::task::JoinHandle<Result<Served, Error>> {
    let broker = broker.clone();
    tokio::spawn(async move { broker.credentials(profile, 0).await })
}

fn secret(rig: &Rig) -> Option<String> {
    rig.keyring.stored("earthdata").map(|stored| stored.secret.expose().to_owned())
}

const TEN: [&str; 10] = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9"];

#[tokio::test]
async fn ten_profiles_of_one_login_in_two_processes_make_one_exchange() {
    let rig = Rig::new().await;
    let login = Rotating::new(&rig, true, false);
    let (a, b) = (login.broker(&rig, &TEN), login.broker(&rig, &TEN));
    for task in TEN.map(|name| [ask(&a, name), ask(&b, name)]).into_iter().flatten().collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
    assert_eq!((login.asked(), rig.asked()), (1, 10));
    assert_eq!(secret(&rig).as_deref(), Some("secret 1"));
}

#[tokio::test]
async fn a_failed_exchange_is_one_attempt_for_all_profiles_of_the_login() {
    let rig = Rig::new().await;
    let login = Rotating::new(&rig, true, true);
    let (a, b) = (login.broker(&rig, &TEN), login.broker(&rig, &TEN));
    for task in TEN.map(|name| [ask(&a, name), ask(&b, name)]).into_iter().flatten().collect::<Vec<_>>() {
        assert_eq!(kind(&task.await.unwrap()), Kind::Unavailable);
    }
    assert_eq!((login.asked(), rig.asked()), (1, 0));
}

#[tokio::test]
async fn a_rotation_is_stored_before_its_access_is_used() {
    let rig = Rig::new().await;
    let login = Rotating::new(&rig, true, false);
    rig.behave(Behaviour::Hang);
    let task = ask(&login.broker(&rig, &["p"]), "p");
    rig.standin.wait_for("/tea/", 1).await;
    assert_eq!(secret(&rig).as_deref(), Some("secret 1"));
    task.abort();
}

#[tokio::test]
async fn a_rotation_that_cannot_be_stored_is_sealed_and_written_through_later() {
    let rig = Rig::new().await;
    let login = Rotating::new(&rig, true, false);
    rig.keyring.state().writes_left = Some(1);
    let broker = login.broker(&rig, &["p"]);
    broker.credentials("p", 0).await.unwrap();
    broker.settle(LONGEST_WAIT).await;
    assert_eq!(secret(&rig).as_deref(), Some("secret 0"));
    assert!(broker.status().troubles.contains_key("keyring"));
    rig.clock.advance(3600);
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::Unavailable, "the store still takes nothing");
    assert_eq!(login.asked(), 1, "so nothing is exchanged");
    rig.keyring.state().writes_left = None;
    login.broker(&rig, &["p"]).credentials("p", 0).await.expect("in another process");
    assert_eq!((secret(&rig).as_deref(), login.asked()), (Some("secret 2"), 2));
}

#[tokio::test]
async fn a_store_that_takes_nothing_prevents_the_exchange() {
    let rig = Rig::new().await;
    let login = Rotating::new(&rig, true, false);
    rig.keyring.state().writes_left = Some(0);
    assert_eq!(kind(&login.broker(&rig, &["p"]).credentials("p", 0).await), Kind::Unavailable);
    assert_eq!(login.asked(), 0);
}

#[tokio::test]
async fn a_sign_in_or_out_in_the_middle_of_a_rotation_stands() {
    for signs_in in [true, false] {
        let rig = Rig::new().await;
        let login = Rotating::new(&rig, false, false);
        let broker = login.broker(&rig, &["p"]);
        let task = ask(&broker, "p");
        login.wait_for(1).await;
        let expected = signs_in.then(|| StoredLogin::signed_in("earthdata", Secret::new("of a person")));
        match &expected {
            Some(stored) => broker.store_login("earthdata", stored).await.unwrap(),
            None => rig.keyring.delete("earthdata").await.unwrap(),
        }
        login.gate.close();
        let _ = task.await.unwrap();
        assert_eq!(rig.keyring.stored("earthdata"), expected);
    }
}

#[tokio::test]
async fn f23_close_awaits_an_exchange_that_was_sent_and_keeps_others_out_of_it() {
    let rig = Rig::new().await;
    let login = Rotating::new(&rig, false, false);
    let broker = login.broker(&rig, &["p"]);
    let task = ask(&broker, "p");
    login.wait_for(1).await;
    let closing = tokio::spawn({
        let broker = broker.clone();
        async move { broker.close().await }
    });
    assert_eq!(kind(&task.await.unwrap()), Kind::Unavailable, "its flight is cancelled");
    let lock = rig.daemon().0.disk.try_lock(Owner::Login("earthdata".to_owned())).await.unwrap();
    assert!(lock.is_none(), "nobody else begins what is not over");
    assert!(!closing.is_finished());
    login.gate.close();
    closing.await.unwrap();
    assert_eq!(secret(&rig).as_deref(), Some("secret 1"));
}

#[tokio::test]
async fn refused_access_is_exchanged_once_and_issued_twice_at_most() {
    let rig = Rig::new().await;
    let login = Rotating::new(&rig, true, false);
    let broker = login.broker(&rig, &["p"]);
    rig.standin.behave_once("/tea/", Behaviour::status(401));
    broker.credentials("p", 0).await.expect("the second access is taken");
    broker.settle(LONGEST_WAIT).await;
    assert_eq!((login.asked(), rig.asked()), (2, 2));
    rig.clock.advance(3600);
    rig.behave(Behaviour::status(401));
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::LoginRequired);
    assert_eq!((login.asked(), rig.asked()), (4, 4));
    assert_eq!(kind(&broker.credentials("p", 0).await), Kind::LoginRequired);
    assert_eq!((login.asked(), rig.asked()), (4, 4), "and is on record");
}

#[tokio::test]
async fn f14_where_files_cannot_be_locked_exchanges_still_take_turns() {
    let rig = Rig::new().await;
    let login = Rotating::new(&rig, true, true);
    std::fs::write(rig.home.path().join("locks"), "").unwrap();
    let broker = login.broker(&rig, &TEN);
    for task in TEN.map(|name| ask(&broker, name)) {
        assert!(task.await.unwrap().is_err());
    }
    assert_eq!(login.asked(), 1);
}

#[tokio::test]
async fn f12_a_rotation_that_neither_keyring_nor_disk_takes_stays_in_memory() {
    let rig = Rig::new().await;
    let login = Rotating::new(&rig, false, false);
    let broker = login.broker(&rig, &["p", "q"]);
    let asking = ask(&broker, "p");
    login.wait_for(1).await;
    // Both fail between the exchange and the store.
    rig.keyring.state().writes_left = Some(0);
    let pending = rig.home.path().join("pending");
    std::fs::remove_dir_all(&pending).unwrap();
    std::fs::write(&pending, "").unwrap();
    login.gate.close();
    asking.await.unwrap().unwrap();
    assert_eq!(secret(&rig).as_deref(), Some("secret 0"), "neither took it");
    // They work again: what was kept is stored before the next exchange.
    rig.keyring.state().writes_left = None;
    std::fs::remove_file(&pending).unwrap();
    rig.clock.advance(3590);
    ask(&broker, "q").await.unwrap().unwrap();
    assert_eq!((login.asked(), secret(&rig).as_deref()), (2, Some("secret 2")));
}

#[tokio::test]
async fn s21_a_rotated_secret_whose_key_is_lost_is_said_and_a_sign_in_drops_it() {
    let rig = Rig::new().await;
    let login = Rotating::new(&rig, true, false);
    rig.keyring.state().writes_left = Some(1);
    let before = login.broker(&rig, &["p"]);
    before.credentials("p", 0).await.unwrap();
    before.settle(LONGEST_WAIT).await;
    {
        let mut keyring = rig.keyring.state();
        (keyring.writes_left, keyring.key) = (None, Some(SealingKey([9; 32])));
    }
    let broker = login.broker(&rig, &["p"]);
    let moved = broker.hold_logins(&["earthdata".to_owned()]).await.map(drop);
    for error in [broker.credentials("p", 0).await.map(drop), moved].map(Result::unwrap_err) {
        assert!(error.to_string().contains("a key that is lost"), "{error}");
        assert_eq!(error.hint(), "run: valetkey login earthdata");
    }
    assert_eq!(login.asked(), 1, "the secret that is void is not shown again");
    let signed_in = StoredLogin::signed_in("earthdata", Secret::new("secret 1"));
    broker.store_login("earthdata", &signed_in).await.unwrap();
    broker.credentials("p", 0).await.unwrap();
    assert_eq!((login.asked(), secret(&rig).as_deref()), (2, Some("secret 2")));
}
