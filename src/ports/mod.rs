//! The outside as small traits: clock, HTTP, keyring, environment, prompt. Below this file nothing reads any of them.
//!
//! The real ones are in `system`; tests bring their own.

mod send_error;

pub use send_error::{Distrust, SendError};

use crate::error::Error;
use crate::secret::Secret;
use jiff::Timestamp;
use std::fmt::Debug;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// A boxed future: what a trait that is used as an object can return.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// All of the outside that the core needs, made once at the start.
#[derive(Debug, Clone)]
pub struct Outside {
    pub clock: Arc<dyn Clock>,
    pub http: Arc<dyn Http>,
    pub keyring: Arc<dyn Keyring>,
    pub environment: Arc<dyn Environment>,
}

/// What time it is, by every clock that counts.
pub trait Clock: Debug + Send + Sync {
    fn now(&self) -> Moment;

    /// Until so much time has passed. A fake's is tokio's, which a test can move.
    fn sleep(&self, time: Duration) -> Later<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// One reading of the clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    pub wall: Timestamp,
    /// Since boot, suspend included; never set by anyone.
    pub boot: Duration,
    /// Tells this boot from others, whose boot-time clocks mean something else.
    pub boot_id: String,
}

/// Sends one request. Follows no redirect, keeps no cookie, retries nothing.
pub trait Http: Debug + Send + Sync {
    fn send(&self, request: Request) -> Later<'_, Result<Response, SendError>>;
}

/// A request to an issuer.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: &'static str,
    pub url: Url,
    /// Values are secrets by default: most that matter are.
    pub headers: Vec<(String, Secret)>,
    pub body: Option<Secret>,
    /// From connect to the body's last byte.
    pub limit: Duration,
    pub route: Route,
}

/// How an issuer is reached: part of its settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Route {
    /// Certificates that are trusted in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// In place of the environment's.
    pub proxy: Option<Url>,
}

/// An issuer's answer, its body whole (256 KiB at most).
#[derive(Clone)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Secret,
}

/// Where logins and the key of the cache rest. Every call has a limit of its own and never prompts.
pub trait Keyring: Debug + Send + Sync {
    /// The 32-byte key that seals the cache. `make` creates it where there definitely is none.
    fn key(&self, make: bool) -> Later<'_, Result<Option<SealingKey>, Error>>;
    fn load<'a>(&'a self, name: &'a str) -> Later<'a, Result<Option<Secret>, Error>>;
    fn store<'a>(&'a self, name: &'a str, secret: &'a Secret) -> Later<'a, Result<(), Error>>;
    fn delete<'a>(&'a self, name: &'a str) -> Later<'a, Result<(), Error>>;
    /// Which store it is, for a person.
    fn describe(&self) -> Later<'_, Result<String, Error>>;
    /// How long one of these calls may take.
    fn limit(&self) -> Duration {
        Duration::from_secs(2)
    }
}

/// Where secrets rest, from the best to the least lasting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// The desktop's Secret Service.
    Service,
    /// The kernel's keyring holds the key; logins are files sealed with it.
    Kernel,
    /// A 0600 file holds the key.
    File,
    /// Nothing outlives the daemon.
    Memory,
}

/// A key for [`crate::seal`].
#[derive(Clone, PartialEq, Eq, zeroize::ZeroizeOnDrop)]
pub struct SealingKey(pub [u8; 32]);

/// A look at the variables of an environment, for decisions that need nothing else of it.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Variables, files and programs of the user.
pub trait Environment: Debug + Send + Sync {
    /// For a process that acts for a person. The daemon's may be another's: it asks for none.
    fn variable(&self, name: &str) -> Option<String>;
    /// A file as it was at one moment, 64 KiB at most, within 2 s; None where there is none. `~/` is the user's home.
    fn file<'a>(&'a self, path: &'a Path, readers: Readers) -> Later<'a, Result<Option<Secret>, Error>>;
    /// What a program prints, 64 KiB at most, within 10 s: run without a shell, with an allow-listed environment, and
    /// ended with all that it started.
    fn output<'a>(&'a self, program: &'a [String]) -> Later<'a, Result<Secret, Error>>;
}

/// Who may read a file beside us. Nobody else may write to it in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    OwnerAlone,
    /// The owner alone, unless it was mounted for us, by root or in our name (a container's token): below
    /// /var/run/secrets or on a mount that is only read, whoever put it there chose its readers, and we cannot.
    AsMounted,
    Anyone,
}

/// A person, or nobody.
pub trait Prompt: Debug + Send + Sync {
    /// Whether there is a person. Where not, asking is an error that says what to pass instead.
    fn someone(&self) -> bool;
    fn ask(&self, question: &str) -> Result<String, Error>;
    /// Asks without echo.
    fn ask_secret(&self, question: &str) -> Result<Secret, Error>;
    fn tell(&self, line: &str);
}

// === impl Moment ===

impl Moment {
    /// Whether the boot-time clock tells how long `boot` of the boot `boot_id` is ago. A host that does not say which boot it
    /// is in has no such clock for what came before the process.
    pub fn is_after(&self, boot: Duration, boot_id: &str) -> bool {
        self.boot_id == boot_id && !boot_id.is_empty() && self.boot >= boot
    }
}

// === impl Environment ===

