//! Who has an account, at Earthdata Login and at Keycloak alike, and what a test may do to them.

use super::Standin;
use super::keycloak::{Device, Session};
use jiff::Timestamp;
use std::collections::HashMap;
use tokio::time::Instant;

/// Accounts and what depends on them.
#[derive(Debug, Default)]
pub(super) struct People {
    pub(super) persons: HashMap<String, Person>,
    /// Confidential clients of Keycloak with their secrets. The public client `shasta` is always there.
    pub(super) clients: HashMap<String, String>,
    /// Keycloak's access tokens, with their ends.
    pub(super) access: HashMap<String, Timestamp>,
    /// Every refresh token ever given, with its session's number.
    pub(super) refresh: HashMap<String, u64>,
    pub(super) sessions: HashMap<u64, Session>,
    pub(super) devices: Vec<Device>,
    /// Seconds between a device's questions, if not 5.
    pub(super) device_interval: Option<u64>,
    /// Seconds of an access token, if not 300.
    pub(super) token_life: Option<i64>,
}

#[derive(Debug, Default)]
pub(super) struct Person {
    pub(super) password: String,
    pub(super) admin: bool,
    /// With wrong passwords, or while locked.
    pub(super) failures: usize,
    pub(super) last_failure: Option<Instant>,
    pub(super) locked: bool,
    /// Earthdata Login tokens, expired ones too, the oldest first.
    pub(super) tokens: Vec<String>,
}

// === impl Person ===

impl Person {
    /// Whether this is the password; two failures within a second lock the account, and nothing is right any more.
    pub(super) fn admits(&mut self, password: &str) -> bool {
        if !self.locked && self.password == password {
            return true;
        }
        let now = Instant::now();
        self.failures += 1;
        self.locked |= self.last_failure.is_some_and(|last| (now - last).as_millis() < 1000);
        self.last_failure = Some(now);
        false
    }
}

// === impl Standin ===

impl Standin {
    /// A user of Earthdata Login and of Keycloak, there with the role `shasta/admin`.
    pub fn add_user(&self, name: &str, password: &str) {
        let person = Person { password: password.to_owned(), admin: true, ..Person::default() };
        self.world.state().people.persons.insert(name.to_owned(), person);
    }

    /// Another password from now on. What the old one has brought stays good.
    pub fn set_password(&self, name: &str, password: &str) {
        if let Some(person) = self.world.state().people.persons.get_mut(name) {
            person.password = password.to_owned();
        }
    }

    /// Whether tokens given to this user from now on have the role `shasta/admin`.
    pub fn set_admin(&self, name: &str, admin: bool) {
        if let Some(person) = self.world.state().people.persons.get_mut(name) {
            person.admin = admin;
        }
    }

    /// A confidential client of Keycloak. Tokens of `admin-client` are good for HPE Cray's STS.
    pub fn add_client(&self, id: &str, secret: &str) {
        self.world.state().people.clients.insert(id.to_owned(), secret.to_owned());
    }

    /// How often this user's password was wrong, or right but too late.
    pub fn failed_attempts(&self, name: &str) -> usize {
        self.world.state().people.persons.get(name).map_or(0, |person| person.failures)
    }

    /// Whether this user's account was locked, as it is after two failures within a second.
    pub fn is_locked(&self, name: &str) -> bool {
        self.world.state().people.persons.get(name).is_some_and(|person| person.locked)
    }

    /// Gives the user an Earthdata Login token, as another program would have made it: see [`Standin::mint_token`].
    pub fn give_token(&self, name: &str, life_seconds: i64) -> String {
        let token = self.mint_token(name, life_seconds);
        if let Some(person) = self.world.state().people.persons.get_mut(name) {
            person.tokens.push(token.clone());
        }
        token
    }

    /// The user's Earthdata Login tokens, expired ones too, the oldest first.
    pub fn tokens_of(&self, name: &str) -> Vec<String> {
        self.world.state().people.persons.get(name).map(|person| person.tokens.clone()).unwrap_or_default()
    }

    /// Seconds that Keycloak's access tokens live from now on.
    pub fn set_token_life(&self, seconds: i64) {
        self.world.state().people.token_life = Some(seconds);
    }

    /// Ends all of Keycloak's sessions: their refresh tokens are void.
    pub fn end_sessions(&self) {
        self.world.state().people.sessions.clear();
    }

    /// The refresh tokens that are good now, one for each session of Keycloak's; the oldest session first.
    pub fn refresh_tokens(&self) -> Vec<String> {
        let state = self.world.state();
        let mut sessions: Vec<_> = state.people.sessions.iter().collect();
        sessions.sort_by_key(|(number, _)| **number);
        sessions.into_iter().map(|(_, session)| session.current.clone()).collect()
    }

    /// Makes all of Keycloak's access tokens bad from now on. Sessions stay.
    pub fn void_access(&self) {
        self.world.state().people.access.clear();
    }

    /// Seconds that a device has to leave between its questions.
    pub fn set_device_interval(&self, seconds: u64) {
        self.world.state().people.device_interval = Some(seconds);
    }

    /// What a person types who has started to sign in on another device, the latest.
    pub fn user_code(&self) -> Option<String> {
        self.world.state().people.devices.last().map(|device| device.user_code.clone())
    }

    /// A person enters the code, signed in as `name`, and allows the device; None refuses it.
    pub fn decide_device(&self, user_code: &str, name: Option<&str>) {
        let mut state = self.world.state();
        if let Some(device) = state.people.devices.iter_mut().find(|device| device.user_code == user_code) {
            device.decision = Some(name.map(str::to_owned));
        }
    }
}
