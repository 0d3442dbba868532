//! What is known of one profile, and what a request does with it: decisions of values and `now`.

use super::Manner;
use super::flight::Outcome;
use crate::cache::Record;
use crate::error::Error;
use crate::freshness::{Freshness, LEAST_SERVED, LONGEST_WAIT, Patience, early_by, judge, renewal, rest_after_success};
use crate::lease::Lease;
use crate::ports::Moment;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A profile's place in memory.
#[derive(Debug)]
pub(super) struct Slot {
    /// Tells this slot from one that took its place after a reload.
    pub(super) id: u64,
    pub(super) lease: Option<Arc<Lease>>,
    /// The failure that answers until its next attempt is due.
    pub(super) failure: Option<Record>,
    /// Boot-time until which a refused login is not looked up again.
    look_again: Duration,
    /// Why the last flight never got to its issuer: nobody signed in, a locked keyring.
    pub(super) grounded: Option<Error>,
    pub(super) flight: Option<Flying>,
    pub(super) waiters: usize,
    /// Spreads renewals. A flight judges what it finds on disk by the same number: else what is due here would be fresh
    /// there, and flights would follow each other without asking anyone.
    pub(super) jitter: f64,
    /// Boot-time of the last request, and until when no unforced flight starts.
    asked: Option<Duration>,
    rests_until: Duration,
    repeats: u32,
}

/// A flight under way.
#[derive(Debug)]
pub(super) struct Flying {
    pub(super) id: u64,
    pub(super) outcome: watch::Receiver<Option<Outcome>>,
    /// Whether it has issued, and is at its write.
    pub(super) writes: bool,
    pub(super) task: AbortHandle,
}

/// What to do with a request.
#[derive(Debug)]
pub(super) enum Decision {
    Serve(Arc<Lease>),
    ServeAndRenew(Arc<Lease>),
    Wait(Patience),
    /// A failure on record answers.
    Refuse(Error),
    /// No credentials of this issuer ever live as long as is asked.
    TooDemanding(Arc<Lease>),
}

/// A daemon that nobody asks renews nothing: a profile counts as used for the longer of this and its life.
const USED_FOR: i64 = 3600;
/// After a flight that never got to its issuer.
const REST_AFTER_NOTHING: Duration = Duration::from_secs(5);
/// How long memory answers for a refused login before keyring and record are read again. The issuer is not asked.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

impl Slot {
    pub(super) fn new() -> Slot {
        Slot {
            id: u64::from_le_bytes(crate::seal::random()),
            lease: None,
            failure: None,
            look_again: Duration::ZERO,
            grounded: None,
            flight: None,
            waiters: 0,
            jitter: crate::seal::random_share(),
            asked: None,
            rests_until: Duration::ZERO,
            repeats: 0,
        }
    }

    /// Notes a request; true if it wakes a profile that nobody had used.
    pub(super) fn ask(&mut self, now: &Moment) -> bool {
        let idle = !self.in_use(now);
        self.asked = Some(now.boot);
        idle
    }

    pub(super) fn decide(&self, now: &Moment, min_valid: i64, manner: Manner) -> Decision {
        let refused = self.refused(now);
        let longest = Patience { wait: LONGEST_WAIT, then_take_the_old: false };
        let Some(lease) = &self.lease else {
            return refused.map_or(Decision::Wait(longest), |record| Decision::Refuse(record.told(now)));
        };
        let remaining = lease.remaining(now);
        let rests = refused.is_some() || now.boot < self.rests_until;
        let rests_unasked = rests || self.rests_unasked(now) > Duration::ZERO;
        if remaining - early_by(lease.life, remaining) < min_valid {
            return match refused {
                Some(record) => Decision::Refuse(record.told(now)),
                None if rests && lease.life - early_by(lease.life, lease.life) < min_valid => {
                    Decision::TooDemanding(lease.clone())
                }
                None => Decision::Wait(longest),
            };
        }
        match judge(remaining, lease.life, self.jitter) {
            Freshness::Fresh => Decision::Serve(lease.clone()),
            Freshness::Due if rests_unasked => Decision::Serve(lease.clone()),
            Freshness::Due if manner == Manner::Daemon => Decision::ServeAndRenew(lease.clone()),
            Freshness::Due => Decision::Wait(Patience { wait: Duration::from_secs(15), then_take_the_old: true }),
            Freshness::Stale(patience) if patience.then_take_the_old && rests => Decision::Serve(lease.clone()),
            Freshness::Stale(patience) => {
                refused.map_or(Decision::Wait(patience), |record| Decision::Refuse(record.told(now)))
            }
        }
    }

