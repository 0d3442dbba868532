//! Where the socket lives. The helper and the daemon compute the same path from the same surroundings.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// Longest path that fits into a socket address with its closing zero (Linux: 108 bytes).
const MAX_SOCKET_PATH: usize = 107;
const SOCKET_NAME: &str = "valetkey.sock";

/// The variables and the uid that decide every path of ours.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub valetkey_socket: Option<OsString>,
    pub valetkey_home: Option<OsString>,
    pub xdg_runtime_dir: Option<OsString>,
    pub xdg_state_home: Option<OsString>,
    pub home: Option<OsString>,
    pub uid: u32,
    /// Where the per-user runtime directories are: `/run/user`.
    pub run_user: PathBuf,
}

/// A place that cannot be used, and what mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceError {
    pub message: String,
    pub hint: String,
}

/// Whether a private directory is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Private,
    Missing,
}

impl Surroundings {
    /// Those of this process. Empty variables count as unset.
    #[allow(clippy::disallowed_methods)] // `wire` is one of the three places that may read the environment.
    pub fn of_this_process() -> Surroundings {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Surroundings {
            valetkey_socket: variable("VALETKEY_SOCKET"),
            valetkey_home: variable("VALETKEY_HOME"),
            xdg_runtime_dir: variable("XDG_RUNTIME_DIR"),
            xdg_state_home: variable("XDG_STATE_HOME"),
            home: variable("HOME"),
            uid: rustix::process::getuid().as_raw(),
            run_user: PathBuf::from("/run/user"),
        }
    }

    /// The socket's path. In order: `VALETKEY_SOCKET`; `VALETKEY_HOME`; `$XDG_RUNTIME_DIR`; `/run/user/UID`;
    /// the state directory, under a name with the host in it (a home may be shared by hosts).
    ///
    /// A place that exists but is not private to us is an error; one that is missing is passed over.
    /// The socket's own directory may still be missing: then nobody answers there yet.
    pub fn socket_path(&self) -> Result<PathBuf, PlaceError> {
        let path = if let Some(socket) = &self.valetkey_socket {
            absolute("VALETKEY_SOCKET", socket)?
        } else if let Some(home) = &self.valetkey_home {
            absolute("VALETKEY_HOME", home)?.join("run").join(SOCKET_NAME)
        } else if let Some(base) = self.runtime_base()? {
            base.join("valetkey").join(SOCKET_NAME)
        } else {
            let name = format!("run-{:016x}", host_hash());
            self.state_base()?.join("valetkey").join(name).join(SOCKET_NAME)
        };
        let length = path.as_os_str().len();
        if length > MAX_SOCKET_PATH {
            return Err(PlaceError {
                message: format!(
                    "the socket's path has {length} bytes and a socket address holds {MAX_SOCKET_PATH}: {}",
                    path.display()
                ),
                hint: "set VALETKEY_SOCKET to a shorter path in a directory of mode 0700".into(),
            });
        }
        match path.parent() {
            Some(directory) => private_directory(directory, self.uid)?,
            None => return Err(not_absolute("VALETKEY_SOCKET")),
        };
        Ok(path)
    }

    /// `$XDG_STATE_HOME`, or what stands for it.
    pub fn state_base(&self) -> Result<PathBuf, PlaceError> {
        if let Some(state) = self.xdg_state_home.as_ref().map(PathBuf::from)
            && state.is_absolute()
        {
            return Ok(state);
        }
        match self.home.as_ref().map(PathBuf::from) {
            Some(home) if home.is_absolute() => Ok(home.join(".local/state")),
            _ => Err(PlaceError {
                message: "there is no place for the socket: HOME is not set to an absolute path".into(),
                hint: "set HOME, XDG_RUNTIME_DIR or VALETKEY_HOME".into(),
            }),
        }
    }

    fn runtime_base(&self) -> Result<Option<PathBuf>, PlaceError> {
        let named = self.xdg_runtime_dir.as_ref().map(PathBuf::from).filter(|path| path.is_absolute());
        let usual = self.run_user.join(self.uid.to_string());
        for base in named.into_iter().chain([usual]) {
            if private_directory(&base, self.uid)? == Presence::Private {
                return Ok(Some(base));
            }
        }
        Ok(None)
    }
}

/// Whether `path` is a directory, no link, owned by `uid` and closed to group and others.
///
/// Judged on one descriptor, so that nothing can be exchanged between the look and the verdict.
/// The mode is never mended here: a directory that was open may already hold somebody's socket.
pub fn private_directory(path: &Path, uid: u32) -> Result<Presence, PlaceError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(directory) => directory,
        Err(Errno::NOENT) => {
            // A link to nothing says NOENT only when followed; without following it is NOTDIR, below.
            return Ok(Presence::Missing);
        }
        Err(Errno::NOTDIR | Errno::LOOP) => {
            return Err(refused(path, "is not a directory, or is a symbolic link", "move it away:"));
        }
        Err(error) => return Err(refused(path, &error.to_string(), "look at it:")),
    };
    let stat = rustix::fs::fstat(&directory).map_err(|error| refused(path, &error.to_string(), "look at it:"))?;
    if stat.st_uid != uid {
        let what = format!("belongs to uid {}, not to you", stat.st_uid);
        return Err(refused(path, &what, "set VALETKEY_SOCKET to a place of your own, not below"));
    }
    let mode = stat.st_mode & 0o777;
    if mode & 0o077 != 0 {
        let what = format!("is open to others (mode {mode:04o})");
        return Err(refused(path, &what, "see that nobody put anything there, then: chmod 700"));
    }
    Ok(Presence::Private)
}

