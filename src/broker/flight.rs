//! One request to one issuer, on behalf of everyone who waits: lock, look again, ask, tell, write.

use super::access::AccessFailure;
use super::budget::{Hold, issuer};
use super::disk::Owner;
use super::logins::{LoginBasis, told_of};
use super::wish::Wish;
use super::{Inner, Manner, State};
use crate::access::{Access, Need};
use crate::cache::{Again, Fingerprint, Record};
use crate::config::{LoginEntry, Profile};
use crate::error::Error;
use crate::freshness::{LONGEST_WAIT, rest_after_failure};
use crate::lease::{Issued, Lease};
use crate::lock::Guard;
use crate::login::Elsewhere;
use crate::ports::Moment;
use crate::provider::Answer;
use crate::seal::random_share;
use jiff::SignedDuration;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What a flight brings to those who wait for it.
pub(super) type Outcome = Result<Arc<Lease>, Error>;

/// A one-shot's flight ends before its waiter does, so that its failure is on record when the process is gone.
const ONE_SHOT: Duration = Duration::from_secs(17);
/// A one-shot that got its turn so late that the issuer would have less than this does not ask.
const LEAST_ASKED: Duration = Duration::from_secs(5);
/// What is waited out after a crash; whoever would wait longer is told.
const SHORT_REST: Duration = Duration::from_secs(3);
/// Providers have limits of their own: a daemon's flight that outlives this is a bug, which must not hold the lock for
/// ever.
const LONGEST_FLIGHT: Duration = Duration::from_secs(120);

impl Inner {
    /// The flight of `profile` under way, or a new one in a task of its own: a client that leaves cancels nothing.
    pub(super) fn start(
        self: &Arc<Self>,
        state: &mut State,
        profile: &str,
        wish: Wish,
    ) -> watch::Receiver<Option<Outcome>> {
        let (config, id) = (state.config.clone(), state.next_flight);
        let (outcome, receiver) = watch::channel(None);
        let Some(slot) = state.slots.get_mut(profile) else { return receiver };
        if let Some(outcome) = slot.under_way() {
            return outcome.clone();
        }
        let (Some(profile), Some(login)) = (
            config.profiles.get(profile).cloned(),
            config.profiles.get(profile).and_then(|p| config.logins.get(&p.login)),
        ) else {
            return receiver;
        };
        let flight = Flight {
            inner: self.clone(),
            slot: slot.id,
            jitter: slot.jitter,
            started: tokio::time::Instant::now(),
            id,
            name: profile.name.clone(),
            login: login.clone(),
            profile,
            wish,
            called: self.outside.clock.now(),
            outcome,
        };
        self.flights.send_modify(|count| *count += 1);
        state.counts.entry(flight.name.clone()).or_default().flights += 1;
        let task = tokio::spawn(flight.fly()).abort_handle();
        slot.flight = Some(super::slot::Flying { id, outcome: receiver.clone(), writes: false, task });
        state.next_flight += 1;
        receiver
    }
}

struct Flight {
    inner: Arc<Inner>,
    /// The slot it was started for: another that took its place after a reload gets nothing of it.
    slot: u64,
    jitter: f64,
    started: tokio::time::Instant,
    id: u64,
    name: String,
    profile: Profile,
    login: LoginEntry,
    wish: Wish,
    /// By our clocks.
    called: Moment,
    outcome: watch::Sender<Option<Outcome>>,
}

/// On what the cache depends, found out once for each flight.
struct Basis {
    who: LoginBasis,
    profile: Fingerprint,
}

/// What waiting for the lock came to.
enum Turn {
    /// Ours, or passed over where locking itself fails.
    Ours(Option<Guard>),
    /// Another process has just got a lease.
    Lease(Lease),
}

impl Flight {
    async fn fly(self) {
        if let Err(error) = self.try_to_issue().await {
            self.with_slot(|slot| slot.grounded = Some(error.clone()));
            self.publish(Err(error));
        }
    }

