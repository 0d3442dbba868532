//! How an issuer is reached: its certificate, its CA file, its proxy, and how much of it is listened to. S30, S31, S32.

#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a test of the outside

mod ca;
mod ca_file;
#[path = "../common/mod.rs"]
mod common;
mod front;
mod hop;
mod limits;
mod program;
mod proxies;
mod tls;

use std::path::Path;
use std::time::Duration;
use valetkey::error::Error;
use valetkey::ports::{Http, Request, Response, Route, SendError};
use valetkey::secret::Secret;
use valetkey::system::http::Network;
use valetkey::wire::Kind;

/// What nobody but the issuer may read.
const BEARER: &str = "marker-of-a-bearer";

fn trusting(ca_file: &Path) -> Route {
    Route { ca_file: Some(ca_file.to_owned()), proxy: None }
}

fn through(ca_file: &Path, proxy: &str) -> Route {
    Route { proxy: Some(proxy.parse().unwrap()), ..trusting(ca_file) }
}

/// Asks once, with the bearer.
async fn ask(network: &Network, url: &str, route: &Route) -> Result<Response, SendError> {
    let headers = vec![("authorization".to_owned(), Secret::new(format!("Bearer {BEARER}")))];
    let (url, limit) = (url.parse().unwrap(), Duration::from_secs(20));
    network.send(Request { method: "GET", url, headers, body: None, limit, route: route.clone() }).await
}

/// Asks, and is not answered: what a user is told.
async fn refused(network: &Network, url: &str, route: &Route) -> Error {
    let host = url.parse::<url::Url>().unwrap().host_str().unwrap().to_owned();
    ask(network, url, route).await.expect_err("no answer").about(&host, route)
}

/// The same, and it is for the user to mend.
#[track_caller]
fn is_for_the_user(error: &Error, words: &[&str]) {
    let text = error.text();
    assert_eq!(error.kind(), Kind::Configuration, "{text}");
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}
