//! What a bearer token says about itself. Its signature is the issuer's to check: we only plan and explain by it.

use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The claims that we use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    pub uid: Option<String>,
    pub expires: Option<Timestamp>,
    pub issuer: Option<String>,
    pub audience: Vec<String>,
    /// `client/role`, and a realm's roles alone.
    pub roles: Vec<String>,
    /// Seconds from issue to end.
    pub life: Option<i64>,
}

impl Claims {
    /// For a person who has to find out why a token was refused: whose it is, for whom, until when, with which roles.
    pub fn described(&self) -> String {
        let list = |words: &[String]| if words.is_empty() { "none".to_owned() } else { words.join(" ") };
        let issuer = self.issuer.as_deref().unwrap_or("nobody named");
        let until = self.expires.map_or_else(|| "no end".to_owned(), crate::credentials::written);
        let text =
            format!(" (issued by {issuer} for {}, until {until}, roles {})", list(&self.audience), list(&self.roles));
        crate::error::printable(&text).chars().take(400).collect()
    }
}

/// The claims of `token`; None if it is no JWT: three parts, the middle one base64url of a JSON object.
pub fn claims(token: &str) -> Option<Claims> {
    #[derive(Deserialize)]
    struct Payload {
        uid: Option<String>,
        preferred_username: Option<String>,
        sub: Option<String>,
        exp: Option<f64>,
        iat: Option<f64>,
        iss: Option<String>,
        #[serde(default)]
        aud: OneOrMany,
        #[serde(default)]
        resource_access: BTreeMap<String, Roles>,
        #[serde(default)]
        realm_access: Roles,
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [head, payload, signature] = parts.as_slice() else { return None };
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=".contains(&b));
    if head.is_empty() || signature.is_empty() || !plain(head) || !plain(signature) {
        return None;
    }
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let payload: Payload = serde_json::from_slice(&payload).ok()?;
    Some(Claims {
        uid: payload.uid.or(payload.preferred_username).or(payload.sub),
        expires: payload.exp.and_then(|second| Timestamp::from_second(second as i64).ok()),
        issuer: payload.iss,
        audience: match payload.aud {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        },
        roles: payload
            .resource_access
            .iter()
            .flat_map(|(client, roles)| roles.roles.iter().map(move |role| format!("{client}/{role}")))
            .chain(payload.realm_access.roles)
            .collect(),
        life: payload.exp.zip(payload.iat).map(|(end, start)| (end - start) as i64),
    })
}

/// A token as it is, or out of the JSON that `cray auth login` leaves; nothing else of that file is taken.
pub fn bare(text: &Secret) -> Secret {
    #[derive(Deserialize)]
    struct File {
        access_token: Secret,
    }
    match serde_json::from_str::<File>(text.expose()) {
        Ok(file) => file.access_token,
        Err(_) => Secret::new(text.expose().trim()),
    }
}

/// `aud` is a text or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> OneOrMany {
        OneOrMany::Many(Vec::new())
    }
}

#[derive(Default, Deserialize)]
struct Roles {
    #[serde(default)]
    roles: Vec<String>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A token with this payload, signed by nobody.
    pub(crate) fn token(payload: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(payload), part("signature"))
    }

    #[test]
    fn a_tokens_user_and_end_are_read() {
        let claims = claims(&token(r#"{"type":"User","uid":"ada","exp":1800000000,"iat":1}"#)).unwrap();
        assert_eq!(claims.uid.as_deref(), Some("ada"));
        assert_eq!(claims.expires.map(|time| time.as_second()), Some(1_800_000_000));
    }

    #[test]
    fn what_is_no_jwt_is_none() {
        let three_words = "a.b.c".to_owned();
        let newline = token("{}") + "\n";
        for text in ["", "x", "Bearer abc", "..", &three_words, &token("[]"), &token("no json"), &newline] {
            assert_eq!(claims(text), None, "{text:?}");
        }
        assert!(claims(&token(r#"{"exp":1e300}"#)).is_some_and(|claims| claims.expires.is_none()));
    }
}
