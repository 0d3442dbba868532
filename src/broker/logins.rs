//! Logins as they rest in the keyring: a secret, its version, and who signed in.

use super::Inner;
use crate::cache::Fingerprint;
use crate::config::LoginEntry;
use crate::error::{Error, Remedy};
use crate::login::Elsewhere;
use crate::ports::SealingKey;
use crate::seal::{hex, key_id, mac, random};
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
    /// The origin that the person gave it for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_to: Option<String>,
    #[serde(serialize_with = "Secret::serialize_exposed")]
    pub secret: Secret,
}

impl StoredLogin {
    /// What a person just gave.
    pub fn signed_in(kind: &str, secret: Secret) -> StoredLogin {
        StoredLogin { kind: kind.to_owned(), version: fresh(), session: fresh(), given_to: None, secret }
    }

    /// The same, for this issuer and no other.
    pub fn for_issuer(self, given_to: Option<String>) -> StoredLogin {
        StoredLogin { given_to, ..self }
    }

    /// What was read from the place that the config names: another secret there is another sign-in.
    fn elsewhere(kind: &str, secret: Secret, key: &SealingKey) -> StoredLogin {
        let mac = mac(key, &secret);
        StoredLogin { kind: kind.to_owned(), version: mac.clone(), session: mac, given_to: None, secret }
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

/// Neither a provider nor a login's kind knows what the config calls the login, and where its secret is put right.
pub fn told_of(entry: &LoginEntry, error: Error) -> Error {
    match error {
        Error::LoginRequired { message, remedy: Remedy::SignIn(_) } => {
            let login = entry.name.clone();
            let remedy = match entry.login.elsewhere() {
                Some(elsewhere) => Remedy::PutRight { login, place: elsewhere.place() },
                None => Remedy::SignIn(login),
            };
            Error::LoginRequired { message, remedy }
        }
        other => other,
    }
}

/// Who we are as a login, as it was read once for a flight or a token.
#[derive(Debug, Clone)]
pub(super) struct LoginBasis {
    pub(super) key: SealingKey,
    pub(super) print: Fingerprint,
    pub(super) stored: StoredLogin,
}

impl LoginBasis {
    /// Refuses a secret that was read later and is of another sign-in: what comes of it would be kept under this one's
    /// fingerprint.
    pub(super) fn same_session(&self, entry: &LoginEntry, stored: StoredLogin) -> Result<StoredLogin, Error> {
        match stored.session == self.stored.session {
            true => Ok(stored),
            false => Err(Error::unavailable(format!("the sign-in of {} changed meanwhile", entry.name))),
        }
    }
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
    pub(super) async fn login_basis(&self, entry: &LoginEntry) -> Result<LoginBasis, Error> {
        // The secret first: for one that is not there no key is made.
        let (stored, key) = match entry.login.elsewhere() {
            None => (self.kept_login(entry).await?, self.key().await?),
            Some(place) => {
                let secret = place.read(&*self.outside.environment).await?;
                let key = self.key().await?;
                (StoredLogin::elsewhere(entry.kind.name, secret, &key), key)
            }
        };
        self.lock().abouts.insert(entry.name.clone(), entry.login.about(&stored.secret));
        let print = Fingerprint::of_login(entry, &stored.session, &key_id(&key));
        Ok(LoginBasis { key, print, stored })
    }

    /// The same for who only looks: where there is no key yet, there is nothing to see, and none is made.
    pub(super) async fn known_basis(&self, entry: &LoginEntry) -> Result<Option<LoginBasis>, Error> {
        if entry.login.elsewhere().is_some_and(Elsewhere::runs_a_program) {
            return Ok(None);
        }
        match self.outside.keyring.key(false).await? {
            Some(_) => self.login_basis(entry).await.map(Some),
            None => self.look_at_login(entry).await.map(|()| None),
        }
    }

    /// The login as it is now, in the keyring or in the place that the config names for it.
    pub(super) async fn present_login(&self, entry: &LoginEntry, key: &SealingKey) -> Result<StoredLogin, Error> {
        let Some(place) = entry.login.elsewhere() else { return self.kept_login(entry).await };
        let secret = place.read(&*self.outside.environment).await?;
        Ok(StoredLogin::elsewhere(entry.kind.name, secret, key))
    }

    /// Takes what may be shown of a login into memory.
    pub(super) async fn look_at_login(&self, entry: &LoginEntry) -> Result<(), Error> {
        let secret = match entry.login.elsewhere() {
            Some(place) => place.read(&*self.outside.environment).await?,
            None => self.kept_login(entry).await?.secret,
        };
        self.lock().abouts.insert(entry.name.clone(), entry.login.about(&secret));
        Ok(())
    }

    async fn kept_login(&self, entry: &LoginEntry) -> Result<StoredLogin, Error> {
        let stored = self.stored_login(&entry.name).await?.filter(|stored| stored.kind == entry.kind.name);
        let stored = stored.ok_or_else(|| not_signed_in(&entry.name))?;
        match (&stored.given_to, entry.login.given_to()) {
            (Some(then), Some(now)) if *then != now => {
                let message =
                    format!("the secret of {} was given to {then}, and the config now names {now}", entry.name);
                Err(Error::sign_in(&entry.name, message))
            }
            _ => Ok(stored),
        }
    }

    async fn key(&self) -> Result<SealingKey, Error> {
        let keyring = &self.outside.keyring;
        match keyring.key(false).await? {
            Some(key) => Ok(key),
            None => keyring.key(true).await?.ok_or_else(|| Error::protocol("the keyring made no key")),
        }
    }

    /// Under the store's turn.
    pub(super) async fn put_login(&self, login: &str, stored: &StoredLogin) -> Result<(), Error> {
        self.outside.keyring.store(login, &stored.to_secret()).await
    }

    /// Sees that nothing of `login` waits to be stored: it is sealed under the key of where the login rests now, and a
    /// move would leave it behind and take the secret that it takes the place of. Under both locks.
    pub(super) async fn write_through(&self, login: &str, key: &SealingKey) -> Result<(), Error> {
        let Some(current) = self.current_login(login, key).await? else { return Ok(()) };
        let stored = self.stored_login(login).await?;
        let (name, sealing) = (login.to_owned(), key.clone());
        let waits = self.disk.run(move |cache| cache.pending(&name, &sealing)).await?.is_some();
        if waits || stored.is_none_or(|stored| stored.version != current.version) {
            return Err(Error::unavailable(format!("a rotated secret of {login} waits to be stored, and cannot be")));
        }
        Ok(())
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
