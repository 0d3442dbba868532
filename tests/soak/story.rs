//! The stage, what is done to it, and what is written down of that.

use crate::common::{COMMAND, Issuer, Place};
use crate::plan::{ISSUERS, Kind, Plan};
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use valetkey::standin::{Behaviour, Exchange, Gate, Standin};

/// Issuers, and a place that is signed in to them with a profile for each (`s0` to `s2`) and one for each cold start
/// (`cN`, of the fault N). They share one set of people, tokens and credentials.
pub(crate) struct Stage {
    pub(crate) place: Place,
    pub(crate) first: Issuer,
    others: Vec<Standin>,
}

/// What happened, by the wall clock, as the answers are.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) faults: Mutex<Vec<Fault>>,
    pub(crate) kills: Mutex<Vec<Timestamp>>,
    /// One more than the fault whose cold profile is asked for now; 0 for none yet.
    cold: AtomicUsize,
}

#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) issuer: usize,
    pub(crate) kind: Kind,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Stage {
    pub(crate) fn new(plan: &Plan) -> Stage {
        let first = Issuer::start();
        let others = (1..ISSUERS).map(|_| first.beside()).collect();
        let stage = Stage { place: Place::new(), first, others };
        let mut config = "keyring = \"file\"\n[logins.earthdata]\nkind = \"earthdata\"\n".to_owned();
        for (name, issuer) in stage.profiles(plan) {
            let (endpoint, urs) = (stage.issuer(issuer).url(&path(&name)), stage.issuer(0).url(Standin::URS));
            config += &format!(
                "[profiles.{name}]\nprovider = \"earthdata\"\nendpoint = \"{endpoint}\"\nurs = \"{urs}\"\nlogin = \"earthdata\"\n"
            );
        }
        stage.place.configure(&config);
        let mut login = stage.place.program(COMMAND);
        login.args(["login", "earthdata", "--untested", "--from-file", "-"]).stdin(Stdio::piped());
        let mut login = login.spawn().unwrap();
        let token = stage.issuer(0).mint_token("ada", 60 * 24 * 3600);
        login.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
        assert!(login.wait().unwrap().success());
        stage.issuer(0).set_life(plan.life);
        stage
    }

    /// Every profile, and the number of its issuer.
    pub(crate) fn profiles(&self, plan: &Plan) -> Vec<(String, usize)> {
        let steady = (0..ISSUERS).map(|issuer| (format!("s{issuer}"), issuer));
        let cold = (0..plan.faults()).filter(|number| plan.brings_a_cold_profile(*number));
        steady.chain(cold.map(|number| (format!("c{number}"), number % ISSUERS))).collect()
    }

    pub(crate) fn issuer(&self, number: usize) -> &Standin {
        number.checked_sub(1).map_or(&self.first.standin, |number| &self.others[number])
    }

    /// What each issuer was asked for credentials.
    pub(crate) fn traffic(&self, issuer: usize) -> Vec<Exchange> {
        self.issuer(issuer).traffic().into_iter().filter(|exchange| exchange.path.starts_with("/tea/")).collect()
    }

    /// One issuer after the other fails, each time in another way.
    pub(crate) fn let_issuers_fail(&self, plan: &Plan, story: &Story, started: Instant) {
        for number in 0..plan.faults() {
            let (issuer, kind, end) = (number % ISSUERS, plan.kind(number), Gate::shut());
            let turn = u32::try_from(number).unwrap();
            at(started + plan.fault * turn);
            self.issuer(issuer).behave("/tea/", kind.behaviour(&end));
            let from = Timestamp::now();
            if plan.brings_a_cold_profile(number) {
                story.cold.store(number + 1, Ordering::Relaxed);
            }
            at(started + plan.fault * (turn + 1));
            self.issuer(issuer).behave("/tea/", Behaviour::Normal);
            end.open();
            story.faults.lock().unwrap().push(Fault { issuer, kind, from, to: Timestamp::now() });
        }
    }

    /// Whoever asks next starts another.
    pub(crate) fn kill_daemons(&self, plan: &Plan, story: &Story, started: Instant) {
        let end = started + plan.length;
        let mut next = started + plan.kill_every;
        while next < end {
            at(next);
            next += plan.kill_every;
            for pid in self.place.daemons() {
                let killed = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
                if killed.is_ok() {
                    story.kills.lock().unwrap().push(Timestamp::now());
                }
            }
        }
    }
}

impl Story {
    /// The cold profile of the moment.
    pub(crate) fn cold_profile(&self) -> Option<String> {
        self.cold.load(Ordering::Relaxed).checked_sub(1).map(|number| format!("c{number}"))
    }
}

/// Where an issuer has the endpoint of a profile.
pub(crate) fn path(profile: &str) -> String {
    format!("/tea/{profile}/s3credentials")
}

/// Returns at this time: the script's pace.
pub(crate) fn at(time: Instant) {
    loop {
        match time.saturating_duration_since(Instant::now()) {
            Duration::ZERO => return,
            left => std::thread::park_timeout(left),
        }
    }
}
