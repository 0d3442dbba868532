//! One sleeper for all renewals: to the nearest deadline, 30 s at most, and not at all when nothing is due.

use super::slot::Slot;
use super::wish::Wish;
use super::{Broker, Inner};
use crate::ports::Moment;
use std::sync::Arc;
use std::time::Duration;

const SHORTEST_SLEEP: Duration = Duration::from_millis(100);
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
            match self.0.start_due() {
                Some(sleep) => tokio::select! {
                    () = self.0.outside.clock.sleep(sleep) => {}
                    () = self.0.wake.notified() => {}
                },
                None => self.0.wake.notified().await,
            }
        }
    }
}

impl Inner {
    /// Starts the flights that are due, and tells how long to sleep.
    fn start_due(self: &Arc<Self>) -> Option<Duration> {
        let now = self.outside.clock.now();
        let mut state = self.lock();
        let Plan { due, sleep } = plan(state.slots.iter().map(|(name, slot)| (name.as_str(), slot)), &now);
        for name in due {
            tracing::debug!(profile = name, "renewing ahead");
            self.start(&mut state, &name, Wish::Valid(0));
        }
        sleep
    }
}

/// What the scheduler does at a moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Renewed now.
    pub(super) due: Vec<String>,
    /// None: until something wakes it. The end of a flight does, so what is due now needs no deadline.
    pub(super) sleep: Option<Duration>,
}

pub(super) fn plan<'a>(slots: impl Iterator<Item = (&'a str, &'a Slot)>, now: &Moment) -> Plan {
    let mut plan = Plan { due: Vec::new(), sleep: None };
    for (name, slot) in slots {
        match slot.renewal_in(now) {
            Some(Duration::ZERO) => plan.due.push(name.to_owned()),
            Some(wait) => plan.sleep = Some(plan.sleep.map_or(wait, |known| known.min(wait))),
            None => {}
        }
    }
    plan.sleep = plan.sleep.map(|wait| wait.clamp(SHORTEST_SLEEP, LONGEST_SLEEP));
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::tests::{lease, moment};

    /// In use, renewed at half its life.
    fn slot(life: i64) -> Slot {
        let mut slot = Slot::new();
        slot.jitter = 0.5;
        slot.ask(&moment(0));
        slot.take(Arc::new(lease(life)), true, &moment(0));
        slot
    }

    #[test]
    fn sleeps_to_the_nearest_deadline_and_thirty_seconds_at_most() {
        let (long, short) = (slot(3600), slot(1800));
        let at = |second| plan([("long", &long), ("short", &short)].into_iter(), &moment(second));
        assert_eq!(at(0), Plan { due: vec![], sleep: Some(LONGEST_SLEEP) });
        assert_eq!(at(890), Plan { due: vec![], sleep: Some(Duration::from_secs(10)) });
        assert_eq!(at(900), Plan { due: vec!["short".into()], sleep: Some(LONGEST_SLEEP) });
    }

    #[test]
    fn t6_sleeps_for_good_when_nothing_is_in_use() {
        let unused = Slot::new();
        assert_eq!(plan([("unused", &unused)].into_iter(), &moment(0)), Plan { due: vec![], sleep: None });
        assert_eq!(plan([("left", &slot(3600))].into_iter(), &moment(3601)), Plan { due: vec![], sleep: None });
    }
}
