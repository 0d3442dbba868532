//! The kernel's table of all sockets, as text: where it cannot be asked for one alone.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The uid of the process that holds `client`, connected to `server`; None where none does.
pub(super) fn uid_of(client: SocketAddr, server: SocketAddr) -> io::Result<Option<u32>> {
    // A socket of IPv6 may have an address of IPv4.
    for (table, needed) in [("/proc/net/tcp", true), ("/proc/net/tcp6", false)] {
        match std::fs::read_to_string(table) {
            Ok(text) => {
                if let Some(uid) = text.lines().find_map(|line| holder(line, client, server)) {
                    return Ok(Some(uid));
                }
            }
            // A kernel without IPv6 has one table.
            Err(error) if !needed && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The uid in a line of the table, if it is of that connection's client and a process still holds it: what the kernel
/// keeps of closed sockets is said to be root's.
fn holder(line: &str, client: SocketAddr, server: SocketAddr) -> Option<u32> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, remote) = (address(words.next()?)?, address(words.next()?)?);
    // State, queues, timer, retransmissions.
    let mut words = words.skip(4);
    let (uid, inode) = (words.next()?.parse().ok()?, words.nth(1)?);
    (local == canonical(client) && remote == canonical(server) && inode != "0").then_some(uid)
}

/// `0100007F:1F90`: words of 32 bits in this machine's order, and a port.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (host, port) = text.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(host.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let host = match host.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (index, four) in bytes.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(index * 8)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some((host.to_canonical(), u16::from_str_radix(port, 16).ok()?))
}

fn canonical(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn s39_a_socket_that_no_process_holds_is_nobodys_and_not_roots() {
        let line = |state: &str, uid: &str, inode: &str| {
            format!(
                "   1: 0100007F:C350 0100007F:1F90 {state} 00000000:00000000 00:00000000 00000000 {uid} 0 {inode} 1 0"
            )
        };
        let (client, server) = ("127.0.0.1:50000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap());
        assert_eq!(holder(&line("01", "1000", "4711"), client, server), Some(1000));
        assert_eq!(holder(&line("06", "0", "0"), client, server), None);
        assert_eq!(holder(&line("01", "1000", "4711"), server, client), None, "the server's own side is another line");
        assert_eq!(holder("  sl  local_address rem_address", client, server), None);
        let mapped: SocketAddr = "[::ffff:127.0.0.1]:50000".parse().unwrap();
        assert_eq!(holder(&line("01", "7", "1"), mapped, server), Some(7));
    }
}
