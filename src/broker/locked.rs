//! `valetkey lock`: nothing is given out until `unlock`, by no process and over restarts. A marker on disk says so.

use super::{Broker, Inner};
use crate::error::{Error, Remedy};

impl Broker {
    /// Leaves the marker, and drops what memory holds. What is on disk stays sealed, under a key in the keyring.
    pub async fn lock(&self) -> Result<(), Error> {
        self.0.disk.run(|cache| cache.set_locked(true)).await?;
        self.0.take_lock(true);
        Ok(())
    }

    pub async fn unlock(&self) -> Result<(), Error> {
        self.0.disk.run(|cache| cache.set_locked(false)).await?;
        self.0.take_lock(false);
        Ok(())
    }

    /// Looks at the marker, which another process may have left or removed. A disk that does not say changes nothing.
    pub async fn look_at_lock(&self) {
        self.0.look_at_lock().await;
    }

    /// An error if everything is locked, before a person types anything in vain.
    pub async fn check_unlocked(&self) -> Result<(), Error> {
        self.look_at_lock().await;
        self.refuse_if_locked()
    }

    /// Refuses while everything is locked, by this process's last look.
    pub(super) fn refuse_if_locked(&self) -> Result<(), Error> {
        if self.0.lock().locked { Err(locked()) } else { Ok(()) }
    }
}

impl Inner {
    /// The same for what touches the disk anyway: with a look.
    pub(super) async fn look_at_lock(&self) -> bool {
        if let Ok(locked) = self.disk.run(crate::cache::Cache::is_locked).await {
            self.take_lock(locked);
        }
        self.lock().locked
    }

    fn take_lock(&self, locked: bool) {
        let mut state = self.lock();
        let before = std::mem::replace(&mut state.locked, locked);
        if locked && !before {
            tracing::info!("locked");
            // Rotated secrets that wait to be stored are not dropped: they are nowhere else.
            state.slots.clear();
            state.abouts.clear();
        }
        drop(state);
        self.wake.notify_one();
    }
}

pub(super) fn locked() -> Error {
    Error::LoginRequired { message: "valetkey is locked".to_owned(), remedy: Remedy::Unlock }
}
