//! The broker against the stand-in issuer: every claim is checked at the issuer's log.

mod aws;
mod contract;
mod dance;
mod disk;
mod earthdata;
mod elsewhere;
mod failures;
mod faults;
mod herd;
mod keycloak;
mod memory;
mod moves;
mod notice;
mod refresh;
mod renewal;
mod rotation;

use super::*;
use crate::freshness::LONGEST_WAIT;
use crate::lease::tests::moment;
use crate::login::{SignIn, Source};
use crate::ports::tests::{Nobody, Variables};
use crate::ports::{Clock, Keyring, Later, SealingKey};
use crate::secret::Secret;
use crate::standin::{Behaviour, Gate, Standin};
use crate::wire::Kind;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use tempfile::TempDir;

/// An issuer, a keyring with a login in it, a clock that stands, and a state directory.
struct Rig {
    standin: Standin,
    keyring: Arc<FakeKeyring>,
    clock: Arc<FakeClock>,
    home: TempDir,
}

#[derive(Debug, Default)]
struct FakeClock(AtomicI64);

#[derive(Debug, Default)]
struct FakeKeyring {
    state: Mutex<KeyringState>,
    calls: AtomicUsize,
}

#[derive(Debug, Default)]
struct KeyringState {
    key: Option<SealingKey>,
    entries: HashMap<String, Secret>,
    locked: bool,
    hung: bool,
    /// So many more succeed.
    writes_left: Option<usize>,
    limit: Option<Duration>,
}

// === impl Rig ===

impl Rig {
    /// Signed in as ada.
    async fn new() -> Rig {
        let clock = Arc::new(FakeClock::default());
        let standin = Standin::start_by(clock.clone()).await.unwrap();
        let rig = Rig { standin, keyring: Arc::default(), clock, home: tempfile::tempdir().unwrap() };
        rig.keyring.put("earthdata", &rig.new_login());
        rig
    }

    fn new_login(&self) -> StoredLogin {
        StoredLogin::signed_in("earthdata", Secret::new(self.standin.mint_token("ada", 30 * 86_400)))
    }

    /// These profiles, each with an endpoint of its own.
    fn config(&self, profiles: &[&str]) -> Config {
        self.config_with(profiles, "earthdata", "")
    }

    fn config_with(&self, profiles: &[&str], login: &str, setting: &str) -> Config {
        let (origin, urs) = (self.standin.url(""), self.standin.url(Standin::URS));
        let mut text = String::new();
        for login in ["earthdata", "other"] {
            text += &format!("[logins.{login}]\nkind = \"earthdata\"\nurs = \"{urs}\"\n");
        }
        for name in profiles {
            let endpoint = format!("{origin}/tea/{name}/s3credentials");
            text += &format!("[profiles.{name}]\nprovider = \"earthdata\"\nlogin = \"{login}\"\n");
            text += &format!("endpoint = \"{endpoint}\"\nurs = \"{urs}\"\n{setting}\n");
        }
        Config::parse(&text, Path::new("/config.toml"), Path::new("/home")).unwrap()
    }

    fn config_of(&self, text: &str) -> Config {
        Config::parse(text, Path::new("/config.toml"), Path::new("/home")).unwrap()
    }

    /// Signs in to a login of `config` with the text of a file, or with variables where there are any.
    async fn sign_in(&self, config: &Config, login: &str, text: &str, variables: &[(&str, &str)]) -> Secret {
        let entry = config.login(login).unwrap();
        let (outside, environment) = (self.outside(), Variables::new(variables));
        let source = if variables.is_empty() { Source::Text(Secret::new(text)) } else { Source::Variables };
        let (http, now) = (&outside.http, &self.clock.now());
        let from = SignIn { prompt: &Nobody, environment: &environment, source, http, now };
        let secret = entry.login.sign_in(&from).await.unwrap();
        self.keyring.put(login, &StoredLogin::signed_in(entry.kind.name, secret.clone()));
        secret
    }

