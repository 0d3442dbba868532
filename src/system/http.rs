//! HTTPS to issuers: one client for each route, no redirects, no cookies, no retries, everything bounded.

use crate::error::Error;
use crate::ports::{Http, Later, Request, Response, Route, SendError};
use crate::secret::Secret;
use crate::worker::Worker;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Method, Proxy, redirect};
use std::collections::HashMap;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const MAX_BODY: usize = 256 * 1024;
const MAX_CA_FILE: u64 = 4 * 1024 * 1024;

/// The real network. Clients are made at their first use, since the system's roots take a while to read.
#[derive(Debug)]
pub struct Network {
    /// By route, and whether the environment's proxies apply. Held to look up or insert, never across an await.
    clients: Mutex<HashMap<(Route, bool), Client>>,
    /// Certificates are read on a thread of its own: a disk that hangs stops no answer from memory.
    worker: Worker,
}

impl Default for Network {
    fn default() -> Network {
        Network { clients: Mutex::default(), worker: Worker::new("certificates") }
    }
}

impl Http for Network {
    fn send(&self, request: Request) -> Later<'_, Result<Response, SendError>> {
        Box::pin(async move {
            // This machine's own addresses are never reached through a proxy, whatever the environment says: there they
            // mean another. A proxy of the issuer's own is another matter, and was meant for just this.
            let proxies = request.route.proxy.is_some() || !crate::settings::is_this_machine(&request.url);
            let kind = (request.route.clone(), proxies);
            let client = self.client(&kind).await?;
            let limit = request.limit;
            let sent = tokio::time::timeout(limit, exchange(client, request)).await.map_err(|_| SendError::TimedOut)?;
            if matches!(sent, Err(SendError::Untrusted(_))) {
                // A CA file that is put right meanwhile is to be read again.
                self.clients().remove(&kind);
            }
            sent
        })
    }
}

impl Network {
    fn clients(&self) -> MutexGuard<'_, HashMap<(Route, bool), Client>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn client(&self, kind: &(Route, bool)) -> Result<Client, SendError> {
        let known = self.clients().get(kind).cloned();
        if let Some(client) = known {
            return Ok(client);
        }
        let (route, proxies) = kind.clone();
        let built = self.worker.run(CONNECT_LIMIT, move || build(&route, proxies)).await;
        let stuck = |_| SendError::Setup(Error::unavailable("the certificates could not be read within 5 s"));
        let client = built.map_err(stuck)??;
        self.clients().insert(kind.clone(), client.clone());
        Ok(client)
    }
}

fn build(route: &Route, proxies: bool) -> Result<Client, SendError> {
    let mut builder = Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .min_tls_version(reqwest::tls::Version::TLS_1_2)
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("valetkey/", env!("CARGO_PKG_VERSION")));
    match &route.proxy {
        Some(proxy) => {
            let refused =
                |_| SendError::Setup(Error::configuration("the proxy's URL is no use", "check proxy in the config"));
            builder = builder.proxy(Proxy::all(proxy.clone()).map_err(refused)?);
        }
        None if !proxies => builder = builder.no_proxy(),
        None => {}
    }
    if let Some(file) = &route.ca_file {
        builder = builder.tls_certs_merge(certificates(file).map_err(SendError::Setup)?);
    }
    builder.build().map_err(|error| {
        SendError::Setup(Error::configuration(format!("no TLS on this machine: {error}"), "install ca-certificates"))
    })
}

/// All certificates of a PEM file.
fn certificates(file: &Path) -> Result<Vec<Certificate>, Error> {
    let fix = "set ca_file to a PEM file with the issuer's CA";
    let failed =
        |error: std::io::Error| Error::configuration(format!("cannot read ca_file {}: {error}", file.display()), fix);
    // Without O_NONBLOCK a fifo would be waited for.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(file).map_err(failed)?;
    let mut pem = Vec::new();
    opened.take(MAX_CA_FILE).read_to_end(&mut pem).map_err(failed)?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(Error::configuration(format!("ca_file {} holds no certificate", file.display()), fix)),
    }
}

async fn exchange(client: Client, request: Request) -> Result<Response, SendError> {
    let method = Method::from_bytes(request.method.as_bytes()).unwrap_or(Method::GET);
    let host = request.url.host_str().unwrap_or_default().to_owned();
    tracing::debug!(method = request.method, host, path = request.url.path(), "asking");
    let mut builder = client.request(method, request.url);
    for (name, value) in &request.headers {
        let broken = |_| SendError::Setup(Error::protocol("a request header holds what no header may"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| broken(error.to_string()))?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|error| broken(error.to_string()))?;
        value.set_sensitive(true);
        builder = builder.header(name, value);
    }
    if let Some(body) = &request.body {
        builder = builder.body(body.expose().to_owned());
    }
    let mut response = builder.send().await.map_err(judge)?;
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let mut body = zeroize::Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(judge)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(SendError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    tracing::debug!(status, host, bytes = body.len(), "answered");
    Ok(Response { status, headers, body: Secret::new(String::from_utf8_lossy(&body)) })
}

/// The innermost cause says most; the URL, which may hold what it should not, is left out.
fn judge(error: reqwest::Error) -> SendError {
    if error.is_timeout() {
        return SendError::TimedOut;
    }
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    let mut untrusted = false;
    while let Some(next) = cause.source() {
        cause = next;
        untrusted |= cause.to_string().contains("certificate");
    }
    let text = crate::error::printable(&cause.to_string());
    if untrusted { SendError::Untrusted(text) } else { SendError::Unreachable(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_ca_file_that_is_missing_empty_or_no_pem_is_named() {
        let missing = certificates(Path::new("/nonexistent/ca.pem")).unwrap_err();
        assert!(missing.text().contains("/nonexistent/ca.pem"));
        for content in ["", "hello", "-----BEGIN CERTIFICATE-----\nx\n"] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(content.as_bytes()).unwrap();
            let error = certificates(file.path()).unwrap_err();
            assert!(error.text().contains(&file.path().display().to_string()), "{content}");
        }
    }
}
