//! The clients: each asks, writes down what it got, and asks again.

use crate::common::credentials;
use crate::plan::{CLIENTS, COLD, HELPERS, ISSUERS};
use crate::story::{Stage, Story, at};
use jiff::Timestamp;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use valetkey::wire::{Kind, Reply, credentials_request};

/// The clients ask without pause but for this, so that they measure the daemon and not the machine.
const PACE: Duration = Duration::from_millis(100);
const HELPER_PACE: Duration = Duration::from_millis(500);
/// Longer than any answer may take: only tells an end from none.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Client {
    number: usize,
}

/// What a client got, by the wall clock.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) profile: String,
    pub(crate) helper: bool,
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
    pub(crate) took: Duration,
    pub(crate) got: Got,
}

#[derive(Debug, Clone)]
pub(crate) enum Got {
    Credentials {
        key_id: String,
        /// As published.
        expiration: Timestamp,
    },
    /// An exit code, or the one that the helper would have had; and what was said.
    Error(i32, String),
}

impl Client {
    pub(crate) fn number(number: usize) -> Client {
        Client { number }
    }

    pub(crate) fn ask(&self, stage: &Stage, story: &Story, end: Instant) -> Vec<Answer> {
        let mut answers = Vec::new();
        let by_helper = self.number.is_multiple_of(CLIENTS / HELPERS);
        let pace = if by_helper { HELPER_PACE } else { PACE };
        while Instant::now() < end {
            let next = Instant::now() + pace;
            let steady = || format!("s{}", self.number % ISSUERS);
            let cold = (self.number >= CLIENTS - COLD).then(|| story.cold_profile()).flatten();
            let profile = cold.unwrap_or_else(steady);
            // Where no daemon answers, or it was killed meanwhile, the helper is what a client has.
            let by_socket = if by_helper { None } else { timed(&profile, false, || by_socket(stage, &profile)) };
            answers.extend(by_socket.or_else(|| timed(&profile, true, || Some(by_helper_itself(stage, &profile)))));
            at(next.min(end));
        }
        answers
    }
}

fn timed(profile: &str, helper: bool, ask: impl FnOnce() -> Option<Got>) -> Option<Answer> {
    let (began, started) = (Timestamp::now(), Instant::now());
    let got = ask()?;
    let (ended, took) = (Timestamp::now(), started.elapsed());
    Some(Answer { profile: profile.to_owned(), helper, began, ended, took, got })
}

/// None if nobody answered, or not to the end.
fn by_socket(stage: &Stage, profile: &str) -> Option<Got> {
    let mut stream = UnixStream::connect(stage.place.socket()).ok()?;
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(&credentials_request(profile)).ok()?;
    let mut bytes = Vec::with_capacity(4096);
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "{profile}: no answer within {LIMIT:?}");
    }
    let reply = Reply::parse(&bytes).ok()?;
    if reply.status == 200 {
        return Some(read(&serde_json::from_slice(reply.body).unwrap()));
    }
    let said = String::from_utf8_lossy(reply.body).into_owned();
    Some(Got::Error(i32::from(reply.kind.map_or(1, Kind::exit_code)), said))
}

fn by_helper_itself(stage: &Stage, profile: &str) -> Got {
    let output = stage.place.helper(profile);
    match output.status.success() {
        true => read(&credentials(&output)),
        false => {
            assert!(output.stdout.is_empty(), "an error says nothing on standard output");
            Got::Error(output.status.code().unwrap_or(-1), crate::common::stderr(&output))
        }
    }
}

fn read(json: &serde_json::Value) -> Got {
    let text = |name: &str| json[name].as_str().unwrap_or_else(|| panic!("{name} in {json}"));
    Got::Credentials { key_id: text("AccessKeyId").to_owned(), expiration: text("Expiration").parse().unwrap() }
}
