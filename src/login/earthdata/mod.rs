//! An Earthdata Login user: by a token that a person made on the profile page, or by name and password, for which a
//! token is fetched and renewed. A password goes to Earthdata Login's exact origin and nowhere else.

mod urs;

use super::{About, Access, AccessRequest, Elsewhere, Granted, Kind, Login, SignIn, Source, origin};
use crate::access::Need;
use crate::credentials::written;
use crate::error::Error;
use crate::jwt::{self, Claims};
use crate::netrc;
use crate::ports::{Environment, Later, Route};
use crate::secret::Secret;
use crate::settings::{Key, Shape};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;

pub const KIND: Kind = Kind {
    name: "earthdata",
    summary: "NASA Earthdata Login: a user token, or name and password",
    keys: &[
        Key {
            name: "urs",
            shape: Shape::Url,
            required: false,
            help: "Earthdata Login's address; https://uat.urs.earthdata.nasa.gov for the test system",
        },
        Key {
            name: "source",
            shape: Shape::OneOf(&["keyring", "netrc"]),
            required: false,
            help: "where name and password are; keyring if not given, filled by valetkey login",
        },
        Key { name: "netrc", shape: Shape::Path, required: false, help: "the netrc, if not ~/.netrc" },
        Key::CA_FILE,
        Key::PROXY,
    ],
    gives: &[Need::Bearer, Need::Basic],
    build: |name, settings| {
        let urs = settings.url("urs").unwrap_or_else(production);
        let netrc = match (settings.text("source"), settings.path("netrc")) {
            (Some("netrc"), file) => Some(file.unwrap_or_else(|| PathBuf::from("~/.netrc"))),
            (_, None) => None,
            (_, Some(_)) => {
                return Err(settings.refuse(
                    "netrc",
                    "netrc is named, but it is not the source",
                    "add source = \"netrc\"",
                ));
            }
        };
        Ok(Arc::new(Earthdata { name: name.to_owned(), urs, netrc, route: settings.route() }))
    },
};

/// The production system.
pub(crate) fn production() -> Url {
    Url::parse("https://urs.earthdata.nasa.gov").expect("a constant URL")
}

/// Where a person makes tokens and approves applications.
pub(crate) fn profile_page(urs: &Url) -> String {
    format!("{}/profile", urs.as_str().trim_end_matches('/'))
}

#[derive(Debug)]
struct Earthdata {
    name: String,
    urs: Url,
    /// The file in which name and password are, where they are not in the keyring.
    netrc: Option<PathBuf>,
    route: Route,
}

/// What rests in the keyring: a token as it is, or a name and password as JSON.
enum Stored {
    Token(Secret),
    Password(User),
}

#[derive(Serialize, Deserialize)]
struct User {
    username: String,
    #[serde(serialize_with = "Secret::serialize_exposed")]
    password: Secret,
}

impl Login for Earthdata {
    fn sign_in<'a>(&'a self, from: &'a SignIn<'a>) -> Later<'a, Result<Secret, Error>> {
        Box::pin(std::future::ready(self.take(from)))
    }

    fn access<'a>(&'a self, ask: AccessRequest<'a>) -> Later<'a, Result<Granted, Error>> {
        Box::pin(async move {
            match (unpack(ask.secret), ask.need) {
                (Stored::Password(user), Need::Basic) => Ok(self.grant_password(user)),
                (Stored::Token(_), Need::Basic) => {
                    let message = "a name and password are wanted, and this is a token: sign in by name, \
                                   with Enter where a token is asked for";
                    Err(Error::sign_in(&self.name, message))
                }
                (Stored::Token(token), _) => self.grant_token(token, &ask),
                (Stored::Password(user), _) => {
                    let token = self.fetch(&user, &ask).await?;
                    let expires = self.claims(&token)?.expires;
                    Ok(Granted { access: Access::Bearer(token), expires, rotated: None })
                }
            }
        })
    }

    fn asks_issuer(&self, secret: &Secret) -> bool {
        matches!(unpack(secret), Stored::Password(_))
    }

    fn given_to(&self) -> Option<String> {
        origin(&self.urs)
    }

    fn elsewhere(&self) -> Option<&dyn Elsewhere> {
        self.netrc.is_some().then_some(self)
    }

    fn about(&self, secret: &Secret) -> About {
        match unpack(secret) {
            Stored::Password(user) => About { who: Some(user.username), ..About::default() },
            Stored::Token(token) => {
                let claims = jwt::claims(token.expose()).unwrap_or_default();
                About { who: claims.uid, until: claims.expires, made_by_hand: true }
            }
        }
    }
}

impl Elsewhere for Earthdata {
    fn place(&self) -> String {
        self.netrc.as_deref().unwrap_or(Path::new("~/.netrc")).display().to_string()
    }

