//! Errors by what remedies them. One line says what happened, a second what to do; both come from the variant's data.

pub use crate::wire::printable;

use crate::wire::Kind;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that can go wrong, in five kinds. Crosses the socket whole, as tagged JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Error {
    /// A person must sign in, or unlock something.
    #[error("{message}")]
    LoginRequired { message: String, remedy: Remedy },
    /// The issuer knows us and says no. `url` is where a person can get the right.
    #[error("{message}")]
    Denied { message: String, url: Option<String>, hint: String },
    /// Nothing to mend: asked again after `retry_after` seconds, if that is known.
    #[error("{message}")]
    Unavailable { message: String, retry_after: Option<u64> },
    /// `fix` says what to write, `place` where.
    #[error("{message}")]
    Configuration { message: String, place: Option<Place>, fix: String },
    /// An answer that makes no sense: theirs or ours, a bug.
    #[error("{message}")]
    Protocol { message: String, request_id: Option<String> },
}

/// What a person does about [`Error::LoginRequired`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// `valetkey login NAME`
    SignIn(String),
    /// The same, after the secret was put right in the file or program that the config names for it.
    PutRight {
        login: String,
        place: String,
    },
    /// A command of another program, which keeps the secret.
    Run(String),
    UnlockKeyring,
    Unlock,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub file: PathBuf,
    pub line: Option<usize>,
}

impl Error {
    pub fn sign_in(login: &str, message: impl Into<String>) -> Error {
        Error::LoginRequired { message: message.into(), remedy: Remedy::SignIn(login.to_owned()) }
    }

    pub fn unavailable(message: impl Into<String>) -> Error {
        Error::Unavailable { message: message.into(), retry_after: None }
    }

    pub fn protocol(message: impl Into<String>) -> Error {
        Error::Protocol { message: message.into(), request_id: None }
    }

    pub fn configuration(message: impl Into<String>, fix: impl Into<String>) -> Error {
        Error::Configuration { message: message.into(), place: None, fix: fix.into() }
    }

    /// A disk that refuses us: nothing a config edit mends, but a person may.
    pub fn disk(what: &str, path: &Path, error: &std::io::Error) -> Error {
        let path = path.display();
        let fix = match error.kind() {
            std::io::ErrorKind::NotFound => format!("see whether {path} is the right path"),
            std::io::ErrorKind::PermissionDenied => format!("see whose {path} is: ls -ld {path}"),
            _ => format!("see that {path} is yours and its disk has room"),
        };
        Error::configuration(format!("cannot {what} {path}: {error}"), fix)
    }

    /// Whether the login's secret is what is wrong: another one, or the same after a while, may be taken.
    pub fn wants_sign_in(&self) -> bool {
        matches!(
            self,
            Error::LoginRequired { remedy: Remedy::SignIn(_) | Remedy::PutRight { .. } | Remedy::Run(_), .. }
        )
    }

    pub fn kind(&self) -> Kind {
        match self {
            Error::LoginRequired { .. } => Kind::LoginRequired,
            Error::Denied { .. } => Kind::Denied,
            Error::Unavailable { .. } => Kind::Unavailable,
            Error::Configuration { .. } => Kind::Configuration,
            Error::Protocol { .. } => Kind::Protocol,
        }
    }

    /// The second line: what to do.
    pub fn hint(&self) -> String {
        match self {
            Error::LoginRequired { remedy, .. } => match remedy {
                Remedy::SignIn(login) => format!("run: valetkey login {login}"),
                Remedy::PutRight { login, place } => {
                    format!("put it right in {place}, then run: valetkey login {login}")
                }
                Remedy::Run(command) => format!("run: {command}"),
                Remedy::UnlockKeyring => "unlock the desktop keyring, then try again".to_owned(),
                Remedy::Unlock => "run: valetkey unlock".to_owned(),
            },
            Error::Denied { url: Some(url), hint, .. } => format!("{hint}: {url}"),
            Error::Denied { url: None, hint, .. } => hint.clone(),
            Error::Unavailable { retry_after: Some(seconds), .. } => {
                format!("asked again in {seconds} s; see: valetkey status")
            }
            Error::Unavailable { retry_after: None, .. } => "try again; see: valetkey status".to_owned(),
            Error::Configuration { place: None, fix, .. } => fix.clone(),
            Error::Configuration { place: Some(place), fix, .. } => format!("{fix} ({place})"),
            Error::Protocol { request_id: Some(id), .. } => {
                format!("report it with the request id {id}; see the daemon's log with VALETKEY_LOG=debug")
            }
            Error::Protocol { request_id: None, .. } => {
                "report it; see the daemon's log with VALETKEY_LOG=debug".to_owned()
            }
        }
    }

