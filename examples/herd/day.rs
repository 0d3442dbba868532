//! A day of many daemons and one issuer: who asks when, and what the issuer sees.

use super::rules::{Daemon, Rule};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How the issuer fares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weather {
    /// The length of each of the day's outages, in seconds.
    pub(super) outage: f64,
    /// Requests that it can answer in a second; those that have to wait for longer than [`PATIENCE`] are given up, and
    /// cost it the same.
    pub(super) capacity: Option<f64>,
}

/// What came of a day.
#[derive(Debug)]
pub(super) struct Day {
    /// Requests at the issuer in each second, the first two minutes left out.
    seconds: Vec<i64>,
    /// Uses that failed, and the longest that they did so in a row.
    pub(super) failed: f64,
    pub(super) longest: f64,
    /// By number of the renewal, when the first and the last daemon got it.
    pub(super) renewals: Vec<(f64, f64)>,
}

const DAY: f64 = 86_400.0;
/// All were started and answered by then.
const START: usize = 120;
/// Of an answer, and of the longest that is waited for one.
const LATENCY: f64 = 0.3;
const PATIENCE: f64 = 20.0;

impl Weather {
    /// When the outage ends that is at `now`. There is one every two hours and ten minutes, so that no rule's rhythm is
    /// always met or always missed.
    fn outage_at(&self, now: f64) -> Option<f64> {
        let since = now % 7800.0;
        (now >= 7800.0 && since < self.outage).then_some(now - since + self.outage)
    }
}

/// Lives through a day.
pub(super) fn live(daemons: u64, rule: Rule, weather: Weather) -> Day {
    let mut day = Day { seconds: vec![0; DAY as usize + 1], failed: 0.0, longest: 0.0, renewals: Vec::new() };
    let herd = (0..daemons).map(|number| Daemon::new(rule, number));
    match weather.capacity {
        None => herd.for_each(|daemon| alone(daemon, weather, &mut day)),
        Some(capacity) => queued(herd.collect(), weather, capacity, &mut day),
    }
    let mut sum = 0;
    for second in &mut day.seconds {
        sum += *second;
        *second = sum;
    }
    day.seconds.truncate(DAY as usize);
    day.seconds.drain(..START);
    day
}

/// An issuer that answers all at once: no daemon notices the others.
fn alone(mut daemon: Daemon, weather: Weather, day: &mut Day) {
    let (mut now, mut renewal) = (daemon.started(), 0);
    while now < DAY {
        now = match weather.outage_at(now) {
            Some(end) if daemon.rule != Rule::Valetkey => {
                // Each second until it is over.
                let tries = (end - now).ceil();
                day.asked(now, tries);
                daemon.failed(now);
                now + tries
            }
            Some(_) => {
                day.asked(now, 1.0);
                daemon.failed(now)
            }
            None => {
                day.asked(now, 1.0);
                day.answered(&mut daemon, now + LATENCY, &mut renewal)
            }
        };
    }
    day.failed_until(&daemon, DAY);
}

/// An issuer with a queue.
fn queued(mut herd: Vec<Daemon>, weather: Weather, capacity: f64, day: &mut Day) {
    // Microseconds, which have an order.
    let key = |time: f64| Reverse((time * 1e6) as u64);
    let mut next: BinaryHeap<(Reverse<u64>, Reverse<usize>)> = BinaryHeap::new();
    let mut renewals = vec![0; herd.len()];
    let mut free = 0.0_f64;
    next.extend(herd.iter_mut().enumerate().map(|(number, daemon)| (key(daemon.started()), Reverse(number))));
    while let Some((Reverse(now), Reverse(number))) = next.pop() {
        let now = now as f64 / 1e6;
        if now >= DAY {
            continue;
        }
        day.asked(now, 1.0);
        let daemon = &mut herd[number];
        let then = if weather.outage_at(now).is_some() {
            free = now;
            daemon.failed(now)
        } else {
            free = free.max(now) + 1.0 / capacity;
            match free - now + LATENCY {
                wait if wait > PATIENCE => daemon.failed(now + PATIENCE),
                wait => day.answered(daemon, now + wait, &mut renewals[number]),
            }
        };
        next.push((key(then), Reverse(number)));
    }
    herd.iter().for_each(|daemon| day.failed_until(daemon, DAY));
}

// === impl Day ===

impl Day {
    /// The most requests within so many seconds, per second.
    pub(super) fn peak(&self, width: usize) -> f64 {
        let mut sum: i64 = self.seconds[..width].iter().sum();
        let mut most = sum;
        for (gone, come) in self.seconds.iter().zip(&self.seconds[width..]) {
            sum += come - gone;
            most = most.max(sum);
        }
        most as f64 / width as f64
    }

    pub(super) fn mean(&self) -> f64 {
        self.seconds.iter().sum::<i64>() as f64 / self.seconds.len() as f64
    }

    /// One request a second for so long. Kept as differences until the day is over.
    fn asked(&mut self, now: f64, seconds: f64) {
        let last = self.seconds.len() - 1;
        self.seconds[(now as usize).min(last)] += 1;
        self.seconds[((now + seconds) as usize).max(now as usize + 1).min(last)] -= 1;
    }

    fn answered(&mut self, daemon: &mut Daemon, now: f64, renewal: &mut usize) -> f64 {
        self.failed_until(daemon, now);
        match self.renewals.get_mut(*renewal) {
            Some((first, last)) => (*first, *last) = (first.min(now), last.max(now)),
            None => self.renewals.push((now, now)),
        }
        *renewal += 1;
        daemon.issued(now)
    }

    fn failed_until(&mut self, daemon: &Daemon, now: f64) {
        let failing = daemon.failing_for(now);
        self.failed += failing.floor();
        self.longest = self.longest.max(failing);
    }
}
