//! The kernel's keyring. It holds the 32-byte key only: there is room for 20,000 bytes of a user's in all.

use super::entry_error;
use crate::error::Error;
use crate::secret::Secret;
use keyring_core::api::CredentialStoreApi;
use linux_keyutils_keyring_store::Store;

pub(super) fn get(service: &str, user: &str) -> Result<Option<Secret>, Error> {
    match entry(service, user).and_then(|entry| entry.get_password()) {
        Ok(secret) => Ok(Some(Secret::new(secret))),
        Err(keyring::Error::NoEntry) => Ok(None),
        Err(error) => Err(refused(error)),
    }
}

pub(super) fn set(service: &str, user: &str, secret: &Secret) -> Result<(), Error> {
    entry(service, user).and_then(|entry| entry.set_password(secret.expose())).map_err(refused)
}

#[cfg(test)]
pub(super) fn delete(service: &str, user: &str) {
    let _ = entry(service, user).and_then(|entry| entry.delete_credential());
}

fn entry(service: &str, user: &str) -> keyring::Result<keyring::Entry> {
    let store = Store::new()?;
    // In a thread without a session keyring the first attempt is refused, and gives it one.
    let _ = store.build(service, user, None);
    Ok(keyring::Entry { inner: store.build(service, user, None)? })
}

fn refused(error: keyring::Error) -> Error {
    match error {
        // Containers forbid the call, quotas are full: neither passes by itself.
        keyring::Error::NoStorageAccess(why) | keyring::Error::PlatformFailure(why) => Error::configuration(
            format!("the kernel's keyring refuses: {why}"),
            "write keyring = \"file\" into the config, or see: keyctl show",
        ),
        error => entry_error("the kernel's keyring", error),
    }
}
