//! The servers of the config on the loopback: opened and closed as the config changes, each profile in the container form.

use super::routes::Routes;
use crate::config::LoopbackEntry;
use crate::error::Error;
use crate::loopback::{Answer, Answers, HURRY, Server, Token, container_error};
use crate::ports::Later;
use crate::system::peer;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};

/// Until what could not be opened is tried again.
const AGAIN: Duration = Duration::from_secs(30);
const DISK: Duration = Duration::from_secs(2);
/// For an edited config, before a request is answered by the old one.
const FOLLOW: Duration = Duration::from_millis(300);

/// Keeps the servers of the config open until it is dropped.
pub(super) async fn keep_open(routes: Arc<Routes>) {
    let mut configs = routes.configs();
    let mut servers = Servers { routes, tasks: JoinSet::new(), open: BTreeMap::new() };
    loop {
        let troubled = servers.follow().await;
        tokio::select! {
            changed = configs.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(AGAIN), if troubled => {}
        }
    }
}

struct Servers {
    routes: Arc<Routes>,
    /// Ends all of them when dropped.
    tasks: JoinSet<()>,
    open: BTreeMap<String, Open>,
}

struct Open {
    entry: LoopbackEntry,
    token: Option<Token>,
    task: AbortHandle,
}

impl Servers {
    /// Closes what the config, or a token file, no longer has so, and opens what is missing. Whether anything could not be.
    async fn follow(&mut self) -> bool {
        let mut wanted = BTreeMap::new();
        for (name, entry) in self.routes.broker().config().loopback.clone() {
            let token = self.token(&entry).await;
            wanted.insert(name, (entry, token));
        }
        self.open.retain(|name, open| {
            let same = |(entry, token): &(LoopbackEntry, Result<Option<Token>, Error>)| {
                *entry == open.entry && token.as_ref().is_ok_and(|token| *token == open.token)
            };
            let stays = wanted.get(name).is_some_and(same);
            if !stays {
                open.task.abort();
            }
            stays
        });
        // Their ports are free once they have ended, and not before.
        while self.tasks.len() > self.open.len() {
            self.tasks.join_next().await;
        }
        let mut troubles = Vec::new();
        for (name, (entry, token)) in wanted {
            if self.open.contains_key(&name) {
                continue;
            }
            if let Err(error) = token.and_then(|token| self.open(entry, token)) {
                troubles.push(format!("{name}: {error}; {}", error.hint()));
            }
        }
        let troubled = !troubles.is_empty();
        self.routes.broker().note("loopback", troubled.then(|| troubles.join("; ")));
        troubled
    }

    /// Read anew with each config: it may have been replaced.
    async fn token(&self, entry: &LoopbackEntry) -> Result<Option<Token>, Error> {
        let Some(file) = entry.token_file.clone() else { return Ok(None) };
        let kept = self.routes.disk().run(DISK, move || Token::kept_in(&file)).await;
        kept.unwrap_or_else(|_| Err(Error::unavailable("the disk of the token did not answer within 2 s"))).map(Some)
    }

    fn open(&mut self, entry: LoopbackEntry, token: Option<Token>) -> Result<(), Error> {
        let server = Server::bind(entry.listen, token.clone(), peer::uid_of).map_err(|error| {
            let fix = format!("end what listens there, or set another listen in [loopback.{}]", entry.name);
            Error::configuration(format!("cannot listen on {}: {error}", entry.listen), fix)
        })?;
        tracing::info!(name = entry.name, address = %server.address(), "loopback server open");
        if rustix::process::getuid().is_root() {
            tracing::warn!(name = entry.name, "run by root: whatever root runs may ask it");
        }
        let profiles = Arc::new(Profiles { routes: self.routes.clone(), entry: entry.clone() });
        let task = self.tasks.spawn(server.serve(profiles));
        self.open.insert(entry.name.clone(), Open { entry, token, task });
        Ok(())
    }
}

/// Answers `/profiles/NAME`.
#[derive(Debug)]
struct Profiles {
    routes: Arc<Routes>,
    entry: LoopbackEntry,
}

impl Profiles {
    /// Takes in an edit before the request that follows it. In a task of its own: what was begun is not broken off because
    /// one reader is in a hurry.
    async fn follow_config(&self) {
        let routes = self.routes.clone();
        let _ = tokio::time::timeout(FOLLOW, tokio::spawn(async move { routes.follow_config().await })).await;
    }
}

impl Answers for Profiles {
    fn answer<'a>(&'a self, target: &'a str) -> Later<'a, Answer> {
        Box::pin(async move {
            self.follow_config().await;
            if self.routes.broker().config().loopback.get(&self.entry.name) != Some(&self.entry) {
                // It may have been narrowed: whoever is let in now is for the server that takes its place.
                return container_error(503, "unavailable", "this server's settings have just changed: ask again");
            }
            let profile = target.strip_prefix("/profiles/").filter(|name| self.entry.gives(name));
            let Some(profile) = profile else {
                return container_error(404, "not-found", "this server gives out /profiles/NAME, of its own profiles");
            };
            let away = || Err(Error::unavailable("no answer within a second; still asking"));
            let served = tokio::time::timeout(HURRY, self.routes.served_over_http(profile)).await;
            match served.unwrap_or_else(|_| away()) {
                Ok(served) => Answer { status: 200, body: served.container_json() },
                Err(error) => Answer::container_failure(&error),
            }
        })
    }
}
