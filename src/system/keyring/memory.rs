//! Logins and key in the process, by choice: nothing outlives it.

use crate::ports::SealingKey;
use crate::seal;
use crate::secret::Secret;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    key: Option<SealingKey>,
    logins: HashMap<String, Secret>,
}

// === impl Memory ===

impl Memory {
    pub(super) fn key(&self, make: bool) -> Option<SealingKey> {
        let mut kept = self.kept();
        if make && kept.key.is_none() {
            kept.key = Some(SealingKey(seal::random()));
        }
        kept.key.clone()
    }

    pub(super) fn load(&self, name: &str) -> Option<Secret> {
        self.kept().logins.get(name).cloned()
    }

    pub(super) fn store(&self, name: &str, secret: Secret) {
        self.kept().logins.insert(name.to_owned(), secret);
    }

    pub(super) fn delete(&self, name: &str) {
        self.kept().logins.remove(name);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
