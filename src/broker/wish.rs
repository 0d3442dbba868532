//! What a flight is to bring home, and whether a lease that it finds on its way is that: decisions of values and `now`.

use crate::freshness::{Freshness, LEAST_SERVED, early_by, judge};
use crate::lease::Lease;
use crate::ports::Moment;

/// What a flight is to bring home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// What others may have brought home already, valid for so many seconds by its published expiration.
    Valid(i64),
    /// Something that was issued after the flight was called for, whatever there is.
    Newer,
}

impl Wish {
    /// Whether a lease from the cache is worth a look by a flight that was `called` for then.
    pub(super) fn admits(self, lease: &Lease, called: &Moment, now: &Moment) -> bool {
        (self != Wish::Newer || lease.issued_since(called)) && lease.remaining(now) >= LEAST_SERVED
    }

    /// Whether an admitted lease is so good that the flight is over.
    pub(super) fn met_by(self, lease: &Lease, jitter: f64, now: &Moment) -> bool {
        let remaining = lease.remaining(now);
        let enough = match self {
            Wish::Valid(wanted) => remaining - early_by(lease.life, remaining) >= wanted,
            Wish::Newer => true,
        };
        judge(remaining, lease.life, jitter) == Freshness::Fresh && enough
    }

    /// Whether those who wait may go with this one, though the flight goes on.
    pub(super) fn served_by(self, lease: &Lease, jitter: f64, now: &Moment) -> bool {
        self == Wish::Valid(0) && judge(lease.remaining(now), lease.life, jitter) == Freshness::Due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::tests::{lease, moment};

    #[test]
    fn a_flight_is_content_with_what_is_fresh_and_long_enough() {
        let lease = lease(3600);
        assert!(Wish::Valid(0).met_by(&lease, 0.5, &moment(1799)));
        assert!(!Wish::Valid(0).met_by(&lease, 0.5, &moment(1800)), "due");
        assert!(Wish::Valid(3000).met_by(&lease, 0.5, &moment(540)));
        assert!(!Wish::Valid(3000).met_by(&lease, 0.5, &moment(541)), "a minute is taken off");
        assert!(Wish::Valid(0).served_by(&lease, 0.5, &moment(1800)));
        assert!(!Wish::Valid(1).served_by(&lease, 0.5, &moment(1800)));
        assert!(!Wish::Valid(0).served_by(&lease, 0.5, &moment(2581)), "below the floor one waits for the flight");
    }

    #[test]
    fn who_wants_newer_ones_gets_none_that_were_there_before() {
        let lease = lease(3600);
        assert!(Wish::Newer.admits(&lease, &moment(0), &moment(1)));
        assert!(!Wish::Newer.admits(&lease, &moment(1), &moment(1)));
        assert!(Wish::Valid(0).admits(&lease, &moment(1), &moment(3590)));
        assert!(!Wish::Valid(0).admits(&lease, &moment(1), &moment(3591)));
    }
}
