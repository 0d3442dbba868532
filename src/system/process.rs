//! This process and those that it starts: limits, where we are installed, the daemon's birth.

use super::inherited;
use super::passed_on::passed_on;
use crate::error::Error;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a daemon is told besides: where it belongs and what it writes.
const OURS: &[&str] = &["VALETKEY_HOME", "VALETKEY_LOG", "VALETKEY_SOCKET"];

/// A log longer than this is put aside when the next daemon starts.
const MAX_LOG: u64 = 1024 * 1024;

/// The byte that a daemon writes on its standard output when it answers; anything else is why it does not.
const READY: &[u8] = b"\n";

/// Raises the soft limit of descriptors to the hard one; returns it.
pub fn raise_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// The program that runs.
#[allow(clippy::disallowed_methods)] // `system` knows where we are installed.
pub fn own_program() -> Result<PathBuf, Error> {
    std::env::current_exe()
        .map(successor)
        .map_err(|error| Error::configuration(format!("cannot find my own program: {error}"), "install valetkey anew"))
}

/// An upgrade that took our program's place while we run: the kernel says of ours that it was removed.
fn successor(program: PathBuf) -> PathBuf {
    let name = program.as_os_str().as_encoded_bytes().strip_suffix(b" (deleted)").map(OsStr::from_bytes);
    name.map(PathBuf::from).filter(|_| !program.exists()).unwrap_or(program)
}

/// The helper, as it is installed beside us.
pub fn helper_program() -> Result<PathBuf, Error> {
    Ok(own_program()?.with_file_name(crate::helper::PROGRAM))
}

/// Starts `program daemon` apart from us and waits until it answers, or says why it cannot.
///
/// It gets nothing of ours: no descriptor (a pipe of an SDK's would hang that SDK for the daemon's life), no terminal,
/// no session, an allow-listed environment. Its log goes to `log`, or nowhere where the disk takes none: without a daemon
/// each of a herd would ask the issuer itself.
pub fn start_daemon(program: &Path, log: Option<&Path>) -> Result<(), Error> {
    let log = log.and_then(|log| {
        if std::fs::metadata(log).is_ok_and(|meta| meta.len() > MAX_LOG) {
            let _ = std::fs::rename(log, log.with_extension("log.old"));
        }
        OpenOptions::new().create(true).append(true).mode(0o600).open(log).ok()
    });
    let marked = inherited::close_on_exec();
    let mut command = Command::new(program);
    command.args(["daemon", "--detached"]).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.map_or_else(Stdio::null, Stdio::from));
    command.envs(passed_on(OURS));
    let failed = |why: String| {
        Error::configuration(
            format!("cannot start the daemon: {why}"),
            "see: valetkey daemon (it says more in the foreground)",
        )
    };
    let spawned = command.spawn();
    marked.give_back();
    let mut child = spawned.map_err(|error| failed(format!("{}: {error}", program.display())))?;
    let mut said = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        pipe.take(64 * 1024).read_to_end(&mut said).map_err(|error| failed(error.to_string()))?;
    }
    if said == READY {
        return Ok(());
    }
    // It has left, or is about to: without this it would stay as a zombie until we leave.
    let _ = child.wait();
    Err(serde_json::from_slice(&said).unwrap_or_else(|_| failed("it ended without a word".to_owned())))
}

/// A detached daemon's side of [`start_daemon`]: tells the starter, and lets go of its pipe.
pub fn tell_starter(outcome: Result<(), &Error>) {
    let said = match outcome {
        Ok(()) => READY.to_vec(),
        Err(error) => serde_json::to_vec(error).unwrap_or_default(),
    };
    let mut stdout = io::stdout();
    let _ = stdout.write_all(&said).and_then(|()| stdout.flush());
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(null);
    }
}

/// Leaves the session of whoever started us, so that its end (a closed terminal) is not ours.
pub fn leave_session() {
    let _ = rustix::process::setsid();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f22_a_program_that_was_replaced_finds_what_took_its_place() {
        assert_eq!(successor("/opt/x/valetkey (deleted)".into()), Path::new("/opt/x/valetkey"));
        assert_eq!(successor("/opt/x/valetkey".into()), Path::new("/opt/x/valetkey"));
        let home = tempfile::tempdir().unwrap();
        let odd = home.path().join("valetkey (deleted)");
        std::fs::write(&odd, "").unwrap();
        assert_eq!(successor(odd.clone()), odd, "one that is called so");
    }
}
