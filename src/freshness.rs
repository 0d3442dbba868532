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

/// Who reads an answer: what gives up at different times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The helper behind an SDK; the most hurried one waits for 22 s.
    Process,
    /// An SDK over HTTP; some give up after one second.
    Http,
}

impl Reader {
    /// The longest that it is kept waiting.
    pub fn longest_wait(self) -> Duration {
        match self {
            Reader::Process => LONGEST_WAIT,
            Reader::Http => HTTP_WAIT,
        }
    }
}

impl Patience {
    /// As much of it as this reader has.
    pub fn of(self, reader: Reader) -> Patience {
        Patience { wait: self.wait.min(reader.longest_wait()), ..self }
    }
}

/// Below this nobody is served: a signature may be on its way for that long.
pub const LEAST_SERVED: i64 = 10;
/// The longest that anybody waits for a flight.
pub const LONGEST_WAIT: Duration = Duration::from_secs(18);
/// The longest over HTTP.
const HTTP_WAIT: Duration = Duration::from_millis(800);
/// A life up to this is renewed earlier: half of it would be too little for botocore, which wants 15 minutes.
const SHORT_LIFE: i64 = 15 * 60;

/// The remaining seconds at which a renewal starts: half the life, give or take a tenth. Two thirds of a short one, and
/// spread to the early side only: an outage of two fifths of the life is to leave time for one more attempt.
pub fn renewal(life: i64, jitter: f64) -> i64 {
    let jitter = jitter.clamp(0.0, 1.0);
    let (share, spread) = if life <= SHORT_LIFE { (2.0 / 3.0, 1.0 + 0.2 * jitter) } else { (0.5, 0.9 + 0.2 * jitter) };
    (life.max(0) as f64 * share * spread) as i64
}

/// The remaining seconds below which a request waits for the flight: two fifths of the life, 17 minutes at most.
/// botocore runs its helper for each signature from 15 minutes on.
pub fn floor(life: i64) -> i64 {
    (life.max(0) * 2 / 5).min(17 * 60)
}

pub fn judge(remaining: i64, life: i64, jitter: f64) -> Freshness {
    let floor = floor(life);
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
/// retries of SDKs fall together, then anything between two bounds that double. The upper ends at a minute for an
/// attempt that somebody waits for, at five for one that nobody does; the lower, 1, 1, 2, 4, 8, 8 s .., keeps any run of
/// failures within [`MOST_RETRIES`]. While credentials are valid, the rest takes half of what remains of them at most:
/// one that outlived them would be seen, though the issuer is back.
pub fn rest_after_failure(attempt: u32, remaining: i64, waited_for: bool, jitter: f64) -> Duration {
    let doubled = |first: i32| 2_f64.powi(attempt.clamp(1, 10) as i32 + first);
    let (least, most) = (doubled(-2).clamp(1.0, 8.0), (1.0 + doubled(-1)).min(if waited_for { 60.0 } else { 300.0 }));
    let most = match remaining.saturating_sub(LEAST_SERVED) {
        left if left > 0 => most.min(left as f64 / 2.0).max(least),
        _ => most,
    };
    Duration::from_secs_f64(least + jitter.clamp(0.0, 1.0) * (most - least))
}

/// The most attempts in [`RETRY_WINDOW`] at one issuer that follow a failure.
pub const MOST_RETRIES: usize = 10;
pub const RETRY_WINDOW: Duration = Duration::from_secs(60);

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
mod tests;
