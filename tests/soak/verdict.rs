//! What was written down, held against the promises. The issuers' own record says what was issued, and until when.

use crate::clients::{Answer, Got};
use crate::plan::{ISSUERS, Kind, Plan, RETRY_AFTER};
use crate::story::{Fault, Stage, Story, path};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;
use valetkey::standin::{Exchange, Fate};

/// What a cold helper has, and some more for a machine that is busy starting programs.
const BUDGET: Duration = Duration::from_secs(25);
/// A cached answer; counted and printed, since what makes it late on a busy machine is not ours to promise.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Nobody is served with less; one more for whole seconds.
const LEAST_SERVED: SignedDuration = SignedDuration::from_secs(11);
/// An answer goes out before it is on disk, which has so long.
const WRITTEN_AFTER: SignedDuration = SignedDuration::from_secs(2);
/// For the flight that follows the pause, the start of a daemon, and clients that are late on a busy machine.
const SLACK: SignedDuration = SignedDuration::from_secs(8);
/// An issuer sees a killed daemon's connection close a moment later.
const NOTICED_AFTER: SignedDuration = SignedDuration::from_secs(1);
const MINUTE: SignedDuration = SignedDuration::from_secs(60);
const MOST_ATTEMPTS: usize = 10;

#[derive(Default)]
pub(crate) struct Verdict {
    rows: Vec<(String, String)>,
    pub(crate) broken: Vec<String>,
}

/// Credentials that a client was given, and that the daemon or its disk had from then on.
struct Kept {
    from: Timestamp,
    /// As the issuer has it.
    until: Timestamp,
}

impl Verdict {
    pub(crate) fn of(plan: &Plan, stage: &Stage, story: &Story, answers: Vec<Answer>) -> Verdict {
        let mut verdict = Verdict::default();
        let (kills, faults) = (story.kills.lock().unwrap().clone(), story.faults.lock().unwrap().clone());
        let traffic: Vec<Vec<Exchange>> = (0..ISSUERS).map(|issuer| stage.traffic(issuer)).collect();
        let mut by_profile: BTreeMap<String, Vec<Answer>> = BTreeMap::new();
        answers.into_iter().for_each(|answer| by_profile.entry(answer.profile.clone()).or_default().push(answer));
        by_profile.values_mut().for_each(|answers| answers.sort_by_key(|answer| answer.ended));

        verdict.counts(&by_profile, &traffic, kills.len());
        verdict.nothing_expired_mixed_or_extended(stage, &by_profile);
        verdict.what_is_valid_is_served(plan, stage, &by_profile, &kills);
        verdict.every_answer_within_its_budget(&by_profile);
        verdict.normal_after_a_fault(stage.profiles(plan), &by_profile, &faults, &traffic);
        for (issuer, exchanges) in traffic.iter().enumerate() {
            verdict.attempts_within_the_policy(issuer, exchanges);
            verdict.one_flight_at_a_time(issuer, exchanges);
        }
        verdict.no_daemon_ended_by_itself(&stage.place.log(), kills.len());
        verdict
    }

    fn counts(&mut self, by_profile: &BTreeMap<String, Vec<Answer>>, traffic: &[Vec<Exchange>], kills: usize) {
        let all = || by_profile.values().flatten();
        let errors = all().filter(|answer| matches!(answer.got, Got::Error(..))).count();
        let helpers = all().filter(|answer| answer.helper).count();
        let fates = |fate| traffic.iter().flatten().filter(|exchange| exchange.fate == fate).count();
        let (well, badly, cut) = (fates(Fate::Well), fates(Fate::Badly), fates(Fate::Unanswered));
        self.row("answers", format!("{} ({helpers} by the helper), {errors} of them errors", all().count()));
        self.row("asked of the issuers", format!("{well} well, {badly} failed, {cut} broken off"));
        self.row("daemons killed", kills.to_string());
        // A soak in which nothing happened shows nothing.
        self.check(well > ISSUERS && badly > 0 && errors > 0 && kills > 0, || "nothing happened".to_owned());
        let mut codes: BTreeMap<(i32, &str), usize> = BTreeMap::new();
        for answer in all() {
            if let Got::Error(code, said) = &answer.got {
                *codes.entry((*code, said.lines().next().unwrap_or_default())).or_default() += 1;
            }
        }
        for ((code, said), count) in codes {
            self.row(&format!("  exit {code}"), format!("{count} x {said}"));
            // None of the faults is one that a person or another config mends.
            self.check(matches!(code, 5 | 7), || format!("P1: exit {code}: {said}"));
        }
    }

