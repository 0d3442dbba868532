//! The forms in which the socket answers: text for the helper, JSON for the command.

use crate::error::Error;
use crate::wire::ERROR_HEADER;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

pub(super) type Reply = Response<Full<Bytes>>;

/// Which form of an error the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Two lines.
    Text,
    /// The whole error, tagged.
    Json,
}

/// 200 with a body that is JSON already.
pub(super) fn json_text(body: String) -> Reply {
    reply(StatusCode::OK, "application/json", body)
}

/// 200 with one line of text.
pub(super) fn plain(line: &str) -> Reply {
    reply(StatusCode::OK, "text/plain; charset=utf-8", format!("{line}\n"))
}

pub(super) fn json<T: Serialize>(value: &T) -> Reply {
    match serde_json::to_string(value) {
        Ok(text) => json_text(text + "\n"),
        Err(_) => error(&Error::protocol("an answer that is no JSON"), Form::Text),
    }
}

/// 200 with an OpenMetrics text.
pub(super) fn metrics(text: String) -> Reply {
    reply(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text)
}

pub(super) fn error(error: &Error, form: Form) -> Reply {
    let status = StatusCode::from_u16(error.kind().http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = match form {
        Form::Text => reply(status, "text/plain; charset=utf-8", error.text()),
        Form::Json => reply(status, "application/json", serde_json::to_string(error).unwrap_or_default() + "\n"),
    };
    answer.headers_mut().insert(ERROR_HEADER, HeaderValue::from_static(error.kind().name()));
    answer
}

fn reply(status: StatusCode, kind: &'static str, body: String) -> Reply {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
