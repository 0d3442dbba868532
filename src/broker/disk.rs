//! The cache behind a thread of its own: each step has two seconds, and a disk that fails costs a note, not an answer.

use crate::cache::{Cache, Fingerprint, Record, Subject};
use crate::error::Error;
use crate::lease::Lease;
use crate::lock::{Attempt, Guard};
use crate::ports::SealingKey;
use crate::worker::{Stuck, Worker};
use std::time::Duration;

/// The cache, off the runtime's thread.
#[derive(Debug)]
pub(super) struct Disk {
    cache: Cache,
    worker: Worker,
}

const STEP: Duration = Duration::from_secs(2);

impl Disk {
    pub(super) fn new(cache: Cache) -> Disk {
        Disk { cache, worker: Worker::new("cache") }
    }

    /// Runs one step.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        step: impl FnOnce(&Cache) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let cache = self.cache.clone();
        match self.worker.run(STEP, move || step(&cache)).await {
            Ok(done) => done,
            Err(Stuck::Hung) => Err(Error::unavailable("the disk did not answer within 2 s")),
            Err(Stuck::Panicked) => Err(Error::protocol("a bug: the cache panicked")),
        }
    }

    pub(super) async fn lease(
        &self,
        profile: &str,
        print: &Fingerprint,
        key: &SealingKey,
    ) -> Result<Option<Lease>, Error> {
        let (profile, print, key) = (profile.to_owned(), print.clone(), key.clone());
        self.run(move |cache| cache.lease(&profile, &print, &key)).await
    }

    pub(super) async fn write_lease(
        &self,
        profile: &str,
        print: &Fingerprint,
        key: &SealingKey,
        lease: &Lease,
    ) -> Result<(), Error> {
        let (profile, print, key, lease) = (profile.to_owned(), print.clone(), key.clone(), lease.clone());
        self.run(move |cache| cache.write_lease(&profile, &print, &key, &lease)).await
    }

    pub(super) async fn record(&self, subject: Owner) -> Result<Option<Record>, Error> {
        self.run(move |cache| cache.record(subject.as_subject())).await
    }

    pub(super) async fn write_record(&self, subject: Owner, record: Option<Record>) -> Result<(), Error> {
        self.run(move |cache| cache.write_record(subject.as_subject(), record.as_ref())).await
    }

    /// One try. `Ok(None)`: somebody else has it.
    pub(super) async fn try_lock(&self, subject: Owner) -> Result<Option<Guard>, Error> {
        self.run(move |cache| match cache.try_lock(subject.as_subject())? {
            Attempt::Held(guard) => Ok(Some(guard)),
            Attempt::Busy => Ok(None),
            Attempt::Unlockable(error) => Err(Error::configuration(
                format!("files cannot be locked here ({error}): processes may ask the issuer side by side"),
                "set VALETKEY_HOME, or XDG_STATE_HOME, to a local disk",
            )),
        })
        .await
    }
}

/// A [`Subject`] that can be sent to another thread.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    Profile(String),
    Login(String),
    /// A login's entry in the keyring.
    Store(String),
    /// What an issuer may be asked again.
    Issuer(String),
}

impl Owner {
    fn as_subject(&self) -> Subject<'_> {
        match self {
            Owner::Profile(name) => Subject::Profile(name),
            Owner::Login(name) => Subject::Login(name),
            Owner::Store(name) => Subject::Store(name),
            Owner::Issuer(address) => Subject::Issuer(address),
        }
    }
}
