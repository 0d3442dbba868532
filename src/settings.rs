//! The settings of one table of the config: read by declared keys, each value checked once, errors with file and line.

use crate::error::{Error, Place};
use crate::ports::Route;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// A key that a kind of provider or login understands. `add` makes an option of it, `--help` prints it.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub name: &'static str,
    pub shape: Shape,
    pub required: bool,
    pub help: &'static str,
}

impl Key {
    /// Every kind that talks to an issuer has this one.
    pub const CA_FILE: Key = Key {
        name: "ca_file",
        shape: Shape::Path,
        required: false,
        help: "certificates to trust besides the system's (PEM)",
    };
    /// And this one.
    pub const PROXY: Key = Key {
        name: "proxy",
        shape: Shape::Proxy,
        required: false,
        help: "the way to the issuer: http://HOST:PORT, socks5://HOST:PORT",
    };
}

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Text,
    /// https, or http to a loopback address: credentials come back on it.
    Url,
    /// https, or http to any host: an S3's, to which requests go signed, and from which no credentials come.
    S3Url,
    /// http, https, socks5 or socks5h (names resolved by the proxy); never with a password in it.
    Proxy,
    /// `15m`, `1h`, `90s` or plain seconds.
    Duration,
    /// An absolute path, or one that begins with `~/`.
    Path,
    OneOf(&'static [&'static str]),
    /// Several texts.
    List,
}

/// The checked settings of one `[profiles.X]` or `[logins.X]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    file: PathBuf,
    /// `profiles.podaac`
    table: String,
    line: Option<usize>,
    values: BTreeMap<&'static str, Setting>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    texts: Vec<String>,
    line: Option<usize>,
}

impl Settings {
    pub fn new(file: &Path, table: &str, line: Option<usize>) -> Settings {
        Settings { file: file.to_owned(), table: table.to_owned(), line, values: BTreeMap::new() }
    }

    /// Takes a value in after checking its shape. `home` stands for `~`.
    pub fn insert(&mut self, key: &Key, texts: Vec<String>, line: Option<usize>, home: &Path) -> Result<(), Error> {
        let place = Some(Place { file: self.file.clone(), line });
        let mut texts = texts;
        if key.shape != Shape::List && texts.len() != 1 {
            let message = format!("{} in [{}] is a list", key.name, self.table);
            return Err(Error::Configuration { message, place, fix: "write one text, without brackets".into() });
        }
        for text in &mut texts {
            if let Err(fix) = key.shape.check(text) {
                // The value is not repeated: a secret pasted into the wrong line would be shown.
                let message = format!("{} in [{}] is not {}", key.name, self.table, key.shape.described());
                return Err(Error::Configuration { message, place, fix });
            }
            if key.shape == Shape::Path
                && let Some(rest) = text.strip_prefix("~/")
            {
                *text = home.join(rest).to_string_lossy().into_owned();
            }
        }
        self.values.insert(key.name, Setting { texts, line });
        Ok(())
    }

    /// Takes what is said there of these keys and not here; whether there was any.
    pub fn adopt(&mut self, keys: &[&'static str], from: &Settings) -> bool {
        let before = self.values.len();
        for key in keys {
            if let Some(setting) = from.values.get(key) {
                self.values.entry(key).or_insert_with(|| setting.clone());
            }
        }
        self.values.len() > before
    }

    /// The first required key that is missing, as an error.
    pub fn complete(&self, keys: &[Key]) -> Result<(), Error> {
        match keys.iter().find(|key| key.required && !self.values.contains_key(key.name)) {
            None => Ok(()),
            Some(key) => Err(Error::Configuration {
                message: format!("[{}] has no {}", self.table, key.name),
                place: Some(Place { file: self.file.clone(), line: self.line }),
                fix: format!("add {} = \"..\": {}", key.name, key.help),
            }),
        }
    }

    /// Whether it was set, be it to an empty list.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.texts.first().map(String::as_str)
    }

    pub fn list(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], |setting| &setting.texts)
    }

    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    pub fn url(&self, name: &str) -> Option<Url> {
        self.text(name).and_then(|text| Url::parse(text).ok())
    }

    pub fn duration(&self, name: &str) -> Option<Duration> {
        self.text(name).and_then(read_duration)
    }

    /// How the issuer is reached: [`Key::CA_FILE`] and [`Key::PROXY`].
    pub fn route(&self) -> Route {
        Route { ca_file: self.path(Key::CA_FILE.name), proxy: self.url(Key::PROXY.name) }
    }

    /// An error about one key, with its line.
    pub fn refuse(&self, name: &str, message: impl Into<String>, fix: impl Into<String>) -> Error {
        let line = self.values.get(name).map_or(self.line, |setting| setting.line);
        let place = Some(Place { file: self.file.clone(), line });
        Error::Configuration { message: format!("[{}]: {}", self.table, message.into()), place, fix: fix.into() }
    }

    /// Everything that makes a difference at the issuer, in one order, without files and lines: see the fingerprint.
    pub fn canonical(&self) -> Vec<(&str, &[String])> {
        self.values.iter().map(|(name, setting)| (*name, setting.texts.as_slice())).collect()
    }
}

impl Shape {
    fn described(self) -> String {
        match self {
            Shape::Text | Shape::List => "a text".into(),
            Shape::Url => "an https URL".into(),
            Shape::S3Url => "a URL of an S3".into(),
            Shape::Proxy => "a proxy's URL".into(),
            Shape::Duration => "a duration".into(),
            Shape::Path => "an absolute path".into(),
            Shape::OneOf(words) => format!("one of {}", words.join(", ")),
        }
    }