    fn read<'a>(&'a self, environment: &'a dyn Environment) -> Later<'a, Result<Secret, Error>> {
        Box::pin(async move {
            let file = self.netrc.as_deref().unwrap_or(Path::new("~/.netrc"));
            self.take_netrc(&environment.private_file(file).await?, &file.display().to_string())
        })
    }
}

fn unpack(secret: &Secret) -> Stored {
    match serde_json::from_str(secret.expose()) {
        Ok(user) => Stored::Password(user),
        Err(_) => Stored::Token(secret.clone()),
    }
}

impl Earthdata {
    fn take(&self, from: &SignIn<'_>) -> Result<Secret, Error> {
        let variable = |name: &str| from.environment.variable(name);
        let token = match &from.source {
            Source::Text(text) => text.clone(),
            Source::Netrc(text) => return self.take_netrc(text, "the netrc"),
            // The order in which other tools look.
            Source::Variables => {
                match (variable("EARTHDATA_TOKEN"), variable("EARTHDATA_USERNAME"), variable("EARTHDATA_PASSWORD")) {
                    (Some(token), ..) => Secret::new(token),
                    (None, Some(username), Some(password)) => {
                        return pack(User { username, password: Secret::new(password) });
                    }
                    _ => {
                        return Err(Error::configuration(
                            "neither EARTHDATA_TOKEN nor EARTHDATA_USERNAME and EARTHDATA_PASSWORD are set",
                            "export them, or leave out --from-env to be asked",
                        ));
                    }
                }
            }
            Source::Person => {
                from.prompt.tell(&format!("Make a token at {} (\"Generate Token\") and paste it here,", self.page()));
                from.prompt.tell("or press Enter to sign in with name and password.");
                let token = from.prompt.ask_secret("Earthdata token: ")?;
                if token.expose().trim().is_empty() {
                    let username = from.prompt.ask("Earthdata user name: ")?;
                    return pack(User { username, password: from.prompt.ask_secret("Password: ")? });
                }
                token
            }
        };
        let token = Secret::new(token.expose().trim());
        let claims = self.claims(&token)?;
        self.not_over(&claims, from.now.wall)?;
        Ok(token)
    }

    fn take_netrc(&self, text: &Secret, file: &str) -> Result<Secret, Error> {
        let host = self.urs.host_str().unwrap_or_default();
        let entry = netrc::find(text.expose(), host).ok_or_else(|| {
            let fix = format!("write: machine {host} login NAME password PASSWORD (a default entry is not used)");
            Error::configuration(format!("{file} has no entry for {host}"), fix)
        })?;
        pack(User { username: entry.login, password: entry.password })
    }

    fn grant_token(&self, token: Secret, ask: &AccessRequest<'_>) -> Result<Granted, Error> {
        let claims = self.claims(&token)?;
        self.not_over(&claims, ask.now.wall)?;
        if ask.rejected.is_some() {
            // One token is all there is: another attempt with it would be the same attempt.
            return Err(Error::sign_in(&self.name, "Earthdata Login does not accept the token"));
        }
        Ok(Granted { access: Access::Bearer(token), expires: claims.expires, rotated: None })
    }

    fn grant_password(&self, user: User) -> Granted {
        let origin = self.urs.origin().ascii_serialization();
        let access = Access::Basic { user: user.username, password: user.password, origin };
        // Without an end, so that nobody stores it.
        Granted { access, expires: None, rotated: None }
    }

    async fn fetch(&self, user: &User, ask: &AccessRequest<'_>) -> Result<Secret, Error> {
        let rejected = match ask.rejected {
            Some(Access::Bearer(token)) => Some(token),
            _ => None,
        };
        let (name, password) = (&user.username, &user.password);
        let user = urs::User { urs: &self.urs, route: &self.route, login: &self.name, name, password };
        user.token(rejected, ask.http, ask.now).await
    }

    fn claims(&self, token: &Secret) -> Result<Claims, Error> {
        jwt::claims(token.expose()).ok_or_else(|| {
            let page = self.page();
            Error::sign_in(
                &self.name,
                format!("this is no Earthdata token: a token is a JWT, copied whole from {page}"),
            )
        })
    }

    fn not_over(&self, claims: &Claims, now: jiff::Timestamp) -> Result<(), Error> {
        match claims.expires {
            Some(end) if end <= now => {
                let message =
                    format!("the Earthdata token expired at {}; make a new one at {}", written(end), self.page());
                Err(Error::sign_in(&self.name, message))
            }
            _ => Ok(()),
        }
    }

    fn page(&self) -> String {
        profile_page(&self.urs)
    }
}

