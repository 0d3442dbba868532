//! Why there is no answer: whether it is the issuer, its certificate or the proxy, from the chain of the client's errors.

use super::way::{Hop, Way};
use crate::error::{Error, printable};
use crate::ports::{Distrust, SendError};
use rustls::{AlertDescription, CertificateError};
use std::error::Error as Cause;

/// Why the request to `to` failed with `error`.
pub(super) async fn judge(error: reqwest::Error, to: &To, way: &Way) -> SendError {
    match (read(error, to, way), way) {
        (None, Way::Through(hop)) => SendError::Setup(hop.explain(&to.host, to.port).await),
        (told, _) => told.unwrap_or(SendError::TimedOut),
    }
}

/// None where an HTTP proxy made no tunnel: it knows why.
fn read(error: reqwest::Error, to: &To, way: &Way) -> Option<SendError> {
    // The URL may hold what it should not.
    let error = error.without_url();
    let causes = causes(&error);
    if causes.iter().any(|cause| cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse_too_large)) {
        return Some(SendError::TooLarge);
    }
    let distrust = causes.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>()).and_then(distrust);
    let distrust = distrust.filter(|_| error.is_connect());
    let (why, late) = (last(&causes), error.is_timeout());
    if let Way::Through(hop) = way
        && error.is_connect()
    {
        let said = causes.iter().find_map(|cause| Stage::read(&cause.to_string()));
        let stage = said.unwrap_or(if to.tunnelled { Stage::Through } else { Stage::Before });
        let blamed = match (stage, &distrust) {
            (Stage::NoTunnel, _) => return None,
            (Stage::Before, Some(distrust)) => Some(hop.untrusted(distrust.clone())),
            (Stage::Through, Some(_)) => None,
            _ if late => Some(hop.cannot_reach(&to.host, "no answer in time")),
            _ => Some(blame(hop, stage, &to.host, &why)),
        };
        if let Some(error) = blamed {
            return Some(SendError::Setup(error));
        }
    }
    Some(match distrust {
        Some(distrust) => SendError::Untrusted(distrust),
        None if late => SendError::TimedOut,
        None => SendError::Unreachable(why),
    })
}

/// Whom a request is for.
pub(super) struct To {
    pub(super) host: String,
    pub(super) port: u16,
    /// A proxy is asked for a connection, not for the answer.
    pub(super) tunnelled: bool,
}

/// The innermost cause says most.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    last(&causes(error))
}

fn last(causes: &[&(dyn Cause + 'static)]) -> String {
    let text = causes.last().map(ToString::to_string).unwrap_or_default();
    printable(text.strip_prefix("SOCKS error: ").unwrap_or(&text))
}

/// How far a connection through a proxy came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The proxy was not reached.
    Before,
    /// The issuer's name could not be looked up for it.
    Lookup,
    WantsPassword,
    Refuses,
    /// It tried.
    CannotReach,
    /// An HTTP proxy said no, and the client does not tell which no.
    NoTunnel,
    /// It does not speak as its kind does.
    Babble,
    /// The proxy did its part.
    Through,
}

impl Stage {
    /// From the words of hyper-util's tunnel and SOCKS, whose types are not told. Tests have them from the real ones.
    fn read(said: &str) -> Option<Stage> {
        if said == "error resolving for socks proxy" {
            return Some(Stage::Lookup);
        }
        let said = said.strip_prefix("tunnel error: ").or_else(|| said.strip_prefix("SOCKS error: "))?;
        Some(match said {
            "failed to create underlying connection" => Stage::Before,
            "proxy authorization required"
            | "server does not support user/pass authentication"
            | "server implements authentication incorrectly"
            | "credentials not accepted" => Stage::WantsPassword,
            "connection not allowed" => Stage::Refuses,
            "unsuccessful" => Stage::NoTunnel,
            "general server failure"
            | "network unreachable"
            | "host unreachable"
            | "connection refused"
            | "ttl expired"
            | "address type not supported" => Stage::CannotReach,
            _ => Stage::Babble,
        })
    }
}

/// What a proxy has not done.
fn blame(hop: &Hop, stage: Stage, host: &str, why: &str) -> Error {
    match stage {
        Stage::Before => hop.does_not_answer(why),
        Stage::Lookup => hop.is_given_no_address(host),
        Stage::WantsPassword => hop.wants_a_password(),
        Stage::Refuses => hop.refuses(host, why),
        Stage::CannotReach | Stage::NoTunnel | Stage::Through => hop.cannot_reach(host, why),
        Stage::Babble => hop.does_not_answer(&format!("{why}: is it a proxy of that kind?")),
    }
}

/// All errors from the outermost to the innermost, into those that an I/O error wraps.
fn causes<'a>(error: &'a (dyn Cause + 'static)) -> Vec<&'a (dyn Cause + 'static)> {
    let inner = |cause: &'a (dyn Cause + 'static)| -> Option<&'a (dyn Cause + 'static)> {
        // Its own `source` passes over what it wraps.
        let wrapped = cause.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
        wrapped.map(|wrapped| wrapped as _).or_else(|| cause.source())
    };
    std::iter::successors(Some(error), |cause| inner(*cause)).collect()
}

/// None for a server in trouble of its own.
fn distrust(error: &rustls::Error) -> Option<Distrust> {
    use CertificateError as C;
    let wrong = match error {
        rustls::Error::InvalidCertificate(wrong) => wrong,
        rustls::Error::AlertReceived(AlertDescription::InternalError) => return None,
        other => return Some(Distrust::Protocol(printable(&other.to_string()))),
    };
    Some(match wrong {
        C::Expired | C::ExpiredContext { .. } => Distrust::Expired,
        C::NotValidYet | C::NotValidYetContext { .. } => Distrust::NotYetValid,
        C::NotValidForName => Distrust::OtherName(Vec::new()),
        C::NotValidForNameContext { presented, .. } => {
            Distrust::OtherName(presented.iter().map(|name| bare(name)).collect())
        }
        C::UnknownIssuer => Distrust::UnknownIssuer,
        other => match other.to_string() {
            text if text.contains("CaUsedAsEndEntity") => Distrust::OwnCa,
            text => Distrust::Certificate(printable(&text)),
        },
    })
}

/// `DnsName("x.org")` is told as `x.org`.
fn bare(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"').to_owned()
}
