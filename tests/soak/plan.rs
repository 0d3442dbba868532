//! How long, how fast, and which issuer fails in which way when.

use std::fmt;
use std::time::Duration;
use valetkey::standin::{Behaviour, Gate};

pub(crate) const CLIENTS: usize = 50;
/// Of these, so many start the helper for each question; the others write to the socket what the helper writes.
pub(crate) const HELPERS: usize = 5;
/// And so many ask for a profile that was cold when its issuer began to fail.
pub(crate) const COLD: usize = 10;
pub(crate) const ISSUERS: usize = 3;

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) length: Duration,
    /// Of credentials, in seconds.
    pub(crate) life: i64,
    /// For how long each issuer fails in its turn.
    pub(crate) fault: Duration,
    pub(crate) kill_every: Duration,
}

/// How an issuer fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Error500,
    /// Answers late: when the fault is over.
    Late,
    Reset,
    Busy429,
    LoginPage,
    Garbage,
    Cut,
    /// Never answers what came meanwhile, so that a flight runs into its own limit.
    Hang,
}

/// In the order of the script.
const KINDS: &[Kind] =
    &[Kind::Error500, Kind::Late, Kind::Reset, Kind::Busy429, Kind::LoginPage, Kind::Garbage, Kind::Cut];
pub(crate) const RETRY_AFTER: u64 = 2;

impl Plan {
    /// A minute's credentials are renewed every 20 s, and a fault of 5 s is less than 0.4 of them: only who is cold may
    /// notice. In the long form a fault that hangs outlasts the 20 s that a request has.
    pub(crate) fn of_environment() -> Plan {
        let minutes = std::env::var("VALETKEY_SOAK").map_or(1.25, |text| text.parse().expect("VALETKEY_SOAK: minutes"));
        let seconds = Duration::from_secs;
        let (life, fault, kill) = if minutes < 5.0 { (60, 5, 10) } else { (240, 20, 60) };
        let length = Duration::from_secs_f64(minutes * 60.0);
        Plan { length, life, fault: seconds(fault), kill_every: seconds(kill) }
    }

    /// One issuer fails at any time, each a third of it. The last fault leaves the time to see its end.
    pub(crate) fn faults(&self) -> usize {
        (self.length.as_secs() / self.fault.as_secs()).saturating_sub(2) as usize
    }

    pub(crate) fn kind(&self, number: usize) -> Kind {
        let long = self.life > 100;
        match KINDS[number % KINDS.len()] {
            Kind::Late if long => Kind::Hang,
            kind => kind,
        }
    }

    /// Whether the clients of cold profiles come when this fault begins. Not at each: what they try must leave an issuer
    /// within ten attempts a minute by itself, so that who is asked too often is seen.
    pub(crate) fn brings_a_cold_profile(&self, number: usize) -> bool {
        (number / ISSUERS) % 5 == number % ISSUERS
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} of credentials that live {} s, {CLIENTS} clients ({HELPERS} by the helper), {} faults of {:?} at {ISSUERS} \
             issuers in turn, the daemon killed every {:?}",
            self.length,
            self.life,
            self.faults(),
            self.fault,
            self.kill_every
        )
    }
}

impl Kind {
    pub(crate) fn behaviour(self, end: &Gate) -> Behaviour {
        match self {
            Kind::Error500 => Behaviour::ServerError500,
            Kind::Late => Behaviour::Normal.held_by(end),
            Kind::Reset => Behaviour::Close,
            Kind::Busy429 => Behaviour::TooManyRequests { retry_after: RETRY_AFTER },
            Kind::LoginPage => Behaviour::Html200,
            Kind::Garbage => Behaviour::json(200, "][ garbage"),
            Kind::Cut => Behaviour::Cut { bytes: 100 },
            Kind::Hang => Behaviour::Hang,
        }
    }
}
