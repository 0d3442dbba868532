//! Where the program's keys come from: the daemon's socket, whichever daemon listens there; else a broker of our own;
//! and where both are late, what we had last for as long as it is valid.

use crate::broker::{Broker, Manner};
use crate::cache::Cache;
use crate::cli::context::Context;
use crate::cli::{obtain, start};
use crate::config::Config;
use crate::daemon::ClientError;
use crate::error::{Error, Remedy};
use crate::export::Export;
use crate::freshness::{LEAST_SERVED, Reader};
use crate::loopback::{Answer, Answers, HURRY, container_error};
use crate::ports::{Clock, Later};
use crate::system::clock::SystemClock;
use crate::system::config_file;
use crate::worker::Worker;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Where the keys are on our server.
pub(super) const PATH: &str = "/credentials";

/// For a look at the lock's marker.
const LOOK: Duration = Duration::from_millis(100);
const DISK: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Source {
    shared: Arc<Shared>,
    clock: SystemClock,
}

/// What a request that outlives its reader needs as well.
#[derive(Debug)]
struct Shared {
    context: Context,
    profile: String,
    /// Held for look-ups, never across an await.
    last: Mutex<Export>,
    /// Without a daemon. Renews ahead once it was needed.
    own: OnceCell<Broker>,
    /// For the config and the lock's marker, on a home that may hang.
    disk: Worker,
}

impl Source {
    pub(super) fn new(context: Context, first: Export) -> Source {
        let profile = first.profile.clone();
        let (last, own, disk) = (Mutex::new(first), OnceCell::new(), Worker::new("exec"));
        Source { shared: Arc::new(Shared { context, profile, last, own, disk }), clock: SystemClock::new() }
    }

    /// At the end: an exchange that was sent is stored first.
    pub(super) async fn close(&self) {
        if let Some(broker) = self.shared.own.get() {
            broker.close().await;
        }
    }

    async fn current(&self) -> Result<Export, Error> {
        // A task of its own: a start of the daemon that was begun is not broken off because one reader is in a hurry.
        let asked = tokio::spawn(ask(self.shared.clone()));
        let error = match tokio::time::timeout(HURRY, asked).await {
            Ok(Ok(Ok(export))) => return Ok(export),
            Ok(Ok(Err(error))) => error,
            Ok(Err(_)) => Error::protocol("the request for new keys panicked"),
            Err(_) => Error::unavailable("no answer within a second; still asking"),
        };
        let locked = self.shared.is_locked().await;
        let last = self.shared.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        still_valid(error, locked, last, self.clock.now().wall)
    }
}

/// What is answered where nobody gave new keys. What was issued once is good until its end, whatever fails; only a lock
/// that the user closed holds it back.
fn still_valid(error: Error, locked: bool, last: Export, now: Timestamp) -> Result<Export, Error> {
    let is_lock = matches!(error, Error::LoginRequired { remedy: Remedy::Unlock, .. });
    let left = last.credentials.expiration.as_second().saturating_sub(now.as_second());
    match left >= LEAST_SERVED && !is_lock && !locked {
        true => Ok(last),
        false => Err(error),
    }
}

impl Shared {
    /// A marker that cannot be looked at in time says nothing, and is not there for all but a few.
    async fn is_locked(&self) -> bool {
        let cache = Cache::new(&self.context.paths.state);
        matches!(self.disk.run(LOOK, move || cache.is_locked()).await, Ok(Ok(true)))
    }

    /// The config as it is now, which a job of days outlives in many forms.
    async fn config(&self) -> Result<Config, Error> {
        let (file, home) = (self.context.paths.config_file.clone(), self.context.paths.home.clone());
        let read = self.disk.run(DISK, move || config_file::read(&file, &home)).await;
        read.unwrap_or_else(|_| Err(Error::unavailable("the disk of the config did not answer within 2 s")))
    }
}

/// From the daemon, which is started if there is none and there may be one; else by our own broker.
async fn ask(shared: Arc<Shared>) -> Result<Export, Error> {
    let (context, profile) = (&shared.context, &shared.profile);
    let export = match ask_daemon(&shared).await {
        Some(answered) => obtain::read(&answered?)?,
        None => {
            // A bad one keeps the old.
            let config = shared.config().await;
            let broker = match (shared.own.get(), config) {
                (None, config) => {
                    let config = config?;
                    let make = async || {
                        let broker = context.broker(config, Manner::Daemon);
                        tokio::spawn(broker.clone().renew_ahead());
                        broker
                    };
                    shared.own.get_or_init(make).await
                }
                (Some(broker), Ok(config)) => {
                    broker.reload(config);
                    broker
                }
                (Some(broker), Err(_)) => broker,
            };
            broker.check_unlocked().await?;
            let served = broker.credentials_for(Reader::Http, profile, 0).await?;
            Export::of(&served, broker.config().profile(profile)?)
        }
    };
    shared.last.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&export);
    Ok(export)
}

/// None where no daemon can be.
async fn ask_daemon(shared: &Shared) -> Option<Result<String, Error>> {
    let path = obtain::path(&shared.profile, "export", None).ok()?;
    for started in [false, true] {
        match shared.context.client().ok()?.get(&path).await {
            Ok(json) => return Some(Ok(json)),
            Err(ClientError::Error(error)) => return Some(Err(error)),
            Err(ClientError::Nobody) if started => return None,
            Err(ClientError::Nobody) => {
                if !shared.config().await.ok()?.autostart || start::ensure_daemon(&shared.context).await.is_err() {
                    return None;
                }
            }
        }
    }
    None
}

impl Answers for Source {
    fn answer<'a>(&'a self, target: &'a str) -> Later<'a, Answer> {
        Box::pin(async move {
            if target != PATH {
                return container_error(404, "not-found", "there are credentials here and nothing else");
            }
            match self.current().await {
                Ok(export) => {
                    Answer { status: 200, body: export.credentials.container_json(export.credentials.expiration) }
                }
                Err(error) => Answer::container_failure(&error),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::export;

    fn answered(error: Error, locked: bool, left: i64) -> Result<Export, Error> {
        let last = export(None);
        let now = Timestamp::from_second(last.credentials.expiration.as_second() - left).unwrap();
        still_valid(error, locked, last, now)
    }

    #[test]
    fn p0_keys_that_are_valid_are_given_whatever_fails_and_no_others() {
        for error in crate::error::tests::one_of_each() {
            let is_lock = matches!(error, Error::LoginRequired { remedy: Remedy::Unlock, .. });
            assert_eq!(answered(error.clone(), false, LEAST_SERVED).is_ok(), !is_lock, "{error}");
            assert_eq!(answered(error.clone(), false, LEAST_SERVED - 1), Err(error));
        }
    }

    #[test]
    fn s17_a_lock_holds_them_back_whoever_tells_of_it() {
        let told = Error::LoginRequired { message: "locked".into(), remedy: Remedy::Unlock };
        assert!(answered(told, false, 3000).is_err());
        assert!(answered(Error::unavailable("no daemon"), true, 3000).is_err());
    }
}
