//! Private files in a private directory: written whole or not at all, read only if they are ours alone.
//!
//! All names are relative to one open directory, so that nothing on the way can be exchanged under us.

use crate::error::Error;
use crate::seal;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A directory of ours that nobody else may write to.
#[derive(Debug)]
pub struct PrivateDir {
    directory: OwnedFd,
    path: PathBuf,
    /// Tells our temporary files from those of another host in a shared home.
    host: String,
}

/// No file of ours is longer.
pub const MAX_FILE: u64 = 64 * 1024;
const TEMPORARY: &str = ".tmp-";

/// Tells hosts apart in a home that several share. 12 hex digits, the same after a reboot.
pub fn host_id() -> String {
    host_id_of(rustix::system::uname().nodename().to_bytes())
}

fn host_id_of(name: &[u8]) -> String {
    seal::digest(&[b"valetkey host", name])[..12].to_owned()
}

// === impl PrivateDir ===

impl PrivateDir {
    /// Opens `path`, making what is missing of it with mode 0700.
    ///
    /// A link in its last place, another's directory, or one that others may write to is Configuration: it is not
    /// mended here, for what is in it may already be somebody else's.
    pub fn open(path: &Path) -> Result<PrivateDir, Error> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| Error::disk("make", path, &e))?;
        Self::existing(path)?.ok_or_else(|| Error::disk("open", path, &ErrorKind::NotFound.into()))
    }

    /// Like [`PrivateDir::open`], but makes nothing: None where there is no such directory.
    pub fn existing(path: &Path) -> Result<Option<PrivateDir>, Error> {
        // A trailing slash would make the kernel follow a link in spite of O_NOFOLLOW.
        let path: PathBuf = path.components().collect();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let message = format!("{} is a link, not a directory", path.display());
                return Err(Error::configuration(message, "put a directory of your own there, of mode 0700"));
            }
            Err(error) => return Err(Error::disk("open", &path, &error.into())),
        };
        let stat = rustix::fs::fstat(&directory).map_err(|e| Error::disk("look at", &path, &e.into()))?;
        let shown = path.display();
        if stat.st_uid != own_uid() {
            let message = format!("{shown} belongs to uid {}, not to you", stat.st_uid);
            return Err(Error::configuration(message, format!("run: sudo chown -R \"$(id -u)\" '{shown}'")));
        }
        if stat.st_mode & 0o022 != 0 {
            let message = format!("others may write to {shown}");
            return Err(Error::configuration(message, format!("run: chmod go-w '{shown}'")));
        }
        Ok(Some(PrivateDir { directory, path, host: host_id() }))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts `bytes` under `name`, in place of what was there. Whoever reads sees the old file or the new one.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.place(name, bytes, |temporary| {
            Ok(rustix::fs::renameat(&self.directory, temporary, &self.directory, name)?)
        })
    }

    /// Puts `bytes` into the file `room`, which is there and no shorter, and gives that the name `name`: a disk that is
    /// full takes it. Cut off in the middle it has spoilt `room` alone.
    pub fn write_into(&self, room: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.open_file(room, OFlags::WRONLY)?;
        file.write_all(bytes)?;
        file.set_len(bytes.len() as u64)?;
        file.sync_all()?;
        rustix::fs::renameat(&self.directory, plain(room)?, &self.directory, plain(name)?)?;
        self.sync()
    }

    /// Like [`PrivateDir::write`], but only where there is no such file; false where there is one.
    pub fn create(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        let dir = &self.directory;
        let placed = self.place(name, bytes, |temporary| {
            match rustix::fs::linkat(dir, temporary, dir, name, AtFlags::empty()) {
                Ok(()) => Ok(rustix::fs::unlinkat(dir, temporary, AtFlags::empty())?),
                // A file system without hard links: the caller's lock must do.
                Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) if self.stat(name).is_err() => {
                    Ok(rustix::fs::renameat(dir, temporary, dir, name)?)
                }
                Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => Err(ErrorKind::AlreadyExists.into()),
                Err(error) => Err(error.into()),
            }
        });
        match placed {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            placed => placed.map(|()| true),
        }
    }

    /// The file's bytes; None where there is none. A file that is not ours alone is PermissionDenied, one that is no
    /// file or too long is InvalidData.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let file = match self.open_file(name, OFlags::RDONLY) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("{name} is longer than {MAX_FILE} bytes")));
        }
        Ok(Some(bytes))
    }

    /// Removes the file, if there is one.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.directory, plain(name)?, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            removed => {
                removed?;
                self.sync()
            }
        }
    }

    /// What is here, in order, but for temporary files.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = self.entries()?;
        names.retain(|name| !name.starts_with(TEMPORARY));
        names.sort();
        Ok(names)
    }

    /// Removes temporary files whose process is gone. A reused pid keeps one until next time; a writer in another
    /// pid namespace that is robbed of its file reports an error and leaves the old one in place.
    pub fn sweep(&self) -> io::Result<()> {
        for name in self.entries()? {
            let writer = name.strip_prefix(TEMPORARY).and_then(|rest| rest.split_once('-'));
            let Some((host, rest)) = writer else { continue };
            let pid = rest.split('-').next().and_then(|pid| pid.parse().ok()).and_then(rustix::process::Pid::from_raw);
            if host == self.host
                && let Some(pid) = pid
                && rustix::process::test_kill_process(pid) == Err(Errno::SRCH)
            {
                self.remove(&name)?;
            }
        }
        Ok(())
    }

    /// A regular file that is ours alone; `flags` says how it is opened.
    pub(crate) fn open_file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        // Without NONBLOCK a fifo would hold us until somebody writes to it.
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.directory, plain(name)?, flags, Mode::RUSR | Mode::WUSR);
        let refused = |kind, why: &str| Err(io::Error::new(kind, format!("{name} {why}")));
        let file = match opened {
            Err(Errno::LOOP) => return refused(ErrorKind::InvalidData, "is a link"),
            opened => File::from(opened?),
        };
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return refused(ErrorKind::InvalidData, "is no regular file");
        }
        if stat.st_uid != own_uid() {
            return refused(ErrorKind::PermissionDenied, "belongs to another user");
        }
        if stat.st_mode & 0o077 != 0 {
            return refused(ErrorKind::PermissionDenied, "is open to others; run: chmod 600");
        }
        Ok(file)
    }

    /// What is under `name` now, links not followed.
    pub(crate) fn stat(&self, name: &str) -> io::Result<Stat> {
        Ok(rustix::fs::statat(&self.directory, plain(name)?, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Writes a temporary file, lets `settle` give it its name, and waits until the disk has both.
    fn place(&self, name: &str, bytes: &[u8], settle: impl FnOnce(&str) -> io::Result<()>) -> io::Result<()> {
        plain(name)?;
        let tail = seal::hex(&seal::random::<8>());
        let temporary = format!("{TEMPORARY}{}-{}-{tail}", self.host, std::process::id());
        let written =
            self.open_file(&temporary, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL).and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            });
        if let Err(error) = written.and_then(|()| settle(&temporary)) {
            let _ = rustix::fs::unlinkat(&self.directory, &*temporary, AtFlags::empty());
            return Err(error);
        }
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        match rustix::fs::fsync(&self.directory) {
            // Some network file systems know no fsync of a directory.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(()),
            synced => Ok(synced?),
        }
    }

    fn entries(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.directory)? {
            let entry = entry?;
            names
                .extend(entry.file_name().to_str().ok().filter(|name| !matches!(*name, "." | "..")).map(str::to_owned));
        }
        Ok(names)
    }
}

