//! What a token endpoint means by its answers: by the `error` it names, then by status.

use crate::error::Error;
use crate::freshness::clamp_retry_after;
use crate::jwt;
use crate::ports::{Moment, Response};
use crate::secret::Secret;
use serde::{Deserialize, Deserializer};

/// What was asked for: the same error means another thing to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Password,
    Client,
    Refresh,
    Device,
}

/// An answer's token. Only `access` is sure.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) access: Secret,
    pub(super) refresh: Option<Secret>,
    /// Seconds.
    pub(super) life: Option<i64>,
}

/// The error an OpenID server names.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    pub(super) error: Option<String>,
    pub(super) error_description: Option<String>,
}

/// Judges the answer to a token request of `login` at `host`.
pub(super) fn judge(response: &Response, asked: Asked, login: &str, host: &str, now: &Moment) -> Result<Token, Error> {
    match response.status {
        200..=299 if response.is_page() => Err(Error::unavailable(format!(
            "{host} answered {} with a web page: a login page, or a network that wants a sign-in",
            response.status
        ))),
        200..=299 => read(response, now)
            .ok_or_else(|| Error::protocol(format!("{host} answered {} but not with a token", response.status))),
        // A server of OpenID's answers where it is asked: whoever sends elsewhere is another, and learns nothing more.
        status @ 300..=399 => Err(Error::configuration(
            format!("{host} redirects ({status}): it is no token endpoint"),
            format!("check token_url of [logins.{login}], or its issuer"),
        )),
        429 | 500..=599 => {
            let retry_after = response.retry_after().map(|wait| clamp_retry_after(wait).as_secs());
            Err(Error::Unavailable { message: format!("{host} answered {}", response.status), retry_after })
        }
        status => Err(refused(response, status, asked, login, host)),
    }
}

pub(super) fn refusal(response: &Response) -> Refusal {
    serde_json::from_str(response.body.expose()).unwrap_or_default()
}

fn refused(response: &Response, status: u16, asked: Asked, login: &str, host: &str) -> Error {
    let refusal = refusal(response);
    let description = crate::error::printable(&refusal.error_description.unwrap_or_default());
    match (refusal.error.as_deref(), status) {
        // Keycloak says so in JSON with an `error`, a gateway before it in HTML.
        (_, 404) => Error::configuration(
            format!("{host} has no such realm (404)"),
            format!("check token_url of [logins.{login}]: the realm, and /auth or /keycloak before /realms"),
        ),
        (Some("invalid_grant"), _) if description.contains("not fully set up") => {
            Error::sign_in(login, format!("{host} wants something of you in a browser first: {description}"))
        }
        (Some("invalid_grant"), _) if asked == Asked::Refresh => {
            // Of the second nobody knows for sure: the process that asked was killed, or the answer never came.
            let why = "it ended there, or its last renewal was cut off before the new secret could be kept";
            Error::sign_in(login, format!("the session at {host} is over ({description}): {why}"))
        }
        (Some("invalid_grant"), _) => Error::sign_in(
            login,
            format!(
                "{host} refuses the sign-in ({description}): a wrong password, a locked account, or trouble behind it"
            ),
        ),
        (Some("invalid_client" | "unauthorized_client"), _) if asked == Asked::Client => Error::sign_in(
            login,
            format!("{host} refuses the client's secret, or does not let it use this grant ({description})"),
        ),
        (Some(error @ ("invalid_client" | "unauthorized_client")), _) => Error::configuration(
            format!("{host} does not let this client sign in so: {error} ({description})"),
            format!("check client_id and grant of [logins.{login}]"),
        ),
        (None, 401 | 403) => Error::sign_in(login, format!("{host} refuses the sign-in and says no more ({status})")),
        (Some(error), _) => Error::configuration(
            format!("{host} refuses the request: {} ({description})", crate::error::printable(error)),
            format!("check [logins.{login}]"),
        ),
        (None, _) => Error::protocol(format!("{host} answered {status}: {}", response.excerpt())),
    }
}

fn read(response: &Response, now: &Moment) -> Option<Token> {
    #[derive(Deserialize)]
    struct Body {
        access_token: Secret,
        refresh_token: Option<Secret>,
        #[serde(default, deserialize_with = "seconds")]
        expires_in: Option<i64>,
    }
    let body: Body = serde_json::from_str(response.body.expose()).ok()?;
    // The token's own span, where the answer says nothing: its end alone would be by another's clock.
    let claims = jwt::claims(body.access_token.expose()).unwrap_or_default();
    let until = claims.expires.map(|end| end.as_second() - now.wall.as_second());
    let life = body.expires_in.or(claims.life).or(until).filter(|life| *life > 0);
    let refresh = body.refresh_token.filter(|token| !token.expose().is_empty());
    Some(Token { access: body.access_token, refresh, life })
}

