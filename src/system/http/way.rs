//! The way to an issuer: straight, or through a proxy that the config or the environment names.

use crate::error::{Error, printable};
use crate::ports::{Distrust, Route, SendError};
use crate::settings::{is_loopback, is_this_machine};
use hyper_util::client::proxy::matcher::Matcher;
use std::fmt;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use url::Url;

const EXPLAIN_LIMIT: Duration = Duration::from_secs(2);

/// The environment's proxies, as this process was started with them: `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` and their
/// lower-case forms. The client reads them for itself; here they are read to be named in errors.
pub(super) struct EnvironmentProxies(Matcher);

/// How a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// This machine's own addresses: no proxy, whatever the environment says, since there they mean another.
    Local,
    /// No proxy for this host.
    Straight,
    Through(Hop),
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hop {
    /// Host and port; no user and no password.
    at: String,
    by: By,
    /// Plain HTTP, and nobody signs in.
    open: bool,
}

/// Who named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Config,
    Environment,
}

// === impl EnvironmentProxies ===

impl Default for EnvironmentProxies {
    fn default() -> EnvironmentProxies {
        EnvironmentProxies(Matcher::from_system())
    }
}

impl fmt::Debug for EnvironmentProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The variables may hold a password.
        f.write_str("EnvironmentProxies")
    }
}

impl EnvironmentProxies {
    /// The way to `url`. The config's proxy takes the place of the environment's.
    pub(super) fn way(&self, url: &Url, route: &Route) -> Result<Way, SendError> {
        if let Some(proxy) = &route.proxy {
            // What is plain may be read by the proxy, and by all who listen before and behind it.
            if url.scheme() != "https" && !is_near(proxy) {
                return Err(SendError::Setup(Error::configuration(
                    format!(
                        "{} would be sent in the clear to the proxy {}",
                        url.origin().ascii_serialization(),
                        at(proxy)
                    ),
                    "set the issuer's URL to https, or remove proxy",
                )));
            }
            return Ok(Way::Through(Hop { at: at(proxy), by: By::Config, open: proxy.scheme() == "http" }));
        }
        if is_this_machine(url) {
            return Ok(Way::Local);
        }
        let proxy = url.as_str().parse().ok().and_then(|uri| self.0.intercept(&uri));
        let Some(proxy) = proxy else { return Ok(Way::Straight) };
        let open = proxy.uri().scheme_str() == Some("http") && proxy.basic_auth().is_none();
        let at = Url::parse(&proxy.uri().to_string()).map_or_else(|_| proxy.uri().to_string(), |url| at(&url));
        Ok(Way::Through(Hop { at, by: By::Environment, open }))
    }
}

/// Whether a proxy is on this machine: what it then does with plain text (a tunnel of ssh's) is its owner's business.
fn is_near(proxy: &Url) -> bool {
    // The parser of URLs leaves addresses alone where the scheme is not the web's.
    let host = proxy.host_str().unwrap_or_default();
    Url::parse(&format!("http://{host}/")).is_ok_and(|url| is_loopback(&url))
}

fn at(proxy: &Url) -> String {
    let port = proxy.port_or_known_default().unwrap_or(1080);
    format!("{}:{port}", proxy.host_str().unwrap_or_default())
}

// === impl Way ===

impl Way {
    /// Whether the environment is asked for a proxy.
    pub(super) fn by_environment(&self) -> bool {
        matches!(self, Way::Straight | Way::Through(Hop { by: By::Environment, .. }))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Local | Way::Straight => f.write_str("straight"),
            Way::Through(hop) => write!(f, "through {}", hop.at),
        }
    }
}

// === impl Hop ===

impl Hop {
    pub(super) fn does_not_answer(&self, why: &str) -> Error {
        Error::unavailable(format!("{self} does not answer: {why}"))
    }

    /// It answers, and has no way to `host`, now at least.
    pub(super) fn cannot_reach(&self, host: &str, why: &str) -> Error {
        Error::unavailable(format!("{self} cannot reach {host}: {why}"))
    }

    /// It was to be told where `host` is, and nobody here knows.
    pub(super) fn is_given_no_address(&self, host: &str) -> Error {
        let known = "its name is not known here; with socks5h:// the proxy looks it up";
        Error::unavailable(format!("cannot reach {host} through {self}: {known}"))
    }

    pub(super) fn refuses(&self, host: &str, why: &str) -> Error {
        let fix = match self.by {
            By::Config => format!("set proxy to one that lets {host} through"),
            By::Environment => format!("set proxy in the config, or NO_PROXY={host} if it needs none"),
        };
        Error::configuration(format!("{self} refuses to connect to {host}: {why}"), fix)
    }

    pub(super) fn wants_a_password(&self) -> Error {
        let fix = match self.by {
            By::Config => "set proxy to one that lets this machine through without (a cntlm or px of your own)",
            By::Environment => "check the user and password in HTTPS_PROXY, and start the daemon anew",
        };
        Error::configuration(format!("{self} wants another user and password, or any"), fix)
    }

    /// Why it made no tunnel to `host`: a rule of its own, or the issuer is away. It is asked once more for that, and
    /// told no more than the name again, since the client keeps the status to itself.
    pub(super) async fn explain(&self, host: &str, port: u16) -> Error {
        let status = match self.open {
            true => tokio::time::timeout(EXPLAIN_LIMIT, refusal(&self.at, host, port)).await.ok().flatten(),
            false => None,
        };
        match status {
            // Those in which waiting helps: 408, 429 and all of 5xx.
            Some(status) if status.starts_with('4') && !status.starts_with("408") && !status.starts_with("429") => {
                self.refuses(host, &status)
            }
            Some(status) => self.cannot_reach(host, &status),
            None if self.open => self.does_not_answer("no word of HTTP: is it a proxy of that kind?"),
            None => self.cannot_reach(host, "it refuses, or has no way there"),
        }
    }

    /// Its own certificate, where it is spoken to by https.
    pub(super) fn untrusted(&self, distrust: Distrust) -> Error {
        distrust.about(&self.to_string(), &Route::default())
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            By::Config => "proxy in the config",
            By::Environment => "HTTPS_PROXY or ALL_PROXY of the environment",
        };
        write!(f, "the proxy {} ({by})", self.at)
    }
}

/// Status and reason with which the HTTP proxy at `at` refuses a tunnel.
async fn refusal(at: &str, host: &str, port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(at).await.ok()?;
    let ask = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.ok()?;
    let mut line = Vec::new();
    BufReader::new(stream.take(256)).read_until(b'\n', &mut line).await.ok()?;
    let line = String::from_utf8_lossy(&line).into_owned();
    let status = line.strip_prefix("HTTP/1.")?.split_once(' ')?.1.trim();
    (!status.starts_with('2')).then(|| printable(status))
}
