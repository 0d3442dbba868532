//! The socket: bound by us under a lock that only one daemon can hold, or handed to us by the service manager.

use crate::error::Error;
use crate::files::PrivateDir;
use crate::lock::{Attempt, Guard, LockFile};
use crate::wire::{self, ConnectError, Presence, private_directory};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};

/// A listening socket and, if we bound it, what tells it from another's.
#[derive(Debug)]
pub struct Socket {
    pub(super) listener: UnixListener,
    own: Option<Own>,
}

/// A socket file that we made: where, and which inode.
#[derive(Debug)]
struct Own {
    path: PathBuf,
    identity: (u64, u64),
}

/// Room for a herd that connects at once; the kernel cuts it to net.core.somaxconn.
const BACKLOG: i32 = 4096;
const PROBE: Duration = Duration::from_millis(500);

impl Socket {
    /// One that the service manager listens on: neither unlinked nor closed early, it outlives us.
    pub fn activated(listener: StdListener) -> std::io::Result<Socket> {
        listener.set_nonblocking(true)?;
        Ok(Socket { listener: UnixListener::from_std(listener)?, own: None })
    }

    /// Binds `path`. A stale socket is replaced; one that answers is another daemon's and an error.
    pub fn bind(path: &Path) -> Result<Socket, Error> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        make_private(directory)?;
        let _guard = take_over_lock(directory)?;
        match wire::connect(path, PROBE) {
            Err(ConnectError::Nobody) => {}
            Ok(_) | Err(ConnectError::Busy) => {
                return Err(Error::configuration(
                    format!("a daemon answers on {} already", path.display()),
                    "use it, or end it first: valetkey stop",
                ));
            }
            Err(error) => {
                let fix = format!("see what is at {}", path.display());
                return Err(Error::configuration(format!("cannot take over {}: {error}", path.display()), fix));
            }
        }
        let failed = |error: std::io::Error| Error::disk("listen on", path, &error);
        match std::fs::symlink_metadata(path) {
            Ok(meta) if meta.file_type().is_socket() => std::fs::remove_file(path).map_err(failed)?,
            // Nobody answers on a file either: VALETKEY_SOCKET may name one by mistake, and it is not ours to remove.
            Ok(_) => {
                let message = format!("{} is there and is no socket", path.display());
                return Err(Error::configuration(message, "move it away, or set VALETKEY_SOCKET to another name"));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = listen(path).map_err(failed)?;
        let meta = std::fs::symlink_metadata(path).map_err(failed)?;
        let own = Own { path: path.to_owned(), identity: (meta.dev(), meta.ino()) };
        let mut socket = Socket::activated(listener).map_err(failed)?;
        socket.own = Some(own);
        Ok(socket)
    }

    /// A connection that waits in the queue now; None where none does. The kernel is asked, not the runtime: that may not
    /// have heard of the newest yet, and lets a task take so many in a turn only.
    pub(super) fn accept_waiting(&self) -> std::io::Result<Option<UnixStream>> {
        loop {
            match rustix::net::accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(stream) => return UnixStream::from_std(stream.into()).map(Some),
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes our name off the socket, if it is still ours: a successor may have taken the path over.
    pub(super) fn leave(&self) {
        let Some(own) = &self.own else { return };
        let _guard = own.path.parent().and_then(|directory| take_over_lock(directory).ok());
        let ours = std::fs::symlink_metadata(&own.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == own.identity);
        if ours {
            let _ = std::fs::remove_file(&own.path);
        }
    }
}

/// Bound with mode 0600 from its first moment: a chmod afterwards would leave a gap.
fn listen(path: &Path) -> std::io::Result<StdListener> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // On Linux the file takes over the mode of the socket's own inode. A umask would do it too, but for the whole process:
    // files that other threads make meanwhile would get it as well.
    rustix::fs::fchmod(&socket, Mode::from_bits_truncate(0o600))?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(StdListener::from(socket))
}

/// Makes the socket's directory, mode 0700; one that is there must be private already.
fn make_private(directory: &Path) -> Result<(), Error> {
    let uid = rustix::process::getuid().as_raw();
    let judge = || private_directory(directory, uid).map_err(|error| Error::configuration(error.message, error.hint));
    if judge()? == Presence::Missing {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|error| Error::disk("make", directory, &error))?;
        judge()?;
    }
    Ok(())
}

/// Held while the socket changes hands, for moments only.
fn take_over_lock(directory: &Path) -> Result<Option<Guard>, Error> {
    let lock = LockFile::new(Arc::new(PrivateDir::open(directory)?), "take-over.lock");
    for _ in 0..500 {
        match lock.try_acquire()? {
            Attempt::Held(guard) => return Ok(Some(guard)),
            Attempt::Unlockable(_) => return Ok(None),
            Attempt::Busy => std::thread::park_timeout(Duration::from_millis(10)),
        }
    }
    Err(Error::unavailable(format!("another process keeps the lock in {}", directory.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn bound(path: &Path) -> Result<Socket, Error> {
        Socket::bind(path)
    }

    #[tokio::test]
    async fn s05_the_socket_and_its_directory_are_private_from_the_start() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run/valetkey.sock");
        let _socket = bound(&path).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
    }

    #[tokio::test]
    async fn s09_a_stale_socket_is_taken_over_and_a_live_one_is_not() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run/valetkey.sock");
        let first = bound(&path).await.unwrap();
        assert!(bound(&path).await.unwrap_err().to_string().contains("already"));
        drop(first);
        let second = bound(&path).await.unwrap();
        second.leave();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn s09_what_is_no_socket_is_never_removed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run/valetkey.sock");
        make_private(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "a letter").unwrap();
        assert!(bound(&path).await.unwrap_err().to_string().contains("is no socket"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a letter");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert!(bound(&path).await.is_err());
        assert!(path.is_symlink());
    }

    #[tokio::test]
    async fn f18_the_whole_queue_is_taken_in_at_the_end() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run/valetkey.sock");
        let socket = bound(&path).await.unwrap();
        let waiting: Vec<_> = (0..300).map(|_| std::os::unix::net::UnixStream::connect(&path).unwrap()).collect();
        let mut taken = 0;
        while socket.accept_waiting().unwrap().is_some() {
            taken += 1;
        }
        assert_eq!(taken, waiting.len(), "more than the runtime lets one task do in a turn");
    }

    #[tokio::test]
    async fn s10_only_our_own_inode_is_unlinked() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run/valetkey.sock");
        let first = bound(&path).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        let _successor = bound(&path).await.unwrap();
        first.leave();
        assert!(path.exists(), "the successor's socket stays");
    }
}
