//! A login's access for one request: one at a time for each login, across processes, stored for all who come later.

use super::disk::Owner;
use super::logins::{LoginBasis, told_of};
use super::{Broker, Inner, StoredLogin, not_signed_in};
use crate::access::{Access, Need};
use crate::cache::{Fingerprint, Pending, Record, StoredAccess};
use crate::config::LoginEntry;
use crate::error::Error;
use crate::freshness::LONGEST_WAIT;
use crate::lock::Guard;
use crate::login::{AccessRequest, Granted};
use crate::ports::SealingKey;
use crate::seal::random_share;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// Why there is no access.
pub(super) enum AccessFailure {
    /// Nothing was sent.
    NotAsked(Error),
    /// The issuer of the login was asked, by this process or another.
    OnRecord(Box<Record>),
}

/// Stored access that ends sooner than this is renewed instead of used.
const LEAST_ACCESS: i64 = 30;
/// Keycloak locks an account after two failures within a second, unless it is told otherwise.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(2);
/// Logins that nobody signs in to, and that nobody rotates, for as long as this is held.
#[derive(Debug)]
pub struct HeldLogins {
    _turns: Vec<(LoginTurn, Option<Guard>)>,
}

impl Broker {
    /// Takes the turns of these logins, and stores what waits to be stored: for who moves them elsewhere.
    pub async fn hold_logins(&self, names: &[String]) -> Result<HeldLogins, Error> {
        let mut names = names.to_vec();
        // In one order, so that two who hold several never wait for each other.
        names.sort();
        names.dedup();
        let key = self.0.outside.keyring.key(false).await?;
        let mut turns = Vec::new();
        for name in &names {
            let turn = self.0.login_turn(name).await?;
            let store = self.0.store_turn(name).await?;
            if let Some(key) = &key {
                self.0.write_through(name, key).await?;
            }
            turns.push((turn, store));
        }
        Ok(HeldLogins { _turns: turns })
    }

    /// The turn of `login`: whoever holds it is the only one, of all processes, who asks the login's issuer. Waited for
    /// as long as a request waits, and until a failure just before is old enough; not to be held while a person types.
    pub async fn login_turn(&self, login: &str) -> Result<LoginTurn, Error> {
        let turn = self.0.login_turn(login).await?;
        self.0.apart_from_last(login, |_| true).await;
        Ok(turn)
    }
}

impl LoginTurn {
    /// Ends the turn of who was refused with a secret that is not kept: there is no record of it to keep others apart.
    pub async fn end_refused(self) {
        tokio::time::sleep(BETWEEN_ATTEMPTS).await;
    }
}

impl Inner {
    /// Access for `need`, other than `rejected`.
    pub(super) async fn access(
        self: &Arc<Self>,
        entry: &LoginEntry,
        need: Need,
        rejected: Option<&Access>,
        basis: &LoginBasis,
    ) -> Result<Access, AccessFailure> {
        let name = &entry.name;
        let (print, key) = (&basis.print, &basis.key);
        if !entry.login.asks_issuer(&basis.stored.secret) {
            // Another program may have replaced what was refused.
            let again = match rejected {
                None => Ok(basis.stored.clone()),
                Some(_) => self.present_login(entry, key).await.and_then(|stored| basis.same_session(entry, stored)),
            };
            let stored = again.map_err(AccessFailure::NotAsked)?;
            let granted = self.ask_login(entry, &stored, need, rejected).await.map_err(AccessFailure::NotAsked)?;
            return Ok(granted.access);
        }
        // What is stored needs no turn, which a sign-in by password may hold for a while.
        let useful = |access: &Access| Some(access) != rejected && suits(access, need);
        if let Some(stored) = self.stored_access(name, print, key).await.filter(useful) {
            return Ok(stored);
        }
        let owner = || Owner::Login(name.clone());
        let before = self.record(owner(), print).await.map(|record| record.id);
        let turn = self.login_turn(name).await.map_err(AccessFailure::NotAsked)?;
        // Under the lock: somebody else may have made the request meanwhile, or failed at it.
        if let Some(stored) = self.stored_access(name, print, key).await.filter(useful) {
            return Ok(stored);
        }
        let now = self.outside.clock.now();
        let fresh = |record: &Record| Some(&record.id) != before.as_ref() || record.rest(&now) > Duration::ZERO;
        if let Some(record) = self.record(owner(), print).await.filter(fresh) {
            return Err(AccessFailure::OnRecord(Box::new(record)));
        }
        // A task of its own, and the lock with it: what happens from here to the store must not be cut off with the
        // flight, nor may another process begin the same before it is over.
        let (inner, entry, rejected) = (self.clone(), entry.clone(), rejected.cloned());
        let basis = basis.clone();
        // Another secret than the one that was just refused is the same account's.
        self.apart_from_last(&entry.name, Error::wants_sign_in).await;
        let counted = self.count_exchange().map_err(AccessFailure::NotAsked)?;
        let exchange = tokio::spawn(async move {
            let _counted = counted;
            let _turn = turn;
            match inner.exchange(&entry, need, rejected.as_ref(), &basis).await {
                Ok(access) => Ok(access),
                Err(Exchange::NotSent(error)) => Err(AccessFailure::NotAsked(error)),
                Err(Exchange::Failed(error)) => {
                    let record = inner.put_on_record(Owner::Login(entry.name.clone()), &basis.print, error).await;
                    Err(AccessFailure::OnRecord(Box::new(record)))
                }
            }
        });
        exchange.await.unwrap_or_else(|_| Err(AccessFailure::NotAsked(Error::protocol("a bug: the login panicked"))))
    }

