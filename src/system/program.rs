//! A program of the user's that prints a secret: run without a shell, watched, and ended with all that it started.

use super::passed_on::passed_on;
use crate::error::{Error, printable};
use crate::secret::Secret;
use rustix::process::{Pid, Signal, kill_process_group};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(10);
const MAX_OUTPUT: u64 = 64 * 1024;

/// The whole group of a program that was started; ended when this is dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// What `program` (its path or name, then its arguments) prints on standard output.
pub(super) async fn output(program: &[String]) -> Result<Secret, Error> {
    output_within(program, LIMIT).await
}

async fn output_within(program: &[String], limit: Duration) -> Result<Secret, Error> {
    let Some((name, arguments)) = program.split_first() else {
        return Err(Error::configuration("the command is empty", "write [\"PROGRAM\", \"ARGUMENT\"]"));
    };
    let mut command = Command::new(name);
    command.args(arguments).env_clear().current_dir("/").process_group(0).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.envs(passed_on(&[]));
    let shown = printable(name);
    let mut child = command.spawn().map_err(|error| {
        Error::configuration(format!("cannot run {shown}: {error}"), "name an installed program by its whole path")
    })?;
    // Of its own group, which its number names.
    let _group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let done = async { tokio::join!(text_of(stdout), text_of(stderr), child.wait()) };
    let Ok((said, complained, status)) = tokio::time::timeout(limit, done).await else {
        return Err(Error::unavailable(format!("{shown} has not ended within {} s", limit.as_secs())));
    };
    let status = status.map_err(|error| Error::unavailable(format!("{shown} was lost: {error}")))?;
    if !status.success() {
        // What it says may well hold what it was to print.
        let words = complained.map_or(0, |text| text.expose().len());
        let message = format!("{shown} failed ({status}) with {words} bytes of complaint");
        // Its arguments may hold a secret, too, and this is written down.
        return Err(Error::configuration(message, format!("run {shown} by hand, with its arguments")));
    }
    said.filter(|text| text.expose().len() as u64 <= MAX_OUTPUT).ok_or_else(|| {
        Error::configuration(
            format!("{shown} prints more than 64 KiB, or no text"),
            "name a program that prints the secret",
        )
    })
}

async fn text_of(pipe: Option<impl AsyncRead + Unpin>) -> Option<Secret> {
    let mut text = zeroize::Zeroizing::new(String::new());
    pipe?.take(MAX_OUTPUT + 1).read_to_string(&mut text).await.ok()?;
    Some(Secret::new(text.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::passed_on::PASSED_ON;

    async fn sh(script: &str, limit: Duration) -> Result<Secret, Error> {
        output_within(&["/bin/sh".into(), "-c".into(), script.into()], limit).await
    }

    #[tokio::test]
    async fn s24_a_program_prints_its_secret_and_knows_nothing_of_our_environment() {
        assert_eq!(sh("printf tok", LIMIT).await.unwrap().expose(), "tok");
        let names = sh("env | cut -d= -f1", LIMIT).await.unwrap();
        for name in names.expose().lines().filter(|name| !matches!(*name, "PWD" | "_" | "SHLVL" | "OLDPWD")) {
            assert!(PASSED_ON.contains(&name), "{name}");
        }
    }

    #[tokio::test]
    async fn what_fails_is_told_without_its_words() {
        let error = sh("echo hunter2; echo hunter2 >&2; exit 3", LIMIT).await.unwrap_err();
        assert!(error.to_string().contains("status: 3") && error.hint().contains("/bin/sh"), "{}", error.text());
        assert!(!format!("{} {error:?}", error.text()).contains("hunter2"), "{}", error.text());
        let missing = output_within(&["/no/such/program".into()], LIMIT).await.unwrap_err();
        assert!(missing.hint().contains("whole path"), "{}", missing.text());
        assert!(sh("head -c 70000 /dev/zero | tr '\\0' x", LIMIT).await.is_err());
    }

    #[tokio::test]
    async fn s24_one_that_hangs_is_ended_with_all_that_it_started() {
        let place = tempfile::tempdir().unwrap();
        let fifo = place.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        let reader = std::fs::File::options().read(true).write(true).open(&fifo).unwrap();
        // A grandchild that keeps the fifo open for as long as it lives.
        let script = format!("(exec 3<>'{}'; sleep 600) & wait", fifo.display());
        let error = sh(&script, Duration::from_millis(200)).await.unwrap_err();
        assert_eq!(error.kind(), crate::wire::Kind::Unavailable);
        drop(reader);
        // Once nobody has it open for reading, opening it for writing without waiting is refused.
        let alone = || {
            use std::os::unix::fs::OpenOptionsExt;
            let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
            std::fs::File::options().write(true).custom_flags(flags).open(&fifo).is_err()
        };
        let gone = async {
            while !alone() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the grandchild is gone");
    }
}
