//! Where an OpenID server is asked: a full token URL, or what the realm's discovery says.

use crate::error::Error;
use crate::ports::{Http, Request, Response, Route};
use crate::secret::Secret;
use crate::settings::Settings;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// One realm's endpoints.
#[derive(Debug)]
pub(super) struct Endpoint {
    token_url: Option<Url>,
    issuer: Option<Url>,
    route: Route,
}

#[derive(Debug, Deserialize)]
struct Discovery {
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
}

const LIMIT: Duration = Duration::from_secs(20);

impl Endpoint {
    pub(super) fn new(settings: &Settings, needed: bool) -> Result<Endpoint, Error> {
        let (token_url, issuer) = (settings.url("token_url"), settings.url("issuer"));
        if needed && token_url.is_none() && issuer.is_none() {
            let fix = "add token_url = \"https://HOST/keycloak/realms/REALM/protocol/openid-connect/token\"";
            return Err(settings.refuse("token_url", "it has neither token_url nor issuer", fix));
        }
        Ok(Endpoint { token_url, issuer, route: settings.route() })
    }

    /// One of the two, of one and the same host: see [`Endpoint::same_place`].
    pub(super) fn url(&self) -> Option<&Url> {
        self.token_url.as_ref().or(self.issuer.as_ref())
    }

    pub(super) async fn token_url(&self, http: &Arc<dyn Http>) -> Result<Url, Error> {
        match &self.token_url {
            Some(url) => Ok(url.clone()),
            None => {
                let found = self.discover(http).await?;
                self.same_place(&found.token_endpoint)
            }
        }
    }

    /// Beside the token endpoint where discovery is not used: Keycloak's own place for it.
    pub(super) async fn device_url(&self, http: &Arc<dyn Http>) -> Result<Url, Error> {
        if let Some(url) = &self.token_url {
            let path = url.path().trim_end_matches("token").to_owned() + "auth/device";
            let mut url = url.clone();
            url.set_path(&path);
            return Ok(url);
        }
        let found = self.discover(http).await?.device_authorization_endpoint;
        let found =
            found.ok_or_else(|| Error::configuration("the realm has no device sign-in", "use another grant"))?;
        self.same_place(&found)
    }

    /// Posts a form. Values are encoded: a password may hold `&`, `+` and `%`.
    pub(super) async fn post(
        &self,
        url: &Url,
        form: &[(String, Secret)],
        http: &Arc<dyn Http>,
    ) -> Result<Response, Error> {
        let headers = vec![
            ("content-type".to_owned(), Secret::new("application/x-www-form-urlencoded")),
            ("accept".to_owned(), Secret::new("application/json")),
        ];
        let body = Some(encoded(form));
        self.send(
            Request { method: "POST", url: url.clone(), headers, body, limit: LIMIT, route: self.route.clone() },
            http,
        )
        .await
    }

    async fn discover(&self, http: &Arc<dyn Http>) -> Result<Discovery, Error> {
        let issuer = self.issuer.as_ref().ok_or_else(|| Error::protocol("a realm without a URL"))?;
        let mut url = issuer.clone();
        url.set_path(&format!("{}/.well-known/openid-configuration", issuer.path().trim_end_matches('/')));
        let headers = vec![("accept".to_owned(), Secret::new("application/json"))];
        let request = Request { method: "GET", url, headers, body: None, limit: LIMIT, route: self.route.clone() };
        let response = self.send(request, http).await?;
        match response.status {
            200 if response.is_page() => Err(Error::unavailable(format!("{issuer} answered 200 with a web page"))),
            200 => serde_json::from_str(response.body.expose())
                .map_err(|_| Error::protocol(format!("the discovery document of {issuer} cannot be read"))),
            status @ 300..=399 => {
                let message = format!("{issuer} redirects ({status}): it is no realm");
                Err(Error::configuration(message, "check issuer in the config, or write token_url instead"))
            }
            429 | 500..=599 => Err(Error::unavailable(format!("{issuer} answered {}", response.status))),
            status => {
                let fix =
                    "check issuer in the config: https://HOST/realms/REALM, or with /auth or /keycloak before /realms";
                Err(Error::configuration(format!("there is no realm at {issuer} ({status})"), fix))
            }
        }
    }

    /// A discovery document may not send our secrets to another host.
    fn same_place(&self, text: &str) -> Result<Url, Error> {
        let url = Url::parse(text)
            .ok()
            .filter(|url| self.issuer.as_ref().is_some_and(|issuer| issuer.origin() == url.origin()));
        url.ok_or_else(|| {
            Error::configuration(
                "the realm's discovery names a token endpoint on another host",
                "set token_url in the config if that is right",
            )
        })
    }

    async fn send(&self, request: Request, http: &Arc<dyn Http>) -> Result<Response, Error> {
        let host = request.url.host_str().unwrap_or_default().to_owned();
        http.send(request).await.map_err(|error| error.about(&host, &self.route))
    }
}

fn encoded(form: &[(String, Secret)]) -> Secret {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in form {
        body.append_pair(name, value.expose());
    }
    Secret::new(body.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_secret_with_any_character_is_sent_whole() {
        let form = [("client_secret".to_owned(), Secret::new("a&b+c%d e"))];
        assert_eq!(encoded(&form).expose(), "client_secret=a%26b%2Bc%25d+e");
    }
}
