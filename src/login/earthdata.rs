//! An Earthdata Login user, by the bearer token that a person makes on the profile page.

use super::{About, Access, AccessRequest, Granted, Kind, Login, SignIn, Source};
use crate::config::{Key, Shape};
use crate::credentials::written;
use crate::error::Error;
use crate::jwt::{self, Claims};
use crate::ports::Later;
use crate::provider::Need;
use crate::secret::Secret;
use std::sync::Arc;
use url::Url;

pub const KIND: Kind = Kind {
    name: "earthdata",
    summary: "NASA Earthdata Login: a user token",
    keys: &[Key {
        name: "urs",
        shape: Shape::Url,
        required: false,
        help: "Earthdata Login's address; https://uat.urs.earthdata.nasa.gov for the test system",
    }],
    gives: &[Need::Bearer],
    build: |name, settings| {
        let urs = settings.url("urs").unwrap_or_else(production);
        Ok(Arc::new(Earthdata { name: name.to_owned(), urs }))
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
}

impl Login for Earthdata {
    fn sign_in<'a>(&'a self, from: &'a SignIn<'a>) -> Later<'a, Result<Secret, Error>> {
        Box::pin(std::future::ready(self.take(from)))
    }

    fn access<'a>(&'a self, ask: AccessRequest<'a>) -> Later<'a, Result<Granted, Error>> {
        Box::pin(async move {
            let claims = self.claims(ask.secret)?;
            self.not_over(&claims, ask.now.wall)?;
            if ask.rejected.is_some() {
                // One token is all there is: another attempt with it would be the same attempt.
                return Err(Error::sign_in(&self.name, "Earthdata Login no longer accepts the stored token"));
            }
            Ok(Granted { access: Access::Bearer(ask.secret.clone()), expires: claims.expires, rotated: None })
        })
    }

    fn asks_issuer(&self) -> bool {
        false
    }

    fn about(&self, secret: &Secret) -> About {
        let claims = jwt::claims(secret.expose()).unwrap_or_default();
        About { who: claims.uid, until: claims.expires }
    }
}

impl Earthdata {
    fn take(&self, from: &SignIn<'_>) -> Result<Secret, Error> {
        let token = match &from.source {
            Source::Text(text) => text.clone(),
            Source::Variables => from.environment.variable("EARTHDATA_TOKEN").map(Secret::new).ok_or_else(|| {
                Error::configuration("EARTHDATA_TOKEN is not set", "export it, or leave out --from-env to be asked")
            })?,
            Source::Person => {
                from.prompt.tell(&format!("Make a token at {} (\"Generate Token\"), and paste it here.", self.page()));
                from.prompt.ask_secret("Earthdata token: ")?
            }
        };
        let token = Secret::new(token.expose().trim());
        let claims = self.claims(&token)?;
        self.not_over(&claims, from.now.wall)?;
        Ok(token)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::jwt::tests::token;
    use crate::lease::tests::moment;
    use crate::ports::Http;
    use crate::ports::tests::{NoHttp, Nobody, Variables};

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
    fn a_rejected_token_is_not_offered_again() {
        let http: Arc<dyn Http> = Arc::new(NoHttp);
        let (secret, now) = (Secret::new(lasting(3600)), moment(0));
        let ask = |rejected| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let request = AccessRequest { secret: &secret, need: Need::Bearer, rejected, http: &http, now: &now };
            runtime.block_on(login().access(request))
        };
        let first = ask(None).unwrap();
        assert_eq!(first.access, Access::Bearer(secret.clone()));
        assert_eq!(ask(Some(&first.access)).unwrap_err().kind(), crate::wire::Kind::LoginRequired);
    }
}
