//! `valetkey credentials PROFILE`: from the daemon, which is started if there is none; or by a flight of our own.

use super::context::Context;
use super::one_shot::to_its_end;
use super::{print, start, tell};
use crate::broker::Manner;
use crate::config::Config;
use crate::daemon::ClientError;
use crate::error::Error;
use crate::settings::read_duration;
use crate::wire::{NAME_RULE, valid_name};
use hyper::Method;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    profile: String,
    /// Credentials that are valid for so long at least: 30m, 1h, 1800
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    min_valid: Option<Duration>,
}

/// To write the cache after the answer is there, before it is printed.
pub(super) const SETTLE: Duration = Duration::from_secs(3);

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Error> {
    if !valid_name(&args.profile) {
        return Err(Error::configuration("this cannot be a profile's name", NAME_RULE));
    }
    let (profile, min_valid) = (args.profile.as_str(), args.min_valid);
    let path = match min_valid {
        Some(wanted) => format!("/v1/profiles/{profile}/credentials?min_valid={}", wanted.as_secs()),
        None => format!("/v1/profiles/{profile}/credentials"),
    };
    match ask_daemon(context, &path, |config| config.profile(profile).map(|_| ())).await? {
        Ok(json) => print(&json),
        Err(config) => one_shot(context, config, profile, min_valid).await,
    }
}

/// A flight of our own, which takes 17 s at most, is not begun later than this.
const LATEST_FLIGHT: Duration = Duration::from_secs(3);

/// What the daemon answers, which is started if there is none; or the config, where there can be no daemon and the work
/// is this process's. `known` refuses what the config does not have: a daemon is not started to say so.
pub(super) async fn ask_daemon(
    context: &Context,
    path: &str,
    known: impl FnOnce(&Config) -> Result<(), Error>,
) -> Result<Result<String, Config>, Error> {
    ask(context, Method::GET, path, known).await
}

/// The same with another method.
pub(super) async fn ask(
    context: &Context,
    method: Method,
    path: &str,
    known: impl FnOnce(&Config) -> Result<(), Error>,
) -> Result<Result<String, Config>, Error> {
    let started = tokio::time::Instant::now();
    match context.client()?.request(method.clone(), path, None).await {
        Ok(answer) => return Ok(Ok(answer)),
        Err(ClientError::Error(error)) => return Err(error),
        Err(ClientError::Nobody) => {}
    }
    let config = context.config()?;
    known(&config)?;
    if config.autostart {
        match start::ensure_daemon(context).await {
            Ok(()) => match context.client_within(started.elapsed())?.request(method, path, None).await {
                Ok(answer) => return Ok(Ok(answer)),
                Err(ClientError::Error(error)) => return Err(error),
                Err(ClientError::Nobody) => {}
            },
            // Too late for a flight of our own within an SDK's patience.
            Err(error) if started.elapsed() > LATEST_FLIGHT => return Err(error),
            Err(error) => tell_if_person(&format!("valetkey: no daemon ({error}); asking the issuer from here")),
        }
    }
    Ok(Err(config))
}

/// The same flight in this process, under the same locks.
async fn one_shot(context: &Context, config: Config, profile: &str, min_valid: Option<Duration>) -> Result<(), Error> {
    let broker = context.broker(config, Manner::OneShot);
    let wanted = min_valid.map_or(0, |wanted| i64::try_from(wanted.as_secs()).unwrap_or(i64::MAX));
    // Printed before what is left is awaited: whoever reads us has his answer by then.
    to_its_end(&broker, async {
        let served = broker.credentials(profile, wanted).await;
        broker.settle(SETTLE).await;
        served.and_then(|served| print(&served.process_json()))
    })
    .await
}

/// Standard error belongs to an SDK where nobody watches: on success it stays empty.
fn tell_if_person(line: &str) {
    if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        tell(line);
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    read_duration(text).ok_or_else(|| "write it as 30m, 1h, 90s or seconds".to_owned())
}
