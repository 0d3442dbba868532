//! `valetkey credentials PROFILE`: from the daemon, which is started if there is none; or by a flight of our own.

use super::context::Context;
use super::obtain::{SETTLE, ask_daemon, duration, path, seconds};
use super::one_shot::to_its_end;
use super::print;
use crate::broker::Manner;
use crate::config::Config;
use crate::error::Error;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    profile: String,
    /// Credentials that are valid for so long at least: 30m, 45m, 1800
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    min_valid: Option<Duration>,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let (profile, min_valid) = (args.profile.as_str(), args.min_valid);
    let path = path(profile, "credentials", min_valid)?;
    match ask_daemon(context, &path, |config| config.profile(profile).map(|_| ())).await? {
        Ok(json) => print(&json),
        Err(config) => one_shot(context, config, profile, min_valid).await,
    }
}

/// The same flight in this process, under the same locks.
async fn one_shot(context: &Context, config: Config, profile: &str, min_valid: Option<Duration>) -> Result<(), Error> {
    let broker = context.broker(config, Manner::OneShot);
    // Printed before what is left is awaited: whoever reads us has his answer by then.
    to_its_end(&broker, async {
        let served = broker.credentials(profile, seconds(min_valid)).await;
        broker.settle(SETTLE).await;
        served.and_then(|served| print(&served.process_json()))
    })
    .await
}
