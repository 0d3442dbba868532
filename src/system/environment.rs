//! Variables, files and programs of the user: each read within a limit, and none trusted that others could have written.

use super::ownership::{self, Opened};
use super::program;
use super::reading::Reading;
use crate::error::Error;
use crate::files::own_uid;
use crate::ports::{Environment, Later, Readers};
use crate::secret::Secret;
use std::fs::Metadata;
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// This process's.
#[derive(Debug)]
pub struct ProcessEnvironment {
    home: PathBuf,
    files: Reading,
}

const MAX_FILE: u64 = 64 * 1024;
/// For a program to write what it has just cut to nothing.
const MOMENT: Duration = Duration::from_millis(50);
/// A home directory may hang.
const LIMIT: Duration = Duration::from_secs(2);

impl ProcessEnvironment {
    /// `home` stands for `~` in the paths of files.
    pub fn new(home: PathBuf) -> ProcessEnvironment {
        ProcessEnvironment { home, files: Reading::new("files") }
    }
}

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        variable(name)
    }

    fn file<'a>(&'a self, path: &'a Path, readers: Readers) -> Later<'a, Result<Option<Secret>, Error>> {
        let path = match path.strip_prefix("~") {
            Ok(rest) => self.home.join(rest),
            Err(_) => path.to_owned(),
        };
        Box::pin(async move {
            let read = {
                let file = path.clone();
                self.files.run(&path, LIMIT, move || read(&file, readers)).await
            };
            read.unwrap_or_else(|_| {
                Err(Error::unavailable(format!("{} could not be read within {} s", path.display(), LIMIT.as_secs())))
            })
        })
    }

    fn output<'a>(&'a self, program: &'a [String]) -> Later<'a, Result<Secret, Error>> {
        Box::pin(program::output(program))
    }
}

