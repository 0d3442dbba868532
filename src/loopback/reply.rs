//! Answers as HTTP, with headers that are constants, and the error that SDKs read of a container's endpoint.

use super::server::Answer;
use crate::error::{Error, printable};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

pub(super) type Reply = Response<Full<Bytes>>;

pub(super) fn reply(answer: Answer) -> Reply {
    // Content-Length is hyper's, of a body that is whole.
    let mut reply = Response::new(Full::new(Bytes::from(answer.body)));
    *reply.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
    ] {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply
}

/// One short sentence, under both spellings: SDKs differ in which they read.
pub fn container_error(status: u16, code: &str, message: &str) -> Answer {
    #[derive(Serialize)]
    struct Both<'a> {
        code: &'a str,
        message: &'a str,
        #[serde(rename = "Code")]
        upper_code: &'a str,
        #[serde(rename = "Message")]
        upper_message: &'a str,
    }
    let message = printable(message);
    let both = Both { code, message: &message, upper_code: code, upper_message: &message };
    Answer { status, body: serde_json::to_string(&both).unwrap_or_default() }
}

impl Answer {
    /// An error of ours as a container's endpoint says it.
    pub fn container_failure(error: &Error) -> Answer {
        container_error(error.kind().http_status(), error.kind().name(), &format!("{error}; {}", error.hint()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_sentence_under_both_spellings_and_no_foreign_byte() {
        let answer = Answer::container_failure(&Error::sign_in("earthdata", "gone\x1b[2J"));
        assert_eq!(answer.status, 401, "Rust's SDK does not try again then");
        let value: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        for name in ["message", "Message"] {
            assert_eq!(value[name], "gone?[2J; run: valetkey login earthdata");
        }
        assert_eq!((&value["code"], &value["Code"]), (&"login-required".into(), &"login-required".into()));
        assert_eq!(Answer::container_failure(&Error::unavailable("away")).status, 503);
    }

    #[test]
    fn s41_headers_are_constants_and_nothing_is_kept_by_a_cache() {
        let reply = reply(Answer { status: 200, body: "{}".into() });
        let header = |name: &str| reply.headers()[name].to_str().unwrap().to_owned();
        assert_eq!((header("cache-control"), header("x-content-type-options")), ("no-store".into(), "nosniff".into()));
        assert!(!reply.headers().keys().any(|name| name.as_str().starts_with("access-control")));
    }
}
