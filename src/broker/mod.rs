//! Stands between many clients and few issuers: answers from memory, one flight for each profile, renewal ahead.
//!
//! Nothing here reads a clock, a file or the network by itself: see `ports`, and `disk` for the cache's thread.

mod access;
mod budget;
mod disk;
mod flight;
#[cfg(test)]
mod laws;
mod locked;
mod logins;
mod metrics;
mod records;
mod refresh;
mod scheduler;
mod slot;
mod status;
#[cfg(test)]
mod tests;
mod token;
mod wish;

pub use access::{HeldLogins, LoginTurn};
pub use logins::{StoredLogin, not_signed_in, told_of};
pub use status::{LoginStatus, ProfileStatus, Status};

use crate::cache::{Cache, Fingerprint, Pending};
use crate::config::Config;
use crate::error::Error;
use crate::freshness::{LEAST_SERVED, Reader, early_by};
use crate::lease::Lease;
use crate::login::About;
use crate::ports::{Moment, Outside};
use budget::Budget;
use disk::{Disk, Owner};
use flight::Outcome;
use jiff::{SignedDuration, Timestamp};
use locked::Lock;
use metrics::Counts;
use records::Kept;
use slot::{Decision, Slot};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use wish::Wish;

/// The broker; a handle, cheap to clone.
#[derive(Debug, Clone)]
pub struct Broker(Arc<Inner>);

/// Whether the process stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Renews behind an answer; flights outlive their waiters.
    Daemon,
    /// One answer and gone: waits where a daemon would renew behind, and ends its flight before the waiter leaves.
    OneShot,
}

/// Credentials for one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    pub lease: Arc<Lease>,
    /// The expiration that consumers are told.
    pub published: Timestamp,
}

#[derive(Debug)]
struct Inner {
    outside: Outside,
    disk: Disk,
    manner: Manner,
    /// Held for look-ups, never across an await.
    state: Mutex<State>,
    /// Something is due earlier than the scheduler thought.
    wake: Notify,
    /// Flights under way, and apart from them the exchanges that must not be cut short.
    flights: watch::Sender<usize>,
    rotations: watch::Sender<usize>,
}

#[derive(Debug)]
struct State {
    config: Arc<Config>,
    slots: HashMap<String, Slot>,
    next_flight: u64,
    /// Failures, beside those on disk.
    records: HashMap<Owner, Kept>,
    /// What each issuer may be asked again.
    budgets: HashMap<String, Budget>,
    /// The fingerprint under which each login has been let in, as it is on disk.
    worked: HashMap<String, Fingerprint>,
    /// One exchange at a time for each login.
    turns: HashMap<String, Arc<tokio::sync::Mutex<()>>>,
    counts: HashMap<String, Counts>,
    /// Rotated secrets that neither keyring nor disk took.
    unstored: HashMap<String, Pending>,
    /// What may be shown of each login, as its secret was when last read.
    abouts: HashMap<String, About>,
    /// Why nothing may be shown of the others.
    unknown: HashMap<String, Error>,
    closing: bool,
    shut: Lock,
    most_waiters: usize,
    /// What does not work as it should though answers go out, by area.
    troubles: BTreeMap<&'static str, String>,
}

/// At the end what was issued is written: one step of the disk's.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// More would mean a loop, not a herd.
const MOST_WAITERS: usize = 4096;

impl Broker {
    pub fn new(outside: Outside, state: &std::path::Path, config: Config, manner: Manner) -> Broker {
        Broker::with_cache(outside, Cache::new(state), config, manner)
    }

    pub fn with_cache(outside: Outside, cache: Cache, config: Config, manner: Manner) -> Broker {
        Broker(Arc::new(Inner {
            outside,
            disk: Disk::new(cache),
            manner,
            state: Mutex::new(State {
                config: Arc::new(config),
                slots: HashMap::new(),
                next_flight: 0,
                records: HashMap::new(),
                budgets: HashMap::new(),
                worked: HashMap::new(),
                turns: HashMap::new(),
                counts: HashMap::new(),
                unstored: HashMap::new(),
                abouts: HashMap::new(),
                unknown: HashMap::new(),
                closing: false,
                shut: Lock::default(),
                most_waiters: MOST_WAITERS,
                troubles: BTreeMap::new(),
            }),
            wake: Notify::new(),
            flights: watch::channel(0).0,
            rotations: watch::channel(0).0,
        }))
    }

