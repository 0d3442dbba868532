//! Sign-in on another device (RFC 8628): shows a URL and a code, asks politely until somebody used them.

use super::super::SignIn;
use super::answer::{self, Asked};
use super::endpoint::Endpoint;
use crate::error::Error;
use crate::secret::Secret;
use serde::Deserialize;
use std::time::Duration;

#[derive(Debug, Deserialize)]
struct Device {
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: Option<u64>,
    /// Five seconds if absent.
    interval: Option<u64>,
}

const LONGEST: u64 = 15 * 60;

/// The refresh token of a session that a person allowed elsewhere.
pub(super) async fn sign_in(
    endpoint: &Endpoint,
    login: &str,
    form: &[(String, Secret)],
    from: &SignIn<'_>,
) -> Result<Secret, Error> {
    let http = from.http;
    let url = endpoint.device_url(http).await?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let response = endpoint.post(&url, form, http).await?;
    if !(200..300).contains(&response.status) {
        return match answer::judge(&response, Asked::Device, login, &host, from.now) {
            Err(error) => Err(error),
            Ok(_) => Err(Error::protocol(format!("{host} answered {} to a device", response.status))),
        };
    }
    let device: Device = serde_json::from_str(response.body.expose())
        .map_err(|_| Error::protocol(format!("{host} answered a device without a code")))?;
    let (shown, code) = (crate::error::printable(&device.verification_uri), crate::error::printable(&device.user_code));
    from.prompt.tell(&format!("Open {shown} in a browser and enter the code {code}"));
    if let Some(whole) = &device.verification_uri_complete {
        from.prompt.tell(&format!("or open {}", crate::error::printable(whole)));
    }

    let mut form = form.to_vec();
    form.push(("grant_type".to_owned(), Secret::new("urn:ietf:params:oauth:grant-type:device_code")));
    form.push(("device_code".to_owned(), device.device_code.clone()));
    let url = endpoint.token_url(http).await?;
    let mut pause = Duration::from_secs(device.interval.unwrap_or(5).clamp(1, 60));
    let end = tokio::time::Instant::now() + Duration::from_secs(device.expires_in.unwrap_or(LONGEST).min(LONGEST));
    from.prompt.tell("waiting ...");
    while tokio::time::Instant::now() < end {
        tokio::time::sleep(pause).await;
        let response = match endpoint.post(&url, &form, http).await {
            // Somebody is at a browser with the code: trouble that passes does not send them away.
            Err(Error::Unavailable { .. }) => {
                pause = later(pause);
                continue;
            }
            other => other?,
        };
        match answer::refusal(&response).error.as_deref() {
            _ if matches!(response.status, 429 | 500..) => pause = later(pause),
            Some("authorization_pending") => {}
            Some("slow_down") => pause = later(pause),
            Some("expired_token") => break,
            Some("access_denied") => return Err(Error::sign_in(login, "the sign-in was refused in the browser")),
            _ => {
                let token = answer::judge(&response, Asked::Device, login, &host, from.now)?;
                return token.refresh.ok_or_else(|| {
                    let fix = format!("add scope = \"offline_access\" to [logins.{login}]");
                    Error::configuration("the issuer gave a token but no session to renew it", fix)
                });
            }
        }
    }
    Err(Error::sign_in(login, "nobody entered the code in time"))
}

/// Five seconds more for all that follow, as RFC 8628 has it.
fn later(pause: Duration) -> Duration {
    pause + Duration::from_secs(5)
}
