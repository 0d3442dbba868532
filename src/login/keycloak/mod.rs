//! A user or client of Keycloak (HPE Cray's, or any OpenID server of its kind), by one of five grants.

mod answer;
mod device;
mod endpoint;
#[cfg(test)]
mod tests;

use super::{About, Access, AccessRequest, Granted, Kind, Login, SignIn, Source, origin};
use crate::access::Need;
use crate::error::Error;
use crate::jwt;
use crate::ports::{Http, Later, Moment};
use crate::secret::Secret;
use crate::settings::{Key, Settings, Shape};
use answer::{Asked, Token};
use endpoint::Endpoint;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub const KIND: Kind = Kind {
    name: "keycloak",
    summary: "Keycloak: a password, a client's secret, a device's code, or a token",
    keys: &[
        Key { name: "token_url", shape: Shape::Url, required: false, help: "the token endpoint, whole" },
        Key {
            name: "issuer",
            shape: Shape::Url,
            required: false,
            help: "or the realm's URL, whose discovery names it",
        },
        Key { name: "client_id", shape: Shape::Text, required: false, help: "shasta if not given" },
        Key {
            name: "grant",
            shape: Shape::OneOf(&["password", "client", "device", "token"]),
            required: false,
            help: "how to sign in; password if not given",
        },
        Key { name: "username", shape: Shape::Text, required: false, help: "asked for if not given" },
        Key { name: "scope", shape: Shape::Text, required: false, help: "offline_access keeps a session for good" },
        Key { name: "fields", shape: Shape::List, required: false, help: "more form fields: [\"rsa_username=ada\"]" },
        Key::CA_FILE,
        Key::PROXY,
    ],
    gives: &[Need::Bearer, Need::WebIdentity],
    build: |name, settings| Ok(Arc::new(Keycloak::new(name, settings)?)),
};

