//! Why a request has no answer, and what a person does about it.

use super::Route;
use crate::error::Error;

/// Why there is no answer. The texts name no secret and no header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// DNS, connect, reset, or a body that broke off.
    Unreachable(String),
    TimedOut,
    /// Nothing was said to it: it did not show that it is the issuer.
    Untrusted(Distrust),
    /// More than an issuer ever says: not an issuer.
    TooLarge,
    /// Our own side: a CA file that cannot be read, a proxy that lets nothing through.
    Setup(Error),
}

/// What is wrong with a server's TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    Expired,
    NotYetValid,
    /// Good for these names alone.
    OtherName(Vec<String>),
    /// Signed by nobody whom we know.
    UnknownIssuer,
    /// A CA's own certificate in a server's place, as `openssl req -x509` makes it.
    OwnCa,
    /// Anything else about the certificate.
    Certificate(String),
    /// No TLS, or none that we speak.
    Protocol(String),
}

// === impl SendError ===

impl SendError {
    /// As an error about `host`.
    pub fn about(self, host: &str, route: &Route) -> Error {
        match self {
            SendError::Unreachable(why) => Error::unavailable(format!("cannot reach {host}: {why}")),
            SendError::TimedOut => Error::unavailable(format!("{host} did not answer in time")),
            SendError::TooLarge => Error::protocol(format!("{host} answered with more than an issuer ever says")),
            SendError::Setup(error) => error,
            SendError::Untrusted(distrust) => distrust.about(host, route),
        }
    }
}

// === impl Distrust ===

impl Distrust {
    /// As an error about `host`, an issuer or a proxy. There is no switch to trust it all the same.
    pub fn about(self, host: &str, route: &Route) -> Error {
        let (what, fix) = match self {
            Distrust::Expired => (
                format!("the certificate of {host} has expired"),
                "its operators must renew it, unless this machine's clock is ahead".to_owned(),
            ),
            Distrust::NotYetValid => (
                format!("the certificate of {host} is not valid yet"),
                "see whether this machine's clock is behind".to_owned(),
            ),
            Distrust::OtherName(names) => (
                format!("the certificate of {host} is for another name ({})", few(&names)),
                "check the host in the config: it must be one that the certificate is for".to_owned(),
            ),
            Distrust::UnknownIssuer => (
                format!("the certificate of {host} cannot be trusted: nobody known has signed it (unknown issuer)"),
                match &route.ca_file {
                    Some(file) => format!("see whether {} holds the CA that signed it", file.display()),
                    None => "if it is signed by a private CA, set ca_file to that CA's certificate".to_owned(),
                },
            ),
            Distrust::OwnCa => (
                format!("the certificate of {host} cannot be trusted: it is a CA's own"),
                "its operators must give it a certificate signed by that CA, or one without CA:TRUE".to_owned(),
            ),
            Distrust::Certificate(why) => (
                format!("the certificate of {host} cannot be trusted: {why}"),
                "its operators must give it another certificate".to_owned(),
            ),
            Distrust::Protocol(why) => (
                format!("{host} does not speak TLS as it must: {why}"),
                "check the port in the config; TLS 1.2 or later is needed".to_owned(),
            ),
        };
        Error::configuration(what, fix)
    }
}

/// The names, up to what fits a line.
fn few(names: &[String]) -> String {
    const MOST: usize = 4;
    let mut text = names.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text.push_str(", ..");
    }
    if names.is_empty() { "it has none".to_owned() } else { crate::error::printable(&text) }
}
