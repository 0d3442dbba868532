//! What can be told of the broker at a moment, without asking anyone.

use super::Broker;
use super::disk::Owner;
use super::slot::Slot;
use crate::cache::Fingerprint;
use crate::credentials::written;
use crate::error::Error;
use crate::freshness::Freshness;
use crate::login::Elsewhere;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The broker's part of `valetkey status --json`. Times are UTC, durations seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub profiles: Vec<ProfileStatus>,
    #[serde(default)]
    pub logins: Vec<LoginStatus>,
    /// What does not work as it should though answers go out, by area.
    pub troubles: BTreeMap<String, String>,
    /// Whether the user has locked everything.
    #[serde(default)]
    pub locked: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileStatus {
    pub name: String,
    pub provider: String,
    pub login: String,
    /// `fresh`, `due`, `stale`, `none` (nothing in memory), `failing` (nothing to serve).
    pub state: String,
    /// The real end of the credentials in memory.
    pub expiration: Option<String>,
    pub remaining: Option<i64>,
    /// When the issuer last gave some, over by now or not.
    pub issued: Option<String>,
    /// Seconds by which the issuer's clock is ahead of ours.
    pub offset: Option<i64>,
    pub endpoint: Option<String>,
    pub error: Option<Error>,
    /// Seconds until the next attempt; None with an error means: not before somebody signs in.
    pub next_attempt: Option<u64>,
    pub asking: bool,
    pub answers: u64,
}

/// Who we are at an issuer, and until when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoginStatus {
    pub name: String,
    pub kind: String,
    /// `keyring`, or the file or program that the config names.
    pub place: String,
    /// The user's name, where the secret tells it.
    pub who: Option<String>,
    /// When the sign-in itself ends, where that is known beforehand.
    pub until: Option<String>,
    pub remaining: Option<i64>,
    /// What a person should do about that end before it comes.
    pub notice: Option<String>,
    /// Why there is none: nobody has signed in, the keyring is locked, the file is missing.
    pub error: Option<Error>,
}

impl Broker {
    /// Looks at the logins that have not been read yet. No issuer is asked; a keyring that fails is asked once.
    pub async fn look_at_logins(&self) {
        let config = self.config();
        if self.0.lock().shut.is_shut() {
            return;
        }
        for entry in config.logins.values() {
            // A program that prints a secret may ask an issuer: not for a look.
            let runs = entry.login.elsewhere().is_some_and(Elsewhere::runs_a_program);
            if runs || self.0.lock().abouts.contains_key(&entry.name) {
                continue;
            }
            let looked = self.0.look_at_login(entry).await;
            // A keyring that fails, or a disk that hangs, does so for the others too.
            let fails = match &looked {
                Err(Error::Unavailable { .. }) => true,
                Err(error) => entry.login.elsewhere().is_none() && !error.wants_sign_in(),
                Ok(()) => false,
            };
            match looked {
                Ok(()) => self.0.lock().unknown.remove(&entry.name),
                Err(error) => self.0.lock().unknown.insert(entry.name.clone(), error),
            };
            if fails {
                return;
            }
        }
    }

    /// Takes what the cache holds into memory, what failed last, and why nothing can be had, without asking any issuer:
    /// for a `status` where no daemon runs.
    pub async fn look(&self) {
        if self.check_unlocked().await.is_err() {
            return;
        }
        let config = self.config();
        for profile in config.profiles.values() {
            let Ok(login) = config.login(&profile.login) else { continue };
            let (mut failed, now) = (None, self.0.outside.clock.now());
            let found = match self.0.known_basis(login).await {
                Ok(None) => Ok(None),
                Ok(Some(basis)) => {
                    let print = Fingerprint::of_profile(profile, &basis.print);
                    let of_profile = self.0.record(Owner::Profile(profile.name.clone()), &print).await;
                    let of_login = self.0.record(Owner::Login(login.name.clone()), &basis.print).await;
                    failed = of_profile.into_iter().chain(of_login).max_by_key(|record| record.rest(&now));
                    self.0.disk.lease(&profile.name, &print, &basis.key).await
                }
                Err(error) => Err(error),
            };
            let mut state = self.0.lock();
            let slot = state.slots.entry(profile.name.clone()).or_insert_with(Slot::new);
            // First, so that credentials that came after it end it.
            if let Some(record) = failed {
                slot.fail(record, &now);
            }
            match found {
                Ok(Some(lease)) => slot.take(Arc::new(lease), false, &now),
                Ok(None) => {}
                Err(error) => slot.grounded = Some(error),
            }
        }
        self.look_at_logins().await;
    }

    pub fn status(&self) -> Status {
        let now = self.0.outside.clock.now();
        let state = self.0.lock();
        let profiles = state.config.profiles.values().map(|profile| {
            let slot = state.slots.get(&profile.name);
            let lease = slot.and_then(|slot| slot.valid(&now));
            let failure = slot.and_then(|slot| slot.failure.as_ref());
            let word = match slot.and_then(|slot| slot.freshness(&now)).filter(|_| lease.is_some()) {
                Some(Freshness::Fresh) => "fresh",
                Some(Freshness::Due) => "due",
                Some(Freshness::Stale(_)) => "stale",
                None if failure.is_some() || slot.is_some_and(|slot| slot.grounded.is_some()) => "failing",
                None => "none",
            };
            ProfileStatus {
                name: profile.name.clone(),
                provider: profile.kind.name.to_owned(),
                login: profile.login.clone(),
                state: word.to_owned(),
                expiration: lease.as_ref().map(|lease| written(lease.credentials.expiration)),
                remaining: lease.as_ref().map(|lease| lease.remaining(&now)),
                issued: slot.and_then(|slot| slot.lease.as_ref()).map(|lease| written(lease.issued)),
                offset: lease.as_ref().map(|lease| lease.offset).filter(|offset| *offset != 0),
                endpoint: lease.as_ref().and_then(|lease| lease.endpoint.clone()),
                error: failure.map(|record| record.told(&now)).or_else(|| slot.and_then(|slot| slot.grounded.clone())),
                next_attempt: failure
                    .map(|record| record.rest(&now))
                    .filter(|rest| *rest < Duration::MAX)
                    .map(|rest| rest.as_secs()),
                asking: slot.is_some_and(|slot| slot.flight.is_some()),
                answers: state.counts.get(&profile.name).map_or(0, |counts| counts.answers),
            }
        });
        let logins = state.config.logins.values().map(|entry| {
            let about = state.abouts.get(&entry.name);
            let until = about.and_then(|about| about.until);
            LoginStatus {
                name: entry.name.clone(),
                kind: entry.kind.name.to_owned(),
                place: entry.login.elsewhere().map_or_else(|| "keyring".to_owned(), |elsewhere| elsewhere.place()),
                who: about.and_then(|about| about.who.clone()),
                until: until.map(written),
                remaining: until.map(|end| end.as_second().saturating_sub(now.wall.as_second())),
                notice: about.and_then(|about| about.notice(&entry.name, now.wall)),
                error: state.unknown.get(&entry.name).filter(|_| about.is_none()).cloned(),
            }
        });
        Status {
            logins: logins.collect(),
            profiles: profiles.collect(),
            locked: state.shut.is_shut(),
            troubles: state.troubles.iter().map(|(area, text)| ((*area).to_owned(), text.clone())).collect(),
        }
    }
}
