//! The daemon's start where nobody answers: one starter at a time, the others wait for its daemon.

use super::context::Context;
use crate::daemon::{Client, ClientError};
use crate::error::Error;
use crate::files::PrivateDir;
use crate::lock::{Attempt, LockFile};
use crate::system::process;
use std::sync::Arc;
use std::time::Duration;

/// How long the start of a daemon may take, and is waited for.
const START: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(15);

/// Sees that a daemon answers: holds the start lock until it says that it is ready.
pub(super) async fn ensure_daemon(context: &Context) -> Result<(), Error> {
    let socket = context.socket()?;
    let directory = socket.parent().unwrap_or(&socket);
    let lock = LockFile::new(Arc::new(PrivateDir::open(directory)?), "start.lock");
    let client = Client::new(&socket, Duration::from_secs(2));
    let deadline = tokio::time::Instant::now() + START;
    loop {
        // Whoever gets the lock after a starter finds its daemon here.
        let guard = match lock.try_acquire()? {
            Attempt::Held(guard) => Some(guard),
            Attempt::Unlockable(_) => None,
            Attempt::Busy if tokio::time::Instant::now() < deadline => {
                if answers(&client).await {
                    return Ok(());
                }
                tokio::time::sleep(POLL).await;
                continue;
            }
            Attempt::Busy => return Err(Error::unavailable("another process is still starting the daemon")),
        };
        if answers(&client).await {
            return Ok(());
        }
        // A directory that is not ours is an error; one that cannot be made costs the log.
        let state = match PrivateDir::existing(&context.paths.state)? {
            None => PrivateDir::open(&context.paths.state).ok(),
            state => state,
        };
        let (program, log) = (process::own_program()?, state.map(|state| state.path().join("daemon.log")));
        let worker = crate::worker::Worker::new("start");
        let started = worker.run(START, move || process::start_daemon(&program, log.as_deref())).await;
        drop(guard);
        return started.unwrap_or_else(|_| Err(Error::unavailable("the daemon was not ready in time")));
    }
}

async fn answers(client: &Client) -> bool {
    !matches!(client.get("/v1/profiles").await, Err(ClientError::Nobody))
}
