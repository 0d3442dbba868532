//! What happens to a profile in a few hours, drawn at random: how the issuer answers, who asks, what befalls the clocks
//! and the processes. Times are milliseconds since the start.

use proptest::prelude::*;

/// All that chance decides; the same schedule always runs the same way.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    /// Of the issuer's credentials, in seconds.
    pub(super) life: i64,
    /// How the issuer answers, one after the other, each for so long; the last one for good.
    pub(super) episodes: Vec<(i64, Behaviour)>,
    /// The first one ends with this request at the issuer, whenever that is.
    pub(super) until_ask: Option<usize>,
    /// How often clients ask: a request each so many, for so long; none in a silence.
    pub(super) paces: Vec<(i64, Option<i64>)>,
    pub(super) mishaps: Vec<(i64, Mishap)>,
    /// One or two under the same locks.
    pub(super) processes: usize,
    /// Seeds what the processes roll for themselves.
    pub(super) seed: u64,
    pub(super) end: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// New credentials after so long.
    Issues(i64),
    /// The same ones while they last.
    Repeats(i64),
    /// An error that may pass, after so long.
    Fails(i64),
    /// An error that names the seconds to wait.
    Busy(u64),
    Denies,
    Rejects,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mishap {
    Suspend(i64),
    /// For so long, as soon as a request is on its way.
    SuspendInFlight(i64),
    /// Somebody sets the wall clock, by so many seconds.
    Clock(i64),
    /// The process is killed, and comes back with what is on disk.
    Restart(usize),
}

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Anything, for half a day.
pub(super) fn of_any_kind() -> impl Strategy<Value = Schedule> {
    schedule(prop::collection::vec((10 * SECOND..2 * HOUR, behaviour()), 1..12), paces(), mishaps(), 60)
}

/// An issuer that answers within the shortest wait, whatever else happens.
pub(super) fn with_a_prompt_issuer() -> impl Strategy<Value = Schedule> {
    let prompt = (HOUR..2 * HOUR, (0..2500_i64).prop_map(Behaviour::Issues));
    schedule(prop::collection::vec(prompt, 1..6), paces(), mishaps(), 60)
}

/// A profile that is asked for every few seconds, and an outage of less than two fifths of the life.
pub(super) fn with_an_outage() -> impl Strategy<Value = Schedule> {
    let failures = prop_oneof![(10..1000_i64), (1000..4000_i64)];
    // Most begin with a renewal, and are as long as they may be, of lives that leave little time after it.
    let begins = prop_oneof![4 => (1..4_usize).prop_map(Ok), 1 => (0.1..0.7).prop_map(Err)];
    let share = prop_oneof![1 => 0.0..1.0, 4 => 0.95..1.0];
    let life = prop_oneof![75..200_i64, 901..1300_i64, life(75)];
    let rest = (SECOND..5 * SECOND, 1..3_usize, proptest::num::u64::ANY);
    ((life, begins, share, failures), rest).prop_map(|((life, begins, share, fails), (gap, processes, seed))| {
        let begin = begins.err().map_or(1, |share: f64| (share * (life * SECOND) as f64) as i64);
        // Its last failure may come that much after its end.
        let length = ((share * (life * 400) as f64) as i64 - fails).max(1);
        let episodes =
            vec![(begin, Behaviour::Issues(300)), (length, Behaviour::Fails(fails)), (1, Behaviour::Issues(300))];
        let (until_ask, end) = (begins.ok(), 4 * life * SECOND);
        // Requests of a long life are minutes apart.
        let gap = gap.max(end / 4000);
        let (paces, mishaps) = (vec![(end, Some(gap))], Vec::new());
        Schedule { life, episodes, until_ask, paces, mishaps, processes, seed, end }
    })
}

/// Somebody who asks all the time, and an issuer that refuses the secret: from the start, or after it let it in.
pub(super) fn with_a_rejected_secret() -> impl Strategy<Value = Schedule> {
    let first = prop_oneof![Just(Behaviour::Issues(300)), Just(Behaviour::Fails(300))];
    let then = prop_oneof![4 => Just(Behaviour::Rejects), 1 => Just(Behaviour::Fails(300))];
    let episodes = (MINUTE..HOUR, first, prop::collection::vec((MINUTE..2 * HOUR, then), 0..4));
    let episodes = episodes.prop_map(|(length, first, then)| {
        let last = (1, Behaviour::Rejects);
        [(length, first)].into_iter().chain(then).chain([last]).collect()
    });
    let restarts = prop::collection::vec((0..12 * HOUR, (0..2_usize).prop_map(Mishap::Restart)), 0..8);
    // The last pause ends after seven hours; a fifth attempt would follow within fourteen.
    let pace = (10 * SECOND..40 * SECOND).prop_map(|gap| vec![(24 * HOUR, Some(gap))]);
    schedule(episodes, pace, restarts, 60).prop_map(|schedule| Schedule { end: 24 * HOUR, ..schedule })
}

fn schedule(
    episodes: impl Strategy<Value = Vec<(i64, Behaviour)>>,
    paces: impl Strategy<Value = Vec<(i64, Option<i64>)>>,
    mishaps: impl Strategy<Value = Vec<(i64, Mishap)>>,
    least_life: i64,
) -> impl Strategy<Value = Schedule> {
    let rest = (1..3_usize, proptest::num::u64::ANY);
    (life(least_life), episodes, paces, mishaps, rest).prop_map(
        |(life, episodes, paces, mishaps, (processes, seed))| Schedule {
            life,
            episodes,
            until_ask: None,
            paces,
            mishaps,
            processes,
            seed,
            end: 12 * HOUR,
        },
    )
}

fn life(least: i64) -> impl Strategy<Value = i64> {
    prop_oneof![least..900, Just(900), 901..3600_i64, Just(3600), 3600..=43_200_i64]
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        4 => (0..30 * SECOND).prop_map(Behaviour::Issues),
        1 => (0..2 * SECOND).prop_map(Behaviour::Repeats),
        3 => (0..20 * SECOND).prop_map(Behaviour::Fails),
        1 => (0..2000_u64).prop_map(Behaviour::Busy),
        1 => Just(Behaviour::Denies),
        2 => Just(Behaviour::Rejects),
    ]
}

fn paces() -> impl Strategy<Value = Vec<(i64, Option<i64>)>> {
    let pace = prop_oneof![
        3 => (MINUTE..20 * MINUTE, (500..10 * SECOND).prop_map(Some)),
        3 => (HOUR..3 * HOUR, (MINUTE..40 * MINUTE).prop_map(Some)),
        1 => (HOUR..4 * HOUR, Just(None)),
    ];
    prop::collection::vec(pace, 1..8)
}

fn mishaps() -> impl Strategy<Value = Vec<(i64, Mishap)>> {
    let mishap = prop_oneof![
        (SECOND..2 * HOUR).prop_map(Mishap::Suspend),
        (SECOND..2 * HOUR).prop_map(Mishap::SuspendInFlight),
        (-3600..=3600_i64).prop_map(Mishap::Clock),
        (0..2_usize).prop_map(Mishap::Restart),
    ];
    prop::collection::vec((0..12 * HOUR, mishap), 0..8)
}
