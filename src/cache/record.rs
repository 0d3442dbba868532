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
    /// The boot-time clock at that moment, and the boot it belongs to: nobody sets that clock.
    #[serde(default)]
    pub at_boot: Duration,
    #[serde(default)]
    pub boot_id: String,
    pub again: Again,
    /// How long from then no attempt is made that nobody waits for.
    #[serde(default)]
    pub unasked: Duration,
    /// Failures in a row.
    pub attempts: u32,
    /// How many of them said that the secret is refused.
    #[serde(default)]
    pub rejections: u32,
}

/// When an attempt is due again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Again {
    At(Timestamp),
    /// Not with this secret: the issuer refused it.
    WithAnotherLogin,
}

impl Record {
    /// A failure that happened just now.
    pub fn new(error: Error, fingerprint: &Fingerprint, again: Again, attempts: u32, now: &Moment) -> Record {
        let id = crate::seal::hex(&crate::seal::random::<8>());
        let (fingerprint, boot_id) = (fingerprint.as_str().to_owned(), now.boot_id.clone());
        Record {
            id,
            error,
            fingerprint,
            at: now.wall,
            at_boot: now.boot,
            boot_id,
            again,
            unasked: Duration::ZERO,
            attempts,
            rejections: 0,
        }
    }

    /// The same failure, answering for so much longer from now on.
    pub fn put_off(&self, wait: Duration, now: &Moment) -> Record {
        let until = jiff::SignedDuration::try_from(wait).ok().and_then(|wait| now.wall.checked_add(wait).ok());
        let again = Again::At(until.unwrap_or(Timestamp::MAX));
        let (at, at_boot, boot_id) = (now.wall, now.boot, now.boot_id.clone());
        Record { at, at_boot, boot_id, again, unasked: wait, ..self.clone() }
    }

    /// How long no attempt is made: in the boot of the failure by the clock that nobody sets, after it by the wall
    /// clock, and never for longer than was meant, however that one was set since.
    pub fn rest(&self, now: &Moment) -> Duration {
        let Again::At(time) = self.again else { return Duration::MAX };
        let meant = milliseconds(self.at, time);
        if now.is_after(self.at_boot, &self.boot_id) {
            return meant.saturating_sub(now.boot.saturating_sub(self.at_boot));
        }
        let left = milliseconds(now.wall, time);
        if left <= meant { left } else { Duration::ZERO }
    }

    /// How long no attempt is made that nobody waits for. A reboot forgets what it is longer than [`Record::rest`].
    pub fn rest_unasked(&self, now: &Moment) -> Duration {
        let elapsed = now.boot.saturating_sub(self.at_boot);
        let unasked = if now.is_after(self.at_boot, &self.boot_id) {
            self.unasked.saturating_sub(elapsed)
        } else {
            Duration::ZERO
        };
        unasked.max(self.rest(now))
    }

    /// The error as it is told now: with the time that is left, where one is known.
    pub fn told(&self, now: &Moment) -> Error {
        match self.again {
            Again::At(_) => self.error.clone().retried_in(self.rest(now)),
            Again::WithAnotherLogin => self.error.clone(),
        }
    }
}

/// From one time to another; nothing if it lies before.
fn milliseconds(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(to.as_millisecond().saturating_sub(from.as_millisecond())).unwrap_or(0))
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
    fn a_failure_rests_until_its_time_and_tells_what_is_left() {
        let (print, now) = (fingerprint("a"), moment(0));
        let again = Again::At(moment(60).wall);
        let record = Record::new(Error::unavailable("away"), &print, again, 1, &now);
        assert!(!record.rest(&moment(59)).is_zero() && record.rest(&moment(60)).is_zero());
        assert!(record.told(&moment(50)).hint().contains("10 s"));
    }

    #[test]
    fn an_attempt_that_nobody_waits_for_is_made_later() {
        let failed =
            Record::new(Error::unavailable("away"), &fingerprint("a"), Again::At(moment(60).wall), 9, &moment(0));
        assert_eq!(failed.rest_unasked(&moment(10)).as_secs(), 50);
        let record = Record { unasked: Duration::from_secs(300), ..failed };
        assert_eq!((record.rest(&moment(10)).as_secs(), record.rest_unasked(&moment(10)).as_secs()), (50, 290));
        assert_eq!(record.rest_unasked(&Moment { boot_id: "next".into(), ..moment(10) }).as_secs(), 50);
    }

    #[test]
    fn f09_a_clock_that_is_set_neither_prolongs_nor_ends_a_rest() {
        let (print, now) = (fingerprint("a"), moment(0));
        let record = Record::new(Error::unavailable("away"), &print, Again::At(moment(60).wall), 1, &now);
        let hours = jiff::SignedDuration::from_hours(5);
        let set_back = Moment { wall: moment(0).wall - hours, ..moment(59) };
        let set_forward = Moment { wall: moment(0).wall + hours, ..moment(59) };
        for set in [&set_back, &set_forward] {
            assert_eq!(record.rest(set), Duration::from_secs(1));
        }
        let rebooted = |moment: Moment| Moment { boot: Duration::ZERO, boot_id: "next".into(), ..moment };
        assert_eq!(record.rest(&rebooted(moment(59))), Duration::from_secs(1));
        assert_eq!(record.rest(&rebooted(set_back)), Duration::ZERO);
        assert_eq!(record.rest(&rebooted(set_forward)), Duration::ZERO);
    }

    #[test]
    fn f09_a_host_that_does_not_say_which_boot_it_is_in_goes_by_the_wall_clock() {
        let nameless =
            |second, boot| Moment { boot: Duration::from_secs(boot), boot_id: String::new(), ..moment(second) };
        let again = Again::At(moment(60).wall);
        let record = Record::new(Error::unavailable("away"), &fingerprint("a"), again, 1, &nameless(0, 2_592_000));
        assert_eq!(record.rest(&nameless(59, 5)), Duration::from_secs(1));
        assert_eq!(record.rest(&nameless(61, 7)), Duration::ZERO, "not for as long as it was up before");
    }

    #[test]
    fn f08_a_rejected_secret_stays_rejected_until_there_is_another() {
        let record = Record::new(Error::sign_in("a", "no"), &fingerprint("a"), Again::WithAnotherLogin, 1, &moment(0));
        assert_eq!(record.rest(&moment(1_000_000)), Duration::MAX);
    }
}
