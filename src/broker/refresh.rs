//! New credentials because somebody says so, however good the old ones are.

use super::flight::Outcome;
use super::slot::Slot;
use super::wish::Wish;
use super::{Broker, Served, serve};
use crate::error::Error;
use crate::freshness::LONGEST_WAIT;
use tokio::sync::watch;

impl Broker {
    /// Credentials of `profile` that were issued after this was called: by one request, whoever else asks meanwhile. A
    /// failure on record still answers, since a person's impatience does not unlock an account.
    pub async fn refresh(&self, profile: &str) -> Result<Served, Error> {
        let called = self.now();
        let refreshed = tokio::time::timeout(LONGEST_WAIT, async {
            // The second round is for who joined a flight that was content with what it found.
            for _ in 0..2 {
                let mut outcome = self.flight_for(profile)?;
                // It may offer the old before it brings the new, and be at its write when that is there: the next one
                // starts when it is gone.
                let enough = |outcome: &Option<Outcome>| match outcome {
                    Some(Ok(lease)) => lease.issued_since(&called),
                    Some(Err(_)) => true,
                    None => false,
                };
                let landed = outcome.wait_for(enough).await.map(|outcome| outcome.clone());
                // Without a word if it panicked, or was cancelled with the daemon.
                let last = landed.ok().flatten().or_else(|| outcome.borrow().clone());
                let broken_off = || Err(Error::unavailable("the request to the issuer was broken off"));
                let lease = last.unwrap_or_else(broken_off)?;
                if lease.issued_since(&called) {
                    self.0.refuse_if_locked_since().await?;
                    return Ok(lease);
                }
            }
            Err(Error::unavailable(format!("others ask for {profile} all the time")))
        });
        let lease = refreshed.await.unwrap_or_else(|_| {
            let seconds = LONGEST_WAIT.as_secs();
            Err(Error::unavailable(format!(
                "the issuer of {profile} has not answered within {seconds} s; still asking"
            )))
        });
        lease.map(|lease| serve(lease, &self.now())).map_err(|error| self.with_notice(profile, error))
    }

    /// The flight under way, or a new one.
    fn flight_for(&self, profile: &str) -> Result<watch::Receiver<Option<Outcome>>, Error> {
        let now = self.now();
        let mut state = self.0.lock();
        state.config.profile(profile)?;
        if state.shut.is_shut() {
            state.shut.refuses()?;
        }
        if state.closing {
            return Err(Error::unavailable("the daemon is stopping"));
        }
        state.slots.entry(profile.to_owned()).or_insert_with(Slot::new).ask(&now);
        Ok(self.0.start(&mut state, profile, Wish::Newer))
    }
}
