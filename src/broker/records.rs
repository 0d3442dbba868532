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
            Ok(Some(record)) => Some(record),
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
        let attempts = self.record(owner.clone(), print).await.map_or(0, |last| last.attempts).saturating_add(1);
        let worked = match &owner {
            Owner::Login(login) => self.has_worked(login, print).await,
            _ => false,
        };
        let again = again(&owner, &error, attempts, worked, random_share(), &now);
        tracing::warn!(?owner, kind = error.kind().name(), attempts, "{error}");
        let record = Record::new(error, print, again, attempts, &now);
        let written = self.disk.write_record(owner.clone(), Some(record.clone())).await;
        self.lock().records.insert(owner, Kept { record: record.clone(), written: written.is_ok() });
        self.note("failures", written.err().map(|error| error.to_string()));
        record
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

/// When what failed may be asked again: a refused login not by itself (but for three tries, hours apart, if it has
/// `worked`), a missing right once a minute, the rest when the issuer says, or with growing pauses.
fn again(owner: &Owner, error: &Error, attempts: u32, worked: bool, jitter: f64, now: &Moment) -> Again {
    let wait = match (error, owner) {
        (error, Owner::Login(_)) if error.wants_sign_in() => match rest_after_rejection(attempts, worked) {
            Some(wait) => wait,
            None => return Again::WithAnotherLogin,
        },
        // A profile that wants more than its login has: the login was not refused, and the issuer may change its mind.
        (error, _) if error.wants_sign_in() => Duration::from_secs(60),
        (Error::Denied { .. }, _) => Duration::from_secs(60),
        // An issuer that always says one second is no reason to ask it every second.
        (Error::Unavailable { retry_after: Some(seconds), .. }, _) => {
            clamp_retry_after(Duration::from_secs(*seconds)).max(rest_after_failure(attempts, jitter))
        }
        _ => rest_after_failure(attempts, jitter),
    };
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::ZERO);
    Again::At(now.wall.checked_add(wait).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Remedy;
    use crate::lease::tests::moment;

    #[test]
    fn each_kind_of_failure_has_its_pause() {
        let now = moment(0);
        let owner = Owner::Login("x".into());
        let pause = |error: &Error, attempts| match again(&owner, error, attempts, false, 1.0, &now) {
            Again::At(time) => Some(time.as_second() - now.wall.as_second()),
            Again::WithAnotherLogin => None,
        };
        assert_eq!(pause(&Error::sign_in("x", "no"), 1), None);
        let of_profile = again(&Owner::Profile("p".into()), &Error::sign_in("x", "more"), 1, true, 1.0, &now);
        assert_eq!(of_profile, Again::At(moment(60).wall), "the login is good, and only lacks something");
        let denied = Error::Denied { message: String::new(), url: None, hint: String::new() };
        assert_eq!(pause(&denied, 9), Some(60));
        let told = Error::Unavailable { message: String::new(), retry_after: Some(120) };
        assert_eq!(pause(&told, 1), Some(120));
        let soon = Error::Unavailable { message: String::new(), retry_after: Some(0) };
        assert_eq!(pause(&soon, 20), Some(60), "the issuer's impatience does not end ours");
        let never = Error::Unavailable { message: String::new(), retry_after: Some(u64::MAX) };
        assert_eq!(pause(&never, 1), Some(900));
        let locked = Error::LoginRequired { message: String::new(), remedy: Remedy::UnlockKeyring };
        assert_eq!(pause(&locked, 1), Some(2), "unlocking is enough: nobody has to sign in anew");
        assert_eq!(pause(&Error::unavailable(""), 1), Some(2));
        assert_eq!(pause(&Error::unavailable(""), 20), Some(60));
    }

    #[test]
    fn f08_a_rejected_secret_is_tried_again_only_if_it_has_worked_and_three_times_at_most() {
        let (now, error, owner) = (moment(0), Error::sign_in("x", "no"), Owner::Login("x".into()));
        let pause = |attempts, worked| match again(&owner, &error, attempts, worked, 1.0, &now) {
            Again::At(time) => Some((time.as_second() - now.wall.as_second()) / 60),
            Again::WithAnotherLogin => None,
        };
        assert_eq!([1, 2, 3, 4, 9].map(|attempts| pause(attempts, true)), [Some(15), Some(60), Some(360), None, None]);
        assert_eq!([1, 2, 3].map(|attempts| pause(attempts, false)), [None; 3]);
    }
}
