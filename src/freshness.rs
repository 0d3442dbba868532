//! When credentials are good, when they are renewed, how long a request waits: functions of values and nothing else.
//!
//! All times are seconds. `life` is what the credentials had at issue, `remaining` what they have now,
//! `jitter` a number from 0 to 1 that spreads a herd.

use std::time::Duration;

/// What a profile's credentials are worth at the moment of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Answered from memory.
    Fresh,
    /// Answered from memory, and renewed behind the answer.
    Due,
    /// The request waits for the flight.
    Stale(Patience),
}

/// How long a request waits for its flight, and whether it then takes what is still valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    pub wait: Duration,
    pub then_take_the_old: bool,
}

/// Below this nobody is served: a signature may be on its way for that long.
pub const LEAST_SERVED: i64 = 10;
/// The longest that anybody waits for a flight.
pub const LONGEST_WAIT: Duration = Duration::from_secs(18);
/// A life up to this is renewed earlier: half of it would be too little for botocore, which wants 15 minutes.
const SHORT_LIFE: i64 = 15 * 60;

/// The remaining seconds at which a renewal starts: half the life, two thirds of a short one, give or take a tenth.
pub fn renewal(life: i64, jitter: f64) -> i64 {
    let share = if life <= SHORT_LIFE { 2.0 / 3.0 } else { 0.5 };
    let spread = if life <= SHORT_LIFE { 1.0 } else { 0.9 + 0.2 * jitter.clamp(0.0, 1.0) };
    (life.max(0) as f64 * share * spread) as i64
}

pub fn judge(remaining: i64, life: i64, jitter: f64) -> Freshness {
    let floor = (life * 2 / 5).min(17 * 60);
    let hard = (life / 4).min(5 * 60);
    let patience =
        |seconds, old| Freshness::Stale(Patience { wait: Duration::from_secs(seconds), then_take_the_old: old });
    match remaining {
        r if r < LEAST_SERVED => Freshness::Stale(Patience { wait: LONGEST_WAIT, then_take_the_old: false }),
        r if r < hard => patience(15, true),
        r if r < floor => patience(3, true),
        r if r <= renewal(life, jitter) => Freshness::Due,
        _ => Freshness::Fresh,
    }
}

/// How many seconds before its end a credential's published expiration lies: `min(60 s, life/10)`, since some SDKs use
/// it to the last second; none where that would leave under 10 s.
pub fn early_by(life: i64, remaining: i64) -> i64 {
    let early = (life / 10).clamp(0, 60);
    if remaining - early < LEAST_SERVED { 0 } else { early }
}

/// After a success nothing unforced is asked for this long: an issuer that repeats itself must not be asked in a loop.
/// Doubles with each renewal in a row that did not add to what remains.
pub fn rest_after_success(life: i64, repeats: u32) -> Duration {
    let first = (life / 4).clamp(1, 60) as u64;
    Duration::from_secs(first.saturating_mul(1 << repeats.min(10)).min(15 * 60))
}

/// How long a failure that may pass is remembered, the `attempt`th in a row (from 1): 1 to 2 s at first, so that the
/// retries of SDKs fall together, then full jitter under a doubling bound, 60 s at most with somebody waiting.
pub fn rest_after_failure(attempt: u32, jitter: f64) -> Duration {
    let bound = 2_f64.powi(attempt.clamp(1, 10) as i32 - 1).min(59.0);
    Duration::from_secs_f64(1.0 + jitter.clamp(0.0, 1.0) * bound)
}

/// How long a rejected secret is not sent again, after its `attempt`th rejection in a row (from 1); None for good. One
/// that has `worked` before gets three more tries: directories have bad days.
pub fn rest_after_rejection(attempt: u32, worked: bool) -> Option<Duration> {
    let minutes = match attempt {
        _ if !worked => return None,
        0 | 1 => 15,
        2 => 60,
        3 => 6 * 60,
        _ => return None,
    };
    Some(Duration::from_secs(minutes * 60))
}

/// An issuer's Retry-After is honoured between one second and a quarter of an hour.
pub fn clamp_retry_after(wait: Duration) -> Duration {
    wait.clamp(Duration::from_secs(1), Duration::from_secs(15 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_hours_credentials_are_answered_with_27_minutes_or_more() {
        for jitter in [0.0, 0.5, 1.0] {
            let due = renewal(3600, jitter);
            assert!((27 * 60..=33 * 60).contains(&due), "{due}");
            assert_eq!(judge(due + 1, 3600, jitter), Freshness::Fresh);
            assert_eq!(judge(due, 3600, jitter), Freshness::Due);
        }
        assert!(matches!(judge(17 * 60 - 1, 3600, 0.5), Freshness::Stale(p) if p.wait.as_secs() == 3));
        assert!(matches!(judge(5 * 60 - 1, 3600, 0.5), Freshness::Stale(p) if p.wait.as_secs() == 15));
        assert!(matches!(judge(9, 3600, 0.5), Freshness::Stale(p) if !p.then_take_the_old));
    }

    #[test]
    fn a_published_expiration_is_early_but_never_useless() {
        assert_eq!(early_by(3600, 3600), 60);
        assert_eq!(early_by(240, 240), 24);
        assert_eq!(early_by(3600, 65), 0, "60 s early would leave 5 s");
        assert_eq!(early_by(3600, 70), 60);
    }

    proptest! {
        #[test]
        fn what_is_over_is_never_served(life in -10..200_000_i64, remaining in -1_000..LEAST_SERVED, jitter in 0.0..1.0) {
            prop_assert!(matches!(judge(remaining, life, jitter), Freshness::Stale(p) if !p.then_take_the_old));
        }

        #[test]
        fn less_life_never_means_less_haste(life in 40..200_000_i64, a in 0..200_000_i64, b in 0..200_000_i64, jitter in 0.0..1.0) {
            let rank = |r| match judge(r, life, jitter) {
                Freshness::Fresh => 0,
                Freshness::Due => 1,
                Freshness::Stale(p) => 1 + p.wait.as_secs(),
            };
            prop_assert!(rank(a.min(b)) >= rank(a.max(b)));
        }

        #[test]
        fn a_renewal_starts_above_the_floor(life in 1..200_000_i64, jitter in 0.0..1.0) {
            prop_assert!(renewal(life, jitter) >= (life * 2 / 5).min(17 * 60));
            prop_assert!(renewal(life, jitter) <= life);
        }

        #[test]
        fn rests_are_bounded(attempt in 0..u32::MAX, repeats in 0..u32::MAX, life in -5..200_000_i64, jitter in 0.0..1.0) {
            let failure = rest_after_failure(attempt, jitter).as_secs_f64();
            prop_assert!((1.0..=60.0).contains(&failure));
            prop_assert!((1..=900).contains(&rest_after_success(life, repeats).as_secs()));
        }
    }
}
