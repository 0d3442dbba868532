//! An answer before it is sent, and a body that may break off.

use hyper::body::{Bytes, Frame, SizeHint};
use hyper::{Response, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::Value;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    /// Where the connection breaks off, in bytes of the body.
    pub(super) cut: Option<usize>,
}

/// A body of known length, in one frame; or its start and then an error, which closes the connection.
#[derive(Debug)]
pub(super) struct Body {
    whole: Bytes,
    cut: Option<usize>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Start,
    Sent,
    Flushed,
}

// === impl Answer ===

impl Answer {
    pub(super) fn new(status: u16, content_type: &str, body: impl Into<String>) -> Answer {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Answer { status, headers, body: body.into(), cut: None }
    }

    pub(super) fn json(status: u16, body: &Value) -> Answer {
        Answer::new(status, "application/json", body.to_string())
    }

    pub(super) fn html(status: u16, body: &str) -> Answer {
        Answer::new(status, "text/html", format!("<!DOCTYPE html>\n<html><body>{body}</body></html>\n"))
    }

    pub(super) fn redirect(status: u16, location: &str) -> Answer {
        let text = format!("Redirecting to {location}");
        Answer::new(status, "text/plain; charset=utf-8", text).with("location", location)
    }

    /// What a host says on which the issuer is not installed.
    pub(super) fn not_deployed() -> Answer {
        Answer::html(404, "<h1>Not Found</h1>")
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Answer {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn dated(self, now: Timestamp) -> Answer {
        match http_date(now) {
            Some(date) => self.with("date", date),
            None => self,
        }
    }
}

/// As in the headers Date and Expires.
pub(super) fn http_date(time: Timestamp) -> Option<String> {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()
}

impl From<Answer> for Response<Body> {
    /// A header or status that HTTP has no room for is an error of the test's: the answer says so.
    fn from(answer: Answer) -> Response<Body> {
        let mut builder = Response::builder().status(answer.status);
        for (name, value) in &answer.headers {
            builder = builder.header(name, value);
        }
        let body = Body { whole: Bytes::from(answer.body), cut: answer.cut, stage: Stage::Start };
        builder.body(body).unwrap_or_else(|error| {
            let why = Bytes::from(format!("the stand-in was told to answer with what is not HTTP: {error}"));
            let mut response = Response::new(Body { whole: why, cut: None, stage: Stage::Start });
            *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
            response
        })
    }
}

// === impl Body ===

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match (self.stage, self.cut) {
            (Stage::Start, cut) => {
                self.stage = Stage::Sent;
                let length = cut.unwrap_or(usize::MAX).min(self.whole.len());
                Poll::Ready(Some(Ok(Frame::data(self.whole.slice(..length)))))
            }
            (Stage::Sent, Some(_)) => {
                // Without this pause hyper drops what it has not yet written when it sees the error.
                self.stage = Stage::Flushed;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            (Stage::Flushed, Some(_)) => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
            (_, None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.cut.is_none() && (self.whole.is_empty() || self.stage != Stage::Start)
    }

    fn size_hint(&self) -> SizeHint {
        match self.stage {
            Stage::Start => SizeHint::with_exact(self.whole.len() as u64),
            _ => SizeHint::default(),
        }
    }
}