    /// P0, P1.
    fn nothing_expired_mixed_or_extended(&mut self, stage: &Stage, by_profile: &BTreeMap<String, Vec<Answer>>) {
        let issued: HashMap<String, _> =
            stage.issuer(0).issued().into_iter().map(|issued| (issued.access_key_id.clone(), issued)).collect();
        let mut least = SignedDuration::MAX;
        for answer in by_profile.values().flatten() {
            let Got::Credentials { key_id, expiration } = &answer.got else { continue };
            let left = expiration.duration_since(answer.ended);
            least = least.min(left);
            let told = || format!("{key_id} of {} at {}", answer.profile, answer.ended);
            self.check(left.is_positive(), || format!("P1: expired when it was given: {}", told()));
            let known = issued.get(key_id).filter(|issued| issued.path == path(&answer.profile));
            self.check(known.is_some(), || format!("P1: not issued for this profile: {}", told()));
            let real = known.and_then(|issued| issued.expiration);
            self.check(real.is_none_or(|real| *expiration <= real), || format!("P1: extended: {}", told()));
        }
        self.row("least published time left at an answer", seconds(least));
    }

    /// P0.
    fn what_is_valid_is_served(
        &mut self,
        plan: &Plan,
        stage: &Stage,
        by_profile: &BTreeMap<String, Vec<Answer>>,
        kills: &[Timestamp],
    ) {
        let ends: HashMap<String, Timestamp> =
            stage.issuer(0).issued().into_iter().filter_map(|set| Some((set.access_key_id, set.expiration?))).collect();
        // Below this a request may wait for the flight; some more for a moment between two clocks.
        let floor = SignedDuration::from_secs(plan.life * 2 / 5 + 2);
        let mut cached = Vec::new();
        for (profile, answers) in by_profile {
            let kept = kept(answers, &ends, kills);
            for answer in answers {
                let held = kept.iter().filter(|kept| kept.from <= answer.began);
                let Some(until) = held.map(|kept| kept.until).max() else { continue };
                if until.duration_since(answer.began) >= floor && !answer.helper {
                    cached.push(answer.took);
                }
                if let Got::Error(code, said) = &answer.got {
                    self.check(until.duration_since(answer.ended) < LEAST_SERVED, || {
                        format!("P0: {profile} at {}: exit {code} though valid until {until}: {said}", answer.ended)
                    });
                }
            }
        }
        cached.sort();
        let late = cached.iter().filter(|took| **took > AT_ONCE).count();
        self.row("cached answers, p50, p99, most", quantiles(&cached));
        self.row("cached answers that took over a second", format!("{late} of {}", cached.len()));
    }

    /// P2.
    fn every_answer_within_its_budget(&mut self, by_profile: &BTreeMap<String, Vec<Answer>>) {
        for (what, error) in [("good answers", false), ("errors", true)] {
            let all = by_profile.values().flatten().filter(|answer| matches!(answer.got, Got::Error(..)) == error);
            let mut times: Vec<Duration> = all.map(|answer| answer.took).collect();
            times.sort();
            self.row(&format!("{what}, p50, p99, most"), quantiles(&times));
            let most = times.last().copied().unwrap_or_default();
            self.check(most <= BUDGET, || format!("P2: {what} took up to {most:?}"));
        }
    }

    /// P3.
    fn normal_after_a_fault(
        &mut self,
        profiles: Vec<(String, usize)>,
        by_profile: &BTreeMap<String, Vec<Answer>>,
        faults: &[Fault],
        traffic: &[Vec<Exchange>],
    ) {
        let (mut slowest, mut noticed) = (SignedDuration::ZERO, 0);
        for (number, fault) in faults.iter().enumerate() {
            let next = faults[number + 1..].iter().find(|later| later.issuer == fault.issuer);
            let next = next.map_or(Timestamp::MAX, |later| later.from);
            for (profile, _) in profiles.iter().filter(|(_, issuer)| *issuer == fault.issuer) {
                let Some(answers) = by_profile.get(profile) else { continue };
                let normal = fault.to + back_off(profile, fault, &traffic[fault.issuer]) + SLACK;
                let failed = |answer: &&Answer| matches!(answer.got, Got::Error(..)) && answer.ended < next;
                let mut meanwhile = answers.iter().filter(|answer| answer.began >= fault.from && answer.began < next);
                let Some(last) = meanwhile.rfind(failed) else { continue };
                noticed += 1;
                slowest = slowest.max(last.began.duration_since(fault.to));
                self.check(last.began <= normal, || {
                    format!("P3: {profile} failed at {} though {:?} ended at {}", last.began, fault.kind, fault.to)
                });
            }
        }
        self.row("faults that somebody noticed", format!("{noticed} of {}", faults.len()));
        self.row("the last error, after its fault's end", seconds(slowest));
    }

