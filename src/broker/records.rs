//! Failures on record: read and written for every process, and when what failed may be asked again.

use super::Inner;
use super::disk::Owner;
use crate::cache::{Again, Fingerprint, Record};
use crate::error::Error;
use crate::freshness::{clamp_retry_after, rest_after_failure, rest_after_rejection};
use crate::ports::Moment;
use crate::seal::random_share;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

impl Inner {
    /// The failure on record that has this fingerprint, whether or not its time is over. What could not be written, or
    /// cannot be read now, is answered from memory: a disk that fails is no reason to send a refused secret again.
    pub(super) async fn record(&self, owner: Owner, print: &Fingerprint) -> Option<Record> {
        let found = self.disk.record(owner.clone()).await;
        let mut state = self.lock();
        let kept = state.records.get(&owner);
        let record = match found {
            // A newer one that never got there counts more than what the disk still has.
            Ok(Some(record)) => match kept.filter(|kept| !kept.written && kept.record.at >= record.at) {
                Some(kept) => Some(kept.record.clone()),
                None => Some(record),
            },
            // Taken off by another process, unless it never got there.
            Ok(None) => kept.filter(|kept| !kept.written).map(|kept| kept.record.clone()),
            Err(_) => kept.map(|kept| kept.record.clone()),
        };
        if record.is_none() {
            state.records.remove(&owner);
        }
        record.filter(|record| record.fingerprint == print.as_str())
    }

    /// Writes a failure down for every process.
    pub(super) async fn put_on_record(&self, owner: Owner, print: &Fingerprint, error: Error) -> Record {
        let now = self.outside.clock.now();
        let last = self.record(owner.clone(), print).await;
        let worked = match &owner {
            Owner::Login(login) => self.has_worked(login, print).await,
            _ => false,
        };
        let (remaining, jitter) = (self.remaining_behind(&owner, &now), random_share());
        let record = next_record(error, print, last.as_ref(), Case { owner: &owner, worked, remaining, jitter }, &now);
        tracing::warn!(?owner, kind = record.error.kind().name(), attempts = record.attempts, "{}", record.error);
        let written = self.disk.write_record(owner.clone(), Some(record.clone())).await;
        self.lock().records.insert(owner, Kept { record: record.clone(), written: written.is_ok() });
        self.note("failures", written.err().map(|error| error.to_string()));
        record
    }

    /// The seconds that remain of the credentials which this failure keeps from being renewed: of those that end first.
    fn remaining_behind(&self, owner: &Owner, now: &Moment) -> i64 {
        let state = self.lock();
        let behind = state.slots.iter().filter(|(name, _)| match owner {
            Owner::Profile(profile) => profile == *name,
            Owner::Login(login) | Owner::Store(login) => {
                state.config.profiles.get(*name).is_some_and(|profile| profile.login == *login)
            }
            // Has no failures of its own.
            Owner::Issuer(_) => false,
        });
        behind.filter_map(|(_, slot)| Some(slot.valid(now)?.remaining(now))).min().unwrap_or(0)
    }

    /// Notes that an issuer let `login` in with this fingerprint: written once, since it stays true.
    pub(super) async fn note_worked(&self, login: &str, print: &Fingerprint) {
        if self.has_worked(login, print).await {
            return;
        }
        let (name, mark) = (login.to_owned(), print.clone());
        let written = self.disk.run(move |cache| cache.write_worked(&name, &mark)).await;
        if written.is_ok() {
            self.lock().worked.insert(login.to_owned(), print.clone());
        }
    }

    async fn has_worked(&self, login: &str, print: &Fingerprint) -> bool {
        if self.lock().worked.get(login) == Some(print) {
            return true;
        }
        let name = login.to_owned();
        let mark = self.disk.run(move |cache| cache.worked(&name)).await.ok().flatten();
        mark.is_some_and(|mark| mark == print.as_str())
    }

    /// Takes a failure off record, if it is of this fingerprint: another session's is not ours to forgive.
    pub(super) async fn clear_record(&self, owner: Owner, print: &Fingerprint) {
        if self.record(owner.clone(), print).await.is_some() {
            self.lock().records.remove(&owner);
            let _ = self.disk.write_record(owner, None).await;
        }
    }
}

/// A record in memory beside the one on disk.
#[derive(Debug)]
pub(super) struct Kept {
    record: Record,
    written: bool,
}

/// What the pause after a failure depends on besides the failure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) owner: &'a Owner,
    /// The issuer has let this login in before.
    pub(super) worked: bool,
    /// Seconds for which there are credentials still.
    pub(super) remaining: i64,
    pub(super) jitter: f64,
}

/// The record of a failure that follows `last`.
pub(super) fn next_record(
    error: Error,
    print: &Fingerprint,
    last: Option<&Record>,
    case: Case<'_>,
    now: &Moment,
) -> Record {
    let attempts = last.map_or(0, |last| last.attempts).saturating_add(1);
    // Counted apart: a directory that was away for a while has refused nothing.
    let rejections = last.map_or(0, |last| last.rejections).saturating_add(u32::from(error.wants_sign_in()));
    let pause = pause(case, &error, attempts, rejections);
    let again = pause.map_or(Again::WithAnotherLogin, |(wait, _)| {
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::ZERO);
        Again::At(now.wall.checked_add(wait).unwrap_or(Timestamp::MAX))
    });
    let unasked = pause.map_or(Duration::ZERO, |(_, unasked)| unasked);
    Record { unasked, rejections, ..Record::new(error, print, again, attempts, now) }
}

