//! Two files for the program: the token of its server, and a config with region and S3. Gone when it ends.
//!
//! They lie in the state directory: one below /run would go when the user logs out, and the program may stay. Where that
//! takes no file they lie below /run, or in TMPDIR, all the same.

use crate::error::Error;
use crate::files::{PrivateDir, host_id};
use crate::lock::{Attempt, Guard, LockFile};
use crate::secret::Secret;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

#[derive(Debug)]
pub(super) struct Place {
    directory: PathBuf,
    /// Tells others of this host that we live, until the kernel takes it back.
    _alive: Option<Guard>,
    /// Where it is in none of the usual places.
    _apart: Option<TempDir>,
}

const LOCK: &str = "lock";
const TOKEN: &str = "token";
const CONFIG: &str = "config";
/// For others of this host that make or sweep theirs.
const TURN: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(2);

impl Place {
    /// In the first of these directories that takes it, else in one of its own in TMPDIR.
    pub(super) fn make(bases: &[PathBuf], token: &Secret, config: &str) -> Result<Place, Error> {
        let mut first = None;
        for base in bases {
            match Place::below(&base.join("exec"), token, config) {
                Ok(place) => return Ok(place),
                Err(error) => first = first.or(Some(error)),
            }
        }
        // Not a name that others could guess and take.
        let apart = tempfile::Builder::new().prefix("valetkey-exec-").tempdir();
        let placed = apart.ok().and_then(|apart| {
            let mut place = Place::below(apart.path(), token, config).ok()?;
            place._apart = Some(apart);
            Some(place)
        });
        placed
            .ok_or_else(|| first.unwrap_or_else(|| Error::configuration("there is no place for a file", "set TMPDIR")))
    }

    fn below(all: &Path, token: &Secret, config: &str) -> Result<Place, Error> {
        let shared = Arc::new(PrivateDir::open(all)?);
        let host = host_id();
        // While one is being made nobody of this host sweeps.
        let turn = turn(&LockFile::new(shared, format!("{host}.lock")))?;
        if turn.is_some() {
            sweep(all, &host);
        }
        let directory = all.join(format!("{host}-{}", crate::seal::hex(&crate::seal::random::<8>())));
        let private = Arc::new(PrivateDir::open(&directory)?);
        let mut place = Place { directory, _alive: None, _apart: None };
        if let Attempt::Held(guard) = LockFile::new(private.clone(), LOCK).try_acquire()? {
            place._alive = Some(guard);
        }
        // Without a newline: SDKs send the file as it is.
        for (name, text) in [(TOKEN, token.expose()), (CONFIG, config)] {
            private
                .write(name, text.as_bytes())
                .map_err(|error| Error::disk("write", &place.directory.join(name), &error))?;
        }
        Ok(place)
    }

    pub(super) fn token_file(&self) -> PathBuf {
        self.directory.join(TOKEN)
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.directory.join(CONFIG)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[allow(clippy::disallowed_methods)] // Before the program starts, and for a moment: nothing else runs here.
fn turn(lock: &LockFile) -> Result<Option<Guard>, Error> {
    let started = Instant::now();
    loop {
        match lock.try_acquire()? {
            Attempt::Held(guard) => return Ok(Some(guard)),
            Attempt::Busy if started.elapsed() < TURN => std::thread::sleep(POLL),
            Attempt::Busy | Attempt::Unlockable(_) => return Ok(None),
        }
    }
}

/// Removes the places of those of this host that were killed: what a lock says of another host's need not be true.
fn sweep(all: &Path, host: &str) {
    let own = format!("{host}-");
    for entry in std::fs::read_dir(all).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(&own) {
            continue;
        }
        let directory = entry.path();
        let Ok(Some(private)) = PrivateDir::existing(&directory) else { continue };
        if let Ok(Attempt::Held(_guard)) = LockFile::new(Arc::new(private), LOCK).try_acquire() {
            let _ = std::fs::remove_dir_all(&directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn make(base: &Path) -> Place {
        Place::make(&[base.to_owned()], &Secret::new("t"), "[default]\n").unwrap()
    }

    #[test]
    fn the_token_is_private_without_a_newline_and_goes_with_its_owner() {
        let home = tempfile::tempdir().unwrap();
        let (one, two) = (make(home.path()), make(home.path()));
        assert_eq!(std::fs::read_to_string(one.token_file()).unwrap(), "t");
        for file in [one.token_file(), one.config_file()] {
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let gone = one.token_file();
        drop(one);
        assert!(!gone.exists() && two.token_file().exists());
    }

    #[test]
    fn s04_what_a_killed_one_of_this_host_left_is_swept_and_a_living_ones_and_another_hosts_is_not() {
        let home = tempfile::tempdir().unwrap();
        let mut killed = make(home.path());
        let living = make(home.path());
        let elsewhere = home.path().join("exec/0123456789ab-1122334455667788");
        PrivateDir::open(&elsewhere).unwrap().write(TOKEN, b"t").unwrap();
        killed._alive = None;
        let left = killed.token_file();
        std::mem::forget(killed);
        let _next = make(home.path());
        assert!(!left.exists() && living.token_file().exists() && elsewhere.join(TOKEN).exists());
    }

    #[test]
    fn f12_f13_where_the_first_place_takes_no_file_the_next_one_does() {
        let (home, file) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        let bases = [file.path().to_owned(), home.path().to_owned()];
        let place = Place::make(&bases, &Secret::new("t"), "").unwrap();
        assert!(place.token_file().starts_with(home.path()));
        let apart = Place::make(&bases[..1], &Secret::new("t"), "").unwrap();
        assert!(apart.token_file().exists() && !apart.token_file().starts_with(home.path()));
    }
}
