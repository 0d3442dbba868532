//! Where logins and the key of the cache rest on this machine: desktop, kernel, file or memory.
//!
//! Every call runs on a thread of its own with a limit, never prompts, and tells "there is none" from "no answer":
//! only the first is a reason to make a key.

mod kernel;
mod memory;
mod pin;
mod sealed;
mod service;
#[cfg(test)]
mod tests;
mod vault;

use crate::error::Error;
use crate::ports::{Keyring, Later, SealingKey, Tier};
use crate::secret::Secret;
use crate::worker::{Stuck, Worker};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use vault::Vault;

/// The keyring of this machine, reached through a [`Worker`].
#[derive(Debug)]
pub struct OsKeyring {
    vault: Arc<Vault>,
    worker: Worker,
    limit: Duration,
}

// === impl OsKeyring ===

impl OsKeyring {
    /// `wanted` is what the config says; `limit` holds for each call: 2 s, 60 s where a person is present.
    pub fn new(state: PathBuf, wanted: Option<Tier>, limit: Duration) -> OsKeyring {
        let vault = Arc::new(Vault::new(state, wanted, limit));
        OsKeyring { vault, worker: Worker::new("valetkey-keyring"), limit }
    }

    /// Lines for a person, each said once: where logins rest, after what settled it for this host; what a move left.
    pub fn pinned_now(&self) -> Option<String> {
        self.vault.take_news()
    }

    /// The names of all logins that rest on this host, wherever an earlier move may have left them.
    pub fn resting(&self) -> Later<'_, Result<BTreeSet<String>, Error>> {
        self.run(Vault::resting)
    }

    /// Moves these logins to `tier` and notes it for this host. The key stays behind: the cache starts cold.
    ///
    /// Nothing is removed before all of them are in the new place, nor what another host of a shared home reads. What
    /// was left by a move that was cut off is removed. This keyring must want no tier of its own.
    pub fn move_to(&self, tier: Tier, logins: Vec<String>) -> Later<'_, Result<(), Error>> {
        self.run(move |vault| vault.move_to(tier, &logins))
    }

    fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Vault) -> Result<T, Error> + Send + 'static,
    ) -> Later<'_, Result<T, Error>> {
        let vault = self.vault.clone();
        Box::pin(async move {
            match self.worker.run(self.limit, move || job(&vault)).await {
                Ok(result) => result,
                Err(Stuck::Hung) => Err(no_answer(self.limit)),
                Err(Stuck::Panicked) => Err(Error::protocol("the keyring's library panicked")),
            }
        })
    }
}

impl Keyring for OsKeyring {
    fn key(&self, make: bool) -> Later<'_, Result<Option<SealingKey>, Error>> {
        self.run(move |vault| vault.key(make))
    }

    fn load<'a>(&'a self, name: &'a str) -> Later<'a, Result<Option<Secret>, Error>> {
        let name = name.to_owned();
        self.run(move |vault| vault.load(&name))
    }

    fn store<'a>(&'a self, name: &'a str, secret: &'a Secret) -> Later<'a, Result<(), Error>> {
        let (name, secret) = (name.to_owned(), secret.clone());
        self.run(move |vault| vault.store(&name, secret))
    }

    fn delete<'a>(&'a self, name: &'a str) -> Later<'a, Result<(), Error>> {
        let name = name.to_owned();
        self.run(move |vault| vault.delete(&name))
    }

    fn describe(&self) -> Later<'_, Result<String, Error>> {
        self.run(Vault::describe)
    }

    fn limit(&self) -> Duration {
        self.limit
    }
}

fn no_answer(limit: Duration) -> Error {
    Error::unavailable(format!("the keyring did not answer within {} s", limit.as_secs_f64()))
}

/// An entry's error that is the same for all stores. No secret is in these texts.
fn entry_error(who: &str, error: keyring::Error) -> Error {
    match error {
        keyring::Error::Ambiguous(_) => Error::configuration(
            format!("{who} has two entries of one name"),
            "remove one of them with the desktop's password manager",
        ),
        error => Error::unavailable(format!("{who} fails: {error}")),
    }
}
