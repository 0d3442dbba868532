//! Descriptors that we were handed: none of them may reach the daemon that we start. The one module with `unsafe`.

#![allow(unsafe_code)]

use rustix::io::{FdFlags, fcntl_setfd};
use std::os::fd::{BorrowedFd, RawFd};

/// Marks every open descriptor but the standard three close-on-exec.
///
/// A shell or an SDK may have left the end of a pipe open in us; a daemon that inherited it would hold the pipe, and
/// whoever reads from it, for its whole life.
pub(super) fn close_on_exec() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    for entry in entries.flatten() {
        let number: Option<RawFd> = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(number) = number.filter(|number| *number > 2) {
            // SAFETY: the borrow ends with this statement. A number that was closed since it was listed gives EBADF,
            // and one that was opened anew is one of ours, which are close-on-exec already.
            let _ = fcntl_setfd(unsafe { BorrowedFd::borrow_raw(number) }, FdFlags::CLOEXEC);
        }
    }
}
