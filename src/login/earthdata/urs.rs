//! Earthdata Login's own interface: user tokens for a name and password, which go to its exact origin and nowhere else.

use crate::error::Error;
use crate::freshness::clamp_retry_after;
use crate::jwt;
use crate::ports::{Http, Moment, Request, Response, Route};
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// A user at one Earthdata Login.
#[derive(Debug)]
pub(super) struct User<'a> {
    pub(super) urs: &'a Url,
    pub(super) route: &'a Route,
    pub(super) login: &'a str,
    pub(super) name: &'a str,
    pub(super) password: &'a Secret,
}

const LIMIT: Duration = Duration::from_secs(20);

impl User<'_> {
    /// A user token other than `rejected`: the one that is there, or a new one where that one is over.
    ///
    /// A user has two tokens at most, and others may use them: only one that is over by its own word is revoked, and by
    /// the clock of who made it, where that is told.
    pub(super) async fn token(
        &self,
        rejected: Option<&Secret>,
        http: &Arc<dyn Http>,
        now: &Moment,
    ) -> Result<Secret, Error> {
        let (found, date) = self.ask("find_or_create_token", None, http).await?;
        let now = date.unwrap_or(now.wall);
        let over = |token: &Secret| {
            let end = jwt::claims(token.expose()).and_then(|claims| claims.expires);
            end.is_some_and(|end| end.as_second() <= now.as_second() + 60)
        };
        if over(&found) {
            // What find_or_create hands back may be long over; it makes room for a new one.
            self.revoke(&found, http).await?;
            return self.make(http).await;
        }
        if Some(&found) == rejected { self.make(http).await } else { Ok(found) }
    }

    async fn make(&self, http: &Arc<dyn Http>) -> Result<Secret, Error> {
        Ok(self.ask("token", None, http).await?.0)
    }

    /// A token, and the time there.
    async fn ask(
        &self,
        what: &str,
        token: Option<&Secret>,
        http: &Arc<dyn Http>,
    ) -> Result<(Secret, Option<Timestamp>), Error> {
        #[derive(Deserialize)]
        struct Body {
            access_token: Secret,
        }
        let response = self.post(what, token, http).await?;
        let host = self.host();
        match response.status {
            200..=299 if response.is_page() => Err(Error::unavailable(format!(
                "{host} answered {} with a web page: a network that wants a sign-in, perhaps",
                response.status
            ))),
            200..=299 => {
                let body: Option<Body> = serde_json::from_str(response.body.expose()).ok();
                let token = body.map(|body| body.access_token).filter(|token| jwt::claims(token.expose()).is_some());
                let token = token.ok_or_else(|| {
                    Error::protocol(format!("{host} answered {} but not with a token", response.status))
                });
                Ok((token?, response.date()))
            }
            _ => Err(self.refused(&response)),
        }
    }

    async fn revoke(&self, token: &Secret, http: &Arc<dyn Http>) -> Result<(), Error> {
        let response = self.post("revoke_token", Some(token), http).await?;
        if response.status < 300 { Ok(()) } else { Err(self.refused(&response)) }
    }

    async fn post(&self, what: &str, token: Option<&Secret>, http: &Arc<dyn Http>) -> Result<Response, Error> {
        let mut url = self.urs.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "users", what]);
        }
        if let Some(token) = token {
            url.query_pairs_mut().append_pair("token", token.expose());
        }
        let basic = Secret::new(STANDARD.encode(format!("{}:{}", self.name, self.password.expose())));
        let headers = vec![
            ("authorization".to_owned(), Secret::new(format!("Basic {}", basic.expose()))),
            ("accept".to_owned(), Secret::new("application/json")),
        ];
        let request = Request { method: "POST", url, headers, body: None, limit: LIMIT, route: self.route.clone() };
        http.send(request).await.map_err(|error| error.about(&self.host(), self.route))
    }

    fn refused(&self, response: &Response) -> Error {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Refusal {
            error: Option<String>,
        }
        let refusal: Refusal = serde_json::from_str(response.body.expose()).unwrap_or_default();
        let host = self.host();
        match (refusal.error.as_deref(), response.status) {
            (Some("max_token_limit"), _) => Error::Denied {
                message: format!(
                    "{host} gives no third token, and both that you have are refused by the archive or unknown here"
                ),
                url: Some(super::profile_page(self.urs)),
                hint: "revoke one that you no longer use".into(),
            },
            (Some("invalid_credentials"), _) | (_, 401) => {
                Error::sign_in(self.login, format!("{host} refuses the user name or the password"))
            }
            (_, status @ 300..=399) => Error::configuration(
                format!("{host} redirects ({status}): it is no Earthdata Login"),
                format!("check urs of [logins.{}]", self.login),
            ),
            (_, 429 | 500..=599) => {
                let retry_after = response.retry_after().map(|wait| clamp_retry_after(wait).as_secs());
                Error::Unavailable { message: format!("{host} answered {}", response.status), retry_after }
            }
            (error, status) => {
                let error = crate::error::printable(error.unwrap_or("no reason given"));
                Error::Denied {
                    message: format!("{host} gives no token: {error} ({status})"),
                    url: Some(super::profile_page(self.urs)),
                    hint: "see your profile in a browser".into(),
                }
            }
        }
    }

    fn host(&self) -> String {
        self.urs.host_str().unwrap_or_default().to_owned()
    }
}
