//! The log: every request, whole and in order, and a way to wait for the next.

use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::Incoming;
use tokio::sync::watch;
use url::form_urlencoded;

/// A request as it arrived, secrets and all: they are the stand-in's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logged {
    pub method: String,
    pub path: String,
    /// Without its `?`; empty where there is none.
    pub query: String,
    /// Names in lower case, in the order of arrival.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

#[derive(Debug)]
pub(super) struct Log(watch::Sender<Vec<Logged>>);

// === impl Logged ===

impl Logged {
    /// Of a body that breaks off, nothing is logged; the rest is.
    pub(super) async fn read(request: Request<Incoming>) -> Logged {
        let (head, body) = request.into_parts();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Logged {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
            body: body.collect().await.map(|whole| text(&whole.to_bytes())).unwrap_or_default(),
        }
    }

    /// The first header of that name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A field of a form-encoded body, decoded.
    pub fn field(&self, name: &str) -> Option<String> {
        decoded(&self.body, name)
    }

    /// A parameter of the query, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        decoded(&self.query, name)
    }

    /// Whether `text` stands anywhere in the request, as sent.
    pub fn mentions(&self, text: &str) -> bool {
        let fields = [&self.method, &self.path, &self.query, &self.body].into_iter();
        fields.chain(self.headers.iter().flat_map(|(name, value)| [name, value])).any(|field| field.contains(text))
    }

    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.header("cookie")?.split(';');
        cookies
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find(|(known, _)| *known == name)
            .map(|found| found.1)
    }
}

fn decoded(form: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(form.as_bytes()).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

// === impl Log ===

impl Log {
    pub(super) fn new() -> Log {
        Log(watch::Sender::new(Vec::new()))
    }

    pub(super) fn push(&self, request: Logged) {
        self.0.send_modify(|log| log.push(request));
    }

    pub(super) fn all(&self) -> Vec<Logged> {
        self.0.borrow().clone()
    }

    pub(super) fn count(&self, path: &str) -> usize {
        count(&self.0.borrow(), path)
    }

    pub(super) async fn wait_for(&self, path: &str, n: usize) {
        // An error would say that the sender is gone, and we hold it.
        let _ = self.0.subscribe().wait_for(|log| count(log, path) >= n).await;
    }
}

fn count(log: &[Logged], path: &str) -> usize {
    log.iter().filter(|request| request.path.starts_with(path)).count()
}