#[derive(Debug)]
struct Keycloak {
    name: String,
    grant: Grant,
    endpoint: Endpoint,
    client_id: String,
    username: Option<String>,
    scope: Option<String>,
    fields: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grant {
    Password,
    Client,
    Device,
    Token,
}

/// What rests in the keyring, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Stored {
    Password {
        username: String,
        #[serde(serialize_with = "Secret::serialize_exposed")]
        password: Secret,
    },
    Client(#[serde(serialize_with = "Secret::serialize_exposed")] Secret),
    /// Of a device's sign-in or an offline session. The issuer may exchange it at each use.
    Refresh(#[serde(serialize_with = "Secret::serialize_exposed")] Secret),
    Token(#[serde(serialize_with = "Secret::serialize_exposed")] Secret),
}

impl Keycloak {
    fn new(name: &str, settings: &Settings) -> Result<Keycloak, Error> {
        let grant = match settings.text("grant") {
            Some("client") => Grant::Client,
            Some("device") => Grant::Device,
            Some("token") => Grant::Token,
            _ => Grant::Password,
        };
        let fields = settings.list("fields").iter().map(|field| {
            let pair = field.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
            pair.ok_or_else(|| settings.refuse("fields", "a field has no =", "write \"name=value\""))
        });
        Ok(Keycloak {
            name: name.to_owned(),
            grant,
            endpoint: Endpoint::new(settings, grant != Grant::Token)?,
            client_id: settings.text("client_id").unwrap_or("shasta").to_owned(),
            username: settings.text("username").map(str::to_owned),
            scope: settings.text("scope").map(str::to_owned),
            fields: fields.collect::<Result<_, Error>>()?,
        })
    }

    async fn take(&self, from: &SignIn<'_>) -> Result<Secret, Error> {
        if matches!(from.source, Source::Netrc(_)) {
            return Err(super::no_netrc(KIND.name));
        }
        let stored = match self.grant {
            Grant::Password => self.take_password(from).await?,
            Grant::Client => Stored::Client(self.given(from, "KEYCLOAK_CLIENT_SECRET", "Client secret: ")?),
            Grant::Device => {
                let refresh = device::sign_in(&self.endpoint, &self.name, &self.form(), from).await?;
                Stored::Refresh(refresh)
            }
            Grant::Token => {
                let token = jwt::bare(&self.given(from, "TOKEN", "Token: ")?);
                if jwt::claims(token.expose()).is_none() {
                    return Err(Error::sign_in(&self.name, "this is no token: a token is a JWT of three parts"));
                }
                Stored::Token(token)
            }
        };
        Ok(pack(&stored))
    }

    /// A user's password; with an offline scope it is spent at once for a session, and not kept.
    async fn take_password(&self, from: &SignIn<'_>) -> Result<Stored, Error> {
        let username = match &self.username {
            Some(username) => username.clone(),
            None => match &from.source {
                Source::Variables => {
                    from.environment.variable("KEYCLOAK_USERNAME").ok_or_else(|| unset("KEYCLOAK_USERNAME"))?
                }
                Source::Person => from.prompt.ask("Username: ")?,
                Source::Text(_) | Source::Netrc(_) => {
                    let fix = format!("set username in [logins.{}]", self.name);
                    return Err(Error::configuration("a file holds the password alone, and no username is set", fix));
                }
            },
        };
        let password = self.given(from, "KEYCLOAK_PASSWORD", "Password: ")?;
        let stored = Stored::Password { username, password };
        if !self.asks_at_sign_in() {
            return Ok(stored);
        }
        let token = self.ask(&stored, from.http, from.now).await?;
        let refresh = token.refresh.ok_or_else(|| {
            let fix = "leave out scope, or have the realm allow offline_access";
            Error::configuration("the issuer gave no session for offline_access", fix)
        })?;
        Ok(Stored::Refresh(refresh))
    }

    fn given(&self, from: &SignIn<'_>, variable: &str, question: &str) -> Result<Secret, Error> {
        let given = match &from.source {
            // `echo` ends its line, and a secret has no lines.
            Source::Text(text) | Source::Netrc(text) => Secret::new(text.expose().trim_end_matches(['\r', '\n'])),
            Source::Variables => from.environment.variable(variable).map(Secret::new).ok_or_else(|| unset(variable))?,
            Source::Person => from.prompt.ask_secret(question)?,
        };
        // Sent, it would count as a failed attempt.
        if given.expose().is_empty() {
            return Err(Error::configuration("an empty secret was given", "sign in again with one"));
        }
        Ok(given)
    }

    /// What every request to the token endpoint has.
    fn form(&self) -> Vec<(String, Secret)> {
        let mut form = vec![("client_id".to_owned(), Secret::new(&self.client_id))];
        form.extend(self.scope.iter().map(|scope| ("scope".to_owned(), Secret::new(scope))));
        form.extend(self.fields.iter().map(|(name, value)| (name.clone(), Secret::new(value))));
        form
    }

    async fn ask(&self, stored: &Stored, http: &Arc<dyn Http>, now: &Moment) -> Result<Token, Error> {
        let mut form = self.form();
        let mut add = |name: &str, value: &Secret| form.push((name.to_owned(), value.clone()));
        let asked = match stored {
            Stored::Password { username, password } => {
                add("grant_type", &Secret::new("password"));
                add("username", &Secret::new(username));
                add("password", password);
                Asked::Password
            }
            Stored::Client(secret) => {
                add("grant_type", &Secret::new("client_credentials"));
                add("client_secret", secret);
                Asked::Client
            }
            Stored::Refresh(refresh) => {
                add("grant_type", &Secret::new("refresh_token"));
                add("refresh_token", refresh);
                Asked::Refresh
            }
            Stored::Token(_) => return Err(Error::protocol("a token is not asked for")),
        };
        let url = self.endpoint.token_url(http).await?;
        let response = self.endpoint.post(&url, &form, http).await?;
        answer::judge(&response, asked, &self.name, url.host_str().unwrap_or_default(), now)
    }

    async fn grant(&self, ask: AccessRequest<'_>) -> Result<Granted, Error> {
        let stored: Stored = serde_json::from_str(ask.secret.expose())
            .map_err(|_| Error::sign_in(&self.name, "what the keyring holds is of another grant"))?;
        if let Stored::Token(token) = stored {
            let expires = jwt::claims(token.expose()).and_then(|claims| claims.expires);
            if ask.rejected.is_some() {
                return Err(Error::sign_in(&self.name, "the token is not accepted"));
            }
            return match expires {
                Some(end) if end <= ask.now.wall => {
                    let end = crate::credentials::written(end);
                    Err(Error::sign_in(&self.name, format!("the token expired at {end}")))
                }
                _ => Ok(Granted { access: Access::Bearer(token), expires, rotated: None }),
            };
        }
        let token = self.ask(&stored, ask.http, ask.now).await?;
        // No refresh token in the answer means that the old one stays.
        let rotated = match (&stored, token.refresh) {
            (Stored::Refresh(old), Some(new)) if *old != new => Some(pack(&Stored::Refresh(new))),
            _ => None,
        };
        let expires = token.life.and_then(|life| ask.now.wall.checked_add(SignedDuration::from_secs(life)).ok());
        Ok(Granted { access: Access::Bearer(token.access), expires: expires.or(far(ask.now)), rotated })
    }
}

impl Login for Keycloak {
    fn sign_in<'a>(&'a self, from: &'a SignIn<'a>) -> Later<'a, Result<Secret, Error>> {
        Box::pin(self.take(from))
    }

    fn access<'a>(&'a self, ask: AccessRequest<'a>) -> Later<'a, Result<Granted, Error>> {
        Box::pin(self.grant(ask))
    }

    /// As the stored secret is, not as the config says by now.
    fn asks_issuer(&self, secret: &Secret) -> bool {
        !matches!(serde_json::from_str(secret.expose()), Ok(Stored::Token(_)))
    }

    fn rotates(&self, secret: &Secret) -> bool {
        matches!(serde_json::from_str(secret.expose()), Ok(Stored::Refresh(_)))
    }

    fn given_to(&self) -> Option<String> {
        self.endpoint.url().filter(|_| self.grant != Grant::Token).and_then(origin)
    }

    fn asks_at_sign_in(&self) -> bool {
        let offline = self.scope.as_deref().is_some_and(|scope| scope.split(' ').any(|word| word == "offline_access"));
        self.grant == Grant::Password && offline
    }

    fn about(&self, secret: &Secret) -> About {
        let stored = serde_json::from_str(secret.expose());
        // A session lives on with each use; a token that was pasted ends.
        let made_by_hand = matches!(stored, Ok(Stored::Token(_)));
        match stored {
            Ok(Stored::Password { username, .. }) => About { who: Some(username), ..About::default() },
            Ok(Stored::Client(_)) => About { who: Some(self.client_id.clone()), ..About::default() },
            Ok(Stored::Refresh(token) | Stored::Token(token)) => {
                // A session's own token has an account's number at best.
                let named = if made_by_hand || self.grant != Grant::Password { None } else { self.username.clone() };
                let claims = jwt::claims(token.expose()).unwrap_or_default();
                About { who: named.or(claims.uid), until: claims.expires, made_by_hand }
            }
            Err(_) => About::default(),
        }
    }
}

/// A token without any word of its life counts as good for five minutes: long enough to be shared, short for a guess.
fn far(now: &Moment) -> Option<Timestamp> {
    now.wall.checked_add(SignedDuration::from_mins(5)).ok()
}

fn pack(stored: &Stored) -> Secret {
    Secret::new(serde_json::to_string(stored).expect("an enum of strings is JSON"))
}

fn unset(variable: &str) -> Error {
    Error::configuration(format!("{variable} is not set"), "export it, or leave out --from-env to be asked")
}
