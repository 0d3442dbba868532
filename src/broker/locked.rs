//! `valetkey lock`: nothing is given out until `unlock`, by no process and over restarts. A marker on disk says so.

use super::{Broker, Inner, Manner};
use crate::error::{Error, Remedy};

/// What this process knows of the lock. Before a first look it knows nothing, and gives nothing out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lock {
    /// By the last look at the marker that got an answer.
    marker: Option<bool>,
    /// Told to this process, which holds though the disk did not take the marker.
    told: bool,
}

impl Lock {
    pub(super) fn is_shut(self) -> bool {
        self.told || self.marker == Some(true)
    }

    /// The error while nothing may be given out.
    pub(super) fn refuses(self) -> Result<(), Error> {
        if self.is_shut() {
            return Err(Error::LoginRequired { message: "valetkey is locked".to_owned(), remedy: Remedy::Unlock });
        }
        match self.marker {
            Some(_) => Ok(()),
            None => Err(Error::unavailable("the disk does not say whether valetkey is locked")),
        }
    }
}

impl Broker {
    /// Drops what memory holds, and leaves the marker. What is on disk stays sealed, under a key in the keyring.
    pub async fn lock(&self) -> Result<(), Error> {
        self.0.change_lock(|lock| lock.told = true);
        self.0.disk.run(|cache| cache.set_locked(true)).await
    }

    pub async fn unlock(&self) -> Result<(), Error> {
        self.0.disk.run(|cache| cache.set_locked(false)).await?;
        self.0.change_lock(|lock| *lock = Lock { marker: Some(false), told: false });
        Ok(())
    }

    /// Looks at the marker, which another process may have left or removed.
    pub async fn look_at_lock(&self) {
        let _ = self.0.refuse_while_locked().await;
    }

    /// An error if everything is locked, before a person types anything in vain.
    pub async fn check_unlocked(&self) -> Result<(), Error> {
        self.0.refuse_while_locked().await
    }
}

impl Inner {
    /// With a look: for what touches the disk anyway. A disk that does not answer changes nothing.
    pub(super) async fn refuse_while_locked(&self) -> Result<(), Error> {
        if let Ok(locked) = self.disk.run(crate::cache::Cache::is_locked).await {
            self.change_lock(|lock| lock.marker = Some(locked));
        }
        self.lock().shut.refuses()
    }

    /// For what has been waited for: a daemon was told of a lock meanwhile, a process of one answer has to look.
    pub(super) async fn refuse_if_locked_since(&self) -> Result<(), Error> {
        match self.manner {
            Manner::Daemon => self.lock().shut.refuses(),
            Manner::OneShot => self.refuse_while_locked().await,
        }
    }

    fn change_lock(&self, change: impl FnOnce(&mut Lock)) {
        let mut state = self.lock();
        let before = state.shut.is_shut();
        change(&mut state.shut);
        if state.shut.is_shut() && !before {
            tracing::info!("locked");
            // Rotated secrets that wait to be stored are not dropped: they are nowhere else.
            state.slots.clear();
            state.abouts.clear();
        }
        drop(state);
        self.wake.notify_one();
    }
}