    /// Credentials of `profile` that are valid for `min_valid` seconds or more by their published expiration.
    /// From memory where they are good; else after a flight, within 18 s.
    pub async fn credentials(&self, profile: &str, min_valid: i64) -> Result<Served, Error> {
        self.credentials_for(Reader::Process, profile, min_valid).await
    }

    /// The same for a reader that may be in more of a hurry.
    pub async fn credentials_for(&self, reader: Reader, profile: &str, min_valid: i64) -> Result<Served, Error> {
        let answer = self.fresh_credentials(reader, profile, min_valid).await;
        let answer = match answer {
            Ok(served) => self.0.refuse_if_locked_since().await.map(|()| served),
            error => error,
        };
        answer.map_err(|error| self.with_notice(profile, error))
    }

    /// An error is read by a person, so it is the place to say that the sign-in behind the profile ends soon.
    fn with_notice(&self, profile: &str, error: Error) -> Error {
        let state = self.0.lock();
        let about = state.config.profiles.get(profile).and_then(|profile| {
            let login = &profile.login;
            state.abouts.get(login)?.notice(login, self.now().wall)
        });
        match about {
            Some(notice) => error.noting(&notice),
            None => error,
        }
    }

    async fn fresh_credentials(&self, reader: Reader, profile: &str, min_valid: i64) -> Result<Served, Error> {
        let deadline = tokio::time::Instant::now() + reader.longest_wait();
        // The second round is for who joined a flight that wanted less than he does.
        for last in [false, true] {
            let (patience, mut outcome, _waiting) = match self.0.decide(profile, min_valid)? {
                Next::Serve(served) => return Ok(served),
                Next::Wait(patience, outcome, waiting) => (patience.of(reader), outcome, waiting),
            };
            let until = deadline.min(tokio::time::Instant::now() + patience.wait);
            // A lease that is too short for this request does not end its wait: the flight may bring a better one, or
            // have landed before a suspend, with nothing left to do but its write.
            let ends_the_wait = |outcome: &Option<Outcome>| match outcome {
                Some(Ok(lease)) => serve(lease.clone(), &self.now()).suffices(min_valid, &self.now()),
                Some(Err(_)) => true,
                None => false,
            };
            let landed = tokio::time::timeout_at(until, outcome.wait_for(ends_the_wait)).await;
            let landed = match landed.map(|landed| landed.map(|outcome| outcome.clone())) {
                Ok(Ok(outcome)) => outcome,
                // The flight is over. Without a word if it panicked, or was cancelled with the daemon.
                Ok(Err(_)) => Some(
                    outcome
                        .borrow()
                        .clone()
                        .unwrap_or_else(|| Err(Error::unavailable("the request to the issuer was broken off"))),
                ),
                Err(_) => None,
            };
            let error = match landed {
                Some(Ok(lease)) => {
                    let served = serve(lease, &self.now());
                    match served.suffices(min_valid, &self.now()) {
                        true => return Ok(served),
                        false if !last => continue,
                        false if most(&served.lease) < min_valid => {
                            return Err(too_demanding(profile, min_valid, &served.lease));
                        }
                        false => break,
                    }
                }
                Some(Err(error)) => error,
                None => {
                    let seconds = patience.wait.as_secs_f64();
                    Error::unavailable(format!(
                        "the issuer of {profile} has not answered within {seconds} s; still asking"
                    ))
                }
            };
            // What is still valid is served whatever fails, even if it came from the disk while this request waited.
            let now = self.now();
            let old = self.0.lock().slots.get(profile).and_then(|slot| slot.valid(&now));
            return match old.map(|lease| serve(lease, &now)) {
                Some(served) if served.suffices(min_valid, &now) => Ok(served),
                _ => Err(error),
            };
        }
        Err(Error::unavailable(format!("the credentials of {profile} change faster than they can be served")))
    }

    /// Takes a new config. Profiles whose settings or login changed are asked for anew; the others notice nothing.
    pub fn reload(&self, config: Config) {
        let mut state = self.0.lock();
        let old = std::mem::replace(&mut state.config, Arc::new(config));
        let new = state.config.clone();
        let same = |name: &str| match (old.profiles.get(name), new.profiles.get(name)) {
            (Some(a), Some(b)) => {
                let logins = (old.logins.get(&a.login), new.logins.get(&b.login));
                a.kind.name == b.kind.name
                    && a.login == b.login
                    && a.settings.canonical() == b.settings.canonical()
                    && matches!(logins, (Some(x), Some(y)) if x.kind.name == y.kind.name && x.settings.canonical() == y.settings.canonical())
            }
            _ => false,
        };
        state.slots.retain(|name, _| same(name));
        // Read again when they are next used or shown.
        state.abouts.clear();
        state.unknown.clear();
        drop(state);
        self.0.wake.notify_one();
    }

