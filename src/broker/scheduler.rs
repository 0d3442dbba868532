//! One sleeper for all renewals: to the nearest deadline, 30 s at most, and not at all when nothing is due.

use super::flight::Wish;
use super::{Broker, Inner};
use std::sync::Arc;
use std::time::Duration;

/// A suspend is noticed at the latest after this.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

impl Broker {
    /// Renews what is in use ahead of its end, until the broker is closed. Run beside the server.
    pub async fn renew_ahead(self) {
        let now = self.0.outside.clock.now().wall.as_second();
        let swept = self.0.disk.run(move |cache| cache.sweep(now)).await;
        self.0.note("cache", swept.err().map(|error| error.to_string()));
        loop {
            if self.0.lock().closing {
                return;
            }
            let nearest = self.0.start_due();
            match nearest {
                // A deadline that is not above zero was started just now: what follows is its end, which wakes us.
                Some(wait) => {
                    let wait = wait.clamp(Duration::from_millis(100), LONGEST_SLEEP);
                    let _ = tokio::time::timeout(wait, self.0.wake.notified()).await;
                }
                None => self.0.wake.notified().await,
            }
        }
    }
}

impl Inner {
    /// Starts the flights that are due, and tells how long the next is away.
    fn start_due(self: &Arc<Self>) -> Option<Duration> {
        let now = self.outside.clock.now();
        let mut state = self.lock();
        let mut nearest: Option<Duration> = None;
        let mut due = Vec::new();
        for (name, slot) in &state.slots {
            match slot.renewal_in(&now) {
                Some(Duration::ZERO) => due.push(name.clone()),
                Some(wait) => nearest = Some(nearest.map_or(wait, |known| known.min(wait))),
                None => {}
            }
        }
        for name in due {
            tracing::debug!(profile = name, "renewing ahead");
            self.start(&mut state, &name, Wish::Valid(0));
        }
        nearest
    }
}
