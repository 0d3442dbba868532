//! Credentials with the circumstances of their issue: what is held in memory and rests in the cache.

use crate::credentials::Credentials;
use crate::ports::Moment;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a provider brings home.
#[derive(Debug, Clone)]
pub struct Issued {
    pub credentials: Credentials,
    /// The S3 endpoint that these credentials are for, where the issuer names one (Cray).
    pub endpoint: Option<String>,
    /// The Date header of the answer: the issuer's clock.
    pub date: Option<Timestamp>,
}

/// Issued credentials and when, by which clocks, they were issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub credentials: Credentials,
    pub endpoint: Option<String>,
    /// Seconds from issue to expiration, by the issuer's clock.
    pub life: i64,
    /// Seconds by which the issuer's clock is ahead of ours; where that is not certain, the most it may be.
    pub offset: i64,
    /// Our wall clock at issue.
    pub issued: Timestamp,
    /// Our boot-time clock at issue, and the boot it belongs to.
    pub issued_boot: Duration,
    pub boot_id: String,
}

/// The least and the most that may remain of credentials which an issuer just gave.
const LEAST: i64 = 10;
const MOST: i64 = 36 * 3600;
/// A Date this close to our clock is called equal: its resolution and the way of the answer.
const CLOCK_NOISE: i64 = 2;

impl Lease {
    /// Checks what was issued to a request that was sent at `asked`, and notes the circumstances. The error says what is
    /// wrong with it, without its text.
    pub fn new(issued: Issued, asked: &Moment, now: &Moment) -> Result<Lease, String> {
        if let Some(part) = issued.credentials.defect() {
            return Err(format!("its {part} is empty, too long or not printable ASCII"));
        }
        let offset = issued.date.map_or(0, |date| offset(date, asked, now));
        let life = seconds_between(now.wall, issued.credentials.expiration).saturating_sub(offset);
        if life < LEAST {
            return Err(format!("its expiration has passed, or does in {} s", life.max(0)));
        }
        if life > MOST {
            return Err("its expiration is more than 36 hours away".to_owned());
        }
        Ok(Lease {
            credentials: issued.credentials,
            endpoint: issued.endpoint,
            life,
            offset,
            issued: now.wall,
            issued_boot: now.boot,
            boot_id: now.boot_id.clone(),
        })
    }

    /// Whether it was issued at `moment` or later, by the clock that nobody sets where that can tell.
    pub fn issued_since(&self, moment: &Moment) -> bool {
        match self.boot_id == moment.boot_id && !self.boot_id.is_empty() {
            true => self.issued_boot >= moment.boot,
            false => self.issued >= moment.wall,
        }
    }

    /// Whether an issuer gave it a second ago at most, to whichever process.
    pub fn just_issued(&self, now: &Moment) -> bool {
        now.is_after(self.issued_boot, &self.boot_id) && self.issued_boot + Duration::from_secs(1) >= now.boot
    }

    /// Seconds that remain: the lesser of what the wall clock (with the issuer's offset) and, in the boot of the issue,
    /// the boot-time clock say. Never more than the life at issue, however the clocks jump.
    pub fn remaining(&self, now: &Moment) -> i64 {
        let mut by_wall = seconds_between(now.wall, self.credentials.expiration).saturating_sub(self.offset);
        let same_boot = now.is_after(self.issued_boot, &self.boot_id);
        if !same_boot {
            // Since then the clock may have been put right: the offset that was learnt must not add to what is left.
            by_wall = by_wall.min(seconds_between(now.wall, self.credentials.expiration));
        }
        let by_boot = if same_boot {
            let elapsed = now.boot.saturating_sub(self.issued_boot).as_secs();
            self.life.saturating_sub(i64::try_from(elapsed).unwrap_or(i64::MAX))
        } else {
            self.life
        };
        by_wall.min(by_boot)
    }
}

