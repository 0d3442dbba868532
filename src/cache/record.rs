//! A failure on record: it answers for the issuer until the next attempt is due, in every process.

use super::Fingerprint;
use crate::error::Error;
use crate::ports::Moment;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What failed, for which fingerprint, and when it may be tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Random: tells whether another failure was put on record meanwhile.
    pub id: String,
    pub error: Error,
    pub fingerprint: String,
    pub at: Timestamp,
    pub again: Again,
    /// Failures in a row.
    pub attempts: u32,
}

/// When an attempt is due again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Again {
    At(Timestamp),
    /// Not with this secret: the issuer refused it.
    WithAnotherLogin,
}

/// A next attempt further away than this was written by a clock that has been set since.
const FURTHEST: i64 = 16 * 60;

impl Record {
    pub fn new(error: Error, fingerprint: &Fingerprint, again: Again, attempts: u32, now: &Moment) -> Record {
        let id = crate::seal::hex(&crate::seal::random::<8>());
        Record { id, error, fingerprint: fingerprint.as_str().to_owned(), at: now.wall, again, attempts }
    }

    /// Whether it still answers for what has this fingerprint.
    pub fn holds(&self, fingerprint: &Fingerprint, now: &Moment) -> bool {
        self.fingerprint == fingerprint.as_str() && self.rest(now) > Duration::ZERO
    }

    /// How long no attempt is made.
    pub fn rest(&self, now: &Moment) -> Duration {
        match self.again {
            Again::WithAnotherLogin => Duration::MAX,
            Again::At(time) => {
                let milliseconds = time.as_millisecond().saturating_sub(now.wall.as_millisecond());
                match u64::try_from(milliseconds) {
                    Ok(wait) if milliseconds <= FURTHEST * 1000 => Duration::from_millis(wait),
                    _ => Duration::ZERO,
                }
            }
        }
    }

    /// The error as it is told now: with the time that is left, where one is known.
    pub fn told(&self, now: &Moment) -> Error {
        match self.again {
            Again::At(_) => self.error.clone().retried_in(self.rest(now)),
            Again::WithAnotherLogin => self.error.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::tests::moment;

    fn fingerprint(login: &str) -> Fingerprint {
        let config = crate::config::Config::parse(
            &format!("[logins.{login}]\nkind = \"aws\"\n"),
            std::path::Path::new("/c"),
            std::path::Path::new("/h"),
        );
        Fingerprint::of_login(config.unwrap().login(login).unwrap(), login, "k")
    }

    #[test]
    fn a_failure_holds_until_its_time_and_for_its_fingerprint_alone() {
        let (print, now) = (fingerprint("a"), moment(0));
        let again = Again::At(moment(60).wall);
        let record = Record::new(Error::unavailable("away"), &print, again, 1, &now);
        assert!(record.holds(&print, &moment(59)));
        assert!(!record.holds(&print, &moment(60)));
        assert!(!record.holds(&fingerprint("b"), &now), "signed in again");
        assert!(record.told(&moment(50)).hint().contains("10 s"));
        let set_back = Moment { wall: moment(0).wall - jiff::SignedDuration::from_hours(5), ..moment(0) };
        assert!(!record.holds(&print, &set_back), "F09: a clock set back does not hold it for hours");
    }

    #[test]
    fn f08_a_rejected_secret_stays_rejected_until_there_is_another() {
        let record = Record::new(Error::sign_in("a", "no"), &fingerprint("a"), Again::WithAnotherLogin, 1, &moment(0));
        assert!(record.holds(&fingerprint("a"), &moment(1_000_000)));
        assert!(!record.holds(&fingerprint("b"), &moment(0)));
    }
}
