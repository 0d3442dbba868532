//! What rests on disk beside the keyring: leases, stored access, failures on record, and the locks around them.
//!
//! Everything here may be deleted at any time at no loss but a round trip, except `pending`, which holds a rotated
//! secret on its way to the keyring. Calls block; the broker makes them on a thread of their own.

mod fingerprint;
mod record;
mod sealed;

pub use fingerprint::Fingerprint;
pub use record::{Again, Record};
pub use sealed::{Pending, StoredAccess};

use crate::error::Error;
use crate::files::{PrivateDir, host_id};
use crate::lease::Lease;
use crate::lock::{Attempt, LockFile};
use crate::ports::SealingKey;
use crate::seal;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The state directory's files. Directories are opened at each use: they may come and go.
#[derive(Debug, Clone)]
pub struct Cache {
    state: PathBuf,
    /// Where the marker that locks everything stands.
    marker: PathBuf,
}

/// Stands in the state directory while everything is locked.
pub const MARKER: &str = "locked";

/// What a lock, a failure or a sealed file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    Profile(&'a str),
    Login(&'a str),
    /// A login's entry in the keyring: has a lock and nothing else.
    Store(&'a str),
    /// What an issuer may be asked again, by its address: this host's own, by whose boot-time clock it goes.
    Issuer(&'a str),
}

/// In bytes. A refresh token has two or three thousand.
const ROOM: usize = 16 * 1024;

impl Cache {
    pub fn new(state: &Path) -> Cache {
        Cache { state: state.to_owned(), marker: state.join(MARKER) }
    }

    /// The same, held by the marker of another state directory.
    pub fn locked_by(self, state: &Path) -> Cache {
        Cache { marker: state.join(MARKER), ..self }
    }

    /// The lease of `profile` that was written under this fingerprint; None where there is none, or it does not open.
    pub fn lease(&self, profile: &str, fingerprint: &Fingerprint, key: &SealingKey) -> Result<Option<Lease>, Error> {
        sealed::read_lease(&self.directory("cache")?, profile, fingerprint, key)
    }

    /// Writes a lease, and removes those of the profile under other fingerprints.
    pub fn write_lease(
        &self,
        profile: &str,
        fingerprint: &Fingerprint,
        key: &SealingKey,
        lease: &Lease,
    ) -> Result<(), Error> {
        sealed::write_lease(&self.directory("cache")?, profile, fingerprint, key, lease)
    }

    /// The access of `login` that is stored under this fingerprint.
    pub fn access(
        &self,
        login: &str,
        fingerprint: &Fingerprint,
        key: &SealingKey,
    ) -> Result<Option<StoredAccess>, Error> {
        sealed::read(&self.directory("access")?, login, fingerprint.as_str(), key)
    }

    pub fn write_access(
        &self,
        login: &str,
        fingerprint: &Fingerprint,
        key: &SealingKey,
        access: &StoredAccess,
    ) -> Result<(), Error> {
        sealed::write(&self.directory("access")?, login, fingerprint.as_str(), key, access)
    }

    /// A rotated secret that could not be stored yet. One that is there and does not open is an error.
    pub fn pending(&self, login: &str, key: &SealingKey) -> Result<Option<Pending>, Error> {
        sealed::read_sole(&self.directory("pending")?, login, "pending", key)
    }

    pub fn write_pending(&self, login: &str, key: &SealingKey, pending: &Pending) -> Result<(), Error> {
        let directory = self.directory("pending")?;
        let written = sealed::write(&directory, login, "pending", key, pending);
        written.or_else(|error| {
            sealed::write_into(&directory, &room(login), login, "pending", key, pending).map_err(|_| error)
        })
    }

    /// Sees that a disk which fills from now on has room for a pending secret of `login`.
    pub fn keep_room(&self, login: &str) -> Result<(), Error> {
        let directory = self.directory("pending")?;
        let kept = directory.stat(&room(login)).is_ok_and(|stat| stat.st_size == ROOM as i64);
        if kept {
            return Ok(());
        }
        // Random: a disk that compresses keeps no room for zeros.
        directory.write(&room(login), &seal::random::<ROOM>()).map_err(|error| disk(&directory, "write to", &error))
    }

    pub fn clear_pending(&self, login: &str) -> Result<(), Error> {
        let directory = self.directory("pending")?;
        directory.remove(&sealed::file_name(login)).map_err(|error| disk(&directory, "remove", &error))
    }

    /// Removes what a login and its profiles left: stored access, a pending secret, leases.
    pub fn forget(&self, login: &str, profiles: &[String]) -> Result<(), Error> {
        for name in ["access", "pending"] {
            let directory = self.directory(name)?;
            for file in [sealed::file_name(login), room(login)] {
                directory.remove(&file).map_err(|error| disk(&directory, "remove from", &error))?;
            }
        }
        let directory = self.directory("cache")?;
        profiles.iter().try_for_each(|profile| sealed::remove_leases(&directory, profile, None))
    }

    /// The failure on record.
    pub fn record(&self, subject: Subject<'_>) -> Result<Option<Record>, Error> {
        let directory = self.directory("failures")?;
        let bytes = directory.read(&subject.file("json")).map_err(|error| disk(&directory, "read", &error))?;
        // One that does not read is as good as none.
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Puts a failure on record, or takes it off.
    pub fn write_record(&self, subject: Subject<'_>, record: Option<&Record>) -> Result<(), Error> {
        let directory = self.directory("failures")?;
        let name = subject.file("json");
        let done = match record {
            Some(record) => directory.write(&name, &serde_json::to_vec(record).unwrap_or_default()),
            None => directory.remove(&name),
        };
        done.map_err(|error| disk(&directory, "write", &error))
    }

    /// What this host's processes may ask an issuer again, as they wrote it.
    pub fn budget(&self, issuer: &str) -> Result<Option<Vec<u8>>, Error> {
        let directory = self.directory("failures")?;
        directory.read(&Subject::Issuer(issuer).file("json")).map_err(|error| disk(&directory, "read", &error))
    }

    pub fn write_budget(&self, issuer: &str, bytes: &[u8]) -> Result<(), Error> {
        let directory = self.directory("failures")?;
        let written = directory.write(&Subject::Issuer(issuer).file("json"), bytes);
        written.map_err(|error| disk(&directory, "write", &error))
    }

    /// The fingerprint under which `login` has last been let in somewhere.
    pub fn worked(&self, login: &str) -> Result<Option<String>, Error> {
        let directory = self.directory("worked")?;
        let bytes = directory.read(login).map_err(|error| disk(&directory, "read", &error))?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    pub fn write_worked(&self, login: &str, fingerprint: &Fingerprint) -> Result<(), Error> {
        let directory = self.directory("worked")?;
        directory.write(login, fingerprint.as_str().as_bytes()).map_err(|error| disk(&directory, "write to", &error))
    }

    /// Whether the user has locked everything, for all processes and over restarts.
    pub fn is_locked(&self) -> Result<bool, Error> {
        // By its name alone: whatever its mode, somebody put it there.
        match std::fs::symlink_metadata(&self.marker) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(error) => Err(Error::disk("look at", &self.marker, &error)),
        }
    }

    pub fn set_locked(&self, locked: bool) -> Result<(), Error> {
        // A disk that took no marker need not take its removal either.
        if !locked && !self.is_locked()? {
            return Ok(());
        }
        let directory = PrivateDir::open(&self.state)?;
        let done = if locked { directory.write(MARKER, b"") } else { directory.remove(MARKER) };
        done.map_err(|error| disk(&directory, "write to", &error))
    }

    /// One try at the lock of `subject`.
    pub fn try_lock(&self, subject: Subject<'_>) -> Result<Attempt, Error> {
        LockFile::new(Arc::new(self.directory("locks")?), subject.file("lock")).try_acquire()
    }

    /// Removes what no one will read again: leases that are over, and what a killed writer left. `now` in seconds.
    pub fn sweep(&self, now: i64) -> Result<(), Error> {
        for name in ["cache", "access", "pending", "failures", "worked"] {
            let directory = self.directory(name)?;
            directory.sweep().map_err(|error| disk(&directory, "sweep", &error))?;
        }
        sealed::sweep_leases(&self.directory("cache")?, now)
    }

    fn directory(&self, name: &str) -> Result<PrivateDir, Error> {
        PrivateDir::open(&self.state.join(name))
    }
}

impl Subject<'_> {
    fn file(self, ending: &str) -> String {
        match self {
            Subject::Profile(name) => format!("profile.{name}.{ending}"),
            Subject::Login(name) => format!("login.{name}.{ending}"),
            Subject::Store(name) => format!("store.{name}.{ending}"),
            Subject::Issuer(address) => {
                format!("issuer.{}.{}.{ending}", &seal::digest(&[address.as_bytes()])[..16], host_id())
            }
        }
    }
}

/// The file that keeps room for a pending secret.
fn room(login: &str) -> String {
    format!("{login}.room")
}

fn disk(directory: &PrivateDir, what: &str, error: &io::Error) -> Error {
    Error::disk(what, directory.path(), error)
}