    fn outside(&self) -> Outside {
        Outside {
            clock: self.clock.clone(),
            http: Arc::new(crate::system::http::Network::default()),
            keyring: self.keyring.clone(),
            environment: Arc::new(Variables::new(&[])),
        }
    }

    fn with(&self, config: Config, manner: Manner) -> Broker {
        Broker::new(self.outside(), self.home.path(), config, manner)
    }

    /// A daemon with one profile, `p`.
    fn daemon(&self) -> Broker {
        self.with(self.config(&["p"]), Manner::Daemon)
    }

    fn one_shot(&self) -> Broker {
        self.with(self.config(&["p"]), Manner::OneShot)
    }

    /// What issuers of credentials were asked.
    fn asked(&self) -> usize {
        self.standin.count("/tea/")
    }

    fn behave(&self, behaviour: Behaviour) {
        self.standin.behave("/tea/", behaviour);
    }
}

/// Answers of `n` requests at once.
async fn crowd(n: usize, brokers: impl Fn() -> Broker) -> Vec<Result<Served, Error>> {
    let tasks: Vec<_> = (0..n)
        .map(|_| {
            let broker = brokers();
            tokio::spawn(async move {
                let answer = broker.credentials("p", 0).await;
                broker.settle(LONGEST_WAIT).await;
                answer
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

fn kind(answer: &Result<Served, Error>) -> Kind {
    answer.as_ref().expect_err("an error").kind()
}

fn key_id(answer: Result<Served, Error>) -> String {
    answer.unwrap().lease.credentials.access_key_id.clone()
}

// === impl FakeClock ===

impl FakeClock {
    fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Moment {
        moment(self.0.load(Ordering::SeqCst))
    }
}

// === impl FakeKeyring ===

impl FakeKeyring {
    fn state(&self) -> MutexGuard<'_, KeyringState> {
        self.state.lock().unwrap()
    }

    fn put(&self, name: &str, login: &StoredLogin) {
        self.state().entries.insert(name.to_owned(), login.to_secret());
    }

    fn stored(&self, name: &str) -> Option<StoredLogin> {
        self.state().entries.get(name).and_then(StoredLogin::from_secret)
    }

    /// The state, after a moment in which others may run, if the keyring answers.
    async fn answer(&self) -> Result<MutexGuard<'_, KeyringState>, Error> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let state = self.state();
        if state.hung {
            return Err(Error::unavailable("the keyring does not answer"));
        }
        if state.locked {
            let remedy = crate::error::Remedy::UnlockKeyring;
            return Err(Error::LoginRequired { message: "the keyring is locked".to_owned(), remedy });
        }
        Ok(state)
    }
}

impl Keyring for FakeKeyring {
    fn key(&self, make: bool) -> Later<'_, Result<Option<SealingKey>, Error>> {
        Box::pin(async move {
            let mut state = self.answer().await?;
            if make && state.key.is_none() {
                state.key = Some(SealingKey(crate::seal::random()));
            }
            Ok(state.key.clone())
        })
    }

    fn load<'a>(&'a self, name: &'a str) -> Later<'a, Result<Option<Secret>, Error>> {
        Box::pin(async move { Ok(self.answer().await?.entries.get(name).cloned()) })
    }

    fn store<'a>(&'a self, name: &'a str, secret: &'a Secret) -> Later<'a, Result<(), Error>> {
        Box::pin(async move {
            let mut state = self.answer().await?;
            match &mut state.writes_left {
                Some(0) => return Err(Error::unavailable("the keyring takes nothing")),
                Some(left) => *left -= 1,
                None => {}
            }
            state.entries.insert(name.to_owned(), secret.clone());
            Ok(())
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Later<'a, Result<(), Error>> {
        Box::pin(async move {
            self.answer().await?.entries.remove(name);
            Ok(())
        })
    }

    fn describe(&self) -> Later<'_, Result<String, Error>> {
        Box::pin(async { Ok("a fake".to_owned()) })
    }

    fn limit(&self) -> Duration {
        self.state().limit.unwrap_or(Duration::from_secs(2))
    }
}
