//! One set of temporary credentials, how an issuer writes its expiration, and the forms in which consumers read both.

use crate::secret::Secret;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Temporary AWS credentials. There is no such thing as one without an expiration here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    pub access_key_id: String,
    #[serde(serialize_with = "Secret::serialize_exposed")]
    pub secret_access_key: Secret,
    #[serde(serialize_with = "Secret::serialize_exposed")]
    pub session_token: Secret,
    /// As the issuer gave it. What is published is a little earlier: see [`crate::freshness::early_by`].
    pub expiration: Timestamp,
}

impl Credentials {
    /// The `credential_process` form, Version 1: one line, its newline included.
    pub fn process_json(&self, published: Timestamp) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Process<'a> {
            version: u8,
            access_key_id: &'a str,
            secret_access_key: &'a str,
            session_token: &'a str,
            expiration: String,
        }
        let form = Process {
            version: 1,
            access_key_id: &self.access_key_id,
            secret_access_key: self.secret_access_key.expose(),
            session_token: self.session_token.expose(),
            expiration: written(published),
        };
        serde_json::to_string(&form).expect("a struct of strings is JSON") + "\n"
    }

    /// What a container's credentials endpoint answers: `Token` where the other form has `SessionToken`, and no Version.
    pub fn container_json(&self, published: Timestamp) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Container<'a> {
            access_key_id: &'a str,
            secret_access_key: &'a str,
            token: &'a str,
            expiration: String,
        }
        let form = Container {
            access_key_id: &self.access_key_id,
            secret_access_key: self.secret_access_key.expose(),
            token: self.session_token.expose(),
            expiration: written(published),
        };
        serde_json::to_string(&form).expect("a struct of strings is JSON")
    }

    /// Why these credentials cannot be passed on, if they cannot: every part must be printable ASCII without space,
    /// since consumers put them into headers and shells. Says which part, never what it holds.
    pub fn defect(&self) -> Option<&'static str> {
        let sound = |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        [
            ("access key id", self.access_key_id.as_str(), 3000),
            ("secret access key", self.secret_access_key.expose(), 3000),
            // MinIO's is a JWT with the whole session policy in it.
            ("session token", self.session_token.expose(), 16 * 1024),
        ]
        .into_iter()
        .find(|(_, text, most)| !sound(text, *most))
        .map(|(part, ..)| part)
    }
}

/// The one form that every SDK reads: `YYYY-MM-DDTHH:MM:SSZ`.
pub fn written(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Reads what issuers send: RFC 3339 with `T` or a space, any fraction, `Z` or an offset; without a zone it is UTC,
/// as TEA's and Cumulus' sources format it.
pub fn read_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let civil = text.parse::<jiff::civil::DateTime>().ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample(expiration: Timestamp) -> Credentials {
        Credentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: Secret::new("secret/marker+1"),
            session_token: Secret::new("token//marker=="),
            expiration,
        }
    }

    #[test]
    fn every_issuers_expiration_is_read_and_one_form_is_written() {
        for text in [
            "2026-11-23 14:00:00+00:00",
            "2026-11-23 14:00:00.123456+00:00",
            "2026-11-23T14:00:00Z",
            "2026-11-23T14:00:00+00:00",
            "2026-11-23T14:00:00.123456789Z",
            "2026-11-23T15:00:00+01:00",
            "2026-11-23 14:00:00",
            " 2026-11-23T14:00:00 ",
        ] {
            assert_eq!(read_time(text).map(written).as_deref(), Some("2026-11-23T14:00:00Z"), "{text}");
        }
        for text in ["", "soon", "1700000000", "2026-13-01T00:00:00Z", "14:00:00"] {
            assert_eq!(read_time(text), None, "{text}");
        }
    }

    #[test]
    fn the_process_form_is_one_line_of_version_1() {
        let time = read_time("2026-11-23T14:00:00Z").unwrap();
        let line = sample(time).process_json(time);
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["Version"], 1);
        assert_eq!(value["Expiration"], "2026-11-23T14:00:00Z");
        assert_eq!(value.as_object().unwrap().len(), 5);
    }

    #[test]
    fn the_container_form_has_all_four_of_its_names_and_no_other() {
        let time = read_time("2026-11-23T14:00:00Z").unwrap();
        let value: serde_json::Value = serde_json::from_str(&sample(time).container_json(time)).unwrap();
        let names: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(names, ["AccessKeyId", "Expiration", "SecretAccessKey", "Token"]);
        assert_eq!(value["Expiration"], "2026-11-23T14:00:00Z");
    }

    #[test]
    fn s33_a_part_that_could_break_a_header_is_named() {
        let time = Timestamp::UNIX_EPOCH;
        assert_eq!(sample(time).defect(), None);
        for bad in ["", "a b", "a\nb", "ü", "a\0"] {
            let credentials = Credentials { session_token: Secret::new(bad), ..sample(time) };
            assert_eq!(credentials.defect(), Some("session token"), "{bad:?}");
        }
    }

    #[test]
    fn a_session_token_may_be_as_long_as_one_with_a_policy_in_it() {
        let of = |length: usize| Credentials {
            session_token: Secret::new("x".repeat(length)),
            ..sample(Timestamp::UNIX_EPOCH)
        };
        assert_eq!(of(16 * 1024).defect(), None);
        assert_eq!(of(16 * 1024 + 1).defect(), Some("session token"));
        let long_id = Credentials { access_key_id: "x".repeat(3001), ..of(1) };
        assert_eq!(long_id.defect(), Some("access key id"));
    }

    #[test]
    fn s25_debug_shows_no_secret() {
        let shown = format!("{:?}", sample(Timestamp::UNIX_EPOCH));
        assert!(!shown.contains("marker"), "{shown}");
    }
}
