//! Where the program's keys come from: the daemon's socket, whichever daemon listens there; else a broker of our own;
//! and where both are late, what we had last for as long as it is valid.

use crate::broker::{Broker, Manner};
use crate::cli::context::Context;
use crate::cli::{obtain, start};
use crate::config::Config;
use crate::daemon::ClientError;
use crate::error::Error;
use crate::export::Export;
use crate::freshness::{LEAST_SERVED, Reader};
use crate::loopback::{Answer, Answers, Refused, container_error};
use crate::ports::{Clock, Later};
use crate::system::clock::SystemClock;
use crate::wire::Kind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Where the keys are on our server.
pub(super) const PATH: &str = "/credentials";

/// Some SDKs give up after a second.
const ANSWER: Duration = Duration::from_millis(800);
/// For a look at the lock's marker.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Source {
    context: Arc<Context>,
    profile: String,
    /// Held for look-ups, never across an await.
    last: Arc<Mutex<Export>>,
    /// Without a daemon. Renews ahead once it was needed.
    own: Arc<OnceCell<Broker>>,
    clock: SystemClock,
}

impl Source {
    pub(super) fn new(context: Arc<Context>, first: Export) -> Source {
        let profile = first.profile.clone();
        Source { context, profile, last: Arc::new(Mutex::new(first)), own: Arc::default(), clock: SystemClock::new() }
    }

    /// At the end: an exchange that was sent is stored first.
    pub(super) async fn close(&self) {
        if let Some(broker) = self.own.get() {
            broker.close().await;
        }
    }

    async fn current(&self) -> Result<Export, Error> {
        // A task of its own: a start of the daemon that was begun is not broken off because one reader is in a hurry.
        let asked = tokio::spawn(ask(self.context.clone(), self.profile.clone(), self.own.clone(), self.last.clone()));
        let error = match tokio::time::timeout(ANSWER, asked).await {
            Ok(Ok(Ok(export))) => return Ok(export),
            Ok(Ok(Err(error))) => error,
            Ok(Err(_)) => Error::protocol("the request for new keys panicked"),
            Err(_) => Error::unavailable("no answer within a second; still asking"),
        };
        match error.kind() {
            // Nobody decided against it: what is still valid is good.
            Kind::Unavailable | Kind::Protocol => self.still_valid().await.ok_or(error),
            Kind::LoginRequired | Kind::Denied | Kind::Configuration => Err(error),
        }
    }

    async fn still_valid(&self) -> Option<Export> {
        let broker = self.own.get().cloned().unwrap_or_else(|| self.context.broker(Config::default(), Manner::OneShot));
        // A marker that cannot be looked at in time says nothing, and is not there for all but a few.
        if let Ok(Err(locked)) = tokio::time::timeout(LOOK, broker.check_unlocked()).await
            && locked.kind() == Kind::LoginRequired
        {
            return None;
        }
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let left = last.credentials.expiration.as_second() - self.clock.now().wall.as_second();
        (left >= LEAST_SERVED).then_some(last)
    }
}

/// From the daemon, which is started if there is none and there may be one; else by our own broker.
async fn ask(
    context: Arc<Context>,
    profile: String,
    own: Arc<OnceCell<Broker>>,
    last: Arc<Mutex<Export>>,
) -> Result<Export, Error> {
    let path = obtain::path(&profile, "export", None)?;
    let export = match ask_daemon(&context, &path).await {
        Some(answered) => obtain::read(&answered?)?,
        None => {
            let make = async || {
                let broker = context.broker(context.config()?, Manner::Daemon);
                tokio::spawn(broker.clone().renew_ahead());
                Ok::<_, Error>(broker)
            };
            let broker = own.get_or_try_init(make).await?;
            broker.check_unlocked().await?;
            let served = broker.credentials_for(Reader::Http, &profile, 0).await?;
            Export::of(&served, broker.config().profile(&profile)?)
        }
    };
    last.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&export);
    Ok(export)
}

/// None where no daemon can be.
async fn ask_daemon(context: &Context, path: &str) -> Option<Result<String, Error>> {
    for started in [false, true] {
        match context.client().ok()?.get(path).await {
            Ok(json) => return Some(Ok(json)),
            Err(ClientError::Error(error)) => return Some(Err(error)),
            Err(ClientError::Nobody) if started => return None,
            Err(ClientError::Nobody) => {
                if !context.config().ok()?.autostart || start::ensure_daemon(context).await.is_err() {
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

    fn refuse(&self, refused: Refused) -> Answer {
        container_error(refused.status(), "refused", refused.reason())
    }
}
