//! The config file, read whole or refused: which profiles there are, what provides them, and who we are to it.

mod edit;
mod loopback;
mod read;

pub use edit::{Added, Addition, added, removed};
pub use loopback::LoopbackEntry;

use crate::error::Error;
use crate::login::{self, Login};
use crate::ports::Tier;
use crate::provider::{self, Provider};
use crate::settings::{Settings, nearest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the config says, its providers and logins made.
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub file: PathBuf,
    /// Whether a command may start the daemon where none answers.
    pub autostart: bool,
    pub keyring: Option<Tier>,
    pub profiles: BTreeMap<String, Profile>,
    pub logins: BTreeMap<String, LoginEntry>,
    /// Servers on this machine's loopback; none unless the user wants some.
    pub loopback: BTreeMap<String, LoopbackEntry>,
}

/// A named entry of the config, the same name as in `~/.aws/config`.
#[derive(Debug, Clone)]
pub struct Profile {
    pub name: String,
    pub kind: &'static provider::Kind,
    pub login: String,
    pub settings: Settings,
    pub provider: Arc<dyn Provider>,
}

/// A login of the config: who we are at an issuer, shared by profiles.
#[derive(Debug, Clone)]
pub struct LoginEntry {
    pub name: String,
    pub kind: &'static login::Kind,
    pub settings: Settings,
    pub login: Arc<dyn Login>,
}

impl Profile {
    /// The region for S3: NASA's buckets are all in us-west-2.
    pub fn region(&self) -> String {
        self.settings.text("region").unwrap_or(self.kind.region).to_owned()
    }

    /// The certificates to trust for the profile's S3, where it is not AWS' and talks TLS: whoever runs a CA of his own for
    /// the issuer runs the same for the S3 beside it.
    pub fn s3_ca_file(&self, endpoint: Option<&str>) -> Option<PathBuf> {
        endpoint.filter(|endpoint| endpoint.starts_with("https://")).and_then(|_| self.settings.route().ca_file)
    }
}

impl Config {
    /// Reads `text`, the content of `file`. `home` stands for `~` in paths.
    pub fn parse(text: &str, file: &Path, home: &Path) -> Result<Config, Error> {
        read::parse(text, file, home)
    }

    /// A config that does not exist says nothing, and a daemon may be started.
    pub fn empty(file: &Path) -> Config {
        Config { file: file.to_owned(), autostart: true, ..Config::default() }
    }

    pub fn profile(&self, name: &str) -> Result<&Profile, Error> {
        self.profiles.get(name).ok_or_else(|| unknown("profile", name, self.profiles.keys(), &self.file))
    }

    pub fn login(&self, name: &str) -> Result<&LoginEntry, Error> {
        self.logins.get(name).ok_or_else(|| unknown("login", name, self.logins.keys(), &self.file))
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a String>, file: &Path) -> Error {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let fix = match (nearest(name, known.iter().copied()), known.as_slice()) {
        (Some(word), _) => format!("did you mean {word}?"),
        (None, []) => "there is none yet; add one: valetkey add --help".to_owned(),
        (None, names) => format!("there is {}; or add it: valetkey add --help", names.join(", ")),
    };
    Error::configuration(format!("no {what} {name} in {}", file.display()), fix)
}
