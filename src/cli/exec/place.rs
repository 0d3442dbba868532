//! Two files for the program: the token of its server, and a config with region and S3. Gone when it ends.
//!
//! They lie in the state directory: one below /run would go when the user logs out, and the program may stay.

use crate::error::Error;
use crate::files::PrivateDir;
use crate::lock::{Attempt, Guard, LockFile};
use crate::secret::Secret;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Place {
    directory: PathBuf,
    /// Tells others that we live, until the kernel takes it back.
    _alive: Option<Guard>,
}

const LOCK: &str = "lock";
const TOKEN: &str = "token";
const CONFIG: &str = "config";

impl Place {
    pub(super) fn make(state: &Path, token: &Secret, config: &str) -> Result<Place, Error> {
        let all = state.join("exec");
        PrivateDir::open(&all)?;
        sweep(&all);
        let directory = all.join(crate::seal::hex(&crate::seal::random::<8>()));
        let private = Arc::new(PrivateDir::open(&directory)?);
        let alive = match LockFile::new(private.clone(), LOCK).try_acquire()? {
            Attempt::Held(guard) => Some(guard),
            Attempt::Busy | Attempt::Unlockable(_) => None,
        };
        let place = Place { directory, _alive: alive };
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

/// Removes the places of those that were killed. Of one whose lock cannot be taken nothing is known.
fn sweep(all: &Path) {
    for entry in std::fs::read_dir(all).into_iter().flatten().flatten() {
        let directory = entry.path();
        let Ok(Some(private)) = PrivateDir::existing(&directory) else { continue };
        // One that is being made has no lock yet.
        if !directory.join(TOKEN).exists() {
            continue;
        }
        if let Ok(Attempt::Held(_guard)) = LockFile::new(Arc::new(private), LOCK).try_acquire() {
            let _ = std::fs::remove_dir_all(&directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_token_is_private_without_a_newline_and_goes_with_its_owner() {
        let home = tempfile::tempdir().unwrap();
        let (one, two) = (
            Place::make(home.path(), &Secret::new("t1"), "[default]\n").unwrap(),
            Place::make(home.path(), &Secret::new("t2"), "[default]\n").unwrap(),
        );
        assert_eq!(std::fs::read_to_string(one.token_file()).unwrap(), "t1");
        for file in [one.token_file(), one.config_file()] {
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let gone = one.token_file();
        drop(one);
        assert!(!gone.exists() && two.token_file().exists());
    }

    #[test]
    fn what_a_killed_one_left_is_swept_and_a_living_one_is_not() {
        let home = tempfile::tempdir().unwrap();
        let mut killed = Place::make(home.path(), &Secret::new("t"), "").unwrap();
        let living = Place::make(home.path(), &Secret::new("t"), "").unwrap();
        killed._alive = None;
        let left = killed.token_file();
        std::mem::forget(killed);
        let _next = Place::make(home.path(), &Secret::new("t"), "").unwrap();
        assert!(!left.exists() && living.token_file().exists());
    }
}
