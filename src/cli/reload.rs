//! `valetkey reload`: has the daemon read the config now, and says what is wrong with it. A bad one keeps the old.

use super::context::Context;
use super::tell;
use crate::daemon::{ClientError, DaemonStatus};
use crate::error::Error;

pub(super) async fn run(context: &Context) -> Result<(), Error> {
    let config = context.config()?;
    let daemon = match context.client()?.post("/v1/reload", None).await {
        Ok(_) => "the daemon has read",
        Err(ClientError::Nobody) => "no daemon is running; sound is",
        Err(ClientError::Error(error)) => return Err(error),
    };
    let (profiles, logins) = (config.profiles.len(), config.logins.len());
    tell(&format!("{daemon} {}: profiles {profiles}, logins {logins}", config.file.display()));
    // A port may be taken: the config is sound all the same.
    if let Ok(text) = context.client()?.get("/v1/status").await
        && let Ok(status) = serde_json::from_str::<DaemonStatus>(&text)
        && let Some(trouble) = status.status.troubles.get("loopback")
    {
        tell(&format!("warning: loopback: {trouble}"));
    }
    Ok(())
}
