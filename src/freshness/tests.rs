//! The rules, at their edges and over random values.

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
fn short_lives_are_renewed_at_two_thirds_and_spread_too() {
    assert_eq!((renewal(900, 0.0), renewal(900, 1.0)), (600, 720));
    assert_eq!((renewal(60, 0.0), renewal(60, 1.0)), (40, 48));
}

#[test]
fn over_http_nobody_waits_for_a_second() {
    for remaining in [16 * 60, 4 * 60, 0] {
        let Freshness::Stale(patience) = judge(remaining, 3600, 0.5) else { panic!("{remaining}") };
        assert_eq!(patience.of(Reader::Process), patience);
        let hurried = patience.of(Reader::Http);
        assert_eq!((hurried.wait.as_millis(), hurried.then_take_the_old), (800, patience.then_take_the_old));
    }
}

#[test]
fn a_failure_is_remembered_for_longer_where_nobody_waits() {
    let rest = |attempt, left, waited_for| rest_after_failure(attempt, left, waited_for, 1.0).as_secs();
    assert_eq!([1, 2, 3, 4, 7, 99].map(|attempt| rest(attempt, 0, true)), [2, 3, 5, 9, 60, 60]);
    assert_eq!([1, 2, 3, 4, 7, 99].map(|attempt| rest(attempt, 0, false)), [2, 3, 5, 9, 65, 300]);
    assert_eq!([110, 30, 11, 10].map(|left| rest(99, left, true)), [50, 10, 8, 60], "half of what is left to serve");
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
        prop_assert!(renewal(life, jitter) >= floor(life));
        prop_assert!(renewal(life, jitter) <= life);
    }

    #[test]
    fn rests_are_bounded(
        attempt in 0..u32::MAX, repeats in 0..u32::MAX, life in -5..200_000_i64, left in -5..200_000_i64, jitter in 0.0..1.0
    ) {
        let rest = |waited_for| rest_after_failure(attempt, left, waited_for, jitter).as_secs_f64();
        prop_assert!((1.0..=60.0).contains(&rest(true)));
        prop_assert!((rest(true)..=300.0).contains(&rest(false)));
        prop_assert!(left <= LEAST_SERVED || rest(false) <= (left as f64 / 2.0).max(8.0));
        prop_assert!((1..=900).contains(&rest_after_success(life, repeats).as_secs()));
    }

    #[test]
    fn a_run_of_failures_keeps_within_ten_attempts_a_minute(
        jitters in prop::collection::vec(0.0..=1.0, 40), left in -5..3600_i64
    ) {
        let mut at = Duration::ZERO;
        let follow_ups: Vec<Duration> = jitters.iter().zip(1..).map(|(jitter, attempt)| {
            at += rest_after_failure(attempt, left, true, *jitter);
            at
        }).collect();
        for window in follow_ups.windows(MOST_RETRIES + 1) {
            prop_assert!(window[MOST_RETRIES] - window[0] >= RETRY_WINDOW);
        }
    }
}