/// How long what failed is not asked again, with somebody waiting and without: a refused login not by itself (but for
/// three tries, hours apart, if it has `worked`), a missing right for a minute, the rest as the issuer says, or with
/// growing pauses. None: not with this secret.
fn pause(case: Case<'_>, error: &Error, attempts: u32, rejections: u32) -> Option<(Duration, Duration)> {
    let both = |wait| (wait, wait);
    let growing = |waited_for| rest_after_failure(attempts, case.remaining, waited_for, case.jitter);
    match (error, case.owner) {
        (error, Owner::Login(_)) if error.wants_sign_in() => rest_after_rejection(rejections, case.worked).map(both),
        // A profile that wants more than its login has: the login was not refused, and the issuer may change its mind.
        (error, _) if error.wants_sign_in() => Some(both(Duration::from_secs(60))),
        (Error::Denied { .. }, _) => Some(both(Duration::from_secs(60))),
        // An issuer that always says one second is no reason to ask it every second.
        (Error::Unavailable { retry_after: Some(seconds), .. }, _) => {
            let told = clamp_retry_after(Duration::from_secs(*seconds));
            Some((told.max(growing(true)), told.max(growing(false))))
        }
        _ => Some((growing(true), growing(false))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Remedy;

    /// In seconds.
    fn pauses(owner: &Owner, worked: bool, error: &Error, attempts: u32) -> Option<(u64, u64)> {
        let case = Case { owner, worked, remaining: 0, jitter: 1.0 };
        pause(case, error, attempts, attempts).map(|(waited_for, unasked)| (waited_for.as_secs(), unasked.as_secs()))
    }

    #[test]
    fn each_kind_of_failure_has_its_pause() {
        let owner = Owner::Login("x".into());
        let pause = |error: &Error, attempts| pauses(&owner, false, error, attempts);
        assert_eq!(pause(&Error::sign_in("x", "no"), 1), None);
        let of_profile = pauses(&Owner::Profile("p".into()), true, &Error::sign_in("x", "more"), 1);
        assert_eq!(of_profile, Some((60, 60)), "the login is good, and only lacks something");
        let denied = Error::Denied { message: String::new(), url: None, hint: String::new() };
        assert_eq!(pause(&denied, 9), Some((60, 60)));
        let told = Error::Unavailable { message: String::new(), retry_after: Some(120) };
        assert_eq!(pause(&told, 1), Some((120, 120)));
        let soon = Error::Unavailable { message: String::new(), retry_after: Some(0) };
        assert_eq!(pause(&soon, 20), Some((60, 300)), "the issuer's impatience does not end ours");
        let never = Error::Unavailable { message: String::new(), retry_after: Some(u64::MAX) };
        assert_eq!(pause(&never, 1), Some((900, 900)));
        let locked = Error::LoginRequired { message: String::new(), remedy: Remedy::UnlockKeyring };
        assert_eq!(pause(&locked, 1), Some((2, 2)), "unlocking is enough: nobody has to sign in anew");
        assert_eq!(pause(&Error::unavailable(""), 1), Some((2, 2)));
        assert_eq!(pause(&Error::unavailable(""), 20), Some((60, 300)));
    }

    #[test]
    fn f08_a_rejected_secret_is_tried_again_only_if_it_has_worked_and_three_times_at_most() {
        let (error, owner) = (Error::sign_in("x", "no"), Owner::Login("x".into()));
        let minutes = |attempts, worked| pauses(&owner, worked, &error, attempts).map(|(seconds, _)| seconds / 60);
        let worked = [1, 2, 3, 4, 9].map(|attempts| minutes(attempts, true));
        assert_eq!(worked, [Some(15), Some(60), Some(360), None, None]);
        assert_eq!([1, 2, 3].map(|attempts| minutes(attempts, false)), [None; 3]);
    }

    #[test]
    fn f08_a_directory_that_was_away_has_refused_nothing() {
        let (print, owner) = (Fingerprint::sample("a"), Owner::Login("x".into()));
        let case = Case { owner: &owner, worked: true, remaining: 0, jitter: 1.0 };
        let mut last: Option<Record> = None;
        let now = crate::lease::tests::moment(0);
        let mut fail = |error| {
            let record = next_record(error, &print, last.as_ref(), case, &now);
            let minutes = record.rest(&now).as_secs() / 60;
            last = Some(record);
            minutes
        };
        for _ in 0..9 {
            fail(Error::unavailable("away"));
        }
        assert_eq!(fail(Error::sign_in("x", "no")), 15);
        fail(Error::unavailable("away"));
        assert_eq!(fail(Error::sign_in("x", "no")), 60);
    }
}
