//! The program that we run: its birth, the signals that we pass on, and its end, which is ours.

use super::variables::Changes;
use crate::error::{Error, printable};
use crate::system::signals::{Caught, die_of};
use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, ExitStatus};

/// Runs it to its end.
pub(super) async fn run(words: &[OsString], changes: Changes, caught: Caught) -> std::io::Result<ExitStatus> {
    let mut child = tokio::process::Command::from(prepared(words, changes)).spawn()?;
    let _passing = child.id().map(|id| caught.pass_on(id));
    child.wait().await
}

/// Becomes the program; returns only where that fails.
pub(super) fn become_it(words: &[OsString], changes: Changes) -> std::io::Error {
    prepared(words, changes).exec()
}

/// Its exit code as ours; the signal that ended it ends us.
pub(super) fn end_as_it_did(status: ExitStatus) -> ExitCode {
    if let Some(signal) = status.signal() {
        die_of(signal);
        return ExitCode::from(u8::try_from(128 + signal).unwrap_or(1));
    }
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

fn prepared(words: &[OsString], changes: Changes) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    for (name, value) in changes {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// Says why it does not run, and ends as a shell would.
pub(super) fn not_started(words: &[OsString], error: &std::io::Error) -> ExitCode {
    let name = printable(&words.first().map(|word| word.to_string_lossy()).unwrap_or_default());
    let (fix, code) = match error.kind() {
        std::io::ErrorKind::NotFound => (format!("see whether it is there: command -v {name}"), 127),
        std::io::ErrorKind::PermissionDenied => (format!("see whether it may be run: ls -l {name}"), 126),
        _ => ("see whether it runs without valetkey".to_owned(), 126),
    };
    crate::wire::tell(&Error::configuration(format!("cannot run {name}: {error}"), fix).text());
    ExitCode::from(code)
}
