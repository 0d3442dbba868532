//! `valetkey stop`: ends the daemon and waits until it is gone.

use super::context::Context;
use super::tell;
use crate::daemon::{Client, ClientError};
use crate::error::Error;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::time::Duration;

/// A rotation under way is waited for that long.
const GONE: Timespec = Timespec { tv_sec: 50, tv_nsec: 0 };

/// For a daemon that is well to hear it.
const HEARD: Duration = Duration::from_secs(5);

pub(super) async fn run(context: &Context) -> Result<(), Error> {
    let answer = match Client::new(&context.socket()?, HEARD).post("/v1/stop", None).await {
        Ok(answer) => answer,
        Err(ClientError::Nobody) => {
            tell("no daemon is running");
            return Ok(());
        }
        // One that does not even hear this has to be ended by its number.
        Err(ClientError::Error(error @ Error::Unavailable { .. })) => return Err(by_force(context).unwrap_or(error)),
        Err(ClientError::Error(error)) => return Err(error),
    };
    let pid = serde_json::from_str::<serde_json::Value>(&answer).ok().and_then(|value| value["pid"].as_i64());
    let pid = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    // Gone already if there is no such process any more.
    if let Some(Ok(process)) = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) {
        let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&GONE));
        if ended == Ok(0) {
            return Err(Error::unavailable("the daemon was told to end and is still busy"));
        }
    }
    tell("the daemon has ended");
    Ok(())
}

/// Names whoever listens at the socket.
fn by_force(context: &Context) -> Option<Error> {
    let stream = crate::wire::connect(&context.socket().ok()?, HEARD).ok()?;
    let pid = rustix::net::sockopt::socket_peercred(&stream).ok()?.pid.as_raw_nonzero();
    let message = format!("the daemon (pid {pid}) has not heard within {} s that it is to end", HEARD.as_secs());
    Some(Error::configuration(message, format!("if it hangs: kill -9 {pid}; what it gave out stays in the cache")))
}