/// By how much the issuer's clock is ahead of ours, if it showed `date` at some time between the two moments: nothing
/// where that fits the one or the other, else the most that it may be. The time between may be long: an answer that
/// came before a suspend is read after it, and what has passed since then is gone.
fn offset(date: Timestamp, asked: &Moment, now: &Moment) -> i64 {
    let elapsed = i64::try_from(now.boot.saturating_sub(asked.boot).as_secs()).unwrap_or(i64::MAX);
    let least = seconds_between(now.wall, date);
    let most = least.saturating_add(elapsed);
    if least.abs() <= CLOCK_NOISE || most.abs() <= CLOCK_NOISE { 0 } else { most }
}

fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second().saturating_sub(from.as_second())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::credentials::tests::sample;

    pub(crate) fn moment(second: i64) -> Moment {
        Moment {
            wall: Timestamp::from_second(1_800_000_000 + second).unwrap(),
            boot: Duration::from_secs(u64::try_from(1_000 + second).unwrap()),
            boot_id: "this boot".into(),
        }
    }

    /// A lease of `life` seconds, issued at `moment(0)`.
    pub(crate) fn lease(life: i64) -> Lease {
        let now = moment(0);
        let expiration = Timestamp::from_second(now.wall.as_second() + life).unwrap();
        let issued = Issued { credentials: sample(expiration), endpoint: None, date: None };
        Lease::new(issued, &now, &now).unwrap()
    }

    #[test]
    fn f09_what_remains_is_the_lesser_of_both_clocks() {
        let lease = lease(3600);
        assert_eq!(lease.remaining(&moment(600)), 3000);
        let set_back = Moment { wall: moment(-900).wall, ..moment(600) };
        assert_eq!(lease.remaining(&set_back), 3000, "the wall clock was set back");
        let set_forward = Moment { wall: moment(900).wall, ..moment(600) };
        assert_eq!(lease.remaining(&set_forward), 2700, "the wall clock was set forward");
        let after_reboot = Moment { boot: Duration::from_secs(5), boot_id: "next".into(), ..moment(600) };
        assert_eq!(lease.remaining(&after_reboot), 3000);
    }

    #[test]
    fn s34_a_skewed_host_counts_by_the_issuers_clock() {
        let now = moment(0);
        for skew in [-59 * 60, -31 * 60, 31 * 60, 59 * 60] {
            let issuer = Timestamp::from_second(now.wall.as_second() + skew).unwrap();
            let expiration = Timestamp::from_second(issuer.as_second() + 3600).unwrap();
            let issued = Issued { credentials: sample(expiration), endpoint: None, date: Some(issuer) };
            let lease = Lease::new(issued, &now, &now).unwrap();
            assert_eq!((lease.life, lease.remaining(&moment(60))), (3600, 3540), "skew {skew}");
        }
    }

    #[test]
    fn f10_an_answer_that_is_read_after_a_suspend_is_as_old_as_it_is() {
        for skew in [0, -600, 600] {
            let date = Timestamp::from_second(moment(1).wall.as_second() + skew).unwrap();
            let expiration = Timestamp::from_second(date.as_second() + 3600).unwrap();
            let issued = || Issued { credentials: sample(expiration), endpoint: None, date: Some(date) };
            let lease = Lease::new(issued(), &moment(0), &moment(1801)).unwrap();
            assert!((1799..=1800).contains(&lease.life), "skew {skew}: {} s", lease.life);
            assert!(Lease::new(issued(), &moment(0), &moment(3601)).is_err(), "skew {skew}: it is over");
        }
    }

    #[test]
    fn s33_an_expiration_in_the_past_or_absurdly_far_is_refused() {
        for life in [-1, 0, 9, 36 * 3600 + 1, i64::from(i32::MAX)] {
            let now = moment(0);
            let expiration = Timestamp::from_second(now.wall.as_second() + life).unwrap();
            let issued = Issued { credentials: sample(expiration), endpoint: None, date: None };
            assert!(Lease::new(issued, &now, &now).is_err(), "{life}");
        }
        let far = Issued { credentials: sample(Timestamp::MAX), endpoint: None, date: Some(Timestamp::MIN) };
        assert!(Lease::new(far, &moment(0), &moment(0)).is_err(), "no arithmetic that can panic");
    }
}
