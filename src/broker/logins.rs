//! Logins as they rest in the keyring: a secret, its version, and who signed in.

use super::Inner;
use crate::cache::Fingerprint;
use crate::config::LoginEntry;
use crate::error::Error;
use crate::ports::SealingKey;
use crate::seal::{hex, key_id, random};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};

/// A login in the keyring, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredLogin {
    /// The login's kind: one stored as another kind is none.
    pub kind: String,
    /// Random, new with every store: a rotation replaces only the version that it read.
    pub version: String,
    /// Random, new with every sign-in and kept by rotations: cached credentials depend on it.
    pub session: String,
    #[serde(serialize_with = "Secret::serialize_exposed")]
    pub secret: Secret,
}

impl StoredLogin {
    /// What a person just gave.
    pub fn signed_in(kind: &str, secret: Secret) -> StoredLogin {
        StoredLogin { kind: kind.to_owned(), version: fresh(), session: fresh(), secret }
    }

    /// The same session with the secret that the issuer gave in exchange.
    pub(super) fn rotated(&self, secret: Secret) -> StoredLogin {
        StoredLogin { version: fresh(), secret, ..self.clone() }
    }

    pub fn to_secret(&self) -> Secret {
        Secret::new(serde_json::to_string(self).expect("a struct of strings is JSON"))
    }

    pub fn from_secret(secret: &Secret) -> Option<StoredLogin> {
        serde_json::from_str(secret.expose()).ok()
    }
}

fn fresh() -> String {
    hex(&random::<8>())
}

/// What to say where a login is needed and nobody has signed in.
pub fn not_signed_in(login: &str) -> Error {
    Error::sign_in(login, format!("nobody has signed in as {login} yet"))
}

impl Inner {
    pub(super) async fn stored_login(&self, login: &str) -> Result<Option<StoredLogin>, Error> {
        let secret = self.outside.keyring.load(login).await?;
        Ok(secret.as_ref().and_then(StoredLogin::from_secret))
    }

    /// The key of the cache, and the fingerprint of who we are as this login.
    pub(super) async fn login_basis(&self, entry: &LoginEntry) -> Result<(SealingKey, Fingerprint), Error> {
        let stored = self.stored_login(&entry.name).await?;
        let stored = stored.filter(|stored| stored.kind == entry.kind.name);
        let stored = stored.ok_or_else(|| not_signed_in(&entry.name))?;
        let keyring = &self.outside.keyring;
        let key = match keyring.key(false).await? {
            Some(key) => key,
            None => keyring.key(true).await?.ok_or_else(|| Error::protocol("the keyring made no key"))?,
        };
        let print = Fingerprint::of_login(entry, &stored.session, &key_id(&key));
        Ok((key, print))
    }

    /// Under the store's turn.
    pub(super) async fn put_login(&self, login: &str, stored: &StoredLogin) -> Result<(), Error> {
        self.outside.keyring.store(login, &stored.to_secret()).await
    }

    /// The stored login with a pending rotation applied: one that took place but could not be stored at the time.
    /// Under the login's lock.
    pub(super) async fn current_login(&self, login: &str, key: &SealingKey) -> Result<Option<StoredLogin>, Error> {
        let Some(stored) = self.stored_login(login).await? else { return Ok(None) };
        let (name, sealing) = (login.to_owned(), key.clone());
        let in_memory = self.lock().unstored.get(login).cloned();
        let pending = match in_memory {
            Some(pending) => Some(pending),
            // One that cannot be read is an error: the secret that is stored may be dead, and its use end the session.
            None => self.disk.run(move |cache| cache.pending(&name, &sealing)).await?,
        };
        let Some(pending) = pending else { return Ok(Some(stored)) };
        let rotated = StoredLogin::from_secret(&pending.login).filter(|_| pending.instead_of == stored.version);
        if let Some(rotated) = &rotated
            && let Err(error) = self.put_login(login, rotated).await
        {
            self.note("keyring", Some(format!("a rotated secret of {login} waits to be stored: {error}")));
            return Ok(Some(rotated.clone()));
        }
        self.lock().unstored.remove(login);
        let name = login.to_owned();
        let cleared = self.disk.run(move |cache| cache.clear_pending(&name)).await;
        self.note("keyring", cleared.err().map(|error| error.to_string()));
        Ok(Some(rotated.unwrap_or(stored)))
    }
}
