//! `valetkey lock` and `unlock`: nothing is given out in between, by no process and over restarts.

use super::context::Context;
use super::tell;
use crate::broker::Manner;
use crate::daemon::ClientError;
use crate::error::Error;

pub(super) async fn run(context: &Context, locked: bool) -> Result<(), Error> {
    // The marker by ourselves too: it holds for a daemon that does not answer.
    let broker = context.broker(crate::config::Config::empty(&context.paths.config_file), Manner::OneShot);
    let (done, path) = match locked {
        true => (broker.lock().await, "/v1/lock"),
        false => (broker.unlock().await, "/v1/unlock"),
    };
    // A daemon is told whatever became of the marker: what it holds in memory is what matters now.
    match context.client()?.post(path, None).await {
        Ok(_) | Err(ClientError::Nobody) => {}
        Err(ClientError::Error(error)) if locked => return Err(error),
        Err(ClientError::Error(error)) => tell(&format!("valetkey: warning: the daemon was not told: {error}")),
    }
    done?;
    tell(match locked {
        true => "locked: no credentials until `valetkey unlock`; those that were handed out live on until their end",
        false => "unlocked",
    });
    Ok(())
}
