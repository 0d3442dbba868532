//! `valetkey logout NAME`: takes a login's secret out of the keyring, and what depends on it out of memory.

use super::context::{ATTENDED, Context};
use super::login::{entry, hand_in};
use super::tell;
use crate::broker::{Broker, Manner};
use crate::daemon::ClientError;
use crate::error::Error;
use crate::ports::{Keyring, Tier};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A login of the config, or a profile whose login is meant
    name: String,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let config = context.config()?;
    let entry = entry(&config, &args.name)?;
    let login = entry.name;
    if let Some(elsewhere) = entry.login.elsewhere() {
        // What an earlier sign-in left in the keyring goes in any case.
        let keyring = context.keyring(&config, ATTENDED);
        let broker = Broker::new(context.outside(keyring), &context.paths.state, config, Manner::OneShot);
        broker.forget_login(&login).await?;
        let message = format!("the secret of {login} is not kept here: the config says {}", elsewhere.place());
        return Err(Error::configuration(message, "take it out there"));
    }
    let in_memory = config.keyring == Some(Tier::Memory);
    let keyring = context.keyring(&config, ATTENDED);
    // A memory that is the daemon's alone is not seen from here.
    let nobody = !in_memory && matches!(keyring.load(&login).await, Ok(None));
    let broker = Broker::new(context.outside(keyring), &context.paths.state, config, Manner::OneShot);
    // By ourselves too: here somebody can unlock a keyring, and a daemon may have been started with another one.
    broker.forget_login(&login).await?;
    match context.client()?.delete(&format!("/v1/logins/{login}")).await {
        Ok(_) | Err(ClientError::Nobody) => {}
        // Its memory is the only place, and out of reach from here.
        Err(ClientError::Error(error)) if in_memory => return Err(error),
        // What it could not delete is gone already: it only has to look again.
        Err(ClientError::Error(_)) => hand_in(context, &login, None).await?,
    }
    tell(&match nobody {
        true => format!("nobody was signed in as {login}"),
        false => format!("signed out of {login}; credentials that were handed out live on until their end"),
    });
    Ok(())
}
