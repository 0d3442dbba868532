//! The desktop's Secret Service, over D-Bus. Nothing here starts a bus, makes a collection, or lets a dialog appear.
//!
//! The store behind `keyring` would unlock what is locked, which is a dialog, and nobody may be there to answer it:
//! so a probe of our own looks first, each time. Every touch connects anew (50 ms): a daemon that was started before
//! the desktop, or outlived it, recovers by itself, and a connection that hangs is never met twice.

use super::entry_error;
use crate::error::{Error, Remedy};
use crate::secret::Secret;
use keyring_core::api::CredentialStoreApi;
use secret_service::{EncryptionType, SecretService};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Unlocked,
    Locked,
    /// There is no bus, no service on it, or no default collection; the text says which.
    Absent(String),
}

/// Entries of one instance, told from others by `service`.
#[derive(Debug)]
pub(super) struct Entries {
    pub(super) service: String,
    pub(super) limit: Duration,
}

// === impl Entries ===

impl Entries {
    pub(super) fn get(&self, user: &str) -> Result<Option<Secret>, Error> {
        self.ready(user)?;
        match self.entry(user).and_then(|entry| entry.get_password()) {
            Ok(secret) => Ok(Some(Secret::new(secret))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    pub(super) fn set(&self, user: &str, secret: &Secret) -> Result<(), Error> {
        self.ready(user)?;
        self.entry(user).and_then(|entry| entry.set_password(secret.expose())).map_err(failed)
    }

    pub(super) fn delete(&self, user: &str) -> Result<(), Error> {
        self.ready(user)?;
        match self.entry(user).and_then(|entry| entry.delete_credential()) {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    /// The users of all entries.
    pub(super) fn users(&self) -> Result<Vec<String>, Error> {
        if let Some(why) = no_bus() {
            return Err(not_there(&why));
        }
        match ask(self.limit, users(&self.service))? {
            Ok(Some(users)) => Ok(users),
            Ok(None) => Err(locked()),
            Err(error) => Err(absent(&error).map_or_else(|| fails(&error), not_there)),
        }
    }

    fn entry(&self, user: &str) -> keyring::Result<keyring::Entry> {
        let label = format!("valetkey {}", user.replacen(':', " ", 1));
        let store = zbus_secret_service_keyring_store::Store::new()?;
        let inner = store.build(&self.service, user, Some(&HashMap::from([("label", label.as_str())])))?;
        Ok(keyring::Entry { inner })
    }

    fn ready(&self, user: &str) -> Result<(), Error> {
        match probe(self.limit, Some((&self.service, user)))? {
            State::Unlocked => Ok(()),
            State::Locked => Err(locked()),
            State::Absent(why) => Err(not_there(&why)),
        }
    }
}

/// Looks at the default collection, and at where the entry of this service and user lies, if one is named.
pub(super) fn probe(limit: Duration, entry: Option<(&str, &str)>) -> Result<State, Error> {
    if let Some(why) = no_bus() {
        return Ok(State::Absent(why));
    }
    match ask(limit, look(entry))? {
        Ok(state) => Ok(state),
        Err(error) => match absent(&error) {
            Some(why) => Ok(State::Absent(why.to_owned())),
            None => Err(fails(&error)),
        },
    }
}

/// Waits for an answer of the desktop's.
fn ask<T>(
    limit: Duration,
    question: impl Future<Output = Result<T, secret_service::Error>>,
) -> Result<Result<T, secret_service::Error>, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::unavailable(format!("cannot ask the desktop keyring: {e}")))?;
    // A little earlier than the worker's limit: this wait can be given up without losing a thread.
    let answered = runtime.block_on(async { tokio::time::timeout(limit * 9 / 10, question).await });
    answered.map_err(|_| super::no_answer(limit))
}

/// None where some of them are locked.
async fn users(service_name: &str) -> Result<Option<Vec<String>>, secret_service::Error> {
    let service = SecretService::connect(EncryptionType::Plain).await?;
    if service.get_default_collection().await?.is_locked().await? {
        return Ok(None);
    }
    let found = service.search_items(HashMap::from([("service", service_name)])).await?;
    if !found.locked.is_empty() {
        return Ok(None);
    }
    let mut users = Vec::new();
    for item in &found.unlocked {
        users.extend(item.get_attributes().await?.remove("username"));
    }
    Ok(Some(users))
}

async fn look(entry: Option<(&str, &str)>) -> Result<State, secret_service::Error> {
    // No secret crosses this session, so it needs no key exchange.
    let service = SecretService::connect(EncryptionType::Plain).await?;
    if service.get_default_collection().await?.is_locked().await? {
        return Ok(State::Locked);
    }
    if let Some((service_name, user)) = entry {
        // The entry may lie in another collection, from when that one was the default.
        let wanted = HashMap::from([("service", service_name), ("username", user)]);
        if !service.search_items(wanted).await?.locked.is_empty() {
            return Ok(State::Locked);
        }
    }
    Ok(State::Unlocked)
}

#[allow(clippy::disallowed_methods)] // the D-Bus library reads the same variables: this is about what it would do
fn no_bus() -> Option<String> {
    let variable = |name| std::env::var_os(name).and_then(|value| value.into_string().ok());
    let usual = || format!("/run/user/{}", rustix::process::geteuid().as_raw());
    let socket = PathBuf::from(variable("XDG_RUNTIME_DIR").unwrap_or_else(usual)).join("bus");
    no_bus_at(variable("DBUS_SESSION_BUS_ADDRESS").as_deref(), &socket)
}

/// Why there is no bus to ask, as far as one can tell without asking.
fn no_bus_at(address: Option<&str>, socket: &Path) -> Option<String> {
    let starts_a_program = |one: &str| !one.starts_with("unix:") && !one.starts_with("tcp:");
    match address {
        // `autolaunch:` and `unixexec:` would.
        Some(address) => address
            .split(';')
            .any(starts_a_program)
            .then(|| "DBUS_SESSION_BUS_ADDRESS names no bus that runs".to_owned()),
        None => (!socket.exists()).then(|| "there is no session bus".to_owned()),
    }
}

/// Whether the error says that there is nobody to ask; by its text, for the types are a library's we do not name.
fn absent(error: &secret_service::Error) -> Option<&'static str> {
    match error {
        secret_service::Error::NoResult => return Some("it has no default collection"),
        secret_service::Error::Unavailable => return Some("there is no session bus"),
        _ => {}
    }
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["Failed to connect to address", "handshake failed"]) {
        return Some("the session bus does not let us in");
    }
    let nobody = ["DBus.Error.ServiceUnknown", "DBus.Error.NameHasNoOwner", "DBus.Error.Spawn."];
    says(&nobody).then_some("no Secret Service is on the session bus")
}

pub(super) fn locked() -> Error {
    Error::LoginRequired { message: "the desktop keyring is locked".to_owned(), remedy: Remedy::UnlockKeyring }
}

fn not_there(why: &str) -> Error {
    Error::unavailable(format!("the desktop keyring is not there: {why}"))
}

fn fails(error: &secret_service::Error) -> Error {
    Error::unavailable(format!("the desktop keyring fails: {error}"))
}

fn failed(error: keyring::Error) -> Error {
    match error {
        // Locked between the look and the touch.
        keyring::Error::NoStorageAccess(_) => locked(),
        error => entry_error("the desktop keyring", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bus_is_ever_started() {
        let socket = tempfile::NamedTempFile::new().unwrap();
        let missing = Path::new("/nonexistent/bus");
        assert!(no_bus_at(None, missing).is_some());
        assert!(no_bus_at(None, socket.path()).is_none());
        assert!(no_bus_at(Some("unix:path=/run/user/1/bus,guid=0"), missing).is_none());
        for starts in ["", "autolaunch:", "unixexec:path=/bin/dbus", "unix:path=/x;autolaunch:"] {
            assert!(no_bus_at(Some(starts), socket.path()).is_some(), "{starts:?}");
        }
    }
}
