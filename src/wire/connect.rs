//! One bounded connect to the socket, and the check of who answers.

use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use std::{fmt, io};

/// Why there is no connection.
#[derive(Debug)]
pub enum ConnectError {
    /// No socket there, or nobody behind it: a daemon may be started.
    Nobody,
    /// Somebody listens, but the queue stayed full for the whole limit.
    Busy,
    /// The socket is another user's: its keys could be an attacker's.
    ForeignUid(u32),
    Other(io::Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Nobody => f.write_str("nobody answers"),
            ConnectError::Busy => f.write_str("the daemon is alive but takes no more connections"),
            ConnectError::ForeignUid(uid) => write!(f, "the socket belongs to another user (uid {uid})"),
            ConnectError::Other(error) => write!(f, "{error}"),
        }
    }
}

/// Connects to `path`, waiting at most `limit` where the backlog is full (a plain connect would wait for ever),
/// and refuses a server whose uid is not ours. Reads on the stream are not bounded by this.
pub fn connect(path: &Path, limit: Duration) -> Result<UnixStream, ConnectError> {
    let address = SocketAddrUnix::new(path).map_err(other)?;
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(other)?;
    sockopt::set_socket_timeout(&socket, Timeout::Send, Some(limit)).map_err(other)?;
    loop {
        match rustix::net::connect(&socket, &address) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            Err(Errno::NOENT | Errno::CONNREFUSED) => return Err(ConnectError::Nobody),
            Err(Errno::AGAIN) => return Err(ConnectError::Busy),
            Err(error) => return Err(other(error)),
        }
    }
    let peer = sockopt::socket_peercred(&socket).map_err(other)?.uid;
    if peer != rustix::process::getuid() {
        return Err(ConnectError::ForeignUid(peer.as_raw()));
    }
    Ok(UnixStream::from(socket))
}

fn other(error: Errno) -> ConnectError {
    ConnectError::Other(error.into())
}
