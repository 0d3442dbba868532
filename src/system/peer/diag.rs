//! The kernel asked for one socket by its addresses: `sock_diag(7)` over netlink, which is as fast with many sockets as with one.

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};
use std::io;
use std::net::{IpAddr, SocketAddr};

/// The uid of the process that holds `client`, connected to `server`; None where none does. An error where the kernel has
/// no such service, or a sandbox keeps it from us.
pub(super) fn uid_of(client: SocketAddr, server: SocketAddr) -> io::Result<Option<u32>> {
    let (client, server) = (canonical(client), canonical(server));
    let families: &[bool] = match client {
        // A socket of IPv6 may have an address of IPv4, and is found under its own family alone.
        SocketAddr::V4(_) => &[false, true],
        SocketAddr::V6(_) => &[true],
    };
    for six in families {
        if let Some(uid) = ask(client, server, *six)? {
            return Ok(Some(uid));
        }
    }
    Ok(None)
}

fn ask(client: SocketAddr, server: SocketAddr, six: bool) -> io::Result<Option<u32>> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let kernel = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(netlink::SOCK_DIAG))?;
    let request = request(client, server, six);
    send(&kernel, &request, SendFlags::empty())?;
    // It has answered before `send` returns.
    let mut answer = [0; 1024];
    let (_, length) = recv(&kernel, &mut answer, RecvFlags::empty())?;
    read(&answer[..length.min(answer.len())], &request[REQUESTED..REQUESTED + PAIR])
}

const BY_FAMILY: u16 = 20;
const IS_ERROR: u16 = 2;
const HEAD: usize = 16;
/// Two ports and two addresses: where they begin in a request and in an answer.
const PAIR: usize = 36;
const REQUESTED: usize = HEAD + 8;
const FOUND: usize = HEAD + 4;
/// Of `struct inet_diag_msg`: four bytes, the socket's id, then expires, two queues, uid, inode.
const UID: usize = HEAD + 4 + 48 + 12;

/// `struct nlmsghdr`, and `struct inet_diag_req_v2` for the one socket.
fn request(client: SocketAddr, server: SocketAddr, six: bool) -> Vec<u8> {
    const LENGTH: u32 = 16 + 8 + 48;
    const IS_REQUEST: u16 = 1;
    const AF_INET: u8 = 2;
    const AF_INET6: u8 = 10;
    const TCP: u8 = 6;
    let mut bytes = Vec::with_capacity(LENGTH as usize);
    bytes.extend(LENGTH.to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(IS_REQUEST.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([if six { AF_INET6 } else { AF_INET }, TCP, 0, 0]);
    // Any state.
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(client.port().to_be_bytes());
    bytes.extend(server.port().to_be_bytes());
    bytes.extend(address(client.ip(), six));
    bytes.extend(address(server.ip(), six));
    // Any interface, and no cookie.
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend([0xff; 8]);
    bytes
}

fn address(ip: IpAddr, six: bool) -> [u8; 16] {
    match ip {
        IpAddr::V6(ip) => ip.octets(),
        IpAddr::V4(ip) if six => ip.to_ipv6_mapped().octets(),
        IpAddr::V4(ip) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&ip.octets());
            bytes
        }
    }
}

/// The uid in the answer. A socket that no process holds any more has no inode, and is said to be root's. Where there is no
/// such connection the kernel names who listens at that port: `pair` is what was asked for.
fn read(answer: &[u8], pair: &[u8]) -> io::Result<Option<u32>> {
    let two = |at: usize| Some(u16::from_ne_bytes(answer.get(at..at + 2)?.try_into().ok()?));
    let four = |at: usize| Some(u32::from_ne_bytes(answer.get(at..at + 4)?.try_into().ok()?));
    match (two(4), four(UID), four(UID + 4)) {
        (Some(IS_ERROR), ..) => {
            let code = four(HEAD).map_or(0, u32::cast_signed);
            match Errno::from_raw_os_error(code.wrapping_neg()) {
                Errno::NOENT => Ok(None),
                error => Err(error.into()),
            }
        }
        (Some(BY_FAMILY), Some(uid), Some(inode)) => {
            let same = answer[FOUND..FOUND + PAIR] == *pair;
            Ok((same && inode != 0).then_some(uid))
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: u16, uid: u32, inode: u32) -> Vec<u8> {
        let mut bytes = vec![0; UID + 8];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[UID..UID + 4].copy_from_slice(&uid.to_ne_bytes());
        bytes[UID + 4..].copy_from_slice(&inode.to_ne_bytes());
        bytes
    }

    #[test]
    fn s39_an_answer_is_a_holders_uid_or_nobodys_or_an_error_and_never_a_guess() {
        let pair = [0; PAIR];
        assert_eq!(read(&answer(BY_FAMILY, 1000, 4711), &pair).unwrap(), Some(1000));
        assert_eq!(read(&answer(BY_FAMILY, 1000, 4711), &[1; PAIR]).unwrap(), None, "who listens there");
        assert_eq!(read(&answer(BY_FAMILY, 0, 0), &pair).unwrap(), None, "closed, and not root's");
        let error = |code: i32| {
            let mut bytes = answer(IS_ERROR, 0, 1);
            bytes[HEAD..HEAD + 4].copy_from_slice(&(-code).to_ne_bytes());
            read(&bytes, &pair)
        };
        assert_eq!(error(2).unwrap(), None, "there is no such connection");
        assert!(error(1).is_err(), "it may not be told");
        for length in [0, 4, 16, UID, UID + 7] {
            assert!(read(&answer(BY_FAMILY, 1, 1)[..length], &pair).is_err(), "{length} bytes");
        }
    }
}