impl dyn Environment + '_ {
    /// A file with a secret in it, which has to be there.
    pub async fn private_file(&self, path: &Path) -> Result<Secret, Error> {
        self.needed(path, Readers::OwnerAlone).await
    }

    /// A file in which another program keeps a token, which has to be there.
    pub async fn token_file(&self, path: &Path) -> Result<Secret, Error> {
        self.needed(path, Readers::AsMounted).await
    }

    async fn needed(&self, path: &Path, readers: Readers) -> Result<Secret, Error> {
        // As the OS says it of other files.
        let missing = || Error::disk("read", path, &rustix::io::Errno::NOENT.into());
        self.file(path, readers).await?.ok_or_else(missing)
    }
}

// === impl Response ===

/// Names of headers alone: a Set-Cookie is a token, and so may be what stands in a Location.
impl Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Response").field("status", &self.status).field("headers", &names).finish_non_exhaustive()
    }
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The issuer's clock.
    pub fn date(&self) -> Option<Timestamp> {
        jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(self.header("date")?).ok()
    }

    /// How long the issuer wants to be left alone: seconds, or a date read against its own clock. A time that is past
    /// or negative is no wait.
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        if let Ok(seconds) = text.parse::<i64>() {
            return Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
        }
        let until = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        let wait = until.as_second().saturating_sub(self.date()?.as_second());
        Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
    }

    /// Whether a page was sent instead of data. The Content-Type is not asked: text/html around good JSON exists.
    pub fn is_page(&self) -> bool {
        self.body.expose().trim_start().starts_with('<')
    }

    /// The start of the body, for an error's text: printable, and nothing that looks like a document of keys.
    pub fn excerpt(&self) -> String {
        let text = crate::error::printable(self.body.expose());
        let lower = text.to_ascii_lowercase();
        if ["secret", "token", "password", "cookie"].iter().any(|word| lower.contains(word)) {
            return String::new();
        }
        text.chars().take(200).collect()
    }
}

// === impl Tier ===

impl Tier {
    pub const ALL: [Tier; 4] = [Tier::Service, Tier::Kernel, Tier::File, Tier::Memory];

    pub const fn name(self) -> &'static str {
        match self {
            Tier::Service => "service",
            Tier::Kernel => "kernel",
            Tier::File => "file",
            Tier::Memory => "memory",
        }
    }

    pub fn from_name(name: &str) -> Option<Tier> {
        Tier::ALL.into_iter().find(|tier| tier.name() == name)
    }
}

// === impl SealingKey ===

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Nobody to ask.
    #[derive(Debug)]
    pub(crate) struct Nobody;

    impl Prompt for Nobody {
        fn someone(&self) -> bool {
            false
        }
        fn ask(&self, question: &str) -> Result<String, Error> {
            Err(Error::configuration(format!("nobody to ask: {question}"), "pass it"))
        }
        fn ask_secret(&self, question: &str) -> Result<Secret, Error> {
            self.ask(question).map(Secret::new)
        }
        fn tell(&self, _: &str) {}
    }

    /// These variables and no file.
    #[derive(Debug)]
    pub(crate) struct Variables(Vec<(String, String)>);

    impl Variables {
        pub(crate) fn new(variables: &[(&str, &str)]) -> Variables {
            Variables(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        }
    }

    impl Environment for Variables {
        fn variable(&self, name: &str) -> Option<String> {
            self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        }
        fn file<'a>(&'a self, _: &'a Path, _: Readers) -> Later<'a, Result<Option<Secret>, Error>> {
            Box::pin(std::future::ready(Ok(None)))
        }
        fn output<'a>(&'a self, _: &'a [String]) -> Later<'a, Result<Secret, Error>> {
            panic!("nothing may be run here")
        }
    }

    /// A network on which a request is a failed test.
    #[derive(Debug)]
    pub(crate) struct NoHttp;

    impl Http for NoHttp {
        fn send(&self, request: Request) -> Later<'_, Result<Response, SendError>> {
            panic!("nothing may be sent here: {}", request.url)
        }
    }

    fn answered(headers: &[(&str, &str)], body: &str) -> Response {
        let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Response { status: 503, headers, body: Secret::new(body) }
    }

    #[test]
    fn f02_retry_after_is_seconds_or_a_date_and_never_negative() {
        let date = ("date", "Mon, 23 Nov 2026 13:00:00 GMT");
        let wait = |value| answered(&[date, ("retry-after", value)], "").retry_after().map(|wait| wait.as_secs());
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("-5"), Some(0));
        assert_eq!(wait("Mon, 23 Nov 2026 13:02:00 GMT"), Some(120));
        assert_eq!(wait("Mon, 23 Nov 2026 12:00:00 GMT"), Some(0));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn s25_an_answer_shows_no_header_and_no_body() {
        let answer = answered(&[("set-cookie", "a=marker"), ("location", "https://x/?code=marker")], "marker");
        let shown = format!("{answer:?} {answer:#?}");
        assert!(shown.contains("set-cookie") && !shown.contains("marker"), "{shown}");
    }

    #[test]
    fn s26_an_excerpt_is_short_printable_and_never_of_keys() {
        assert_eq!(answered(&[], r#"{"secretAccessKey":"x"}"#).excerpt(), "");
        assert_eq!(answered(&[], &"a\n".repeat(400)).excerpt().len(), 200);
    }
}
