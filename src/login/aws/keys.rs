//! AWS keys as they rest in the keyring, and as people, files and programs write them.

use crate::access::{Access, serialize_optional};
use crate::credentials::read_time;
use crate::error::Error;
use crate::secret::Secret;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

/// An access key, or a session that ends; as JSON with the names of `aws sts` and `aws configure export-credentials`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Keys {
    pub(super) access_key_id: String,
    #[serde(serialize_with = "Secret::serialize_exposed")]
    pub(super) secret_access_key: Secret,
    /// An instance calls it Token.
    #[serde(default, alias = "Token", skip_serializing_if = "Option::is_none", serialize_with = "serialize_optional")]
    pub(super) session_token: Option<Secret>,
    /// None for keys that live until somebody deletes them.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_time")]
    pub(super) expiration: Option<Timestamp>,
}

/// What an STS gave, or why that cannot be used.
pub(super) type Given = Option<aws_sdk_sts::types::Credentials>;

impl Keys {
    /// JSON, or the lines of `~/.aws/credentials`: of one section, since nobody said which.
    pub(super) fn from_text(text: &str) -> Result<Keys, Error> {
        if let Ok(keys) = serde_json::from_str(text) {
            return Ok(keys);
        }
        let lines = || text.lines().map(str::trim);
        let Some(first) = lines().position(|line| line.starts_with('[')) else {
            return section(&lines().collect::<Vec<_>>());
        };
        if lines().skip(first + 1).any(|line| line.starts_with('[')) {
            let fix = "give a file with the one section that is meant, or {\"AccessKeyId\":..,\"SecretAccessKey\":..}";
            return Err(Error::configuration("the text has several [sections], each with keys of its own", fix));
        }
        section(&lines().skip(first + 1).collect::<Vec<_>>())
    }

    pub(super) fn from_sts(given: Given, host: &str) -> Result<Keys, Error> {
        let given = given.ok_or_else(|| Error::protocol(format!("{host} answered without credentials")))?;
        let expiration = read_time(&given.expiration().to_string())
            .ok_or_else(|| Error::protocol(format!("{host} answered with an expiration that is no time")))?;
        Ok(Keys {
            access_key_id: given.access_key_id().to_owned(),
            secret_access_key: Secret::new(given.secret_access_key()),
            session_token: Some(Secret::new(given.session_token())),
            expiration: Some(expiration),
        })
    }

    pub(super) fn to_secret(&self) -> Secret {
        Secret::new(serde_json::to_string(self).expect("a struct of strings is JSON"))
    }

    /// Whether every part can stand in a header.
    pub(super) fn sound(&self) -> bool {
        let sound = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        let token = self.session_token.as_ref().is_none_or(|token| sound(token.expose()));
        sound(&self.access_key_id) && sound(self.secret_access_key.expose()) && token
    }

    /// As the SDK signs with them.
    pub(super) fn signer(&self) -> aws_credential_types::Credentials {
        let token = self.session_token.as_ref().map(|token| token.expose().to_owned());
        let secret = self.secret_access_key.expose();
        aws_credential_types::Credentials::new(&self.access_key_id, secret, token, None, "valetkey")
    }

    pub(super) fn into_access(self) -> Access {
        Access::AwsKeys {
            access_key_id: self.access_key_id,
            secret_access_key: self.secret_access_key,
            session_token: self.session_token,
        }
    }
}

fn section(lines: &[&str]) -> Result<Keys, Error> {
    let value = |name: &str| {
        lines.iter().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim())
        })
    };
    let needed = |name: &str| {
        let fix = "give {\"AccessKeyId\":..,\"SecretAccessKey\":..} or lines aws_access_key_id = .. and aws_secret_access_key = ..";
        value(name).ok_or_else(|| Error::configuration("the text holds no access key", fix))
    };
    Ok(Keys {
        access_key_id: needed("aws_access_key_id")?.to_owned(),
        secret_access_key: Secret::new(needed("aws_secret_access_key")?),
        session_token: value("aws_session_token").map(Secret::new),
        expiration: None,
    })
}

/// In whatever form it was written; what is no time is an error, and never "lives until deleted".
fn some_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    read_time(&text).map(Some).ok_or_else(|| serde::de::Error::custom("no time"))
}
