//! The laws of the refresh policy, over random schedules of requests, answers, outages, suspends, clocks that are set,
//! and restarts.

mod model;
mod schedule;

use crate::freshness::{LEAST_SERVED, floor};
use model::{Ask, Came, Trace, run};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};
use schedule::{Behaviour, Schedule};
use std::cell::Cell;
use std::fmt::Debug;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;

/// The same cases each time.
fn hold<S: Strategy<Value = Schedule>>(cases: u32, schedules: S, law: impl Fn(&Schedule, &Trace) -> Law) {
    let config =
        ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 2000, ..ProptestConfig::default() };
    let random = proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    let held = TestRunner::new_with_rng(config, random).run(&schedules, |schedule| {
        let trace = run(&schedule);
        match &trace.wrong {
            Some(wrong) => Err(TestCaseError::fail(wrong.clone())),
            None => law(&schedule, &trace),
        }
    });
    if let Err(TestError::Fail(why, schedule)) = held {
        panic!("{why}\n{schedule:#?}");
    }
}

type Law = Result<(), TestCaseError>;

fn none<T: Debug>(mut breaches: impl Iterator<Item = T>) -> Law {
    breaches.next().map_or(Ok(()), |breach| Err(TestCaseError::fail(format!("{breach:?}"))))
}

/// Never an answer whose credentials are over; never two flights at once; attempts within their budgets; rest after a
/// success; none for who is not asked for. Whatever happens.
#[test]
fn f09_f10_f30_the_laws_that_hold_whatever_happens() {
    let seen = Cell::new([0; 6]);
    hold(100, schedule::of_any_kind(), |schedule, trace| {
        seen.set(added(seen.get(), trace));
        none(trace.answers.iter().filter(|given| given.remaining < LEAST_SERVED || given.truly <= 0))?;
        ten_a_minute(trace)?;
        none(trace.asks.windows(2).filter(|two| two[0].came == Some(Came::Denied) && two[1].at - two[0].at < MINUTE))?;
        rest_after_success(trace)?;
        let unused = |last: i64, at: i64, life: i64| at - last > life.max(3600) * SECOND + MINUTE;
        none(
            trace
                .starts
                .iter()
                .filter(|start| start.last_request.is_none_or(|last| unused(last, start.at, start.life))),
        )?;
        prop_assert!(schedule.life >= 60);
        Ok(())
    });
    assert!(seen.get().iter().all(|count| *count > 30), "all laws hold where nothing happens: {seen:?}");
}

/// What happened how often.
fn added(seen: [usize; 6], trace: &Trace) -> [usize; 6] {
    let came = |came| trace.asks.iter().filter(|ask| ask.came == Some(came)).count();
    let asks = [Came::Issued, Came::Failed, Came::Denied, Came::Rejected].map(came);
    let counts = asks.into_iter().chain([trace.answers.len(), trace.refused.len()]);
    let mut counts = seen.into_iter().zip(counts).map(|(sum, count)| sum + count);
    seen.map(|_| counts.next().unwrap_or_default())
}

fn ten_a_minute(trace: &Trace) -> Law {
    // One that was cut off by a kill left no record to hold anyone back.
    let counted = |ask: &&Ask| ask.follows_a_failure && ask.came.is_some_and(|came| came != Came::Issued);
    let retries: Vec<i64> = trace.asks.iter().filter(counted).map(|ask| ask.at).collect();
    none(retries.windows(11).filter(|window| window[10] - window[0] < MINUTE))
}

#[test]
fn f08_a_rejected_secret_has_one_attempt_and_one_that_had_worked_three_more() {
    let most = Cell::new((0, 0));
    hold(30, schedule::with_a_rejected_secret(), |_, trace| {
        let rejected = trace.asks.iter().filter(|ask| ask.came == Some(Came::Rejected)).count();
        let worked = trace.asks.iter().any(|ask| ask.worked);
        let (never, once) = most.get();
        most.set(if worked { (never, once.max(rejected)) } else { (never.max(rejected), once) });
        rejections(trace)
    });
    assert_eq!(most.get(), (1, 4));
}

/// A secret that never worked is sent once; one that did, again after 15 minutes, an hour and six hours.
fn rejections(trace: &Trace) -> Law {
    let mut row: Vec<&Ask> = Vec::new();
    for ask in &trace.asks {
        match ask.came {
            Some(Came::Issued) => row.clear(),
            Some(Came::Rejected) => row.push(ask),
            _ => {}
        }
        if let [.., last, again] = row[..] {
            let pause = [15, 60, 360].get(row.len() - 2).map(|minutes| minutes * MINUTE);
            let kept = again.worked && pause.is_some_and(|pause| again.at - last.at >= pause);
            none((!kept).then_some((row.len(), last, again)).into_iter())?;
        }
    }
    Ok(())
}

fn rest_after_success(trace: &Trace) -> Law {
    let hasty = |start: &&model::Start| {
        let rest = |life: i64| (life / 4).clamp(1, 60) * SECOND;
        start.unforced && start.success.is_some_and(|(at, life)| start.at - at < rest(life))
    };
    none(trace.starts.iter().filter(hasty))
}

/// Whoever asks, and whatever befalls clocks and processes (but an answer that the machine slept through is not one in
/// time): the credentials are good for 17 minutes, or two fifths of
/// their life.
#[test]
fn an_issuer_that_answers_in_time_means_that_every_answer_is_above_the_floor() {
    hold(100, schedule::with_a_prompt_issuer(), |schedule, trace| {
        let explained = |at: i64| trace.slept.iter().any(|slept| (0..20 * SECOND).contains(&(at - slept)));
        none(trace.refused.iter().filter(|at| !explained(**at)))?;
        // Two seconds for clocks that show whole ones, and for the way of the answer.
        let least = floor(schedule.life) - 3;
        none(trace.answers.iter().filter(|given| given.truly < least && !given.slept))
    });
}

#[test]
fn t9_an_outage_of_less_than_two_fifths_of_the_life_is_invisible_to_a_profile_in_use() {
    hold(250, schedule::with_an_outage(), |schedule, trace| {
        let outage = schedule.episodes.iter().find(|(_, behaviour)| matches!(behaviour, Behaviour::Fails(_)));
        prop_assert!(outage.is_some_and(|(length, _)| *length < schedule.life * 400));
        prop_assert_eq!(trace.refused.len(), 0, "of {} answers", trace.answers.len());
        none(trace.answers.iter().filter(|given| given.truly <= 0))
    });
}