    /// On success everything is published on the way; an error is the caller's to publish.
    async fn try_to_issue(&self) -> Result<(), Error> {
        let basis = match self.basis().await {
            Ok(basis) => basis,
            Err(error) => return Err(self.no_basis(error)),
        };
        if self.cached(&basis).await.is_some_and(|lease| self.offer(lease)) {
            return Ok(());
        }
        let before = self.record(&basis).await;
        if let Some(record) = before.as_ref().filter(|record| record.rest(&self.now()) > Duration::ZERO) {
            return Err(self.remember(record.clone()));
        }
        let known = before.as_ref().map(|record| record.id.as_str());
        let guard = match self.turn(&basis, known).await? {
            Turn::Ours(guard) => guard,
            Turn::Lease(lease) => {
                self.publish(Ok(Arc::new(lease)));
                return Ok(());
            }
        };
        // Under the lock: another process may have done it, or failed at it, meanwhile.
        if self.cached(&basis).await.is_some_and(|lease| self.offer(lease)) {
            return Ok(());
        }
        if let Some(record) = self.record(&basis).await.filter(|record| Some(record.id.as_str()) != known) {
            return Err(self.remember(record));
        }
        let end = match self.inner.manner {
            Manner::Daemon => tokio::time::Instant::now() + LONGEST_FLIGHT,
            Manner::OneShot => self.started + ONE_SHOT,
        };
        if end - tokio::time::Instant::now() < LEAST_ASKED {
            return Err(Error::unavailable(format!("another process asked the issuer of {} for too long", self.name)));
        }
        if let Err(error) = self.begin(&basis, before.as_ref()).await {
            return error.map_or(Ok(()), Err);
        }
        let issued = tokio::time::timeout_at(end, self.issue(&basis)).await.unwrap_or_else(|_| {
            let seconds = self.started.elapsed().as_secs();
            let message = format!("the issuer of {} did not answer within {seconds} s", self.name);
            Err(Attempt::Asked(Error::unavailable(message)))
        });
        let done = match issued {
            Ok(lease) => {
                let lease = Arc::new(lease);
                // The disk never holds up an answer: waiters first, then the cache, still under the lock.
                self.with_slot(|slot| slot.landed(self.id));
                self.publish(Ok(lease.clone()));
                let written = self.inner.disk.write_lease(&self.name, &basis.profile, &basis.who.key, &lease).await;
                self.inner.note("cache", written.err().map(|error| error.to_string()));
                self.clear_records(&basis).await;
                self.end(Some(false)).await;
                self.inner.note_worked(&self.login.name, &basis.who.print).await;
                if self.inner.manner == Manner::OneShot {
                    // Where no daemon runs there is no scheduler that would.
                    let now = self.now().wall.as_second();
                    let _ = self.inner.disk.run(move |cache| cache.sweep(now)).await;
                }
                Ok(())
            }
            Err(Attempt::NotAsked(error)) => {
                self.end(None).await;
                Err(error)
            }
            Err(Attempt::OnRecord(record)) => {
                self.end(None).await;
                Err(self.remember(*record))
            }
            Err(Attempt::Asked(error)) => {
                // Who denies something is well.
                let well = matches!(error, Error::Denied { .. } | Error::LoginRequired { .. });
                let record = self.put_on_record(&basis, error).await;
                self.end(Some(!well)).await;
                Err(self.remember(record))
            }
        };
        drop(guard);
        done
    }

    /// Notes for all processes that the issuer is asked now, as soon as that may be: a crash leaves the note behind. An
    /// error where it may not be for longer than anybody should wait, or none where another host has done it meanwhile.
    async fn begin(&self, basis: &Basis, before: Option<&Record>) -> Result<(), Option<Error>> {
        let (issuer, again, jitter) = (issuer(&self.profile), before.is_some(), random_share());
        let mut rested = Duration::ZERO;
        loop {
            let mut now = self.now();
            // What was waited for has passed, whatever the clock says.
            now.boot = now.boot.max(rested);
            let held = match self.inner.budget(&issuer, |budget| budget.begin(&self.name, again, &now, jitter)).await {
                Ok(()) => return Ok(()),
                Err(held) => held,
            };
            match (held, before) {
                (Hold::CutOff(wait), _) if wait <= SHORT_REST => {
                    tokio::time::sleep(wait).await;
                    rested = now.boot + wait;
                }
                (Hold::Spent(wait), Some(record)) => return Err(Some(self.remember(record.put_off(wait, &now)))),
                (Hold::CutOff(_) | Hold::Spent(_), _) => {
                    let message = format!("requests to the issuer of {} were cut off time and again", self.name);
                    let record = self.put_on_record(basis, Error::unavailable(message)).await;
                    return Err(Some(self.remember(record)));
                }
            }
            if self.cached(basis).await.is_some_and(|lease| self.offer(lease)) {
                return Err(None);
            }
        }
    }

