//! Whether the config has been written since we last looked: one read of an inotify descriptor, no disk.
//!
//! An edit that was finished before a request is seen by that request, which a timer could not promise.

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Watches one file by its directory, since editors put a new file into its place.
#[derive(Debug)]
pub struct Watch {
    queue: OwnedFd,
    names: Vec<CString>,
}

impl Watch {
    /// Watches `file`, and what it links to. None where the directory is missing or cannot be watched: then a SIGHUP
    /// or `valetkey reload` does it.
    pub fn new(file: &Path) -> Option<Watch> {
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
        (!names.is_empty()).then_some(Watch { queue, names })
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
        let mut watch = Watch::new(&file).unwrap();
        assert!(!watch.changed());
        std::fs::write(home.path().join("other"), "x").unwrap();
        assert!(!watch.changed(), "another file is none of ours");
        std::fs::write(&file, "b").unwrap();
        assert!(watch.changed());
        assert!(!watch.changed());
        std::fs::rename(home.path().join("other"), &file).unwrap();
        assert!(watch.changed());
        std::fs::remove_file(&file).unwrap();
        assert!(watch.changed());
        std::fs::remove_dir(home.path()).unwrap();
        assert!(watch.changed(), "the directory as well");
    }
}
