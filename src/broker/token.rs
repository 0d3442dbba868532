//! A bearer token of a login, for a shell script: the same access, under the same locks, as a flight uses.

use super::access::AccessFailure;
use super::disk::Owner;
use super::{Broker, Inner};
use crate::access::{Access, Need};
use crate::config::LoginEntry;
use crate::error::Error;
use crate::freshness::LONGEST_WAIT;
use crate::secret::Secret;
use std::sync::Arc;
use std::time::Duration;

impl Broker {
    /// A bearer token of `login` that is still good. The one long-lived secret that ever leaves, by design.
    pub async fn token(&self, login: &str) -> Result<Secret, Error> {
        let entry = self.config().login(login)?.clone();
        if !entry.kind.gives.contains(&Need::Bearer) {
            let kinds: Vec<&str> = crate::login::KINDS
                .iter()
                .filter(|kind| kind.gives.contains(&Need::Bearer))
                .map(|kind| kind.name)
                .collect();
            return Err(Error::configuration(
                format!("a login of kind {} has no bearer token", entry.kind.name),
                format!("name a login of kind {}", kinds.join(" or ")),
            ));
        }
        // An exchange that was sent goes on to its end and is stored; who waits for it does not.
        let answered = tokio::time::timeout(LONGEST_WAIT, self.0.token(&entry)).await;
        answered.unwrap_or_else(|_| {
            let seconds = LONGEST_WAIT.as_secs();
            Err(Error::unavailable(format!("the issuer of {login} has not answered within {seconds} s; still asking")))
        })
    }
}

impl Inner {
    async fn token(self: &Arc<Self>, entry: &LoginEntry) -> Result<Secret, Error> {
        self.refuse_while_locked().await?;
        let basis = self.login_basis(entry).await?;
        let now = self.outside.clock.now();
        let record = self.record(Owner::Login(entry.name.clone()), &basis.print).await;
        if let Some(record) = record.filter(|record| record.rest(&now) > Duration::ZERO) {
            return Err(record.told(&now));
        }
        match self.access(entry, Need::Bearer, None, &basis).await {
            Ok(Access::Bearer(token)) => self.refuse_if_locked_since().await.map(|()| token),
            Ok(_) => Err(Error::protocol("a login gave something else than the bearer token it was asked for")),
            Err(AccessFailure::NotAsked(error)) => Err(error),
            Err(AccessFailure::OnRecord(record)) => Err(record.told(&now)),
        }
    }
}