    /// Both lines as a program prints them, free of control characters whatever a server sent.
    pub fn text(&self) -> String {
        format!("valetkey: error: {}\nhint: {}\n", printable(&self.to_string()), printable(&self.hint()))
    }

    /// The same error, with something else that a person should know by the way.
    #[must_use]
    pub fn noting(mut self, note: &str) -> Error {
        let (Error::LoginRequired { message, .. }
        | Error::Denied { message, .. }
        | Error::Unavailable { message, .. }
        | Error::Configuration { message, .. }
        | Error::Protocol { message, .. }) = &mut self;
        message.push_str(&format!(" (by the way: {note})"));
        self
    }

    /// The same error with the profile that it is about.
    #[must_use]
    pub fn of_profile(mut self, profile: &str) -> Error {
        let (Error::LoginRequired { message, .. }
        | Error::Denied { message, .. }
        | Error::Unavailable { message, .. }
        | Error::Configuration { message, .. }
        | Error::Protocol { message, .. }) = &mut self;
        *message = format!("{profile}: {message}");
        self
    }

    /// The same error with the time after which it is asked again.
    pub fn retried_in(mut self, wait: Duration) -> Error {
        if let Error::Unavailable { retry_after, .. } = &mut self {
            *retry_after = Some(wait.as_secs_f64().ceil() as u64);
        }
        self
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file.display()),
            None => write!(f, "{}", self.file.display()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One of each kind, with all data set.
    pub(crate) fn one_of_each() -> Vec<Error> {
        vec![
            Error::sign_in("earthdata", "the token has expired"),
            Error::LoginRequired {
                message: "refused".into(),
                remedy: Remedy::PutRight { login: "earthdata".into(), place: "~/.netrc".into() },
            },
            Error::LoginRequired { message: "over".into(), remedy: Remedy::Run("aws sso login".into()) },
            Error::LoginRequired { message: "locked".into(), remedy: Remedy::UnlockKeyring },
            Error::Denied { message: "no".into(), url: Some("https://x/eula".into()), hint: "accept".into() },
            Error::Unavailable { message: "away".into(), retry_after: Some(7) },
            Error::Configuration {
                message: "misspelt".into(),
                place: Some(Place { file: "/c.toml".into(), line: Some(3) }),
                fix: "write `endpoint`".into(),
            },
            Error::Protocol { message: "odd".into(), request_id: Some("r-1".into()) },
        ]
    }

    #[test]
    fn an_error_crosses_a_process_whole() {
        for error in one_of_each() {
            let json = serde_json::to_string(&error).unwrap();
            assert_eq!(serde_json::from_str::<Error>(&json).unwrap(), error);
        }
    }

    #[test]
    fn every_error_is_one_line_and_one_hint() {
        for error in one_of_each() {
            assert_eq!(error.text().lines().count(), 2, "{error:?}");
            assert!(!error.hint().is_empty());
        }
    }

    #[test]
    fn a_session_that_another_program_begins_is_a_sign_in_and_a_locked_keyring_is_none() {
        let wants = |remedy| Error::LoginRequired { message: String::new(), remedy }.wants_sign_in();
        assert!(wants(Remedy::Run("aws sso login".into())) && wants(Remedy::SignIn("aws".into())));
        assert!(!wants(Remedy::UnlockKeyring) && !wants(Remedy::Unlock));
    }

    #[test]
    fn s27_foreign_text_cannot_drive_a_terminal() {
        let error = Error::protocol("a\x1b[2J\r\n\u{9b}b\u{202e}c\0");
        assert_eq!(error.text().lines().next(), Some("valetkey: error: a?[2J???b?c?"));
    }
}
