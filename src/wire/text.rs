//! Text for a person: escaped, and written to standard error without ever waiting for a reader who is not there.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use std::io::{self, Write};

/// Two lines of so many bytes, and the words around them, are what an SDK may be shown of an error (2 KiB).
const MAX_BYTES: usize = 900;
const MAX_CHARS: usize = 600;
/// A pipe that says it has room has room for as much (PIPE_BUF).
const PIECE: usize = 4096;

/// The one escaper for foreign text: control characters and those that reorder a line become `?`; at most 600
/// characters and 900 bytes.
pub fn printable(text: &str) -> String {
    let reorders = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    let mut shown = String::new();
    for c in text.chars().take(MAX_CHARS) {
        let c = if c.is_control() || reorders(c) { '?' } else { c };
        if shown.len() + c.len_utf8() > MAX_BYTES {
            break;
        }
        shown.push(c);
    }
    shown
}

/// Writes `text` to standard error, waiting a second at most for room. What does not fit, or cannot be written, is lost:
/// a program must not hang, or panic, over what it wanted to say.
pub fn tell(text: &str) {
    write_to_stderr(text.as_bytes(), Timespec { tv_sec: 1, tv_nsec: 0 });
}

/// A line of the daemon's log: written at once or not at all, for whoever reads it may have stopped.
pub fn tell_now(line: &[u8]) {
    write_to_stderr(line, Timespec { tv_sec: 0, tv_nsec: 0 });
}

fn write_to_stderr(text: &[u8], limit: Timespec) {
    let stderr = io::stderr();
    for piece in text.chunks(PIECE) {
        // A signal's interruption says nothing about room: without another look the write could hang.
        let room = retry_on_intr(|| poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&limit)));
        if !matches!(room, Ok(1..)) || stderr.lock().write_all(piece).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_fit_into_what_an_sdk_shows() {
        assert_eq!(printable(&"é\n".repeat(4000)).chars().count(), 600);
        assert!(printable(&"𝄞".repeat(4000)).len() <= MAX_BYTES);
    }
}
