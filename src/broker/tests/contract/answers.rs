//! How a case's issuers answer: in a way that the stand-in knows by name, or word for word.

use crate::standin::Behaviour;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// How paths that begin so are answered.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scripted {
    pub(super) path: String,
    /// In a way that the stand-in knows; or with a status, and what belongs to it.
    #[serde(rename = "as")]
    named: Option<Named>,
    status: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    /// The body, in a file beside the case; its name's end is the Content-Type.
    pub(super) file: Option<String>,
    /// So many requests; all where it is left out.
    pub(super) times: Option<usize>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Named {
    Normal,
    Pascal,
    PastExpiration,
    MissingExpiration,
    RepeatSame,
    TakesNoBearer,
    Ceph,
    SignInPage,
    EmptyObject,
    #[serde(rename = "redirect-302")]
    Redirect302,
    #[serde(rename = "redirect-307")]
    Redirect307,
    NoBucket,
    Trouble,
    Close,
    /// With a body of so many bytes.
    Long(usize),
    /// After so many bytes of the body.
    Cut(usize),
    /// So many seconds ahead.
    Skewed(i64),
    /// With a Retry-After of so many seconds.
    TooMany(u64),
}

// === impl Scripted ===

impl Scripted {
    /// `filled` puts values into `{PLACES}`.
    pub(super) fn behaviour(&self, filled: impl Fn(&str) -> String) -> Behaviour {
        match self.named {
            Some(named) => named.behaviour(),
            None => Behaviour::Status {
                code: self.status.unwrap_or(200),
                content_type: self.content_type().to_owned(),
                body: filled(self.body.as_deref().unwrap_or_default()),
                headers: self.headers.iter().map(|(name, value)| (name.clone(), filled(value))).collect(),
            },
        }
    }

    fn content_type(&self) -> &'static str {
        match self.file.as_deref().and_then(|file| file.rsplit_once('.')).map(|(_, end)| end) {
            Some("json") => "application/json",
            Some("html") => "text/html",
            Some("xml") => "text/xml",
            _ => "text/plain",
        }
    }

    /// Takes the file's content in. The error says what is wrong with the answer itself.
    pub(super) fn complete(&mut self, folder: &Path) -> Result<(), String> {
        if self.named.is_some() == self.status.is_some() {
            return Err(format!("the answer at {} has either `as` or `status`", self.path));
        }
        if let Some(file) = &self.file {
            if self.body.is_some() || self.named.is_some() {
                return Err(format!("the answer at {} has a file and something else", self.path));
            }
            let path = folder.join(file);
            self.body = Some(fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?);
        }
        Ok(())
    }
}

impl Named {
    fn behaviour(self) -> Behaviour {
        match self {
            Named::Normal => Behaviour::Normal,
            Named::Pascal => Behaviour::Pascal,
            Named::PastExpiration => Behaviour::PastExpiration,
            Named::MissingExpiration => Behaviour::MissingExpiration,
            Named::RepeatSame => Behaviour::RepeatSame,
            Named::TakesNoBearer => Behaviour::TakesNoBearer,
            Named::Ceph => Behaviour::Ceph,
            Named::SignInPage => Behaviour::Html200,
            Named::EmptyObject => Behaviour::EmptyJson,
            Named::Redirect302 => Behaviour::Redirect302,
            Named::Redirect307 => Behaviour::Redirect307,
            Named::NoBucket => Behaviour::NoBucket,
            Named::Trouble => Behaviour::ServerError500,
            Named::Long(bytes) => Behaviour::json(200, "x".repeat(bytes)),
            Named::Close => Behaviour::Close,
            Named::Cut(bytes) => Behaviour::Cut { bytes },
            Named::Skewed(seconds) => Behaviour::SkewedDate { seconds },
            Named::TooMany(retry_after) => Behaviour::TooManyRequests { retry_after },
        }
    }
}