    async fn end(&self, failed: Option<bool>) {
        self.inner.budget(&issuer(&self.profile), |budget| budget.end(&self.name, failed)).await;
    }

    /// Who we are, and the key. A keyring that does not answer is an error: never a miss, and never a reason to ask.
    async fn basis(&self) -> Result<Basis, Error> {
        self.inner.refuse_while_locked().await?;
        let who = self.inner.login_basis(&self.login).await?;
        let profile = Fingerprint::of_profile(&self.profile, &who.print);
        Ok(Basis { who, profile })
    }

    async fn cached(&self, basis: &Basis) -> Option<Lease> {
        match self.inner.disk.lease(&self.name, &basis.profile, &basis.who.key).await {
            Ok(lease) => lease.filter(|lease| self.wish.admits(lease, &self.called, &self.now())),
            Err(error) => {
                self.inner.note("cache", Some(error.to_string()));
                None
            }
        }
    }

    /// Takes a cached lease into memory. True if it is so good that the flight is over.
    fn offer(&self, lease: Lease) -> bool {
        let now = self.now();
        if self.wish.met_by(&lease, self.jitter, &now) {
            self.publish(Ok(Arc::new(lease)));
            return true;
        }
        // Valid, though not for long: what those who wait may fall back upon.
        let served = self.wish.served_by(&lease, self.jitter, &now);
        let lease = Arc::new(lease);
        self.with_slot(|slot| slot.find(&lease, &now));
        if served && self.inner.manner == Manner::Daemon {
            self.outcome.send_replace(Some(Ok(lease)));
        }
        false
    }

    /// Waits for the profile's lock, polling: meanwhile what another process brings home, or fails at, is ours too.
    async fn turn(&self, basis: &Basis, before: Option<&str>) -> Result<Turn, Error> {
        let deadline = match self.inner.manner {
            Manner::Daemon => self.started + LONGEST_WAIT,
            Manner::OneShot => self.started + ONE_SHOT,
        };
        loop {
            match self.inner.disk.try_lock(Owner::Profile(self.name.clone())).await {
                Ok(Some(guard)) => {
                    self.inner.note("lock", guard.doubt().map(doubtful));
                    return Ok(Turn::Ours(Some(guard)));
                }
                Ok(None) => {}
                Err(error) => {
                    self.inner.note("lock", Some(error.to_string()));
                    return Ok(Turn::Ours(None));
                }
            }
            if let Some(lease) =
                self.cached(basis).await.filter(|lease| self.wish.met_by(lease, self.jitter, &self.now()))
            {
                return Ok(Turn::Lease(lease));
            }
            if let Some(record) = self.record(basis).await.filter(|record| Some(record.id.as_str()) != before) {
                return Err(self.remember(record));
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(Error::unavailable(format!("another process is still asking the issuer of {}", self.name)));
            }
            tokio::time::sleep(Duration::from_secs_f64(0.01 + 0.03 * random_share())).await;
        }
    }

    /// A program that fails is not run again for every request: it may well ask an issuer of its own.
    fn no_basis(&self, error: Error) -> Error {
        if !self.login.login.elsewhere().is_some_and(Elsewhere::runs_a_program) {
            return error;
        }
        let now = self.now();
        let attempts =
            self.inner.lock().slots.get(&self.name).and_then(|slot| slot.failure.as_ref()?.attempts.checked_add(1));
        let attempts = attempts.unwrap_or(1);
        let wait = rest_after_failure(attempts, 0, true, random_share());
        let again = SignedDuration::try_from(wait).ok().and_then(|wait| now.wall.checked_add(wait).ok());
        let again = Again::At(again.unwrap_or(now.wall));
        self.remember(Record::new(error, &Fingerprint::none(), again, attempts, &now))
    }

