//! The clock by which requests are signed: this machine's, put right by what the issuer's answers say of theirs.

use aws_smithy_async::time::TimeSource;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

/// In seconds, either way: what AWS, Ceph and MinIO put up with in a signature.
pub(super) const MAX_SKEW: i64 = 15 * 60;

/// A clock that learns. Clones are the same clock.
#[derive(Debug, Clone, Default)]
pub struct SigningClock {
    /// Seconds by which the issuer's is ahead.
    offset: Arc<AtomicI64>,
}

impl SigningClock {
    /// Takes in that a signature was `ahead` seconds too early for the issuer.
    pub(super) fn put_right(&self, ahead: i64) {
        self.offset.fetch_add(ahead, Ordering::Relaxed);
    }
}

impl TimeSource for SigningClock {
    #[allow(clippy::disallowed_methods)] // The SDK wants the time itself; where it is used no port is at hand.
    fn now(&self) -> SystemTime {
        let (now, offset) = (SystemTime::now(), self.offset.load(Ordering::Relaxed));
        let by = Duration::from_secs(offset.unsigned_abs());
        let right = if offset < 0 { now.checked_sub(by) } else { now.checked_add(by) };
        right.unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods)]
    fn s34_what_was_learnt_is_added_and_adds_up() {
        let clock = SigningClock::default();
        for (learnt, ahead) in [(3600, 3600), (-7200, -3600), (i64::MIN / 4, i64::MIN / 4 - 3600)] {
            clock.put_right(learnt);
            let now = SystemTime::now();
            let by = Duration::from_secs(i64::unsigned_abs(ahead));
            let wanted = if ahead < 0 { now.checked_sub(by) } else { now.checked_add(by) }.unwrap_or(now);
            let off = clock.now().duration_since(wanted).unwrap_or_else(|early| early.duration());
            assert!(off < Duration::from_secs(60), "{off:?} beside {ahead}");
        }
    }
}
