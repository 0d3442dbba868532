//! An advisory lock on a file of its own, tried once: who wants to wait asks again.
//!
//! The file is never removed, so that no two processes ever hold locks on two files of one name.

use crate::error::Error;
use crate::files::PrivateDir;
use rustix::fs::OFlags;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// A lock that may be taken by one process at a time, on any host that shares the directory.
#[derive(Debug)]
pub struct LockFile {
    dir: Arc<PrivateDir>,
    name: String,
}

#[derive(Debug)]
pub enum Attempt {
    Held(Guard),
    /// Somebody else has it.
    Busy,
    /// Locking itself does not work here: a file system without locks, or one that is read-only.
    Unlockable(io::Error),
}

/// Gives the lock back when dropped.
#[derive(Debug)]
pub struct Guard(File);

/// A file that is exchanged under us more often than this is somebody's doing.
const MOST_EXCHANGES: usize = 8;

// === impl LockFile ===

impl LockFile {
    pub fn new(dir: Arc<PrivateDir>, name: impl Into<String>) -> LockFile {
        LockFile { dir, name: name.into() }
    }

    /// Takes the lock if it is free. Returns at once, unless the disk hangs.
    pub fn try_acquire(&self) -> Result<Attempt, Error> {
        self.attempt(|| {}).map_err(|error| Error::disk("lock", &self.dir.path().join(&self.name), &error))
    }

    /// `between` is what happens after the file was opened and before it is locked.
    fn attempt(&self, mut between: impl FnMut()) -> io::Result<Attempt> {
        for _ in 0..MOST_EXCHANGES {
            let file = match self.dir.open_file(&self.name, OFlags::RDWR | OFlags::CREATE) {
                Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                    return Ok(Attempt::Unlockable(error));
                }
                opened => opened?,
            };
            between();
            // Called in full: std's File has methods of the same names.
            match fs2::FileExt::try_lock_exclusive(&file) {
                Ok(()) => {}
                Err(error) if error.raw_os_error() == fs2::lock_contended_error().raw_os_error() => {
                    return Ok(Attempt::Busy);
                }
                Err(error) => return Ok(Attempt::Unlockable(error)),
            }
            let guard = Guard(file);
            if self.is_current(&guard.0)? {
                return Ok(Attempt::Held(guard));
            }
        }
        Ok(Attempt::Busy)
    }

    /// Whether what we locked is still what the name means to everyone else.
    fn is_current(&self, file: &File) -> io::Result<bool> {
        let ours = rustix::fs::fstat(file)?;
        match self.dir.stat(&self.name) {
            Ok(named) => Ok((named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

// === impl Guard ===

impl Drop for Guard {
    fn drop(&mut self) {
        // Closing would do, unless a child got the descriptor before its exec.
        let _ = fs2::FileExt::unlock(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> (tempfile::TempDir, LockFile) {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Arc::new(PrivateDir::open(&scratch.path().join("locks")).unwrap());
        (scratch, LockFile::new(dir, "x.lock"))
    }

    #[test]
    fn one_holder_at_a_time() {
        let (_scratch, lock) = lock();
        let held = lock.try_acquire().unwrap();
        assert!(matches!(held, Attempt::Held(_)));
        assert!(matches!(lock.try_acquire().unwrap(), Attempt::Busy));
        drop(held);
        assert!(matches!(lock.try_acquire().unwrap(), Attempt::Held(_)));
        assert_eq!(lock.dir.names().unwrap(), ["x.lock"], "never removed");
    }

    #[test]
    fn a_lock_file_exchanged_under_us_is_opened_again() {
        let (_scratch, lock) = lock();
        let mut once = true;
        let held = lock.attempt(|| {
            if std::mem::take(&mut once) {
                lock.dir.write("x.lock", b"").unwrap();
            }
        });
        let Attempt::Held(_guard) = held.unwrap() else { panic!("not held") };
        assert!(matches!(lock.try_acquire().unwrap(), Attempt::Busy), "the lock is on the file that others see");
    }

    #[test]
    fn a_lock_file_exchanged_for_ever_is_busy_not_an_endless_loop() {
        let (_scratch, lock) = lock();
        let held = lock.attempt(|| lock.dir.write("x.lock", b"").unwrap());
        assert!(matches!(held.unwrap(), Attempt::Busy));
    }

    #[test]
    fn s20_a_lock_file_that_is_a_link_is_an_error() {
        let (scratch, lock) = lock();
        std::os::unix::fs::symlink(scratch.path().join("else"), lock.dir.path().join("x.lock")).unwrap();
        lock.try_acquire().unwrap_err();
        assert!(!scratch.path().join("else").exists());
    }
}
