//! What cached credentials depend on, as one short text: change any of it and the cache misses.

use crate::config::{LoginEntry, Profile};
use crate::seal::digest;
use crate::settings::Settings;
use std::fmt;

/// 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of a login as it is stored: its kind, settings, the version of its secret and the key that seals the cache.
    pub fn of_login(login: &LoginEntry, version: &str, key_id: &str) -> Fingerprint {
        let settings = canonical(&login.settings);
        Fingerprint(digest(&[b"login", login.kind.name.as_bytes(), &settings, version.as_bytes(), key_id.as_bytes()]))
    }

    /// Of a profile with that login behind it: nothing but the profile's name and lines of the config left out.
    pub fn of_profile(profile: &Profile, login: &Fingerprint) -> Fingerprint {
        let settings = canonical(&profile.settings);
        Fingerprint(digest(&[b"profile", profile.kind.name.as_bytes(), &settings, login.0.as_bytes()]))
    }

    /// Of nobody: what bears it is found by no one else.
    pub fn none() -> Fingerprint {
        Fingerprint(digest(&[b"none"]))
    }

    /// Of nothing that exists.
    #[cfg(test)]
    pub(crate) fn sample(text: &str) -> Fingerprint {
        Fingerprint(digest(&[b"sample", text.as_bytes()]))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Enough of it for a file's name.
    pub(super) fn short(&self) -> &str {
        &self.0[..16]
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

fn canonical(settings: &Settings) -> Vec<u8> {
    serde_json::to_vec(&settings.canonical()).unwrap_or_default()
}
