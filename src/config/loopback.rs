//! `[loopback.NAME]`: a server on this machine's loopback, judged before it is opened.

use super::Config;
use crate::error::Error;
use crate::loopback::{Allow, refused};
use crate::settings::{Key, Settings, Shape, nearest};
use std::net::SocketAddr;
use std::path::PathBuf;

pub(super) const KEYS: &[Key] = &[
    Key { name: "listen", shape: Shape::Text, required: true, help: "127.0.0.1:PORT or [::1]:PORT" },
    Key { name: "profiles", shape: Shape::List, required: false, help: "those that it gives out; all if not given" },
    Key {
        name: "token_file",
        shape: Shape::Path,
        required: false,
        help: "what clients must send as Authorization; made if it is not there",
    },
    Key {
        name: "allow",
        shape: Shape::List,
        required: false,
        help: "remote, low-port, metadata-address: addresses that are refused unless they are named here",
    },
];

/// A server that the daemon opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoopbackEntry {
    pub name: String,
    pub listen: SocketAddr,
    /// All where it is empty.
    pub profiles: Vec<String>,
    pub token_file: Option<PathBuf>,
}

impl LoopbackEntry {
    pub(super) fn new(name: &str, settings: &Settings) -> Result<LoopbackEntry, Error> {
        let text = settings.text("listen").unwrap_or_default();
        let address =
            text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
        let listen: SocketAddr =
            address.parse().ok().filter(|address: &SocketAddr| address.port() != 0).ok_or_else(|| {
                settings.refuse("listen", "listen is no address with a port", "write listen = \"127.0.0.1:9911\"")
            })?;
        let mut allowed = Vec::new();
        for word in settings.list("allow") {
            let known = Allow::ALL.into_iter().find(|(name, _)| name == word);
            let (_, allow) = known.ok_or_else(|| {
                let fix = match nearest(word, Allow::ALL.into_iter().map(|(name, _)| name)) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "write \"remote\", \"low-port\" or \"metadata-address\"".to_owned(),
                };
                settings.refuse("allow", "allow names nothing that could be allowed", fix)
            })?;
            allowed.push(allow);
        }
        if let Some((why, name)) = refused(listen, &allowed) {
            let fix = format!("write listen = \"127.0.0.1:9911\", or add allow = [\"{name}\"] if that is meant");
            return Err(settings.refuse("listen", why, fix));
        }
        let token_file = settings.path("token_file");
        if token_file.is_none() && !listen.ip().to_canonical().is_loopback() {
            let fix = "add token_file = \"~/.config/valetkey/NAME.token\"";
            return Err(settings.refuse("listen", "whoever reaches this address must show a token", fix));
        }
        if settings.has("profiles") && settings.list("profiles").is_empty() {
            return Err(settings.refuse("profiles", "profiles names none", "name some, or leave it out for all"));
        }
        Ok(LoopbackEntry { name: name.to_owned(), listen, profiles: settings.list("profiles").to_vec(), token_file })
    }

    /// Once all profiles are known.
    pub(super) fn judge(&self, settings: &Settings, config: &Config) -> Result<(), Error> {
        let Some(unknown) = self.profiles.iter().find(|profile| !config.profiles.contains_key(*profile)) else {
            return Ok(());
        };
        let fix = match nearest(unknown, config.profiles.keys().map(String::as_str)) {
            Some(word) => format!("did you mean \"{word}\"?"),
            None => "name profiles of this file".to_owned(),
        };
        Err(settings.refuse("profiles", format!("there is no profile {}", crate::error::printable(unknown)), fix))
    }

    /// Whether it gives this profile out.
    pub fn gives(&self, profile: &str) -> bool {
        self.profiles.is_empty() || self.profiles.iter().any(|known| known == profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn parse(lines: &str) -> Result<LoopbackEntry, String> {
        let text = format!(
            "[profiles.podaac]\nprovider = \"earthdata\"\nendpoint = \"https://x.org/s3credentials\"\n[loopback.jobs]\n{lines}\n"
        );
        let config = Config::parse(&text, Path::new("/c"), Path::new("/h")).map_err(|error| error.text())?;
        Ok(config.loopback["jobs"].clone())
    }

    #[test]
    fn a_server_is_an_address_its_profiles_and_a_token() {
        let entry = parse("listen = \"localhost:9911\"").unwrap();
        assert_eq!((entry.listen, entry.token_file.clone()), ("127.0.0.1:9911".parse().unwrap(), None));
        assert!(entry.gives("podaac") && entry.gives("added later"));
        let entry = parse("listen = \"[::1]:9911\"\nprofiles = [\"podaac\"]\ntoken_file = \"~/t\"").unwrap();
        assert!(entry.gives("podaac") && !entry.gives("other"));
        assert_eq!(entry.token_file, Some("/h/t".into()));
    }

    #[test]
    fn s35_s40_what_others_could_reach_is_named_and_has_a_token() {
        for (lines, why) in [
            ("listen = \"0.0.0.0:9911\"", "allow = [\"remote\"]"),
            ("listen = \"0.0.0.0:9911\"\nallow = [\"remote\"]", "token_file"),
            ("listen = \"127.0.0.1:80\"", "allow = [\"low-port\"]"),
            ("listen = \"169.254.170.2:9911\"\nallow = [\"remote\"]", "metadata-address"),
            ("listen = \"127.0.0.1:9911\"\nallow = [\"remot\"]", "did you mean \"remote\"?"),
            ("listen = \"127.0.0.1:0\"", "no address with a port"),
            ("listen = \"9911\"", "no address with a port"),
            ("listen = \"127.0.0.1:9911\"\nprofiles = [\"podac\"]", "did you mean \"podaac\"?"),
            ("listen = \"127.0.0.1:9911\"\nprofiles = []", "profiles names none"),
            ("lisen = \"127.0.0.1:9911\"", "did you mean listen?"),
            ("", "has no listen"),
        ] {
            let said = parse(lines).unwrap_err();
            assert!(said.contains(why) && said.contains("/c"), "{lines}: {said}");
        }
        let token = "\ntoken_file = \"/t\"";
        assert!(parse(&format!("listen = \"0.0.0.0:9911\"\nallow = [\"remote\"]{token}")).is_ok());
    }
}
