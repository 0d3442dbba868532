//! The AWS SDK over our own ports: what both a provider and a login ask an STS with. Neither knows the other.
//!
//! Nothing here retries, sleeps or looks for keys: what signs is passed in.

mod clock;
mod connector;
mod refusal;
mod signed;
mod xml;

pub use clock::SigningClock;
pub use connector::{Connector, Seen};
pub use refusal::Refusal;
pub use signed::Signer;
pub use xml::element;

use crate::access::Need;
use crate::ports::{Http, Route};
use aws_credential_types::Credentials;
use aws_sdk_sts::config::{BehaviorVersion, Region, SharedCredentialsProvider};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// From connect to the last byte of an STS' answer.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Where an STS is, and the way to it.
#[derive(Debug, Clone)]
pub struct Address {
    /// None for AWS' own.
    pub endpoint: Option<Url>,
    pub region: String,
    pub route: Route,
    pub clock: SigningClock,
}

/// What a client of the SDK answers with where it does not succeed.
pub type CallError = Box<dyn std::error::Error + Send + Sync>;

impl Address {
    /// As a person knows it.
    pub fn host(&self) -> String {
        match &self.endpoint {
            Some(url) => url.host_str().unwrap_or_default().to_owned(),
            None => format!("sts.{}.amazonaws.com", self.region),
        }
    }

    /// Whether it is AWS itself, whose bounds and names are known.
    pub fn is_aws(&self) -> bool {
        self.endpoint.as_ref().is_none_or(|url| {
            url.host_str().is_some_and(|host| host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn"))
        })
    }

    /// A client for one call, and what will have come back. `keys` sign; without them nothing is signed, which is right
    /// for a web identity alone.
    pub fn client(&self, http: &Arc<dyn Http>, keys: Option<Credentials>) -> (aws_sdk_sts::Client, Seen) {
        let connector = Connector::new(http.clone(), self.route.clone(), LIMIT);
        let seen = connector.seen();
        let mut config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .http_client(connector)
            .time_source(self.clock.clone())
            // One attempt: retries and their timing are the broker's.
            .retry_config(aws_sdk_sts::config::retry::RetryConfig::disabled())
            .timeout_config(aws_sdk_sts::config::timeout::TimeoutConfig::disabled())
            .stalled_stream_protection(aws_sdk_sts::config::StalledStreamProtectionConfig::disabled());
        config.set_credentials_provider(keys.map(SharedCredentialsProvider::new));
        config.set_endpoint_url(self.endpoint.as_ref().map(Url::to_string));
        (aws_sdk_sts::Client::from_conf(config.build()), seen)
    }

    /// Whether a call was refused though nothing but this machine's clock may be wrong: then what is signed next is
    /// signed by the issuer's.
    pub fn learns_the_time(&self, seen: &Seen) -> bool {
        let ahead = seen.issuer_ahead().filter(|ahead| ahead.abs() > clock::MAX_SKEW);
        ahead.inspect(|ahead| self.clock.put_right(*ahead)).is_some()
    }

    /// What it means that a call with access of this form did not succeed.
    pub fn refusal(&self, seen: &Seen, error: &CallError, need: Need) -> Refusal {
        let asked = refusal::Asked { host: &self.host(), route: &self.route, need, signed: seen.signed() };
        asked.refusal(seen.take(), &**error)
    }
}