    /// `Err` says what to write instead.
    pub fn check(self, text: &str) -> Result<(), String> {
        // A URL's parser would pass over a line's end, which then stands in what is written from it.
        if text.chars().any(char::is_control) {
            return Err("write a text without control characters".into());
        }
        let fine = match self {
            Shape::Text | Shape::List => !text.is_empty(),
            Shape::Url => return check_url(text, is_loopback),
            Shape::S3Url => return check_url(text, |_| true),
            Shape::Proxy => Url::parse(text).is_ok_and(|url| {
                let known = matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h");
                known && url.has_host() && url.username().is_empty() && url.password().is_none()
            }),
            Shape::Duration => read_duration(text).is_some(),
            Shape::Path => text.starts_with('/') || text.starts_with("~/"),
            Shape::OneOf(words) => words.contains(&text),
        };
        if fine {
            return Ok(());
        }
        Err(match self {
            Shape::Proxy => "write http://HOST:PORT or socks5://HOST:PORT, without a password".into(),
            Shape::Text | Shape::List | Shape::Url | Shape::S3Url => "write a text that is not empty".into(),
            Shape::Duration => "write it as 15m, 1h, 90s or seconds".into(),
            Shape::Path => "begin it with / or ~/".into(),
            Shape::OneOf(words) => match nearest(text, words.iter().copied()) {
                Some(word) => format!("did you mean \"{word}\"?"),
                None => format!("write {}", words.join(", ")),
            },
        })
    }
}

fn check_url(text: &str, plain: impl Fn(&Url) -> bool) -> Result<(), String> {
    let fix = "write it as https://HOST/PATH";
    let url = Url::parse(text).map_err(|_| fix.to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("leave out the user and password: logins are kept in the keyring".into());
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if plain(&url) => Ok(()),
        "http" => Err("write https: over http the keys could be read on the way".into()),
        _ => Err(fix.into()),
    }
}

/// Whether a URL's host is this machine, literally.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Whether a URL's host is the loopback or an instance's metadata.
pub fn is_this_machine(url: &Url) -> bool {
    let metadata = match url.host() {
        Some(url::Host::Ipv4(address)) => METADATA.0 == address,
        Some(url::Host::Ipv6(address)) => METADATA.1 == address,
        Some(url::Host::Domain(_)) | None => false,
    };
    metadata || is_loopback(url)
}

/// Where an instance finds its metadata, literally.
const METADATA: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(169, 254, 169, 254), Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254));

/// `15m`, `1h`, `90s`, `900`. None for anything else, zero and what overflows.
pub fn read_duration(text: &str) -> Option<Duration> {
    let (digits, unit) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], 1),
        b'm' => (&text[..text.len() - 1], 60),
        b'h' => (&text[..text.len() - 1], 3600),
        _ => (text, 1),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let seconds = plain.then(|| digits.parse::<u64>().ok()?.checked_mul(unit))??;
    (1..=u64::from(u32::MAX)).contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// The nearest of `words`, if one is near enough to be what was meant.
pub fn nearest<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = |word: &str| strsim::damerau_levenshtein(&typed.to_ascii_lowercase(), word);
    words
        .map(|word| (near(word), word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 4)
        .min()
        .map(|(_, w)| w)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_https_or_on_loopback() {
        for good in ["https://x.org/s3credentials", "http://127.0.0.1:5000", "http://localhost:1/x", "http://[::1]:8/"]
        {
            assert_eq!(Shape::Url.check(good), Ok(()), "{good}");
        }
        for bad in [
            "http://x.org",
            "ftp://x",
            "x.org",
            "",
            "https://",
            "http://127.0.0.1.x.org/",
            "https://u:p@x.org/",
            "https://x.org/\na = b",
        ] {
            assert!(Shape::Url.check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_s3_may_be_one_of_http_as_hpe_crays_is() {
        for good in ["http://rgw-vip.nmn", "http://10.252.1.3:8080", "https://s3.example.org"] {
            assert_eq!(Shape::S3Url.check(good), Ok(()), "{good}");
        }
        for bad in ["ftp://rgw-vip.nmn", "rgw-vip.nmn", "http://", "http://u:p@rgw-vip.nmn", "http://rgw\n.nmn", ""] {
            assert!(Shape::S3Url.check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn this_machine_is_the_loopback_and_its_metadata_and_no_neighbour() {
        for (text, here) in [
            ("http://127.0.0.1:1/", true),
            ("http://169.254.169.254/", true),
            ("http://[fd00:ec2::254]/", true),
            ("http://169.254.169.253/", false),
            ("http://169.254.169.254.x.org/", false),
            ("https://x.org/", false),
        ] {
            assert_eq!(is_this_machine(&Url::parse(text).unwrap()), here, "{text}");
        }
    }

    #[test]
    fn durations_are_read_in_all_their_forms() {
        for (text, seconds) in [("15m", 900), ("1h", 3600), ("90s", 90), ("3600", 3600)] {
            assert_eq!(read_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "m", "-1", "1.5h", "0", "1d", "99999999999999999999h", "+5", "ü"] {
            assert_eq!(read_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_nearest_word_is_named_only_when_it_is_near() {
        let words = ["endpoint", "login", "provider"];
        assert_eq!(nearest("endpiont", words.into_iter()), Some("endpoint"));
        assert_eq!(nearest("Login", words.into_iter()), Some("login"));
        assert_eq!(nearest("colour", words.into_iter()), None);
    }
}