    /// Waits until the last failure of `login` on record, whichever secret it was of, is old enough. In the login's turn.
    async fn apart_from_last(&self, login: &str, counts: impl Fn(&Error) -> bool) {
        let last = self.disk.record(Owner::Login(login.to_owned())).await.ok().flatten();
        if let Some(last) = last.filter(|last| counts(&last.error)) {
            let since = Duration::try_from(self.outside.clock.now().wall.duration_since(last.at)).unwrap_or_default();
            tokio::time::sleep(BETWEEN_ATTEMPTS.saturating_sub(since)).await;
        }
    }

    /// Counts something that must not be cut short, unless nothing is begun any more.
    pub(super) fn count_exchange(self: &Arc<Self>) -> Result<Counted, Error> {
        // Together, so that none begins after `close` has counted them.
        let state = self.lock();
        if state.closing {
            return Err(Error::unavailable("the daemon is stopping"));
        }
        self.rotations.send_modify(|count| *count += 1);
        Ok(Counted(self.clone()))
    }

    /// Access of another form than the usual, and the login's turn, to be held until what became of it is on record: a
    /// password that is refused is sent once, however many profiles wanted it sent. It is never stored.
    pub(super) async fn access_in_turn(
        &self,
        entry: &LoginEntry,
        need: Need,
        basis: &LoginBasis,
    ) -> Result<(Access, LoginTurn), AccessFailure> {
        let name = &entry.name;
        let turn = self.login_turn(name).await.map_err(AccessFailure::NotAsked)?;
        let now = self.outside.clock.now();
        let record = self.record(Owner::Login(name.clone()), &basis.print).await;
        if let Some(record) = record.filter(|record| record.rest(&now) > Duration::ZERO) {
            return Err(AccessFailure::OnRecord(Box::new(record)));
        }
        self.apart_from_last(name, Error::wants_sign_in).await;
        let stored = self.present_login(entry, &basis.key).await;
        let stored = stored.and_then(|stored| basis.same_session(entry, stored)).map_err(AccessFailure::NotAsked)?;
        let granted = self.ask_login(entry, &stored, need, None).await.map_err(AccessFailure::NotAsked)?;
        Ok((granted.access, turn))
    }

    /// Reads the secret, asks, stores what was rotated, and only then lets the access out.
    async fn exchange(
        &self,
        entry: &LoginEntry,
        need: Need,
        rejected: Option<&Access>,
        basis: &LoginBasis,
    ) -> Result<Access, Exchange> {
        let (name, print, key) = (&entry.name, &basis.print, &basis.key);
        let stored = self.ready_login(entry, key).await;
        let stored = stored.and_then(|stored| basis.same_session(entry, stored)).map_err(Exchange::NotSent)?;
        let granted = self.ask_login(entry, &stored, need, rejected).await.map_err(Exchange::Failed)?;
        if let Some(secret) = granted.rotated {
            self.keep_rotated(name, &stored, stored.rotated(secret), key).await;
        }
        self.note_worked(name, print).await;
        if let Some(expires) = granted.expires {
            let (owner, print, key) = (name.clone(), print.clone(), key.clone());
            let access = StoredAccess { access: granted.access.clone(), expires };
            let written = self.disk.run(move |cache| cache.write_access(&owner, &print, &key, &access)).await;
            self.note("access", written.err().map(|error| error.to_string()));
        }
        Ok(granted.access)
    }

    /// The login as it is stored. Where the old secret dies with the exchange, in a store that was just written to.
    async fn ready_login(&self, entry: &LoginEntry, key: &SealingKey) -> Result<StoredLogin, Error> {
        let name = &entry.name;
        if entry.login.elsewhere().is_some() {
            return self.present_login(entry, key).await;
        }
        let _turn = self.store_turn(name).await?;
        let stored = self.current_login(name, key).await?.ok_or_else(|| not_signed_in(name))?;
        if entry.login.rotates(&stored.secret) {
            self.put_login(name, &stored).await?;
            // Should that store fail all the same when the new secret is here, the disk may be full by then.
            let owner = name.clone();
            let kept = self.disk.run(move |cache| cache.keep_room(&owner)).await;
            self.note("pending", kept.err().map(|error| error.to_string()));
        }
        Ok(stored)
    }

