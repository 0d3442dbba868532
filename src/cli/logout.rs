//! `valetkey logout NAME`: takes a login's secret out of the keyring, and what depends on it out of memory.

use super::context::{ATTENDED, Context};
use super::login::{entry, hand_in};
use super::tell;
use crate::broker::{Broker, Manner};
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A login of the config, or a profile whose login is meant
    name: String,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let config = context.config()?;
    let login = entry(&config, &args.name)?.name;
    let keyring = context.keyring(&config, ATTENDED);
    let broker = Broker::new(context.outside(keyring), &context.paths.state, config, Manner::OneShot);
    broker.forget_login(&login).await?;
    hand_in(context, &login, None).await?;
    tell(&format!("signed out of {login}; credentials that were handed out live on until their end"));
    Ok(())
}
