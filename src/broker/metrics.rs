//! What is counted, as OpenMetrics text: answers, flights, failures by kind, the age of each credential.

use super::Broker;
use crate::error::Error;
use crate::wire::Kind;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Counted for one profile since the process started: a reload takes nothing back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) answers: u64,
    /// Answers that no flight was waited for.
    pub(super) hits: u64,
    pub(super) flights: u64,
    failures: BTreeMap<&'static str, u64>,
}

impl Counts {
    pub(super) fn fail(&mut self, error: &Error) {
        *self.failures.entry(error.kind().name()).or_default() += 1;
    }
}

/// A family of metrics: name without the suffix of a counter, kind, unit, help.
const FAMILIES: [(&str, &str, &str, &str); 7] = [
    ("valetkey_answers", "counter", "", "Requests for credentials, answered or refused."),
    ("valetkey_hits", "counter", "", "Requests that were answered from memory at once."),
    ("valetkey_flights", "counter", "", "Looks at the cache and the issuer on behalf of everyone who waits."),
    ("valetkey_failures", "counter", "", "Flights that brought no credentials, by kind of error."),
    ("valetkey_age_seconds", "gauge", "seconds", "Since the credentials in memory were issued."),
    ("valetkey_remaining_seconds", "gauge", "seconds", "Until the credentials in memory expire."),
    ("valetkey_login_remaining_seconds", "gauge", "seconds", "Until a sign-in ends, where that is known."),
];

impl Broker {
    /// The whole text, with its end marked. Names of profiles need no escaping: see the rule for names.
    pub fn metrics(&self) -> String {
        let now = self.now();
        let status = self.status();
        let state = self.0.lock();
        let mut samples: BTreeMap<&str, String> = BTreeMap::new();
        let mut add = |family: &'static str, labels: &str, value: i128| {
            let suffix =
                if FAMILIES.iter().any(|known| known.0 == family && known.1 == "counter") { "_total" } else { "" };
            let _ = writeln!(samples.entry(family).or_default(), "{family}{suffix}{{{labels}}} {value}");
        };
        for name in state.config.profiles.keys() {
            let labels = format!("profile=\"{name}\"");
            let counts = state.counts.get(name).cloned().unwrap_or_default();
            add("valetkey_answers", &labels, counts.answers.into());
            add("valetkey_hits", &labels, counts.hits.into());
            add("valetkey_flights", &labels, counts.flights.into());
            for kind in Kind::ALL.map(Kind::name) {
                let count = counts.failures.get(kind).copied().unwrap_or_default();
                add("valetkey_failures", &format!("{labels},kind=\"{kind}\""), count.into());
            }
            if let Some(lease) = state.slots.get(name).and_then(|slot| slot.valid(&now)) {
                let remaining = lease.remaining(&now);
                add("valetkey_age_seconds", &labels, lease.life.saturating_sub(remaining).into());
                add("valetkey_remaining_seconds", &labels, remaining.into());
            }
        }
        for login in &status.logins {
            if let Some(remaining) = login.remaining {
                add("valetkey_login_remaining_seconds", &format!("login=\"{}\"", login.name), remaining.into());
            }
        }
        let mut text = String::new();
        for (name, kind, unit, help) in FAMILIES {
            let _ = writeln!(text, "# TYPE {name} {kind}");
            if !unit.is_empty() {
                let _ = writeln!(text, "# UNIT {name} {unit}");
            }
            let _ = writeln!(text, "# HELP {name} {help}");
            text.push_str(samples.get(name).map_or("", String::as_str));
        }
        text + "# EOF\n"
    }
}
