//! The servers of the config on the loopback: opened and closed as the config changes, each profile in the container form.

use super::routes::Routes;
use crate::config::LoopbackEntry;
use crate::error::Error;
use crate::loopback::{Answer, Answers, Refused, Server, Token, container_error};
use crate::ports::Later;
use crate::system::peer;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};

/// Some SDKs give up after a second.
const ANSWER: Duration = Duration::from_millis(900);
/// Until a port that was taken is tried again.
const AGAIN: Duration = Duration::from_secs(30);
const DISK: Duration = Duration::from_secs(2);

/// Keeps the servers of the config open until it is dropped.
pub(super) async fn keep_open(routes: Arc<Routes>) {
    let mut configs = routes.configs();
    let mut tasks = JoinSet::new();
    let mut open: BTreeMap<String, (LoopbackEntry, AbortHandle)> = BTreeMap::new();
    let troubles = Arc::new(Troubles::default());
    loop {
        let wanted = routes.broker().config().loopback.clone();
        open.retain(|name, (entry, task)| {
            let stays = wanted.get(name) == Some(&*entry);
            if !stays {
                task.abort();
                troubles.note(&routes, name, None);
            }
            stays
        });
        // Their ports are free once they have ended, and not before.
        while tasks.len() > open.len() {
            tasks.join_next().await;
        }
        for (name, entry) in wanted {
            open.entry(name).or_insert_with(|| {
                let task = tasks.spawn(serve(routes.clone(), entry.clone(), troubles.clone()));
                (entry, task)
            });
        }
        if configs.changed().await.is_err() {
            return;
        }
    }
}

async fn serve(routes: Arc<Routes>, entry: LoopbackEntry, troubles: Arc<Troubles>) {
    let profiles = Arc::new(Profiles { routes: routes.clone(), entry: entry.clone() });
    loop {
        match listen(&routes, &entry).await {
            Ok(server) => {
                troubles.note(&routes, &entry.name, None);
                tracing::info!(name = entry.name, address = %server.address(), "loopback server open");
                if rustix::process::getuid().is_root() {
                    tracing::warn!(name = entry.name, "run by root: whatever root runs may ask it");
                }
                server.serve(profiles.clone()).await;
            }
            Err(error) => troubles.note(&routes, &entry.name, Some(format!("{error}; {}", error.hint()))),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn listen(routes: &Routes, entry: &LoopbackEntry) -> Result<Server, Error> {
    let token = match entry.token_file.clone() {
        None => None,
        Some(file) => {
            let kept = routes.disk().run(DISK, move || Token::kept_in(&file)).await;
            Some(kept.unwrap_or_else(|_| Err(Error::unavailable("the disk of the token did not answer within 2 s")))?)
        }
    };
    Server::bind(entry.listen, token, peer::uid_of).map_err(|error| {
        let fix = format!("end what listens there, or set another listen in [loopback.{}]", entry.name);
        Error::configuration(format!("cannot listen on {}: {error}", entry.listen), fix)
    })
}

/// What keeps servers from opening, by name.
#[derive(Debug, Default)]
struct Troubles(Mutex<BTreeMap<String, String>>);

impl Troubles {
    fn note(&self, routes: &Routes, name: &str, trouble: Option<String>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble {
            Some(trouble) => all.insert(name.to_owned(), trouble),
            None => all.remove(name),
        };
        let text = all.iter().map(|(name, trouble)| format!("{name}: {trouble}")).collect::<Vec<_>>().join("; ");
        routes.broker().note("loopback", (!text.is_empty()).then_some(text));
    }
}

/// Answers `/profiles/NAME`.
#[derive(Debug)]
struct Profiles {
    routes: Arc<Routes>,
    entry: LoopbackEntry,
}

impl Answers for Profiles {
    fn answer<'a>(&'a self, target: &'a str) -> Later<'a, Answer> {
        Box::pin(async move {
            let profile = target.strip_prefix("/profiles/").filter(|name| self.entry.gives(name));
            let Some(profile) = profile else {
                return container_error(404, "not-found", "this server gives out /profiles/NAME, of its own profiles");
            };
            let away = || Err(Error::unavailable("no answer within a second; still asking"));
            let served = tokio::time::timeout(ANSWER, self.routes.served_over_http(profile)).await;
            match served.unwrap_or_else(|_| away()) {
                Ok(served) => Answer { status: 200, body: served.container_json() },
                Err(error) => Answer::container_failure(&error),
            }
        })
    }

    fn refuse(&self, refused: Refused) -> Answer {
        container_error(refused.status(), "refused", refused.reason())
    }
}
