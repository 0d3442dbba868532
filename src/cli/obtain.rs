//! What a verb needs of the daemon, which is started if there is none; or of a broker of our own where there can be none.

use super::context::Context;
use super::one_shot::to_its_end;
use super::{start, tell};
use crate::broker::Manner;
use crate::config::Config;
use crate::daemon::ClientError;
use crate::error::Error;
use crate::export::Export;
use crate::settings::read_duration;
use crate::wire::{NAME_RULE, valid_name};
use hyper::Method;
use std::time::Duration;

/// To write the cache after the answer is there, before it is printed.
pub(super) const SETTLE: Duration = Duration::from_secs(3);

/// The export of `profile`, valid for `min_valid` at least, handed to `then`: an answer is out before what is left to
/// be stored is awaited.
pub(super) async fn export<T>(
    context: &Context,
    profile: &str,
    min_valid: Option<Duration>,
    then: impl FnOnce(Export) -> Result<T, Error>,
) -> Result<T, Error> {
    let path = path(profile, "export", min_valid)?;
    let config = match ask_daemon(context, &path, |config| config.profile(profile).map(|_| ())).await? {
        Ok(json) => return read(&json).and_then(then),
        Err(config) => config,
    };
    let entry = config.profile(profile)?.clone();
    let broker = context.broker(config, Manner::OneShot);
    to_its_end(&broker, async {
        let served = broker.credentials(profile, seconds(min_valid)).await;
        broker.settle(SETTLE).await;
        served.and_then(|served| then(Export::of(&served, &entry)))
    })
    .await
}

/// What `GET /v1/profiles/PROFILE/export` answered.
pub(super) fn read(json: &str) -> Result<Export, Error> {
    serde_json::from_str(json)
        .map_err(|_| Error::protocol("the daemon is of another version, and its answer cannot be read"))
}

/// `what` of a profile on the socket.
pub(super) fn path(profile: &str, what: &str, min_valid: Option<Duration>) -> Result<String, Error> {
    if !valid_name(profile) {
        return Err(Error::configuration("this cannot be a profile's name", NAME_RULE));
    }
    Ok(match min_valid {
        Some(wanted) => format!("/v1/profiles/{profile}/{what}?min_valid={}", wanted.as_secs()),
        None => format!("/v1/profiles/{profile}/{what}"),
    })
}

/// `min_valid` as a broker counts it.
pub(super) fn seconds(min_valid: Option<Duration>) -> i64 {
    min_valid.map_or(0, |wanted| i64::try_from(wanted.as_secs()).unwrap_or(i64::MAX))
}

/// Reads the value of an option.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    read_duration(text).ok_or_else(|| "write it as 30m, 1h, 90s or seconds".to_owned())
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

/// Standard error belongs to an SDK where nobody watches: on success it stays empty.
fn tell_if_person(line: &str) {
    if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        tell(line);
    }
}