    /// The lease, if it may still be served.
    pub(super) fn valid(&self, now: &Moment) -> Option<Arc<Lease>> {
        self.lease.clone().filter(|lease| lease.remaining(now) >= LEAST_SERVED)
    }

    /// What the flight under way will bring. A channel whose sender is gone is a flight that broke off, and counts as
    /// none.
    pub(super) fn under_way(&self) -> Option<&watch::Receiver<Option<Outcome>>> {
        self.flight.as_ref().map(|flying| &flying.outcome).filter(|outcome| outcome.has_changed().is_ok())
    }

    /// Notes that this flight is over. One that brought nothing, not even a failure that could be put on record (a
    /// keyring that is locked, or a bug), would be followed by the next at once: what is valid is served without one
    /// for a while.
    pub(super) fn end(&mut self, flight: u64, now: &Moment) {
        if self.freshness(now) != Some(Freshness::Fresh) {
            self.rests_until = self.rests_until.max(now.boot + REST_AFTER_NOTHING);
        }
        self.flight.take_if(|flying| flying.id == flight);
    }

    /// Takes in a failure. Memory answers with a refused login for a while only: somebody may have signed in beside us.
    pub(super) fn fail(&mut self, record: Record, now: &Moment) {
        self.failure = Some(record);
        self.look_again = now.boot + LOOK_AGAIN;
    }

    /// The failure that answers without a look at the keyring and the disk.
    fn refused(&self, now: &Moment) -> Option<&Record> {
        let record = self.failure.as_ref().filter(|record| record.rest(now) > Duration::ZERO)?;
        (!record.error.wants_sign_in() || now.boot < self.look_again).then_some(record)
    }

    /// How good the lease is, for `status`.
    pub(super) fn freshness(&self, now: &Moment) -> Option<Freshness> {
        self.lease.as_ref().map(|lease| judge(lease.remaining(now), lease.life, self.jitter))
    }

    /// Takes in what a flight found on disk, if it is better than what is here.
    pub(super) fn find(&mut self, lease: &Arc<Lease>, now: &Moment) {
        if self.lease.as_ref().is_none_or(|held| held.remaining(now) < lease.remaining(now)) {
            self.take(lease.clone(), false, now);
        }
    }

    /// Takes in a lease, whoever fetched it. `issued` says that the issuer gave it just now.
    pub(super) fn take(&mut self, lease: Arc<Lease>, issued: bool, now: &Moment) {
        if self.failure.as_ref().is_some_and(|record| lease.issued >= record.at) {
            self.failure = None;
        }
        if issued {
            let before = self.lease.as_ref().map(|old| old.remaining(now));
            let grew = before.is_none_or(|before| lease.remaining(now) > before.saturating_add(1));
            self.repeats = if grew { 0 } else { self.repeats.saturating_add(1) };
            self.rests_until = now.boot + rest_after_success(lease.life, self.repeats);
            self.failure = None;
        }
        self.lease = Some(lease);
        self.grounded = None;
    }

    /// Seconds from now until a renewal of a profile in use; None where none is to be planned.
    pub(super) fn renewal_in(&self, now: &Moment) -> Option<Duration> {
        let lease = self.lease.as_ref().filter(|_| self.in_use(now) && self.flight.is_none())?;
        let seconds = lease.remaining(now).saturating_sub(renewal(lease.life, self.jitter));
        let due = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let rests = self.rests_until.saturating_sub(now.boot);
        match &self.failure {
            // A person must do something first: asked again on demand, never by itself.
            Some(record) if for_a_person(&record.error) => None,
            _ => Some(due.max(rests).max(self.rests_unasked(now))),
        }
    }

    /// How long a failure keeps what nobody waits for from being asked.
    fn rests_unasked(&self, now: &Moment) -> Duration {
        let of_itself = self.failure.as_ref().filter(|record| !for_a_person(&record.error));
        of_itself.map_or(Duration::ZERO, |record| record.rest_unasked(now))
    }

