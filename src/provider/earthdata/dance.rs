//! The password dance: a sign-in at Earthdata Login as a browser does it, for an endpoint that takes no bearer.
//!
//! Name and password go to Earthdata Login's origin and cookies to the endpoint's, each to nobody else and kept for this
//! one attempt. No redirect is followed that leads elsewhere. Every answer is judged by a function of it alone.

use super::super::Answer;
use super::Earthdata;
use super::answer::{Verdict, judge, protocol, unavailable};
use crate::error::{Error, printable};
use crate::login;
use crate::ports::{Http, Response};
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Of each step but the last: all together end within a flight's limit.
const LIMIT: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests;

impl Earthdata {
    /// Asks with the name and password of the Earthdata Login at `origin`.
    pub(super) async fn dance(
        &self,
        user: &str,
        password: &Secret,
        origin: &str,
        http: &Arc<dyn Http>,
    ) -> Result<Answer, Error> {
        let (endpoint, urs) = (&self.endpoint, &self.urs);
        if urs.origin().ascii_serialization() != origin {
            let message = format!("the name and password are for {origin}, but this profile signs in at {urs}");
            return Err(Error::configuration(message, "write the same urs for the profile and for its login"));
        }
        let page = sign_in_page(&self.get(endpoint, Vec::new(), LIMIT, http).await?, endpoint, urs)?;
        let pair = Secret::new(format!("{user}:{}", password.expose()));
        let encoded = Secret::new(STANDARD.encode(pair.expose()));
        let basic = ("authorization".to_owned(), Secret::new(format!("Basic {}", encoded.expose())));
        let callback = match callback(&self.get(&page, vec![basic], LIMIT, http).await?, &page, endpoint, urs) {
            // The secret itself is refused: no other answer of these four says that.
            Err(error @ Error::LoginRequired { .. }) => return Ok(Answer::Rejected(error)),
            other => other?,
        };
        // Where it wants to send us next is anyone's choice: TEA takes that from the request.
        let cookies = cookies(&self.get(&callback, Vec::new(), LIMIT, http).await?, &page, endpoint, urs)?;
        let response = self.ask(endpoint, ("cookie".to_owned(), cookies), http).await?;
        match judge(&response, endpoint, urs) {
            Verdict::Answer(issued @ Answer::Issued(_)) => Ok(issued),
            Verdict::Error(error) => Err(error),
            Verdict::Answer(_) | Verdict::AskEarthdataLogin { .. } => {
                let (host, status) = (host(endpoint), response.status);
                let message = format!("{host} does not accept the cookie that it set for the sign-in ({status})");
                Err(protocol(&response, message))
            }
        }
    }
}

/// Step 1, the endpoint's answer to nobody: Earthdata Login's page for signing in there.
fn sign_in_page(response: &Response, endpoint: &Url, urs: &Url) -> Result<Url, Error> {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return Err(out_of_step(response, host(endpoint)));
    }
    let path = format!("{}/oauth/authorize", urs.path().trim_end_matches('/'));
    let page = location(response).filter(|page| page.origin() == urs.origin() && page.path() == path);
    page.ok_or_else(|| {
        Error::configuration(
            format!("{} redirects ({}), but not to the sign-in of {}", host(endpoint), response.status, host(urs)),
            "check endpoint and urs in the config",
        )
    })
}

/// Step 2, Earthdata Login's answer to name and password: the way back to the endpoint.
fn callback(response: &Response, page: &Url, endpoint: &Url, urs: &Url) -> Result<Url, Error> {
    let (host, login) = (host(endpoint), host(urs));
    let sign_in = |message| Err(Error::sign_in(login::earthdata::KIND.name, message));
    match response.status {
        302 | 303 => {}
        401 => return sign_in(format!("{login} refuses the user name or the password")),
        // Another attempt with the same might lock the account.
        200 if response.is_page() => return sign_in(format!("{login} shows its form to the user name and password")),
        403 => return Err(not_approved(page, endpoint, urs)),
        _ => return Err(out_of_step(response, login)),
    }
    let to = location(response);
    let error = to.as_ref().and_then(|to| parameter(to, "error"));
    match (to, error.as_deref()) {
        (Some(to), None) if to.origin() == endpoint.origin() => Ok(to),
        (Some(_), Some("access_denied")) => Err(not_approved(page, endpoint, urs)),
        // To a page for a person.
        (Some(to), None) if to.origin() == urs.origin() => Err(not_approved(page, endpoint, urs)),
        (Some(_), Some(error)) => {
            let error: String = printable(error).chars().take(60).collect();
            Err(protocol(response, format!("{login} lets nobody sign in for {host}: {error}")))
        }
        _ => Err(protocol(response, format!("{login} sends elsewhere than back to {host} after a sign-in"))),
    }
}

/// Step 3, the endpoint's answer to who comes back: a Cookie header of what it sets. Its Location counts for nothing.
fn cookies(response: &Response, page: &Url, endpoint: &Url, urs: &Url) -> Result<Secret, Error> {
    match response.status {
        200..=399 => {}
        401 | 403 => return Err(not_approved(page, endpoint, urs)),
        _ => return Err(out_of_step(response, host(endpoint))),
    }
    let mut jar: Vec<(&str, &str)> = Vec::new();
    for (_, text) in response.headers.iter().filter(|(name, _)| name == "set-cookie") {
        let pair = text.split(';').next().and_then(|pair| pair.split_once('='));
        let Some((name, value)) = pair.map(|(name, value)| (name.trim(), value.trim())) else { continue };
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if plain(name) && plain(value) {
            jar.retain(|(known, _)| *known != name);
            jar.push((name, value));
        }
    }
    if jar.is_empty() {
        return Err(protocol(response, format!("{} sets no cookie after a sign-in", host(endpoint))));
    }
    let mut header = zeroize::Zeroizing::new(String::new());
    for (name, value) in jar {
        let between = if header.is_empty() { "" } else { "; " };
        header.extend([between, name, "=", value]);
    }
    Ok(Secret::new(header.as_str()))
}

/// An absolute URL without a user in it. What is relative would stay on the host that sends it: no step does that.
fn location(response: &Response) -> Option<Url> {
    let mut url = Url::parse(response.header("location")?).ok()?;
    url.set_fragment(None);
    (url.username().is_empty() && url.password().is_none()).then_some(url)
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn not_approved(page: &Url, endpoint: &Url, urs: &Url) -> Error {
    let approve = parameter(page, "client_id").map(|client_id| {
        let mut url = urs.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("approve_app");
        }
        url.query_pairs_mut().append_pair("client_id", &client_id);
        String::from(url)
    });
    Error::Denied {
        message: format!(
            "{} does not let you in at {}: its application or EULA is not approved",
            host(urs),
            host(endpoint)
        ),
        url: Some(approve.unwrap_or_else(|| login::earthdata::profile_page(urs))),
        hint: "approve it in a browser, then wait a minute".into(),
    }
}

/// An answer that is no step of the dance.
fn out_of_step(response: &Response, host: &str) -> Error {
    match response.status {
        429 | 500..=599 => unavailable(response, format!("{host} answered {} to a sign-in", response.status)),
        200..=299 if response.is_page() => unavailable(
            response,
            format!("{host} answered with a web page, which may be a network's that wants a sign-in"),
        ),
        status => protocol(response, format!("{host} answered {status} to a sign-in")),
    }
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}
