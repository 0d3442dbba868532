//! Who we are at an issuer: one file for each kind of login, and the slice that lists them.

pub mod aws;
pub mod earthdata;
pub mod keycloak;
pub mod token;

use crate::access::{Access, Need};
use crate::credentials::written;
use crate::error::Error;
use crate::ports::{Environment, Http, Later, Moment, Prompt};
use crate::secret::Secret;
use crate::settings::{Key, Settings, is_loopback};
use jiff::Timestamp;
use std::fmt::Debug;
use std::sync::Arc;
use url::Url;

/// Every kind of login.
pub const KINDS: &[Kind] = &[earthdata::KIND, keycloak::KIND, token::KIND, aws::KIND];

/// A kind of login, as the config names it.
#[derive(Debug)]
pub struct Kind {
    pub name: &'static str,
    pub summary: &'static str,
    pub keys: &'static [Key],
    /// The forms of access it can give.
    pub gives: &'static [Need],
    /// Makes one of the given name.
    pub build: Build,
}

/// A sign-in that a person has to renew is announced for so long before its end.
const LAST_DAYS: i64 = 7;
const DAY: i64 = 24 * 3600;

pub type Build = fn(&str, &Settings) -> Result<Arc<dyn Login>, Error>;

/// Signs in with a person present, and gives access without one.
pub trait Login: Debug + Send + Sync {
    /// Gets a secret out of a person, a variable or a file; checks what can be checked without asking anyone before
    /// anything is sent.
    fn sign_in<'a>(&'a self, from: &'a SignIn<'a>) -> Later<'a, Result<Secret, Error>>;

    /// Access for one request. `rejected` is what the issuer has just refused: give another, or an error that says
    /// what a person must do. A login whose `access` makes requests says so in [`Login::asks_issuer`].
    fn access<'a>(&'a self, ask: AccessRequest<'a>) -> Later<'a, Result<Granted, Error>>;

    /// Whether `access` sends requests for this secret: then its outcome is stored and shared under the login's lock.
    fn asks_issuer(&self, secret: &Secret) -> bool;

    /// Whether the issuer may give another secret in exchange for this one: then the store is shown to be writable before
    /// anything is sent.
    fn rotates(&self, _: &Secret) -> bool {
        false
    }

    /// The origin of the issuer that the secret is given to, where the config can name another: a secret that was typed for
    /// one is not shown to the next.
    fn given_to(&self) -> Option<String> {
        None
    }

    /// Whether [`Login::sign_in`] itself shows the issuer a password, which may lock an account.
    fn asks_at_sign_in(&self) -> bool {
        false
    }

    /// Where the secret rests if not in the keyring. Such a secret is read anew for each flight and never rotates.
    fn elsewhere(&self) -> Option<&dyn Elsewhere> {
        None
    }

    /// What a person may know of the secret: who we are, until when. Without the secret itself.
    fn about(&self, secret: &Secret) -> About;
}

/// A file or a program, named by the config, that a login's secret is read from.
pub trait Elsewhere: Debug + Send + Sync {
    /// In words, for a person who has to put it right.
    fn place(&self) -> String;

    /// Whether reading runs a program of the user's, which may take its time and ask an issuer of its own.
    fn runs_a_program(&self) -> bool {
        false
    }

    /// The secret as it is now. Asks no issuer.
    fn read<'a>(&'a self, environment: &'a dyn Environment) -> Later<'a, Result<Secret, Error>>;
}

/// Where [`Login::sign_in`] may look.
#[derive(Debug)]
pub struct SignIn<'a> {
    pub prompt: &'a dyn Prompt,
    pub environment: &'a dyn Environment,
    pub source: Source,
    /// For kinds whose secret is given by the issuer: a token for a password, a device's code.
    pub http: &'a Arc<dyn Http>,
    pub now: &'a Moment,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Person,
    /// The variables that the kind's other tools use.
    Variables,
    /// The content of a file or of standard input.
    Text(Secret),
    /// The content of a netrc, for kinds that have an entry there.
    Netrc(Secret),
}

#[derive(Debug)]
pub struct AccessRequest<'a> {
    pub secret: &'a Secret,
    pub need: Need,
    pub rejected: Option<&'a Access>,
    pub http: &'a Arc<dyn Http>,
    /// For programs that print what a secret names.
    pub environment: &'a dyn Environment,
    pub now: &'a Moment,
}

/// Access, until when, and the secret that takes the old one's place if the issuer rotated it.
#[derive(Debug, Clone)]
pub struct Granted {
    pub access: Access,
    pub expires: Option<Timestamp>,
    pub rotated: Option<Secret>,
}

/// What may be shown of a stored login.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    pub who: Option<String>,
    pub until: Option<Timestamp>,
    /// Whether it is a person who has to make the next one.
    pub made_by_hand: bool,
}

impl About {
    /// What a person should hear early, in the last week of what only a person can renew.
    pub fn notice(&self, login: &str, now: Timestamp) -> Option<String> {
        let end = self.until.filter(|_| self.made_by_hand)?;
        let left = end.as_second().saturating_sub(now.as_second());
        if !(1..=LAST_DAYS * DAY).contains(&left) {
            return None;
        }
        let in_words = match left / DAY {
            0 => format!("in {} h {} min", left / 3600, left % 3600 / 60),
            1 => "in 1 day".to_owned(),
            days => format!("in {days} days"),
        };
        Some(format!("the sign-in of {login} ends {in_words}, at {}: valetkey login {login}", written(end)))
    }
}

/// For [`Login::given_to`]. This machine's own ports change hands by the minute, and only its user names them.
fn origin(url: &Url) -> Option<String> {
    (!is_loopback(url)).then(|| url.origin().ascii_serialization())
}

fn no_netrc(kind: &str) -> Error {
    Error::configuration(
        format!("a netrc has no entry for a login of kind {kind}"),
        "leave out --from-netrc to be asked",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::tests::moment;

    #[test]
    fn the_last_seven_days_of_what_a_person_must_renew_are_announced() {
        let now = moment(0).wall;
        let notice = |seconds: i64, made_by_hand| {
            let until = Timestamp::from_second(now.as_second() + seconds).ok();
            About { who: None, until, made_by_hand }.notice("earthdata", now)
        };
        for (left, words) in [(7 * DAY, "in 7 days"), (2 * DAY - 1, "in 1 day,"), (DAY - 60, "in 23 h 59 min")] {
            let told = notice(left, true).unwrap();
            assert!(told.contains(words) && told.contains("valetkey login earthdata"), "{told}");
        }
        assert_eq!(
            [notice(7 * DAY + 1, true), notice(0, true), notice(-1, true), notice(DAY, false)],
            [const { None }; 4]
        );
    }

    #[test]
    fn every_kind_says_what_it_is_and_what_it_gives() {
        for kind in KINDS {
            assert!(!kind.summary.is_empty() && !kind.gives.is_empty(), "{}", kind.name);
            assert_eq!(KINDS.iter().filter(|other| other.name == kind.name).count(), 1, "{}", kind.name);
        }
    }
}