    /// Stores a rotated secret if the version there is still the one that was read. Where the store fails it is sealed
    /// into a pending file; where that fails too it stays in memory until one of them works again.
    async fn keep_rotated(&self, name: &str, read: &StoredLogin, rotated: StoredLogin, key: &SealingKey) {
        // The new secret is nowhere else yet: kept, whoever does not give the turn back.
        let _turn = self.store_turn(name).await.ok().flatten();
        let error = match self.stored_login(name).await {
            Ok(there) if there.as_ref().is_none_or(|there| there.version != read.version) => {
                tracing::info!(login = name, "somebody signed in or out during a rotation, which stands");
                return;
            }
            Ok(_) => match self.put_login(name, &rotated).await {
                Ok(()) => return,
                Err(error) => error,
            },
            // What cannot be read must not be written over: a sign-in may have come between.
            Err(error) => error,
        };
        self.note("keyring", Some(format!("a rotated secret of {name} waits to be stored: {error}")));
        let pending = Pending { instead_of: read.version.clone(), login: rotated.to_secret() };
        let (owner, sealing, copy) = (name.to_owned(), key.clone(), pending.clone());
        if self.disk.run(move |cache| cache.write_pending(&owner, &sealing, &copy)).await.is_err() {
            self.lock().unstored.insert(name.to_owned(), pending);
        }
    }

    async fn ask_login(
        &self,
        entry: &LoginEntry,
        stored: &StoredLogin,
        need: Need,
        rejected: Option<&Access>,
    ) -> Result<Granted, Error> {
        let now = self.outside.clock.now();
        let (http, environment) = (&self.outside.http, &*self.outside.environment);
        let request = AccessRequest { secret: &stored.secret, need, rejected, http, environment, now: &now };
        entry.login.access(request).await.map_err(|error| told_of(entry, error))
    }

    async fn stored_access(&self, name: &str, print: &Fingerprint, key: &SealingKey) -> Option<Access> {
        let (owner, print, key) = (name.to_owned(), print.clone(), key.clone());
        let stored = self.disk.run(move |cache| cache.access(&owner, &print, &key)).await.ok().flatten()?;
        let left = stored.expires.as_second() - self.outside.clock.now().wall.as_second();
        (left >= LEAST_ACCESS).then_some(stored.access)
    }

    /// The login's lock, taken after the profile's and never before it: within this process first, which holds where
    /// files cannot be locked at all.
    async fn login_turn(&self, name: &str) -> Result<LoginTurn, Error> {
        let mutex = self.lock().turns.entry(name.to_owned()).or_default().clone();
        let ours = tokio::time::timeout(LONGEST_WAIT, mutex.lock_owned()).await;
        let ours =
            ours.map_err(|_| Error::unavailable(format!("the sign-in as {name} has not ended; still asking")))?;
        let file = self.lock_turn(Owner::Login(name.to_owned()), LONGEST_WAIT, name).await?;
        Ok(LoginTurn { _file: file, _ours: ours })
    }

    /// The lock around a look at a stored login and the write that depends on it, held for no longer than that: so that
    /// neither a sign-in nor a rotation writes over what the other has just stored, nor a move loses it. Innermost.
    /// None only where files cannot be locked: whoever holds it may be waiting for a person at the desktop.
    pub(super) async fn store_turn(&self, name: &str) -> Result<Option<Guard>, Error> {
        // A load and a store, each with a limit of its own, take less.
        let limit = self.outside.keyring.limit() * 5 / 2;
        self.lock_turn(Owner::Store(name.to_owned()), limit, name).await
    }

    async fn lock_turn(&self, owner: Owner, limit: Duration, name: &str) -> Result<Option<Guard>, Error> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            match self.disk.try_lock(owner.clone()).await {
                Ok(Some(guard)) => return Ok(Some(guard)),
                Ok(None) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_secs_f64(0.01 + 0.03 * random_share())).await;
                }
                Ok(None) => return Err(Error::unavailable(format!("another process is still signing in as {name}"))),
                // A disk that hangs may lock well: another process may be asking.
                Err(error @ Error::Unavailable { .. }) => return Err(error),
                Err(error) => {
                    self.note("lock", Some(error.to_string()));
                    return Ok(None);
                }
            }
        }
    }
}

/// A login's turn. The file is given back before another task of this process may try it.
#[derive(Debug)]
pub struct LoginTurn {
    _file: Option<Guard>,
    _ours: OwnedMutexGuard<()>,
}

/// Why an exchange gave no access.
enum Exchange {
    NotSent(Error),
    Failed(Error),
}

/// One login may serve profiles of several needs.
fn suits(access: &Access, need: Need) -> bool {
    match access {
        // Whoever gives a bearer to an issuer of credentials shows it as an identity.
        Access::Bearer(_) => matches!(need, Need::Bearer | Need::WebIdentity),
        Access::Basic { .. } => need == Need::Basic,
        Access::AwsKeys { .. } => need == Need::AwsKeys,
        Access::WebIdentity(_) => need == Need::WebIdentity,
    }
}

/// Counts an exchange that must not be cut short, for as long as it lives.
pub(super) struct Counted(Arc<Inner>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.rotations.send_modify(|count| *count -= 1);
    }
}