/// A variable of this process that is set to something.
#[allow(clippy::disallowed_methods)] // This is the environment that everyone else is to ask.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn read(path: &Path, readers: Readers) -> Result<Option<Secret>, Error> {
    let disk = |error: io::Error| Error::disk("read", path, &error);
    let opened = match ownership::open(path) {
        Ok(opened) => opened,
        // A pipe of a shell's has a path that leads nowhere.
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.exists() => return Err(no_file(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(disk(error)),
    };
    check(path, &opened, readers)?;
    let Opened { mut file, meta: mut before, .. } = opened;
    let mut may_be_begun = true;
    for _ in 0..3 {
        let mut text = zeroize::Zeroizing::new(String::new());
        file.by_ref().take(MAX_FILE + 1).read_to_string(&mut text).map_err(disk)?;
        if text.len() as u64 > MAX_FILE {
            let fix = "name the file that holds the secret";
            return Err(Error::configuration(format!("{} is larger than 64 KiB", path.display()), fix));
        }
        let after = file.metadata().map_err(disk)?;
        // Cut to nothing is how a program begins to write it over.
        let begun = text.is_empty() && std::mem::take(&mut may_be_begun);
        if begun {
            #[allow(clippy::disallowed_methods)] // On the thread that reads, which may block.
            std::thread::sleep(MOMENT);
        } else if written(&before) == written(&after) {
            return Ok(Some(Secret::new(text.as_str())));
        }
        // Written over, not replaced, while we read: half of it may be of the old one.
        before = after;
        file.rewind().map_err(disk)?;
    }
    Err(Error::unavailable(format!("{} is being written to", path.display())))
}

fn written(meta: &Metadata) -> (u64, i64, i64) {
    (meta.len(), meta.mtime(), meta.mtime_nsec())
}

fn no_file(path: &Path) -> Error {
    Error::configuration(format!("{} is no regular file", path.display()), "name a file")
}

fn check(path: &Path, opened: &Opened, readers: Readers) -> Result<(), Error> {
    if !opened.meta.is_file() {
        return Err(no_file(path));
    }
    let refused = |what: &str, fix: String| Err(Error::configuration(format!("{} {what}", path.display()), fix));
    if !may_be_read_by_others(readers, || opened.is_mounted()) {
        if opened.meta.uid() != own_uid() {
            return refused("belongs to another user", "copy it to a file of your own, mode 0600".into());
        }
        if opened.meta.mode() & 0o077 != 0 {
            return refused("can be read by others", format!("chmod 600 {}", path.display()));
        }
    }
    opened.only_ours(path)
}

fn may_be_read_by_others(readers: Readers, mounted: impl FnOnce() -> bool) -> bool {
    match readers {
        Readers::OwnerAlone => false,
        Readers::AsMounted => mounted(),
        Readers::Anyone => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn s20_a_secret_file_that_others_may_read_is_refused_with_the_command_that_mends_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("netrc");
        std::fs::write(&path, "machine").unwrap();
        for (mode, alone, anyone) in [
            (0o600, true, true),
            (0o644, false, true),
            (0o640, false, true),
            (0o602, false, false),
            (0o666, false, false),
        ] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path, Readers::OwnerAlone).is_ok(), alone, "{mode:o}");
            assert_eq!(read(&path, Readers::Anyone).is_ok(), anyone, "{mode:o}");
        }
        let error = read(&path, Readers::OwnerAlone).unwrap_err();
        assert!(error.hint().starts_with("chmod 600 "), "{}", error.text());
    }

    #[test]
    fn s20_what_others_could_write_or_exchange_is_refused_whoever_may_read_it() {
        let home = tempfile::tempdir().unwrap();
        let (path, link) = (home.path().join("config"), home.path().join("link"));
        std::fs::write(&path, "[default]").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let chmod = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let all = [Readers::OwnerAlone, Readers::AsMounted, Readers::Anyone];
        chmod(&path, 0o600);
        assert!(all.iter().all(|readers| read(&link, *readers).is_ok()));
        chmod(home.path(), 0o777);
        for readers in all {
            let error = read(&path, readers).unwrap_err();
            assert_eq!(error.hint(), format!("chmod go-w {}", home.path().display()), "{readers:?}");
        }
        chmod(home.path(), 0o700);
        chmod(&path, 0o664);
        // Only root may give a file to a group that it is not in.
        if std::os::unix::fs::chown(&path, None, Some(65_534)).is_ok() {
            for path in [&path, &link] {
                let error = read(path, Readers::Anyone).unwrap_err();
                assert!(error.hint().starts_with("chmod go-w "), "{}", error.text());
            }
        }
    }

    #[test]
    fn a_mounted_token_may_be_read_by_whom_the_mount_lets_and_no_other_secret() {
        assert!(may_be_read_by_others(Readers::AsMounted, || true));
        assert!(!may_be_read_by_others(Readers::AsMounted, || false));
        assert!(!may_be_read_by_others(Readers::OwnerAlone, || true));
    }

    #[test]
    fn a_file_that_is_just_being_written_over_is_read_when_it_is_whole() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("token");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read(&path, Readers::OwnerAlone).unwrap().unwrap().expose(), "", "it may be meant so");
        let writer = {
            let path = path.clone();
            std::thread::spawn(move || {
                for round in 0..200 {
                    std::fs::write(&path, format!("token {round:03} {}", "x".repeat(1000))).unwrap();
                }
            })
        };
        while !writer.is_finished() {
            // Half a token is never given out; that it is being written to may be said.
            if let Ok(Some(text)) = read(&path, Readers::OwnerAlone) {
                assert!(text.expose().is_empty() || text.expose().len() == 1010, "{} bytes", text.expose().len());
            }
        }
        writer.join().unwrap();
    }

    #[test]
    fn what_is_no_file_is_neither_waited_for_nor_read() {
        let home = tempfile::tempdir().unwrap();
        assert!(read(home.path(), Readers::OwnerAlone).is_err());
        assert_eq!(read(&home.path().join("none"), Readers::OwnerAlone).unwrap(), None);
        let fifo = home.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        assert!(read(&fifo, Readers::OwnerAlone).is_err());
    }

    #[tokio::test]
    async fn a_path_may_begin_with_the_home_directory() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("netrc"), "text").unwrap();
        std::fs::set_permissions(home.path().join("netrc"), Permissions::from_mode(0o600)).unwrap();
        let environment: &dyn Environment = &ProcessEnvironment::new(home.path().to_owned());
        assert_eq!(environment.private_file(Path::new("~/netrc")).await.unwrap().expose(), "text");
    }
}
