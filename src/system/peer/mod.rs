//! Whose process is at the other end of a TCP connection on this machine, as the kernel says (Linux).

mod diag;
mod table;

use std::io;
use std::net::SocketAddr;

/// The uid of the process that holds `client`, connected to `server`. None where no process holds such a socket: it is
/// not of this machine, or was closed already. An error where the kernel does not tell. May take its time where only the
/// table of all sockets is to be had.
pub fn uid_of(client: SocketAddr, server: SocketAddr) -> io::Result<Option<u32>> {
    diag::uid_of(client, server).or_else(|_| table::uid_of(client, server))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn s39_a_client_of_ours_is_told_by_the_kernel_by_both_families_and_both_ways() {
        for (host, to) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("[::1]:0", "[::1]"),
            ("[::]:0", "127.0.0.1"),
            ("127.0.0.1:0", "[::ffff:127.0.0.1]"),
        ] {
            let Ok(listener) = TcpListener::bind(host) else { continue };
            let client = TcpStream::connect(format!("{to}:{}", listener.local_addr().unwrap().port())).unwrap();
            let (server, seen) = listener.accept().unwrap();
            let (here, own) = (server.local_addr().unwrap(), rustix::process::getuid().as_raw());
            for (way, told) in [("diag", diag::uid_of(seen, here)), ("table", table::uid_of(seen, here))] {
                // A kernel without the one has the other.
                assert!(
                    told.is_err() && way == "diag" || told.as_ref().ok() == Some(&Some(own)),
                    "{host} {to} {way}: {told:?}"
                );
            }
            let nobody = "127.0.0.1:1".parse().unwrap();
            assert_eq!(uid_of(here, nobody).unwrap(), None);
            // Closed, and kept by the kernel for a while: nobody's, and not root's.
            drop((client, server));
            assert_eq!(uid_of(seen, here).unwrap(), None, "{host} {to}");
        }
    }
}
