//! Our own programs: whether all are there, and of one version.

use super::line::Line;
use crate::cli::context::Context;
use crate::daemon::{Client, ClientError, DaemonStatus};
use crate::error::Error;
use crate::system::process;
use crate::worker::Worker;
use std::process::{Command, Stdio};
use std::time::Duration;

const OURS: &str = env!("CARGO_PKG_VERSION");
const LIMIT: Duration = Duration::from_secs(5);

/// Whether there is no daemon that hangs, too: then it may be asked for more.
pub(super) async fn look(context: &Context) -> (Vec<Line>, bool) {
    let mut lines = vec![helper().await];
    let asked = match context.socket() {
        Ok(socket) => Client::new(&socket, LIMIT).get("/v1/status").await,
        Err(error) => Err(ClientError::Error(error)),
    };
    let well = !matches!(asked, Err(ClientError::Error(_)));
    lines.push(match asked {
        Ok(text) => match serde_json::from_str::<DaemonStatus>(&text) {
            Ok(status) => of_daemon(&status.version, status.pid),
            Err(_) => {
                Line::wrong("daemon", "it is of another version, and its status cannot be read", "run: valetkey stop")
            }
        },
        Err(ClientError::Nobody) => match context.config().map(|config| config.autostart) {
            Ok(false) => Line::fine("daemon", "not running; each command asks for itself (autostart = false)"),
            _ => Line::fine("daemon", "not running; the first request starts it"),
        },
        Err(ClientError::Error(Error::Unavailable { message, .. })) => {
            Line::wrong("daemon", message, "if it does not come to itself: valetkey stop")
        }
        Err(ClientError::Error(error)) => Line::of_error("daemon", &error),
    });
    (lines, well)
}

fn of_daemon(version: &str, pid: u32) -> Line {
    match version == OURS {
        true => Line::fine("daemon", format!("{version} (pid {pid})")),
        false => Line::wrong(
            "daemon",
            format!("it is version {version}, and this command is {OURS}"),
            "run: valetkey stop (the next request starts the new one)",
        ),
    }
}

async fn helper() -> Line {
    let path = match process::helper_program() {
        Ok(path) => path,
        Err(error) => return Line::of_error("helper", &error),
    };
    let place = path.display().to_string();
    if !path.is_file() {
        let fix = "install both programs in one directory; built here: cargo build --release --bins";
        return Line::wrong("helper", format!("it is not beside this program: {place}"), fix);
    }
    let run = move || {
        let mut command = Command::new(path);
        command.arg("--version").env_clear().stdin(Stdio::null()).stderr(Stdio::null()).output()
    };
    let said = match Worker::new("helper").run(LIMIT, run).await {
        Ok(Ok(output)) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => String::new(),
    };
    of_helper(&place, said.rsplit(' ').next().unwrap_or_default())
}

fn of_helper(place: &str, version: &str) -> Line {
    match version {
        OURS => Line::fine("helper", format!("{place}, {version}")),
        "" => Line::wrong("helper", format!("{place} does not run"), "install valetkey anew"),
        other => Line::wrong(
            "helper",
            format!("{place} is version {other}, and this command is {OURS}"),
            "install both programs of one version",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_wrong_and_named() {
        assert!(of_daemon(OURS, 1).is_fine() && of_helper("/x", OURS).is_fine());
        for line in [of_daemon("9.9.9", 1), of_helper("/x", "9.9.9")] {
            assert!(line.is_wrong() && line.says("9.9.9") && line.says(OURS));
        }
        assert!(of_helper("/x", "").says("does not run"));
    }
}
