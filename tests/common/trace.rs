//! strace, which makes system calls of ours fail, hang or be the last.

use super::{COMMAND, Place, is_root, skip};
use std::process::{Command, Stdio};

/// Whether strace is here and may trace; a skip if not.
pub(crate) fn may_trace() -> bool {
    let mut strace = Command::new("strace");
    let tried = strace.args(["-f", "-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let may = tried.is_ok_and(|status| status.success());
    if !may {
        skip(&format!("strace is missing, or tracing is not allowed here (root: {})", is_root()));
    }
    may
}

/// `valetkey` below strace, silent, with these options; the words of the command are still to be added.
pub(crate) fn traced(place: &Place, options: &[&str]) -> Command {
    let mut strace = place.program("strace");
    strace.args(["-f", "-qq", "-o"]).arg(place.path().join("trace")).args(options).arg(COMMAND);
    strace
}
