//! The command's side of the socket: hyper's client over a connector of ours that looks at the server's uid.

use crate::error::Error;
use crate::secret::Secret;
use crate::wire::{self, ConnectError, ERROR_HEADER, Kind};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::UnixStream;

/// Talks to the daemon on one socket.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    limit: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// Nobody listens, or who did has just left: a daemon may be started.
    Nobody,
    /// The daemon's own error, whole, or what went wrong on the way to it.
    Error(Error),
}

const MAX_BODY: usize = 1024 * 1024;
const CONNECT: Duration = Duration::from_secs(5);

impl Client {
    /// `limit` is for one request, its answer included.
    pub fn new(socket: &Path, limit: Duration) -> Client {
        Client { socket: socket.to_owned(), limit }
    }

    pub async fn get(&self, path: &str) -> Result<String, ClientError> {
        self.request(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Option<&Secret>) -> Result<String, ClientError> {
        self.request(Method::POST, path, body).await
    }

    pub async fn delete(&self, path: &str) -> Result<String, ClientError> {
        self.request(Method::DELETE, path, None).await
    }

    pub async fn request(&self, method: Method, path: &str, body: Option<&Secret>) -> Result<String, ClientError> {
        let away = || {
            let message = format!("the daemon has not answered within {} s", self.limit.as_secs());
            Error::unavailable(message)
        };
        let answered = tokio::time::timeout(self.limit, self.exchange(method, path, body)).await;
        answered.unwrap_or_else(|_| Err(ClientError::Error(away())))
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<&Secret>) -> Result<String, ClientError> {
        // A bad status of the socket is told before anything is sent.
        let stream = wire::connect(&self.socket, CONNECT).map_err(|error| self.unreached(error))?;
        let body = body.map(|text| Bytes::copy_from_slice(text.expose().as_bytes())).unwrap_or_default();
        let uri: Uri = hyperlocal::Uri::new(&self.socket, path).into();
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("accept", "application/json")
            .body(Full::new(body))
            .map_err(|_| ClientError::Error(Error::protocol("a request that is no HTTP")))?;
        let connector = Connector(std::sync::Arc::new(std::sync::Mutex::new(Some(stream))));
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        let response = client.request(request).await.map_err(|error| self.unanswered(&error))?;
        let (parts, body) = response.into_parts();
        let broken = |_| ClientError::Error(Error::unavailable("the daemon's answer broke off in the middle"));
        let body = Limited::new(body, MAX_BODY).collect().await.map_err(broken)?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        if parts.status.is_success() {
            return Ok(text);
        }
        let error = serde_json::from_str(&text).unwrap_or_else(|_| {
            // A newer daemon's kind of error: its text is all we understand.
            let named = parts.headers.get(ERROR_HEADER).is_some();
            match Kind::from_status(parts.status.as_u16()).filter(|_| named) {
                Some(_) => Error::protocol("the daemon is of another version, and its error cannot be read"),
                None => self.not_ours(),
            }
        });
        Err(ClientError::Error(error))
    }

    /// Closed without a byte is a daemon that was just leaving. What speaks no HTTP is no daemon of ours.
    fn unanswered(&self, error: &hyper_util::client::legacy::Error) -> ClientError {
        let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<hyper::Error>());
        if cause.is_some_and(hyper::Error::is_parse) {
            return ClientError::Error(self.not_ours());
        }
        ClientError::Nobody
    }

    fn not_ours(&self) -> Error {
        Error::protocol(format!("what answers on {} is not valetkey's daemon", self.socket.display()))
    }

    fn unreached(&self, error: ConnectError) -> ClientError {
        let path = self.socket.display();
        ClientError::Error(match error {
            ConnectError::Nobody => return ClientError::Nobody,
            ConnectError::Busy => Error::unavailable(error.to_string()),
            ConnectError::ForeignUid(_) => Error::configuration(
                format!("{error}: {path}"),
                "set VALETKEY_SOCKET to a place that only you can write to",
            ),
            ConnectError::Other(_) => Error::configuration(
                format!("cannot connect to {path}: {error}"),
                "check who owns the socket, or set VALETKEY_SOCKET",
            ),
        })
    }
}

/// Hands hyper the stream whose other end has been looked at; hyperlocal's own would hide whose it is.
#[derive(Debug, Clone)]
struct Connector(std::sync::Arc<std::sync::Mutex<Option<std::os::unix::net::UnixStream>>>);

/// A checked stream, as hyper takes it.
#[derive(Debug)]
struct Checked(TokioIo<UnixStream>);

impl tower_service::Service<Uri> for Connector {
    type Response = Checked;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Checked>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let stream = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        Box::pin(async move {
            let stream = stream.ok_or(std::io::ErrorKind::NotConnected)?;
            stream.set_nonblocking(true)?;
            Ok(Checked(TokioIo::new(UnixStream::from_std(stream)?)))
        })
    }
}

impl Connection for Checked {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl hyper::rt::Read for Checked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl hyper::rt::Write for Checked {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