    /// The flight of that id has brought something home, and is at its write.
    pub(super) fn landed(&mut self, id: u64) {
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.id == id) {
            flight.writes = true;
        }
    }

    /// Ends the flight under way, but for one that has brought something home and is at its write.
    pub(super) fn cancel(&self) {
        if let Some(flight) = self.flight.as_ref().filter(|flight| !flight.writes) {
            flight.task.abort();
        }
    }

    fn in_use(&self, now: &Moment) -> bool {
        let life = self.lease.as_ref().map_or(0, |lease| lease.life).max(USED_FOR);
        self.asked.is_some_and(|asked| now.boot.saturating_sub(asked).as_secs() <= life.unsigned_abs())
    }
}

fn for_a_person(error: &Error) -> bool {
    matches!(error, Error::LoginRequired { .. } | Error::Denied { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{Again, Fingerprint};
    use crate::lease::tests::{lease, moment};

    fn slot(life: i64) -> Slot {
        let mut slot = Slot::new();
        slot.ask(&moment(0));
        slot.take(Arc::new(lease(life)), true, &moment(0));
        slot
    }

    #[test]
    fn memory_answers_while_the_credentials_are_good() {
        let slot = slot(3600);
        assert!(matches!(slot.decide(&moment(60), 0, Manner::Daemon), Decision::Serve(_)));
        assert!(matches!(slot.decide(&moment(2000), 0, Manner::Daemon), Decision::ServeAndRenew(_)));
        assert!(matches!(slot.decide(&moment(2000), 0, Manner::OneShot), Decision::Wait(p) if p.then_take_the_old));
        assert!(matches!(slot.decide(&moment(3000), 0, Manner::Daemon), Decision::Wait(p) if p.then_take_the_old));
        assert!(matches!(slot.decide(&moment(3595), 0, Manner::Daemon), Decision::Wait(p) if !p.then_take_the_old));
    }

    #[test]
    fn f30_an_issuer_that_repeats_itself_is_left_alone_for_longer_and_longer() {
        let mut slot = slot(3600);
        let mut last = slot.renewal_in(&moment(2700)).unwrap();
        assert_eq!(last, Duration::ZERO);
        for _ in 0..4 {
            slot.take(Arc::new(lease(3600)), true, &moment(2700));
            assert!(
                matches!(slot.decide(&moment(2701), 0, Manner::Daemon), Decision::Serve(_)),
                "no flight while it rests"
            );
            let next = slot.renewal_in(&moment(2700)).unwrap();
            assert!(next > last, "{next:?} after {last:?}");
            last = next;
        }
    }

    #[test]
    fn nobody_who_asks_for_too_much_starts_a_flight_after_another() {
        let slot = slot(3600);
        assert!(matches!(slot.decide(&moment(1), 3000, Manner::Daemon), Decision::Serve(_)));
        assert!(matches!(slot.decide(&moment(1), 3541, Manner::Daemon), Decision::TooDemanding(_)));
        assert!(matches!(slot.decide(&moment(1000), 3000, Manner::Daemon), Decision::Wait(_)));
    }

    #[test]
    fn a_failure_keeps_away_for_longer_where_nobody_waits() {
        let mut slot = slot(3600);
        let again = Again::At(moment(2560).wall);
        let error = Error::unavailable("away");
        let record = Record::new(error, &Fingerprint::sample("a"), again, 9, &moment(2500));
        slot.fail(Record { unasked: Duration::from_secs(300), ..record }, &moment(2500));
        assert!(matches!(slot.decide(&moment(2570), 0, Manner::Daemon), Decision::Serve(_)), "due, and nobody waits");
        assert_eq!(slot.renewal_in(&moment(2570)).unwrap().as_secs(), 230);
        assert!(matches!(slot.decide(&moment(2590), 0, Manner::Daemon), Decision::Wait(_)), "below the floor");
        assert!(matches!(slot.decide(&moment(2800), 0, Manner::Daemon), Decision::Wait(_)));
    }

    #[test]
    fn an_unused_profile_is_not_renewed() {
        let slot = slot(600);
        assert!(slot.renewal_in(&moment(3600)).is_some());
        assert!(slot.renewal_in(&moment(3601)).is_none());
    }
}
