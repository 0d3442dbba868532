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
pub struct Guard {
    file: File,
    doubt: Option<&'static str>,
}

/// File systems by the number that statfs(2) gives, where flock may succeed for two hosts at once: it is kept to the host
/// by a mount option (`local_lock`, `localflock`, `nobrl`), or by a server that knows no better. What is not here is taken
/// for a disk of this host's.
const DOUBTFUL: &[(u32, &str)] = &[
    (0x0000_6969, "NFS"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0xaad7_aaea, "PanFS"),
    (0x2003_0528, "OrangeFS"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x0000_517b, "SMB"),
    (0xff53_4d42, "SMB"),
    (0xfe53_4d42, "SMB"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "FUSE"),
];

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
            let guard = Guard { doubt: file_system(&file).and_then(doubt), file };
            if self.is_current(&guard.file)? {
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

/// The name of a file system on which another host may hold the same lock.
fn doubt(file_system: u32) -> Option<&'static str> {
    DOUBTFUL.iter().find(|(number, _)| *number == file_system).map(|(_, name)| *name)
}

/// None where it has no number, or the number means something else than on Linux.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 32 bits, in a word whose width is the machine's
fn file_system(file: &File) -> Option<u32> {
    let told = if cfg!(target_os = "linux") { rustix::fs::fstatfs(file).ok() } else { None };
    told.map(|told| told.f_type as u32)
}

// === impl Guard ===

impl Guard {
    /// The kind of file system, where the lock may not hold between hosts.
    pub fn doubt(&self) -> Option<&'static str> {
        self.doubt
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Closing would do, unless a child got the descriptor before its exec.
        let _ = fs2::FileExt::unlock(&self.file);
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

    #[test]
    fn f14_locks_on_a_file_system_of_many_hosts_are_doubted_and_those_on_a_disk_are_not() {
        // tmpfs, ext4, XFS, Btrfs, overlayfs, ZFS, F2FS: numbers of statfs(2)
        for local in [0x0102_1994, 0xef53, 0x5846_5342, 0x9123_683e, 0x794c_7630, 0x2fc1_2fc1, 0xf2f5_2010] {
            assert_eq!(doubt(local), None, "{local:x}");
        }
        assert_eq!([0x6969, 0x0bd0_0bd0, 0x4750_4653].map(doubt), [Some("NFS"), Some("Lustre"), Some("GPFS")]);
        let (_scratch, lock) = lock();
        let Attempt::Held(guard) = lock.try_acquire().unwrap() else { panic!("not held") };
        assert_eq!(file_system(&guard.file).and_then(doubt), guard.doubt());
    }

    #[test]
    fn f26_a_child_that_got_the_descriptor_does_not_keep_the_lock() {
        let (_scratch, lock) = lock();
        let Attempt::Held(guard) = lock.try_acquire().unwrap() else { panic!("not held") };
        // As one that was forked and has not come to its exec yet.
        let inherited = std::process::Stdio::from(guard.file.try_clone().unwrap());
        let mut child = std::process::Command::new("sleep").arg("600").stdin(inherited).spawn().unwrap();
        drop(guard);
        let next = lock.try_acquire();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(matches!(next.unwrap(), Attempt::Held(_)));
    }
}
