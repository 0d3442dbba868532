//! Descriptors that we were handed: none of them may reach the daemon that we start. The one module with `unsafe`.

#![allow(unsafe_code)]

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use std::os::fd::{BorrowedFd, RawFd};

/// The descriptors that were marked. Whoever runs a program of the user's gives them back to it.
#[derive(Debug, Default)]
pub(super) struct Marked(Vec<RawFd>);

/// Marks every open descriptor but the standard three close-on-exec.
///
/// A shell or an SDK may have left the end of a pipe open in us; a daemon that inherited it would hold the pipe, and
/// whoever reads from it, for its whole life.
pub(super) fn close_on_exec() -> Marked {
    let mut marked = Marked::default();
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return marked };
    for entry in entries.flatten() {
        let number: Option<RawFd> = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(number) = number.filter(|number| *number > 2) {
            // SAFETY: the borrow ends with this block. A number that was closed since it was listed gives EBADF, and one
            // that was opened anew is one of ours, which are close-on-exec already.
            let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
            if matches!(fcntl_getfd(descriptor), Ok(flags) if !flags.contains(FdFlags::CLOEXEC)) {
                let _ = fcntl_setfd(descriptor, FdFlags::CLOEXEC);
                marked.0.push(number);
            }
        }
    }
    marked
}

impl Marked {
    /// Lets programs that are started from now on inherit them again.
    pub(super) fn give_back(self) {
        for number in self.0 {
            // SAFETY: as above. Nothing of ours closes what it did not open.
            let _ = fcntl_setfd(unsafe { BorrowedFd::borrow_raw(number) }, FdFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn s11_what_was_inherited_is_kept_from_a_daemon_and_given_back_to_a_users_program() {
        let pipe = std::io::pipe().unwrap().0;
        let is_kept = || fcntl_getfd(&pipe).unwrap().contains(FdFlags::CLOEXEC);
        // As if it had come from whoever started us.
        fcntl_setfd(&pipe, FdFlags::empty()).unwrap();
        let marked = close_on_exec();
        assert!(is_kept() && marked.0.contains(&pipe.as_raw_fd()));
        marked.give_back();
        assert!(!is_kept());
    }
}