fn pack(user: User) -> Result<Secret, Error> {
    if user.username.is_empty() || user.username.contains(':') || user.password.expose().is_empty() {
        return Err(Error::configuration("a name without `:` and a password are wanted", "sign in again with both"));
    }
    Ok(Secret::new(serde_json::to_string(&user).expect("a struct of strings is JSON")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::tests::token;
    use crate::lease::tests::moment;
    use crate::ports::Http;
    use crate::ports::tests::{NoHttp, Nobody, Variables};
    use crate::settings::Settings;

    fn login() -> Arc<dyn Login> {
        (KIND.build)("earthdata", &Settings::default()).unwrap()
    }

    fn sign_in(source: Source, variables: &[(&str, &str)]) -> Result<Secret, Error> {
        let environment = Variables::new(variables);
        let now = moment(0);
        let http: Arc<dyn Http> = Arc::new(NoHttp);
        let from = SignIn { prompt: &Nobody, environment: &environment, source, http: &http, now: &now };
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(login().sign_in(&from))
    }

    fn lasting(seconds: i64) -> String {
        let end = moment(0).wall.as_second() + seconds;
        token(&format!(r#"{{"uid":"ada","exp":{end}}}"#))
    }

    #[test]
    fn a_token_is_taken_from_text_or_variable_and_trimmed() {
        let good = lasting(3600);
        assert_eq!(sign_in(Source::Text(Secret::new(format!(" {good}\n"))), &[]).unwrap().expose(), good);
        assert_eq!(sign_in(Source::Variables, &[("EARTHDATA_TOKEN", &good)]).unwrap().expose(), good);
    }

    #[test]
    fn a_name_and_password_come_from_variables_or_a_netrc() {
        let variables = [("EARTHDATA_USERNAME", "ada"), ("EARTHDATA_PASSWORD", "p w")];
        let expected = sign_in(Source::Variables, &variables).unwrap();
        let netrc = "machine urs.earthdata.nasa.gov login ada password \"p w\"";
        assert_eq!(sign_in(Source::Netrc(Secret::new(netrc)), &[]).unwrap(), expected);
        assert!(login().asks_issuer(&expected) && !login().asks_issuer(&Secret::new(lasting(60))));
        assert_eq!(login().about(&expected).who.as_deref(), Some("ada"));
        for bad in ["default login ada password p", "machine uat.urs.earthdata.nasa.gov login ada password p"] {
            assert!(sign_in(Source::Netrc(Secret::new(bad)), &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_token_or_an_old_one_is_refused_before_anything_is_sent() {
        for bad in ["hunter2", &lasting(-1), ""] {
            let error = sign_in(Source::Text(Secret::new(bad)), &[]).unwrap_err();
            assert_eq!(error.kind(), crate::wire::Kind::LoginRequired);
            assert!(!error.text().contains("hunter2"));
        }
        assert!(sign_in(Source::Variables, &[]).is_err());
        assert!(sign_in(Source::Person, &[]).is_err(), "nobody there to ask");
    }

    #[test]
    fn a_password_is_given_for_its_own_host_without_a_request_and_a_token_is_none() {
        let http: Arc<dyn Http> = Arc::new(NoHttp);
        let now = moment(0);
        let ask = |secret: &Secret| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (need, environment) = (Need::Basic, &Variables::new(&[]));
            let request = AccessRequest { secret, need, rejected: None, http: &http, environment, now: &now };
            runtime.block_on(login().access(request))
        };
        let variables = [("EARTHDATA_USERNAME", "ada"), ("EARTHDATA_PASSWORD", "p w")];
        let granted = ask(&sign_in(Source::Variables, &variables).unwrap()).unwrap();
        let (user, password, origin) = ("ada".into(), Secret::new("p w"), "https://urs.earthdata.nasa.gov".into());
        assert_eq!(granted.access, Access::Basic { user, password, origin });
        assert!(granted.expires.is_none() && granted.rotated.is_none());
        let error = ask(&Secret::new(lasting(3600))).unwrap_err();
        assert_eq!(
            (error.kind(), error.hint().as_str()),
            (crate::wire::Kind::LoginRequired, "run: valetkey login earthdata")
        );
        assert!(error.text().contains("name and password"));
    }

    #[test]
    fn a_rejected_token_is_not_offered_again() {
        let http: Arc<dyn Http> = Arc::new(NoHttp);
        let (secret, now) = (Secret::new(lasting(3600)), moment(0));
        let ask = |rejected| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let environment = &Variables::new(&[]);
            let (need, http, now) = (Need::Bearer, &http, &now);
            let request = AccessRequest { secret: &secret, need, rejected, http, environment, now };
            runtime.block_on(login().access(request))
        };
        let first = ask(None).unwrap();
        assert_eq!(first.access, Access::Bearer(secret.clone()));
        assert_eq!(ask(Some(&first.access)).unwrap_err().kind(), crate::wire::Kind::LoginRequired);
    }
}