    /// Asks the issuer; if it refuses the access, once more with another, if the login has another. If it wants another
    /// form of access, once more with that, and there it ends.
    async fn issue(&self, basis: &Basis) -> Result<Lease, Attempt> {
        let provider = &self.profile.provider;
        let mut refused: Option<(Access, Error)> = None;
        for _ in 0..2 {
            let rejected = refused.as_ref().map(|(access, _)| access);
            let access = self.inner.access(&self.login, provider.need(), rejected, &basis.who).await;
            let access = match (access, &refused) {
                (Ok(access), _) => access,
                (Err(AccessFailure::OnRecord(record)), _) => return Err(Attempt::OnRecord(record)),
                (Err(AccessFailure::NotAsked(error)), None) => return Err(Attempt::NotAsked(error)),
                // The login has no other. Where the issuer said what is missing, that is what mends it.
                (Err(AccessFailure::NotAsked(_)), Some((_, why @ Error::Denied { .. }))) => {
                    return Err(Attempt::Asked(why.clone()));
                }
                // The issuer knows best what it refused, the login how that is mended.
                (Err(AccessFailure::NotAsked(error)), Some((_, why))) if error.wants_sign_in() => {
                    return Err(Attempt::Asked(told_of(&self.login, why.clone())));
                }
                (Err(AccessFailure::NotAsked(error)), Some(_)) => return Err(Attempt::Asked(error)),
            };
            let asked = self.now();
            match provider.issue(&access, &self.inner.outside.http).await {
                Ok(Answer::Issued(issued)) => return self.lease(issued, &asked).map_err(Attempt::Asked),
                Ok(Answer::Wants(need, why)) => return self.issue_by(need, why, basis).await,
                Ok(Answer::Rejected(error)) if refused.is_some() => {
                    return Err(Attempt::Asked(told_of(&self.login, error)));
                }
                Ok(Answer::Rejected(error)) => refused = Some((access, error)),
                Err(error) => return Err(Attempt::Asked(told_of(&self.login, error))),
            }
        }
        Err(Attempt::Asked(Error::sign_in(&self.login.name, "the issuer refuses the login's access")))
    }

    /// Asks with the form of access that the issuer wants. What comes of it is on record before the login's turn ends.
    async fn issue_by(&self, need: Need, why: Error, basis: &Basis) -> Result<Lease, Attempt> {
        let (access, turn) = match self.inner.access_in_turn(&self.login, need, &basis.who).await {
            Ok(granted) => granted,
            Err(AccessFailure::OnRecord(record)) => return Err(Attempt::OnRecord(record)),
            // It has no such form. Filed under the profile: the login is good for others.
            Err(AccessFailure::NotAsked(error)) if error.wants_sign_in() => {
                let (owner, why) = (Owner::Profile(self.name.clone()), told_of(&self.login, why));
                let record = self.inner.put_on_record(owner, &basis.profile, why).await;
                return Err(Attempt::OnRecord(Box::new(record)));
            }
            Err(AccessFailure::NotAsked(error)) => return Err(Attempt::Asked(error)),
        };
        // A task of its own, and the turn with it: once a password is sent, what became of it must be on record.
        let counted = self.inner.count_exchange().map_err(Attempt::NotAsked)?;
        let (inner, profile, login, print) =
            (self.inner.clone(), self.profile.clone(), self.login.clone(), basis.who.print.clone());
        let asked = self.now();
        let sent = tokio::spawn(async move {
            let (_counted, _turn) = (counted, turn);
            let error = match profile.provider.issue(&access, &inner.outside.http).await {
                Ok(Answer::Issued(issued)) => return Ok(issued),
                Ok(Answer::Rejected(error) | Answer::Wants(_, error)) | Err(error) => told_of(&login, error),
            };
            if error.wants_sign_in() {
                let record = inner.put_on_record(Owner::Login(login.name.clone()), &print, error).await;
                return Err(Attempt::OnRecord(Box::new(record)));
            }
            Err(Attempt::Asked(error))
        });
        let sent =
            sent.await.unwrap_or_else(|_| Err(Attempt::NotAsked(Error::protocol("a bug: the provider panicked"))));
        self.lease(sent?, &asked).map_err(Attempt::Asked)
    }