/// Whose files are ours: what we make belongs to the effective user.
pub(crate) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A name, and not a way to another place.
fn plain(name: &str) -> io::Result<&str> {
    match name {
        "" | "." | ".." => Err(ErrorKind::InvalidInput.into()),
        name if name.contains(['/', '\0']) => Err(ErrorKind::InvalidInput.into()),
        name => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn private() -> (tempfile::TempDir, PrivateDir) {
        let scratch = tempfile::tempdir().unwrap();
        let dir = PrivateDir::open(&scratch.path().join("a/b")).unwrap();
        (scratch, dir)
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn s19_a_file_is_private_whole_and_leaves_nothing_behind() {
        let (_scratch, dir) = private();
        dir.write("x", b"old").unwrap();
        dir.write("x", b"new").unwrap();
        assert_eq!(dir.read("x").unwrap().as_deref(), Some(&b"new"[..]));
        assert_eq!(mode(&dir.path().join("x")), 0o600);
        assert_eq!(mode(dir.path()), 0o700);
        assert_eq!(mode(dir.path().parent().unwrap()), 0o700, "made by us as well");
        assert_eq!(dir.entries().unwrap(), ["x"]);
        dir.remove("x").unwrap();
        dir.remove("x").unwrap();
        assert_eq!(dir.read("x").unwrap(), None);
    }

    #[test]
    fn f12_what_has_room_takes_its_place_and_needs_no_other_file() {
        let (_scratch, dir) = private();
        dir.write("room", &[b'?'; 64]).unwrap();
        dir.write("x", b"old").unwrap();
        dir.write_into("room", "x", b"new").unwrap();
        assert_eq!(dir.read("x").unwrap().as_deref(), Some(&b"new"[..]));
        assert_eq!((dir.entries().unwrap(), mode(&dir.path().join("x"))), (vec!["x".to_owned()], 0o600));
        dir.write_into("room", "x", b"newer").unwrap_err();
        assert_eq!(dir.read("x").unwrap().as_deref(), Some(&b"new"[..]), "without room nothing changes");
    }

    #[test]
    fn s19_a_write_that_fails_keeps_the_old_file_and_removes_its_own() {
        let (_scratch, dir) = private();
        std::fs::create_dir(dir.path().join("x")).unwrap();
        dir.write("x", b"a file cannot replace a directory").unwrap_err();
        assert_eq!(dir.entries().unwrap(), ["x"]);
    }

    #[test]
    fn looking_makes_no_directory() {
        let (scratch, dir) = private();
        assert!(PrivateDir::existing(&scratch.path().join("none")).unwrap().is_none());
        assert!(!scratch.path().join("none").exists());
        assert!(PrivateDir::existing(dir.path()).unwrap().is_some());
    }

    #[test]
    fn create_never_replaces() {
        let (_scratch, dir) = private();
        assert!(dir.create("x", b"first").unwrap());
        assert!(!dir.create("x", b"second").unwrap());
        assert_eq!(dir.read("x").unwrap().as_deref(), Some(&b"first"[..]));
        assert_eq!(dir.entries().unwrap(), ["x"]);
    }

    #[test]
    fn s19_leftovers_of_the_dead_are_swept_and_those_of_the_living_kept() {
        let (_scratch, dir) = private();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let dead = format!("{TEMPORARY}{}-{}-00", host_id(), child.id());
        let living = format!("{TEMPORARY}{}-{}-00", host_id(), std::process::id());
        let elsewhere = format!("{TEMPORARY}{}-{}-00", host_id_of(b"other"), child.id());
        for name in [&dead, &living, &elsewhere] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        dir.sweep().unwrap();
        let mut left = dir.entries().unwrap();
        left.sort();
        let mut expected = [living, elsewhere];
        expected.sort();
        assert_eq!(left, expected);
        assert!(dir.names().unwrap().is_empty(), "none of them is a file of ours");
    }

    #[test]
    fn s20_what_is_not_ours_alone_is_refused() {
        let (_scratch, dir) = private();
        dir.write("x", b"secret").unwrap();
        for open in [0o644, 0o640, 0o602, 0o601] {
            set_mode(&dir.path().join("x"), open);
            assert_eq!(dir.read("x").unwrap_err().kind(), ErrorKind::PermissionDenied, "{open:o}");
        }
        set_mode(&dir.path().join("x"), 0o600);
        symlink("x", dir.path().join("link")).unwrap();
        assert_eq!(dir.read("link").unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(dir.read(".").unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(dir.read("../b/x").unwrap_err().kind(), ErrorKind::InvalidInput);
        dir.write("long", &vec![0; MAX_FILE as usize + 1]).unwrap();
        assert_eq!(dir.read("long").unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn s20_a_fifo_is_refused_and_does_not_hang() {
        let (_scratch, dir) = private();
        let made = rustix::fs::mknodat(&dir.directory, "fifo", FileType::Fifo, Mode::RUSR | Mode::WUSR, 0);
        made.unwrap();
        assert_eq!(dir.read("fifo").unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn s20_a_directory_that_others_may_write_to_is_refused_with_what_mends_it() {
        let (_scratch, dir) = private();
        set_mode(dir.path(), 0o720);
        let error = PrivateDir::open(dir.path()).unwrap_err();
        assert_eq!(error.hint(), format!("run: chmod go-w '{}'", dir.path().display()));
        set_mode(dir.path(), 0o755);
        PrivateDir::open(dir.path()).unwrap();
        let link = dir.path().with_file_name("link");
        symlink(dir.path(), &link).unwrap();
        PrivateDir::open(&link).unwrap_err();
        PrivateDir::open(&link.join("")).unwrap_err();
    }
}
