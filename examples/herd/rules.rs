//! When one daemon asks, under each of the three rules. Ours is the library's; nothing of it is repeated here.

use valetkey::freshness::{LEAST_SERVED, floor, renewal, rest_after_failure};

/// Of the issuer's credentials, in seconds.
pub(super) const LIFE: i64 = 3600;

/// How a daemon decides when to ask. Somebody uses its credentials all the time, once a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Valetkey,
    /// Five minutes before the end, then each second.
    Fixed,
    /// botocore's window: each use tries from 15 minutes before the end on, and fails with its try from 10 minutes on.
    Botocore,
}

impl Rule {
    pub(super) const ALL: [Rule; 3] = [Rule::Valetkey, Rule::Fixed, Rule::Botocore];

    pub(super) fn name(self) -> &'static str {
        match self {
            Rule::Valetkey => "valetkey",
            Rule::Fixed => "5 min before",
            Rule::Botocore => "botocore",
        }
    }

    /// The remaining seconds below which a use fails if its credentials could not be renewed.
    fn needs(self) -> i64 {
        match self {
            Rule::Valetkey => LEAST_SERVED,
            Rule::Fixed => 0,
            Rule::Botocore => 10 * 60,
        }
    }
}

/// One daemon, or one process with botocore in it. Times are seconds since the start.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) rule: Rule,
    issued: f64,
    failures: u32,
    jitter: f64,
    dice: Dice,
}

impl Daemon {
    pub(super) fn new(rule: Rule, number: u64) -> Daemon {
        let mut dice = Dice(number);
        let jitter = dice.share();
        Daemon { rule, issued: f64::NEG_INFINITY, failures: 0, jitter, dice }
    }

    /// When it was started: all within a minute.
    pub(super) fn started(&mut self) -> f64 {
        60.0 * self.dice.share()
    }

    /// Takes in new credentials, and says when it asks for the next.
    pub(super) fn issued(&mut self, now: f64) -> f64 {
        (self.issued, self.failures) = (now, 0);
        let left = match self.rule {
            Rule::Valetkey => renewal(LIFE, self.jitter),
            Rule::Fixed => 5 * 60,
            Rule::Botocore => 15 * 60,
        };
        now + (LIFE - left) as f64
    }

    /// Takes in a failure, and says when it asks again.
    pub(super) fn failed(&mut self, now: f64) -> f64 {
        self.failures += 1;
        if self.rule != Rule::Valetkey {
            return now + 1.0;
        }
        let (jitter, left) = (self.dice.share(), self.left(now));
        let rest = |waited_for| now + rest_after_failure(self.failures, left as i64, waited_for, jitter).as_secs_f64();
        // Somebody waits as soon as one has to: from the floor on.
        rest(false).min(rest(true).max(now + left - floor(LIFE) as f64))
    }

    /// For how many seconds uses have failed by now, if nothing was issued since.
    pub(super) fn failing_for(&self, now: f64) -> f64 {
        let since = if self.failures > 0 { self.rule.needs() as f64 - self.left(now) } else { 0.0 };
        since.clamp(0.0, now)
    }

    fn left(&self, now: f64) -> f64 {
        (self.issued + LIFE as f64 - now).max(-(LIFE as f64) * 24.0)
    }
}

/// splitmix64: the same numbers each time.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