    /// Forgets what depends on `login`: somebody signed in anew, or out.
    pub fn login_changed(&self, login: &str) {
        let mut state = self.0.lock();
        let config = state.config.clone();
        state.abouts.remove(login);
        let another = |profile: &String| config.profiles.get(profile).is_some_and(|profile| profile.login != login);
        state.slots.retain(|name, _| another(name));
        // A record that the disk did not take is nowhere else, and its fingerprint may be the same as before.
        state.records.retain(|owner, _| match owner {
            Owner::Profile(profile) => another(profile),
            Owner::Login(name) | Owner::Store(name) => name != login,
            Owner::Issuer(_) => true,
        });
    }

    /// Stores a secret that a person just gave, and forgets what depended on the old one.
    pub async fn store_login(&self, login: &str, stored: &StoredLogin) -> Result<(), Error> {
        self.0.refuse_while_locked().await?;
        {
            let _turn = self.0.store_turn(login).await?;
            self.0.put_login(login, stored).await?;
        }
        self.drop_dependent(login).await;
        Ok(())
    }

    /// Removes the stored secret of `login`, and forgets what depended on it.
    pub async fn forget_login(&self, login: &str) -> Result<(), Error> {
        {
            let _turn = self.0.store_turn(login).await?;
            self.0.outside.keyring.delete(login).await?;
        }
        self.drop_dependent(login).await;
        Ok(())
    }

    /// Forgets that `login` was refused, and what depended on it: the person says that its secret, which is not in the
    /// keyring, was put right.
    pub async fn forgive_login(&self, login: &str) {
        self.drop_dependent(login).await;
        let config = self.config();
        let profiles = config.profiles.values().filter(|profile| profile.login == login);
        let owners = profiles.map(|profile| Owner::Profile(profile.name.clone()));
        for owner in owners.chain([Owner::Login(login.to_owned())]) {
            let _ = self.0.disk.write_record(owner, None).await;
        }
    }

    /// Forgets, in memory and on disk, what depended on the secret that was there before.
    async fn drop_dependent(&self, login: &str) {
        self.login_changed(login);
        self.0.lock().unstored.remove(login);
        let config = self.config();
        let profiles = config.profiles.values().filter(|profile| profile.login == login);
        let (login, profiles) = (login.to_owned(), profiles.map(|profile| profile.name.clone()).collect::<Vec<_>>());
        let dropped = self.0.disk.run(move |cache| cache.forget(&login, &profiles)).await;
        self.note("cache", dropped.err().map(|error| error.to_string()));
    }

    /// The stored secret of `login`; None where nobody has signed in.
    pub async fn stored_login(&self, login: &str) -> Result<Option<StoredLogin>, Error> {
        self.0.stored_login(login).await
    }

    /// The profiles of the config.
    pub fn config(&self) -> Arc<Config> {
        self.0.lock().config.clone()
    }

    pub fn keyring(&self) -> Arc<dyn crate::ports::Keyring> {
        self.0.outside.keyring.clone()
    }

    /// Notes what does not work though answers go out (shown by `status`), or that it works again.
    pub fn note(&self, area: &'static str, trouble: Option<String>) {
        self.0.note(area, trouble);
    }

    fn now(&self) -> Moment {
        self.0.outside.clock.now()
    }

    /// At most so many wait for one profile: fewer than there are connections, so that a hung issuer blocks nobody else.
    pub fn limit_waiters(&self, most: usize) {
        self.0.lock().most_waiters = most.min(MOST_WAITERS);
    }

    /// Waits until every flight has ended, its cache written; `limit` at most.
    pub async fn settle(&self, limit: Duration) {
        let mut flights = self.0.flights.subscribe();
        let _ = tokio::time::timeout(limit, flights.wait_for(|count| *count == 0)).await;
    }

    /// Starts no more flights, cancels those under way, and waits for exchanges that cannot be cancelled without loss.
    pub async fn close(&self) {
        {
            let mut state = self.0.lock();
            state.closing = true;
            state.slots.values().for_each(Slot::cancel);
        }
        self.0.wake.notify_one();
        self.settle(LAST_WRITES).await;
        let mut rotations = self.0.rotations.subscribe();
        let _ = rotations.wait_for(|count| *count == 0).await;
    }
}

