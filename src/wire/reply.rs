//! A whole reply out of the bytes of one read to end of file: complete, or an error.

use super::{ERROR_HEADER, Kind};
use std::fmt;

/// More than any reply of ours; a peer that sends more is not our daemon.
pub const MAX_REPLY: usize = 64 * 1024;

/// A complete reply.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    pub status: u16,
    /// Of our own errors only: see [`ERROR_HEADER`].
    pub kind: Option<Kind>,
    pub body: &'a [u8],
}

/// Why bytes are no complete reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyError {
    /// Closed without a byte: a daemon that was just leaving.
    Empty,
    /// The head or the body ends early: a daemon killed in mid-answer.
    Half,
    /// Not HTTP, no length, or an error that is not one of ours.
    NotOurs,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReplyError::Empty => "the daemon closed the connection without an answer",
            ReplyError::Half => "the daemon's answer broke off in the middle",
            ReplyError::NotOurs => "what answered on the socket is not valetkey's daemon",
        })
    }
}

impl<'a> Reply<'a> {
    /// Reads status, length and kind. The length must be there and agree with the body,
    /// so that half a JSON is never passed on.
    pub fn parse(bytes: &'a [u8]) -> Result<Reply<'a>, ReplyError> {
        if bytes.is_empty() {
            return Err(ReplyError::Empty);
        }
        let prefix = b"HTTP/1.";
        if !bytes.starts_with(&prefix[..prefix.len().min(bytes.len())]) {
            return Err(ReplyError::NotOurs);
        }
        let end = find(bytes, b"\r\n\r\n").ok_or(ReplyError::Half)?;
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| ReplyError::NotOurs)?;
        let body = &bytes[end + 4..];
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|word| word.parse::<u16>().ok())
            .ok_or(ReplyError::NotOurs)?;

        let mut length = None;
        let mut error = None;
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                return Err(ReplyError::NotOurs);
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse::<usize>().map_err(|_| ReplyError::NotOurs)?);
            } else if name.eq_ignore_ascii_case(ERROR_HEADER) {
                error = Some(value.trim());
            }
        }
        let length = length.ok_or(ReplyError::NotOurs)?;
        if body.len() < length {
            return Err(ReplyError::Half);
        }
        let kind = match (status, error) {
            (200, None) => None,
            (200, Some(_)) | (_, None) => return Err(ReplyError::NotOurs),
            (_, Some(name)) => Kind::from_name(name).or_else(|| Kind::from_status(status)),
        };
        Ok(Reply { status, kind, body: &body[..length] })
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\ncache-control: no-store\r\n\r\n{}\n";

    #[test]
    fn a_whole_reply_is_read() {
        let reply = Reply::parse(OK).unwrap();
        assert_eq!((reply.status, reply.kind, reply.body), (200, None, &b"{}\n"[..]));
    }

    #[test]
    fn every_truncation_is_an_error_and_never_half_a_body() {
        for end in 0..OK.len() {
            let expected = if end == 0 { ReplyError::Empty } else { ReplyError::Half };
            assert_eq!(Reply::parse(&OK[..end]), Err(expected), "cut at {end}");
        }
    }

    #[test]
    fn an_error_has_its_kind_even_from_a_newer_daemon() {
        let known = b"HTTP/1.0 401 Unauthorized\r\nvaletkey-error: login-required\r\ncontent-length: 1\r\n\r\nx";
        assert_eq!(Reply::parse(known).unwrap().kind, Some(Kind::LoginRequired));
        let newer = b"HTTP/1.0 403 Forbidden\r\nvaletkey-error: quota\r\ncontent-length: 1\r\n\r\nx";
        assert_eq!(Reply::parse(newer).unwrap().kind, Some(Kind::Denied));
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        for bytes in [
            &b"SSH-2.0-OpenSSH\r\n\r\n"[..],
            b"HTTP/1.0 500 Oops\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.0 200 OK\r\n\r\n{}",
            b"HTTP/1.0 200 OK\r\ncontent-length: -1\r\n\r\n{}",
            b"HTTP/1.0 two OK\r\ncontent-length: 0\r\n\r\n",
        ] {
            assert_eq!(Reply::parse(bytes), Err(ReplyError::NotOurs));
        }
    }
}
