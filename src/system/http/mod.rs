//! HTTPS to issuers: one client for each route, no redirects, no cookies, no retries, everything bounded.

mod ca_file;
mod judge;
mod recent;
mod way;

use crate::error::Error;
use crate::ports::{Http, Later, Request, Response, Route, SendError};
use crate::secret::Secret;
use crate::system::reading::Reading;
use judge::To;
use recent::Recent;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Proxy, redirect};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use way::{EnvironmentProxies, Way};

/// DNS, the proxy, TCP and TLS together.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const MAX_HEAD: usize = 64 * 1024;
const MAX_BODY: usize = 256 * 1024;

/// The real network. Clients are made at their first use, since the system's roots take a while to read.
#[derive(Debug)]
pub struct Network {
    /// Held to look up or insert, never across an await. One that is dropped is made again when it is next used: routes
    /// come and go with the config of a daemon that stays.
    clients: Mutex<Recent<Kind, Made>>,
    proxies: EnvironmentProxies,
    /// A disk that hangs stops no answer from memory, and no issuer with another CA file.
    files: Reading,
}

/// What makes a client another one: what one issuer's is told to trust is trusted for no other's.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kind {
    route: Route,
    /// The environment's proxies apply.
    environment: bool,
    /// No TLS anywhere on the way: the demo needs no certificates on the machine.
    plain: bool,
}

#[derive(Debug, Clone)]
struct Made {
    /// The CA file as it was; empty without one.
    pem: Arc<[u8]>,
    client: Client,
}

impl Default for Network {
    fn default() -> Network {
        let files = Reading::new("certificates");
        Network { clients: Mutex::default(), proxies: EnvironmentProxies::default(), files }
    }
}

impl Http for Network {
    fn send(&self, request: Request) -> Later<'_, Result<Response, SendError>> {
        Box::pin(async move {
            let way = self.proxies.way(&request.url, &request.route)?;
            let kind = Kind {
                environment: way.by_environment(),
                plain: request.url.scheme() == "http" && request.route == Route::default(),
                route: request.route.clone(),
            };
            let client = self.client(&kind).await?;
            let limit = request.limit;
            let sent = exchange(client, request, &way);
            let sent = tokio::time::timeout(limit, sent).await.map_err(|_| SendError::TimedOut)?;
            if matches!(sent, Err(SendError::Untrusted(_))) {
                // The system's roots may be put right meanwhile, and are to be read again.
                self.clients().remove(&kind);
            }
            sent
        })
    }
}

impl Network {
    fn clients(&self) -> MutexGuard<'_, Recent<Kind, Made>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client for `kind`. A CA file is looked at each time: a renewed one holds at once, as does its removal.
    async fn client(&self, kind: &Kind) -> Result<Client, SendError> {
        let known = self.clients().get(kind);
        if let (Some(made), None) = (&known, &kind.route.ca_file) {
            return Ok(made.client.clone());
        }
        let wanted = kind.clone();
        // Without a CA file the system's are read, wherever they are.
        let place = kind.route.ca_file.as_deref().unwrap_or(Path::new(""));
        let made = self.files.run(place, CONNECT_LIMIT, move || make(&wanted, known)).await;
        let stuck = |_| SendError::Setup(Error::unavailable("the certificates could not be read within 5 s"));
        let made = made.map_err(stuck)?.map_err(SendError::Setup)?;
        self.clients().keep(kind.clone(), made.clone());
        Ok(made.client)
    }
}

/// The client that is known, unless its CA file has changed.
fn make(kind: &Kind, known: Option<Made>) -> Result<Made, Error> {
    let pem = kind.route.ca_file.as_deref().map(ca_file::read).transpose()?.unwrap_or_default();
    if let Some(made) = known.filter(|made| *made.pem == *pem) {
        return Ok(made);
    }
    let mut builder = Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .min_tls_version(reqwest::tls::Version::TLS_1_2)
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("valetkey/", env!("CARGO_PKG_VERSION")));
    match &kind.route.proxy {
        Some(proxy) => {
            let refused = |_| Error::configuration("the proxy's URL is no use", "check proxy in the config");
            builder = builder.proxy(Proxy::all(proxy.clone()).map_err(refused)?);
        }
        None if !kind.environment => builder = builder.no_proxy(),
        None => {}
    }
    match &kind.route.ca_file {
        Some(file) => builder = builder.tls_certs_merge(ca_file::certificates(file, &pem)?),
        // Trusts nobody, and so looks for no roots.
        None if kind.plain => builder = builder.tls_certs_only([]),
        None => {}
    }
    let client = builder.build().map_err(|error| {
        let why = judge::innermost(&error);
        Error::configuration(
            format!("no TLS on this machine: {why}"),
            "install ca-certificates, or check SSL_CERT_FILE",
        )
    })?;
    Ok(Made { pem: pem.into(), client })
}

async fn exchange(client: Client, request: Request, way: &Way) -> Result<Response, SendError> {
    let method = Method::from_bytes(request.method.as_bytes()).unwrap_or(Method::GET);
    let to = To {
        host: request.url.host_str().unwrap_or_default().to_owned(),
        port: request.url.port_or_known_default().unwrap_or(443),
        tunnelled: request.url.scheme() == "https",
    };
    tracing::debug!(method = request.method, host = to.host, path = request.url.path(), %way, "asking");
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
    let mut response = match builder.send().await {
        Ok(response) => response,
        Err(error) => return Err(judge::judge(error, &to, way).await),
    };
    let status = response.status().as_u16();
    if let (407, Way::Through(hop)) = (status, way) {
        return Err(SendError::Setup(hop.wants_a_password()));
    }
    let headers = head(response.headers())?;
    if response.content_length().is_some_and(|bytes| bytes > MAX_BODY as u64) {
        return Err(SendError::TooLarge);
    }
    let mut body = zeroize::Zeroizing::new(Vec::new());
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => return Err(judge::judge(error, &to, way).await),
        };
        if body.len() + chunk.len() > MAX_BODY {
            return Err(SendError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    tracing::debug!(status, host = to.host, bytes = body.len(), "answered");
    Ok(Response { status, headers, body: Secret::new(String::from_utf8_lossy(&body)) })
}

/// The names and values, 64 KiB of them. hyper reads about 400 KiB before it gives up.
fn head(headers: &HeaderMap) -> Result<Vec<(String, String)>, SendError> {
    // Colon, space and line's end.
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if bytes > MAX_HEAD {
        return Err(SendError::TooLarge);
    }
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect())
}