impl Served {
    /// The `credential_process` JSON, one line.
    pub fn process_json(&self) -> String {
        self.lease.credentials.process_json(self.published)
    }

    /// What a container's endpoint answers.
    pub fn container_json(&self) -> String {
        self.lease.credentials.container_json(self.published)
    }

    /// Whether it may be served, and its published expiration is far enough.
    fn suffices(&self, min_valid: i64, now: &Moment) -> bool {
        let remaining = self.lease.remaining(now);
        remaining >= LEAST_SERVED && remaining - early_by(self.lease.life, remaining) >= min_valid
    }
}

fn serve(lease: Arc<Lease>, now: &Moment) -> Served {
    let early = early_by(lease.life, lease.remaining(now));
    let end = lease.credentials.expiration;
    let published = end.checked_sub(SignedDuration::from_secs(early)).unwrap_or(end);
    Served { lease, published }
}

/// The seconds for which credentials of this issuer are good when they are new.
fn most(lease: &Lease) -> i64 {
    lease.life - early_by(lease.life, lease.life)
}

fn too_demanding(profile: &str, min_valid: i64, lease: &Lease) -> Error {
    let most = most(lease);
    Error::configuration(
        format!("credentials valid for {min_valid} s were asked for, but the issuer of {profile} gives {most} s"),
        format!("ask for less than {most} s, or set a longer duration where the provider has one"),
    )
}

// === impl Inner ===

/// What a request does now.
enum Next {
    Serve(Served),
    Wait(crate::freshness::Patience, watch::Receiver<Option<Outcome>>, Waiting),
}

/// Counts a waiter for as long as it waits.
struct Waiting {
    inner: Arc<Inner>,
    profile: String,
    slot: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(slot) = self.inner.lock().slots.get_mut(&self.profile).filter(|slot| slot.id == self.slot) {
            slot.waiters = slot.waiters.saturating_sub(1);
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, area: &'static str, trouble: Option<String>) {
        let mut state = self.lock();
        match trouble {
            Some(text) => {
                if state.troubles.get(area) != Some(&text) {
                    tracing::warn!(area, "{text}");
                }
                state.troubles.insert(area, text);
            }
            None => {
                state.troubles.remove(area);
            }
        }
    }

    fn decide(self: &Arc<Self>, profile: &str, min_valid: i64) -> Result<Next, Error> {
        let now = self.outside.clock.now();
        let mut state = self.lock();
        let (closing, most_waiters) = (state.closing, state.most_waiters);
        state.config.profile(profile)?;
        if state.shut.is_shut() {
            state.shut.refuses()?;
        }
        let State { slots, counts, .. } = &mut *state;
        let slot = slots.entry(profile.to_owned()).or_insert_with(Slot::new);
        if slot.ask(&now) {
            // Asked for again after a while: its renewal is to be planned.
            self.wake.notify_one();
        }
        let decision = slot.decide(&now, min_valid, self.manner);
        let counts = counts.entry(profile.to_owned()).or_default();
        counts.answers += 1;
        counts.hits += u64::from(matches!(decision, Decision::Serve(_) | Decision::ServeAndRenew(_)));
        match decision {
            Decision::Serve(lease) => Ok(Next::Serve(serve(lease, &now))),
            Decision::ServeAndRenew(lease) if closing => Ok(Next::Serve(serve(lease, &now))),
            Decision::ServeAndRenew(lease) => {
                self.start(&mut state, profile, Wish::Valid(min_valid));
                Ok(Next::Serve(serve(lease, &now)))
            }
            Decision::Refuse(error) => Err(error),
            Decision::TooDemanding(lease) => Err(too_demanding(profile, min_valid, &lease)),
            // Nothing is asked any more, but what memory holds is good to the last.
            Decision::Wait(patience) if closing => match slot.valid(&now).filter(|_| patience.then_take_the_old) {
                Some(lease) => Ok(Next::Serve(serve(lease, &now))),
                None => Err(Error::unavailable("the daemon is stopping")),
            },
            Decision::Wait(patience) => {
                if slot.waiters >= most_waiters {
                    return Err(Error::unavailable(format!("{most_waiters} clients wait for {profile} already")));
                }
                slot.waiters += 1;
                let waiting = Waiting { inner: self.clone(), profile: profile.to_owned(), slot: slot.id };
                Ok(Next::Wait(patience, self.start(&mut state, profile, Wish::Valid(min_valid)), waiting))
            }
        }
    }
}