fn refused(path: &Path, what: &str, hint: &str) -> PlaceError {
    PlaceError {
        message: format!("the directory {} {what}", path.display()),
        hint: format!("{hint} {}", path.display()),
    }
}

fn absolute(variable: &str, value: &OsString) -> Result<PathBuf, PlaceError> {
    let path = PathBuf::from(value);
    if path.is_absolute() { Ok(path) } else { Err(not_absolute(variable)) }
}

fn not_absolute(variable: &str) -> PlaceError {
    PlaceError {
        message: format!("{variable} is not an absolute path"),
        hint: format!("set {variable} to a path that begins with /"),
    }
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Tells hosts and boots apart in a home that several share: FNV-1a over host name and boot id.
pub(crate) fn host_hash() -> u64 {
    let boot = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let host = rustix::system::uname();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in host.nodename().to_bytes().iter().chain(b"/").chain(boot.trim_ascii()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};

    /// A directory of this test's own, removed at its end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let path = PathBuf::from(format!("/tmp/vk-place-{}-{name}", std::process::id()));
            std::fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
            Scratch(path)
        }

        fn surroundings(&self) -> Surroundings {
            Surroundings {
                valetkey_socket: None,
                valetkey_home: None,
                xdg_runtime_dir: None,
                xdg_state_home: None,
                home: Some(self.0.join("home").into()),
                uid: rustix::process::getuid().as_raw(),
                run_user: self.0.join("run-user"),
            }
        }

        fn directory(&self, name: &str, mode: u32) -> PathBuf {
            let path = self.0.join(name);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn s02_places_are_tried_in_order_and_a_missing_one_is_passed_over() {
        let scratch = Scratch::new("order");
        let mut around = scratch.surroundings();
        let state = around.socket_path().unwrap();
        assert!(state.starts_with(scratch.0.join("home/.local/state/valetkey")), "{state:?}");
        assert!(state.to_str().unwrap().contains("/run-"), "S04: the host is in the name: {state:?}");

        let usual = scratch.directory(&format!("run-user/{}", around.uid), 0o700);
        assert_eq!(around.socket_path().unwrap(), usual.join("valetkey/valetkey.sock"));

        around.xdg_runtime_dir = Some(scratch.0.join("absent").into());
        assert_eq!(around.socket_path().unwrap(), usual.join("valetkey/valetkey.sock"));
        around.xdg_runtime_dir = Some("relative".into());
        assert_eq!(around.socket_path().unwrap(), usual.join("valetkey/valetkey.sock"));
        around.xdg_runtime_dir = Some(scratch.directory("xdg", 0o700).into());
        assert_eq!(around.socket_path().unwrap(), scratch.0.join("xdg/valetkey/valetkey.sock"));

        around.valetkey_home = Some(scratch.0.join("vk").into());
        assert_eq!(around.socket_path().unwrap(), scratch.0.join("vk/run/valetkey.sock"));
        around.valetkey_socket = Some(scratch.0.join("s").into());
        assert_eq!(around.socket_path().unwrap(), scratch.0.join("s"));
    }

    #[test]
    fn s01_a_place_that_is_there_and_not_private_is_refused() {
        let scratch = Scratch::new("refused");
        let uid = rustix::process::getuid().as_raw();
        for mode in [0o755, 0o777, 0o710, 0o701] {
            let open = scratch.directory("open", mode);
            let error = private_directory(&open, uid).unwrap_err();
            assert!(error.hint.contains("chmod 700"), "{error:?}");
        }
        let own = scratch.directory("own", 0o700);
        assert_eq!(private_directory(&own, uid).unwrap(), Presence::Private);
        assert!(private_directory(&own, uid + 1).is_err(), "a foreign owner");
        assert_eq!(private_directory(&scratch.0.join("none"), uid).unwrap(), Presence::Missing);

        let links = [("to-own", own.clone()), ("to-root", "/".into()), ("dangling", scratch.0.join("none"))];
        for (name, target) in links {
            let link = scratch.0.join(name);
            symlink(target, &link).unwrap();
            assert!(private_directory(&link, uid).is_err(), "{name}");
        }
        let file = scratch.0.join("file");
        std::fs::write(&file, "").unwrap();
        assert!(private_directory(&file, uid).is_err());
        let fifo = scratch.0.join("fifo");
        let fifo_mode = rustix::fs::Mode::from_bits_retain(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, fifo_mode, 0).unwrap();
        assert!(private_directory(&fifo, uid).is_err());
    }

    #[test]
    fn s03_a_path_too_long_for_a_socket_is_an_error_with_a_way_out() {
        let scratch = Scratch::new("long");
        let mut around = scratch.surroundings();
        around.valetkey_home = Some(scratch.0.join("x".repeat(100)).into());
        let error = around.socket_path().unwrap_err();
        assert!(error.hint.contains("VALETKEY_SOCKET"), "{error:?}");
    }
}
