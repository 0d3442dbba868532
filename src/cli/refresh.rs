//! `valetkey refresh [PROFILE..]`: new credentials now, however good the old ones are.

use super::context::Context;
use super::obtain::{SETTLE, ask};
use super::one_shot::to_its_end;
use super::tell;
use crate::broker::Manner;
use crate::daemon::Refreshed;
use crate::error::Error;
use hyper::Method;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Profiles of the config; all of them if none is named
    profiles: Vec<String>,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let config = context.config()?;
    for name in &args.profiles {
        config.profile(name)?;
    }
    let all: Vec<String> = config.profiles.keys().cloned().collect();
    let names = if args.profiles.is_empty() { &all } else { &args.profiles };
    if names.is_empty() {
        tell("no profiles yet; add one: valetkey add --help");
        return Ok(());
    }
    // One after the other: nobody is in such a hurry that an issuer should feel it.
    let mut worst = Ok(());
    for name in names {
        let refreshed = refresh(context, name).await;
        match refreshed {
            Ok(refreshed) => tell(&format!("{name}: new credentials until {}", refreshed.expiration)),
            // The last one is told by whoever called us.
            Err(error) => {
                if let Err(earlier) = std::mem::replace(&mut worst, Err(error.of_profile(name))) {
                    crate::wire::tell(&earlier.text());
                }
            }
        }
    }
    worst
}

async fn refresh(context: &Context, name: &str) -> Result<Refreshed, Error> {
    let config = match ask(context, Method::POST, &format!("/v1/profiles/{name}/refresh"), |_| Ok(())).await? {
        Ok(text) => {
            return serde_json::from_str(&text)
                .map_err(|_| Error::protocol("the daemon is of another version, and its answer cannot be read"));
        }
        Err(config) => config,
    };
    let broker = context.broker(config, Manner::OneShot);
    to_its_end(&broker, async {
        let served = broker.refresh(name).await;
        broker.settle(SETTLE).await;
        served.map(|served| Refreshed::of(&served))
    })
    .await
}
