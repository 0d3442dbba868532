//! `valetkey stop`: ends the daemon and waits until it is gone.

use super::context::Context;
use super::tell;
use crate::daemon::ClientError;
use crate::error::Error;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// A rotation under way is waited for that long.
const GONE: Timespec = Timespec { tv_sec: 50, tv_nsec: 0 };

pub(super) async fn run(context: &Context) -> Result<(), Error> {
    let answer = match context.client()?.post("/v1/stop", None).await {
        Ok(answer) => answer,
        Err(ClientError::Nobody) => {
            tell("no daemon is running");
            return Ok(());
        }
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