    fn lease(&self, issued: Issued, asked: &Moment) -> Result<Lease, Error> {
        let unusable = |why| Error::protocol(format!("what the issuer of {} sent cannot be used: {why}", self.name));
        Lease::new(issued, asked, &self.now()).map_err(unusable)
    }

    /// The failure on record for this profile or its login: one that still answers if there is any, else one whose time
    /// is over, which tells those who wait for the lock that an attempt was made meanwhile.
    async fn record(&self, basis: &Basis) -> Option<Record> {
        let profile = self.inner.record(Owner::Profile(self.name.clone()), &basis.profile).await;
        let login = self.inner.record(Owner::Login(self.login.name.clone()), &basis.who.print).await;
        let now = self.now();
        profile.into_iter().chain(login).max_by_key(|record| record.rest(&now))
    }

    /// Writes a failure down for every process, before the lock is left.
    async fn put_on_record(&self, basis: &Basis, error: Error) -> Record {
        // What was made of a secret may be refused while the secret itself is good: that is the login's issuer's word.
        let made = self.login.login.asks_issuer(&basis.who.stored.secret);
        let (owner, print) = match &error {
            error if error.wants_sign_in() && !made => (Owner::Login(self.login.name.clone()), &basis.who.print),
            _ => (Owner::Profile(self.name.clone()), &basis.profile),
        };
        self.inner.put_on_record(owner, print, error).await
    }

    async fn clear_records(&self, basis: &Basis) {
        self.inner.clear_record(Owner::Profile(self.name.clone()), &basis.profile).await;
        // One that still answers came meanwhile, from another profile: a refused password is not sent again because a
        // token was good.
        let login = Owner::Login(self.login.name.clone());
        let now = self.now();
        if self.inner.record(login.clone(), &basis.who.print).await.is_some_and(|record| record.rest(&now).is_zero()) {
            self.inner.clear_record(login, &basis.who.print).await;
        }
    }

    /// Into memory; the error as it is told now.
    fn remember(&self, record: Record) -> Error {
        let now = self.now();
        let told = record.told(&now);
        self.with_slot(|slot| slot.fail(record, &now));
        told
    }

    /// Into memory, then to those who wait.
    fn publish(&self, outcome: Outcome) {
        if let Ok(lease) = &outcome {
            let now = self.now();
            self.with_slot(|slot| slot.take(lease.clone(), lease.just_issued(&now), &now));
            self.inner.wake.notify_one();
        }
        if let Err(error) = &outcome {
            self.inner.lock().counts.entry(self.name.clone()).or_default().fail(error);
        }
        self.outcome.send_replace(Some(outcome));
    }

    fn with_slot(&self, change: impl FnOnce(&mut super::slot::Slot)) {
        if let Some(slot) = self.inner.lock().slots.get_mut(&self.name).filter(|slot| slot.id == self.slot) {
            change(slot);
        }
    }

    fn now(&self) -> Moment {
        self.inner.outside.clock.now()
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let (id, now) = (self.id, self.now());
        self.with_slot(|slot| slot.end(id, &now));
        self.inner.flights.send_modify(|count| *count -= 1);
        self.inner.wake.notify_one();
    }
}

/// What `status` says of a lock on such a file system.
fn doubtful(file_system: &str) -> String {
    format!(
        "the state directory is on {file_system}, where locks may not hold between hosts: each may ask the issuer. \
         VALETKEY_HOME or XDG_STATE_HOME on a local disk ends that"
    )
}

/// Why there is no lease.
enum Attempt {
    /// Nothing was sent: nothing to put on record.
    NotAsked(Error),
    Asked(Error),
    /// The login's failure, which is on record already.
    OnRecord(Box<Record>),
}
