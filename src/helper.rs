//! The helper: one connect, one write, one read to end of file, exit.
//!
//! It runs inside every SDK of every worker, so it has no runtime, no TLS, no JSON and no config file,
//! and everything it may do is on this page. What it prints is `credential_process`' contract:
//! stdout is one whole JSON line or nothing, stderr is silent on success and two lines on failure.

use crate::wire::{self, ConnectError, Kind, MAX_REPLY, NAME_RULE, Reply, ReplyError, Surroundings};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// The name under which the helper is installed, and by which the command knows that it is meant as the helper.
pub const PROGRAM: &str = "valetkey-credential-process";

/// From start to exit. The strictest SDK gives up at about 22 s.
const BUDGET: Duration = Duration::from_secs(20);
/// The command has a budget of its own: later than this, both together would be more than an SDK waits.
const LATEST_COMMAND: Duration = Duration::from_secs(2);
/// How long a full backlog is waited for.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// What an SDK may be shown of an error.
const MAX_ERROR: usize = 2048;
const USAGE: &str = "usage: valetkey-credential-process PROFILE
Prints the credentials of PROFILE as credential_process JSON, from valetkey's daemon.
";

/// Runs the helper with the arguments that follow the program's name.
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    wire::keep_memory_private();
    let (first, second) = (arguments.next(), arguments.next());
    let profile = match (first.as_ref().and_then(|word| word.to_str()), second) {
        (Some("--help" | "-h"), None) => return print(USAGE.as_bytes()),
        (Some("--version" | "-V"), None) => {
            return print(concat!("valetkey-credential-process ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
        }
        (Some(profile), None) => profile,
        (None, None) if first.is_some() => "",
        _ => {
            wire::tell(USAGE);
            return ExitCode::from(2);
        }
    };
    if !wire::valid_name(profile) {
        return fail(Kind::Configuration, "this cannot be a profile's name", NAME_RULE);
    }
    match fetch(profile) {
        Ok(exit) => exit,
        Err(failure) => fail(failure.kind, &failure.message, &failure.hint),
    }
}

struct Failure {
    kind: Kind,
    message: String,
    hint: String,
}

/// One request to the daemon; where nobody answers, the command takes over this process.
#[allow(clippy::disallowed_methods)] // The helper has no clock to be given: it measures its own budget.
fn fetch(profile: &str) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let socket = Surroundings::of_this_process().socket_path().map_err(|error| Failure {
        kind: Kind::Configuration,
        message: error.message,
        hint: error.hint,
    })?;
    // A daemon that is just leaving closes without a byte: it is asked once more, by then perhaps its successor.
    for _ in 0..2 {
        let bytes = match ask(&socket, profile, started) {
            Ok(bytes) => bytes,
            Err(AskError::Nobody) => break,
            Err(AskError::Failed(failure)) => return Err(failure),
        };
        match Reply::parse(&bytes) {
            Ok(reply) => return Ok(pass_on(&reply)),
            Err(ReplyError::Empty) => {}
            Err(error) => {
                let (kind, hint) = match error {
                    ReplyError::NotOurs => (Kind::Protocol, format!("see what listens on {}", socket.display())),
                    _ => (Kind::Unavailable, "run the command again".to_owned()),
                };
                return Err(Failure { kind, message: error.to_string(), hint });
            }
        }
    }
    if started.elapsed() > LATEST_COMMAND {
        let message = "the daemon left while it was waited for".to_owned();
        return Err(Failure { kind: Kind::Unavailable, message, hint: "run the command again".to_owned() });
    }
    Err(become_the_command(profile, &socket))
}

enum AskError {
    Nobody,
    Failed(Failure),
}

fn ask(socket: &Path, profile: &str, started: Instant) -> Result<Vec<u8>, AskError> {
    let failed = |kind, message, hint: &str| AskError::Failed(Failure { kind, message, hint: hint.to_owned() });
    let mut stream = wire::connect(socket, CONNECT_LIMIT).map_err(|error| match &error {
        ConnectError::Nobody => AskError::Nobody,
        ConnectError::Busy => failed(Kind::Unavailable, error.to_string(), "try again; see: valetkey status"),
        ConnectError::ForeignUid(_) => failed(
            Kind::Configuration,
            format!("{error}: {}", socket.display()),
            "set VALETKEY_SOCKET to a place that only you can write to",
        ),
        ConnectError::Other(_) => {
            let message = format!("cannot connect to {}: {error}", socket.display());
            failed(Kind::Configuration, message, "check who owns the socket, or set VALETKEY_SOCKET")
        }
    })?;
    // A daemon that leaves may reset the connection: then what was read before that counts, nothing included.
    let mut bytes = Vec::with_capacity(4096);
    if stream.write_all(&wire::credentials_request(profile)).is_ok() {
        loop {
            let left = Timespec::try_from(BUDGET.saturating_sub(started.elapsed())).unwrap_or_default();
            // Not SO_RCVTIMEO: the kernel's timers of twenty seconds are two seconds late, which is an SDK's patience.
            match poll(&mut [PollFd::new(&stream, PollFlags::IN)], Some(&left)) {
                Ok(0) => {
                    let message = format!("the daemon has not answered within {} s", BUDGET.as_secs());
                    return Err(failed(Kind::Unavailable, message, "see: valetkey status"));
                }
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(_) => break,
            }
            let mut chunk = [0_u8; 8192];
            match stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => bytes.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
            if bytes.len() > MAX_REPLY {
                break;
            }
        }
    }
    Ok(bytes)
}

/// stdout for credentials; stderr and the kind's exit code for an error.
fn pass_on(reply: &Reply<'_>) -> ExitCode {
    if reply.status == 200 {
        return print(reply.body);
    }
    let shown = &reply.body[..reply.body.len().min(MAX_ERROR)];
    wire::tell(&String::from_utf8_lossy(shown));
    reply.kind.map_or(ExitCode::FAILURE, |kind| ExitCode::from(kind.exit_code()))
}

/// Replaces this process by `valetkey credentials PROFILE` out of the helper's own directory, never out of PATH,
/// which a stranger may have written. Returns only if that fails.
#[allow(clippy::disallowed_methods)] // The helper's own place is the outside it knows.
fn become_the_command(profile: &str, socket: &Path) -> Failure {
    let command = std::env::current_exe().and_then(|own| {
        let directory = own.parent().ok_or(io::ErrorKind::NotFound)?;
        Ok(directory.join("valetkey"))
    });
    let error = match command {
        Ok(path) => {
            let mut command = Command::new(&path);
            command.arg("credentials");
            if profile.starts_with('-') {
                command.arg("--");
            }
            format!("{}: {}", path.display(), command.arg(profile).exec())
        }
        Err(error) => error.to_string(),
    };
    Failure {
        kind: Kind::Unavailable,
        message: format!("no daemon answers on {}, and the command cannot be run: {error}", socket.display()),
        hint: "install valetkey beside the helper, or start: valetkey daemon".to_owned(),
    }
}

fn print(bytes: &[u8]) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        // Who has left wants to hear nothing.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => fail(
            Kind::Configuration,
            &format!("cannot write to standard output: {error}"),
            "see where standard output goes",
        ),
    }
}

fn fail(kind: Kind, message: &str, hint: &str) -> ExitCode {
    // A path may hold anything a file name may; an SDK shows this text on a terminal.
    wire::tell(&format!("valetkey: error: {}\nhint: {}\n", wire::printable(message), wire::printable(hint)));
    ExitCode::from(kind.exit_code())
}
