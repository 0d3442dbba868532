//! Whether the config or the lock's marker has been written since we last looked: one read of an inotify descriptor.
//!
//! An edit that was finished before a request is seen by that request, which a timer could not promise.

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Watches files by their directories, since editors put a new file into the place of the old.
#[derive(Debug)]
pub struct Watch {
    queue: OwnedFd,
    names: Vec<CString>,
}

impl Watch {
    /// Watches `file`, what it links to, and `beside`. None where the directory of `file` is missing or cannot be watched:
    /// then a SIGHUP or `valetkey reload` does it.
    pub fn new(file: &Path, beside: &Path) -> Option<Watch> {
        let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVE_SELF;
        let mut names = Vec::new();
        for path in [Some(file.to_owned()), file.canonicalize().ok()].into_iter().flatten() {
            if inotify::add_watch(&queue, path.parent()?, flags).is_ok() {
                names.push(CString::new(path.file_name()?.as_bytes()).ok()?);
            }
        }
        if names.is_empty() {
            return None;
        }
        if inotify::add_watch(&queue, beside.parent()?, flags).is_ok() {
            names.push(CString::new(beside.file_name()?.as_bytes()).ok()?);
        }
        Some(Watch { queue, names })
    }

    /// Whether the file was written, exchanged or removed since the last call. Never waits.
    pub fn changed(&mut self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.queue, &mut buffer);
        let mut changed = false;
        while let Ok(event) = events.next() {
            let ours = event.file_name().is_some_and(|name| self.names.iter().any(|known| known.as_c_str() == name));
            // The last two: the directory itself was removed or moved, and another may be in its place.
            let blind = ReadFlags::QUEUE_OVERFLOW | ReadFlags::IGNORED | ReadFlags::MOVE_SELF;
            changed |= ours || event.events().intersects(blind);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_a_rename_and_a_removal_are_seen_once() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config.toml");
        std::fs::write(&file, "a").unwrap();
        let (beside, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let marker = beside.path().join("locked");
        assert!(Watch::new(&elsewhere.path().join("none/config.toml"), &marker).is_none());
        let mut watch = Watch::new(&file, &marker).unwrap();
        assert!(!watch.changed());
        std::fs::write(home.path().join("other"), "x").unwrap();
        assert!(!watch.changed(), "another file is none of ours");
        std::fs::write(&file, "b").unwrap();
        assert!(watch.changed());
        assert!(!watch.changed());
        std::fs::write(&marker, "").unwrap();
        assert!(watch.changed(), "what lies beside");
        std::fs::rename(home.path().join("other"), &file).unwrap();
        assert!(watch.changed());
        std::fs::remove_file(&file).unwrap();
        assert!(watch.changed());
        std::fs::remove_dir(home.path()).unwrap();
        assert!(watch.changed(), "the directory as well");
    }
}
