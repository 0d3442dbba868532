//! Everything at once: short credentials, fifty clients that never stop, issuers of which one in three fails at any time,
//! a daemon killed again and again; and then, from what was written down, whether P0 to P3 held.
//!
//! `VALETKEY_SOAK=MINUTES cargo test --test soak -- --ignored --nocapture`: 30 is the long form, 1.25 the short one and
//! what is done without the variable. Nothing here waits for a time in order to see something: the clock only drives the
//! script and the pace of the clients, and every answer is judged by when it came.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod clients;
#[path = "../common/mod.rs"]
mod common;
mod plan;
mod story;
mod verdict;

use clients::Client;
use plan::Plan;
use std::time::Instant;
use story::{Stage, Story};

#[test]
#[ignore = "takes minutes: VALETKEY_SOAK"]
fn p0_p1_p2_p3_hold_while_issuers_fail_and_the_daemon_is_killed() {
    let plan = Plan::of_environment();
    println!("{plan}");
    let stage = Stage::new(&plan);
    let (story, started) = (Story::default(), Instant::now());
    let end = started + plan.length;
    let answers = std::thread::scope(|scope| {
        let (stage, story) = (&stage, &story);
        scope.spawn(|| stage.let_issuers_fail(&plan, story, started));
        scope.spawn(|| stage.kill_daemons(&plan, story, started));
        let start = |number| scope.spawn(move || Client::number(number).ask(stage, story, end));
        let clients: Vec<_> = (0..plan::CLIENTS).map(start).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    let verdict = verdict::Verdict::of(&plan, &stage, &story, answers);
    println!("{verdict}");
    let shown = &verdict.broken[..verdict.broken.len().min(20)];
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}
