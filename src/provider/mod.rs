//! Who issues credentials: one file or folder for each kind, and the slice that lists them.
//!
//! A provider asks once and tells what came back. Caching, retries, counting and locks are the broker's.

pub mod cray;
pub mod earthdata;
pub mod sts;

use crate::access::{Access, Need};
use crate::error::Error;
use crate::lease::Issued;
use crate::ports::{Http, Later};
use crate::settings::{Key, Settings};
use std::fmt::Debug;
use std::sync::Arc;
use url::Url;

/// Every kind of provider. `--help`, `add`, the README's table and the contract tests read this slice.
pub const KINDS: &[Kind] = &[earthdata::KIND, cray::KIND, sts::KIND];

/// A kind of provider, as the config names it.
#[derive(Debug)]
pub struct Kind {
    pub name: &'static str,
    /// One line for `--help`.
    pub summary: &'static str,
    pub keys: &'static [Key],
    /// The kinds of login it can use, the usual one first.
    pub logins: &'static [&'static str],
    /// Keys that count as its login has them where the profile has none: both speak of one and the same place.
    pub as_its_login: &'static [&'static str],
    /// Where its buckets are, if the profile does not say.
    pub region: &'static str,
    /// Short names that stand for whole settings.
    pub presets: &'static [Preset],
    /// What such settings lack although not all need it: `add` asks for it.
    pub lacks: fn(&Settings) -> Option<Lack>,
    pub build: fn(&Settings) -> Result<Arc<dyn Provider>, Error>,
}

/// A key that is missing from settings of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// They are of no use without it.
    Needed(&'static str),
    /// Some issuers of that kind need it: worth a question.
    Wanted(&'static str),
}

/// A known endpoint.
#[derive(Debug)]
pub struct Preset {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub settings: &'static [(&'static str, &'static str)],
    /// What it opens, for a person.
    pub opens: &'static str,
}

/// Asks an issuer for credentials. Never caches, never retries, never prompts.
pub trait Provider: Debug + Send + Sync {
    /// What it wants of a login.
    fn need(&self) -> Need;

    /// The address that is asked, for a look whether it can be reached.
    fn asks(&self) -> Option<Url>;

    /// The S3 that its credentials are for, where it is not AWS' and known without asking.
    fn s3_endpoint(&self) -> Option<String> {
        None
    }

    /// Whether that S3 is known only from what the issuer answers.
    fn tells_s3_endpoint(&self) -> bool {
        false
    }

    /// One attempt. `Rejected` says that the issuer did not take this access, so that another may be worth a try;
    /// `Wants` that it takes none of this form; an `Error` that another would not help.
    fn issue<'a>(&'a self, access: &'a Access, http: &'a Arc<dyn Http>) -> Later<'a, Result<Answer, Error>>;
}

/// What came of [`Provider::issue`].
#[derive(Debug)]
pub enum Answer {
    Issued(Issued),
    /// With what to tell the user if the login has no other access.
    Rejected(Error),
    /// With what to tell the user if the login cannot give this form.
    Wants(Need, Error),
}

/// The preset of that name or alias, and its kind. Case does not count, nor what stands between its words: one and the
/// same archive is LP DAAC, LP.DAAC and LPDAAC.
pub fn preset(name: &str) -> Option<(&'static Kind, &'static Preset)> {
    let same = |known: &&str| letters(known) == letters(name);
    KINDS
        .iter()
        .flat_map(|kind| kind.presets.iter().map(move |preset| (kind, preset)))
        .find(|(_, preset)| same(&preset.name) || preset.aliases.iter().any(same))
}

fn letters(name: &str) -> String {
    name.replace([' ', '.', '_', '-'], "").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn kinds_presets_and_aliases_have_names_of_their_own() {
        let mut seen = BTreeSet::new();
        for kind in KINDS {
            assert!(seen.insert(kind.name.to_ascii_lowercase()) || kind.name == "earthdata");
            for preset in kind.presets {
                for name in [preset.name].iter().chain(preset.aliases) {
                    assert!(seen.insert(letters(name)), "{name} twice");
                }
            }
        }
    }

    #[test]
    fn an_archive_is_known_by_each_of_its_names_however_they_are_written() {
        for (written, meant) in [
            ("PO.DAAC", "podaac"),
            ("po daac", "podaac"),
            ("LP DAAC", "lpdaac"),
            ("LP.DAAC", "lpdaac"),
            ("GES DISC", "gesdisc"),
            ("GES_DISC", "gesdisc"),
            ("ORNL DAAC", "ornldaac"),
            ("OB.DAAC", "obdaac"),
            ("NSIDC_CPRD", "nsidc"),
            ("GHRC DAAC", "ghrc"),
            ("LARC_CLOUD", "asdc"),
        ] {
            assert_eq!(preset(written).map(|(_, preset)| preset.name), Some(meant), "{written}");
        }
        assert!(preset("").is_none() && preset("--").is_none() && preset("daac").is_none());
    }

    #[test]
    fn every_kind_says_what_it_is_and_names_logins_that_exist() {
        for kind in KINDS {
            assert!(!kind.summary.is_empty() && !kind.logins.is_empty());
            for login in kind.logins {
                assert!(crate::login::KINDS.iter().any(|known| known.name == *login), "{login}");
            }
            let known = |key: &&str| kind.keys.iter().any(|known| known.name == *key);
            assert!(kind.as_its_login.iter().all(known));
            for preset in kind.presets {
                for (key, value) in preset.settings {
                    let key = kind.keys.iter().find(|known| known.name == *key).expect("a preset sets known keys");
                    assert_eq!(key.shape.check(value), Ok(()), "{value}");
                }
            }
        }
    }
}