/// A number, or a text of one as some servers write it. What is neither says nothing: no reason to lose a token, or the
/// session's next secret beside it.
fn seconds<'de, D: Deserializer<'de>>(source: D) -> Result<Option<i64>, D::Error> {
    let number = match serde_json::Value::deserialize(source)? {
        serde_json::Value::String(text) => text.trim().parse().ok(),
        value => value.as_f64(),
    };
    Ok(number.map(|seconds| seconds as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::tests::moment;
    use crate::wire::Kind;

    fn judged(status: u16, body: &str, asked: Asked) -> Result<Token, Error> {
        let response = Response { status, headers: Vec::new(), body: Secret::new(body) };
        judge(&response, asked, "shasta", "api-gw.local", &moment(0))
    }

    #[test]
    fn only_the_access_token_is_sure() {
        let whole = judged(
            200,
            r#"{"access_token":"a","token_type":"bearer","expires_in":300,"refresh_token":"r"}"#,
            Asked::Password,
        )
        .unwrap();
        assert_eq!((whole.life, whole.refresh.is_some()), (Some(300), true));
        let bare = judged(200, r#"{"access_token":"a"}"#, Asked::Client).unwrap();
        assert_eq!((bare.life, bare.refresh.is_some()), (None, false));
        let offline = judged(
            200,
            r#"{"access_token":"a","expires_in":60,"refresh_expires_in":0,"refresh_token":"r"}"#,
            Asked::Refresh,
        );
        assert!(offline.unwrap().refresh.is_some());
        let span = crate::jwt::tests::token(r#"{"iat":100,"exp":31536100}"#);
        assert_eq!(
            judged(200, &format!(r#"{{"access_token":"{span}"}}"#), Asked::Client).unwrap().life,
            Some(31_536_000)
        );
    }

    #[test]
    fn a_life_that_is_written_otherwise_loses_neither_the_token_nor_the_session() {
        for (life, read) in [
            ("300", Some(300)),
            ("\"300\"", Some(300)),
            ("299.9", Some(299)),
            ("\"soon\"", None),
            ("{}", None),
            ("null", None),
        ] {
            let body = format!(r#"{{"access_token":"a","expires_in":{life},"refresh_token":"next"}}"#);
            let token = judged(200, &body, Asked::Refresh).unwrap();
            assert_eq!((token.life, token.refresh), (read, Some(Secret::new("next"))), "{life}");
        }
    }

    #[test]
    fn refusals_are_told_apart_by_error_then_status() {
        let grant = r#"{"error":"invalid_grant","error_description":"Invalid user credentials"}"#;
        let setup = r#"{"error":"invalid_grant","error_description":"Account is not fully set up"}"#;
        let client = r#"{"error":"unauthorized_client","error_description":"Invalid client secret"}"#;
        for (status, body, asked, kind, said) in [
            (401, grant, Asked::Password, Kind::LoginRequired, "locked"),
            (400, grant, Asked::Password, Kind::LoginRequired, "wrong password"),
            (400, grant, Asked::Refresh, Kind::LoginRequired, "over"),
            (400, setup, Asked::Password, Kind::LoginRequired, "browser"),
            (401, client, Asked::Client, Kind::LoginRequired, "client's secret"),
            (400, client, Asked::Password, Kind::Configuration, "client_id"),
            (404, "<html>", Asked::Password, Kind::Configuration, "realm"),
            (404, r#"{"error":"Realm does not exist"}"#, Asked::Password, Kind::Configuration, "/keycloak before"),
            (403, "", Asked::Password, Kind::LoginRequired, "says no more"),
            (302, "", Asked::Password, Kind::Configuration, "check token_url of [logins.shasta]"),
            (503, "", Asked::Refresh, Kind::Unavailable, "503"),
            (400, r#"{"error":"invalid_scope"}"#, Asked::Password, Kind::Configuration, "invalid_scope"),
            (200, "<html>", Asked::Password, Kind::Unavailable, "web page"),
            (200, "{}", Asked::Password, Kind::Protocol, "not with a token"),
        ] {
            let error = judged(status, body, asked).unwrap_err();
            assert_eq!(error.kind(), kind, "{status} {body}");
            assert!(error.text().contains(said), "{said}: {}", error.text());
        }
    }
}