    fn attempts_within_the_policy(&mut self, issuer: usize, exchanges: &[Exchange]) {
        let mut last: HashMap<&str, Fate> = HashMap::new();
        let mut after_failures: Vec<Timestamp> = Vec::new();
        for exchange in exchanges {
            if last.insert(&exchange.path, exchange.fate) == Some(Fate::Badly) {
                after_failures.push(exchange.began);
            }
        }
        let within = |from: &Timestamp| {
            after_failures.iter().filter(|time| *time >= from && time.duration_since(*from) < MINUTE).count()
        };
        let most = after_failures.iter().map(within).max().unwrap_or(0);
        self.row(&format!("attempts after a failure, issuer {issuer}"), format!("{most} in a minute at most"));
        self.check(most <= MOST_ATTEMPTS, || format!("issuer {issuer} saw {most} attempts after failures in a minute"));
    }

    fn one_flight_at_a_time(&mut self, issuer: usize, exchanges: &[Exchange]) {
        let mut last: HashMap<&str, &Exchange> = HashMap::new();
        for exchange in exchanges {
            let Some(before) = last.insert(&exchange.path, exchange) else { continue };
            let ended = before.ended.unwrap_or(Timestamp::MAX);
            let left = before.fate == Fate::Unanswered && ended.duration_since(exchange.began) <= NOTICED_AFTER;
            self.check(ended <= exchange.began || left, || {
                format!("issuer {issuer} had two requests for {} in hand at {}", exchange.path, exchange.began)
            });
        }
    }

    /// P1.
    fn no_daemon_ended_by_itself(&mut self, log: &str, kills: usize) {
        let starts = log.lines().filter(|line| line.contains(" ready ")).count();
        self.row("daemons started", starts.to_string());
        self.check(starts <= kills + 1, || format!("P1: {starts} daemons were started, and {kills} killed"));
        self.check(!log.contains("panicked"), || format!("P1: a panic: {log}"));
    }

    fn row(&mut self, what: &str, measured: String) {
        self.rows.push((what.to_owned(), measured));
    }

    fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(otherwise());
        }
    }
}

/// What was held of one profile. `answers` are in order. Between an answer and its write a kill may lose what was issued,
/// unless it is seen again after that.
fn kept(answers: &[Answer], ends: &HashMap<String, Timestamp>, kills: &[Timestamp]) -> Vec<Kept> {
    let mut by_key: BTreeMap<&str, Vec<&Answer>> = BTreeMap::new();
    for answer in answers {
        if let Got::Credentials { key_id, .. } = &answer.got {
            by_key.entry(key_id).or_default().push(answer);
        }
    }
    let held = |(key, seen): (&str, Vec<&Answer>)| {
        let mut sure = *seen.first()?;
        for kill in kills {
            if *kill >= sure.began && *kill <= sure.ended + WRITTEN_AFTER {
                sure = seen.iter().find(|answer| answer.began > *kill)?;
            }
        }
        Some(Kept { from: sure.ended, until: *ends.get(key)? })
    };
    by_key.into_iter().filter_map(held).collect()
}

/// One step of the back-off as it stood at the fault's end, the request under way included where it hangs.
fn back_off(profile: &str, fault: &Fault, exchanges: &[Exchange]) -> SignedDuration {
    let before = exchanges.iter().filter(|exchange| exchange.path == path(profile) && exchange.began < fault.to);
    let before: Vec<&Exchange> = before.collect();
    let failed = before.iter().rev().take_while(|exchange| exchange.fate != Fate::Well).count();
    let pause = 1 + (1 << failed.clamp(1, 6).saturating_sub(1)).min(59);
    let pause = if fault.kind == Kind::Busy429 { pause.max(RETRY_AFTER as i64) } else { pause };
    let hangs = before.last().filter(|exchange| fault.kind == Kind::Hang && exchange.fate == Fate::Unanswered);
    let hung = hangs.map_or(SignedDuration::ZERO, |exchange| {
        exchange.ended.unwrap_or(fault.to).duration_since(fault.to).max(SignedDuration::ZERO)
    });
    hung + SignedDuration::from_secs(pause)
}

fn quantiles(sorted: &[Duration]) -> String {
    let at = |share: usize| sorted.get((sorted.len() * share / 100).min(sorted.len().saturating_sub(1)));
    let millis =
        |time: Option<&Duration>| time.map_or("-".to_owned(), |time| format!("{:.1} ms", time.as_secs_f64() * 1e3));
    format!("{}, {}, {} (of {})", millis(at(50)), millis(at(99)), millis(sorted.last()), sorted.len())
}

fn seconds(time: SignedDuration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, measured) in &self.rows {
            writeln!(f, "{what:<42} {measured}")?;
        }
        write!(f, "{} promises broken", self.broken.len())
    }
}
