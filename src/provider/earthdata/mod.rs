//! NASA Earthdata: TEA and Cumulus behind one URL, told apart by what they answer.
//!
//! A bearer goes to the endpoint and, for the diagnosis of a redirect, to Earthdata Login; a cookie is never kept.
//! Where no bearer is taken, name and password are: see [`dance`].

mod answer;
mod dance;
mod presets;

use super::{Answer, Kind, Need, Provider};
use crate::access::Access;
use crate::error::Error;
use crate::jwt;
use crate::login::earthdata::production;
use crate::ports::{Http, Later, Request, Response, Route};
use crate::secret::Secret;
use crate::settings::{Key, Shape};
use answer::{Verdict, judge, judge_diagnosis};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

pub const KIND: Kind = Kind {
    name: "earthdata",
    summary: "NASA Earthdata's S3 credentials: TEA and Cumulus",
    keys: &[
        Key {
            name: "endpoint",
            shape: Shape::Url,
            required: true,
            help: "the archive's URL, which ends in /s3credentials",
        },
        Key { name: "app_name", shape: Shape::Text, required: false, help: "shown in the archive's session name" },
        Key { name: "urs", shape: Shape::Url, required: false, help: "Earthdata Login's address, if not its login's" },
        Key::CA_FILE,
        Key::PROXY,
    ],
    logins: &["earthdata"],
    as_its_login: &["urs"],
    region: "us-west-2",
    presets: presets::PRESETS,
    lacks: |_| None,
    build: |settings| {
        let app_name = settings.text("app_name").map(str::to_owned);
        if let Some(name) = &app_name
            && !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
        {
            return Err(settings.refuse(
                "app_name",
                "app_name has characters the archive refuses",
                "use A-Z a-z 0-9 _ + = , . @ -",
            ));
        }
        let endpoint =
            settings.url("endpoint").ok_or_else(|| settings.refuse("endpoint", "it has no endpoint", "add one"))?;
        let route = settings.route();
        Ok(Arc::new(Earthdata { endpoint, urs: settings.url("urs").unwrap_or_else(production), app_name, route }))
    },
};

/// A bearer fetch takes about a second; EDL behind it may take longer.
const LIMIT: Duration = Duration::from_secs(20);

type Header = (String, Secret);

#[derive(Debug)]
struct Earthdata {
    endpoint: Url,
    urs: Url,
    app_name: Option<String>,
    route: Route,
}

impl Provider for Earthdata {
    fn need(&self) -> Need {
        Need::Bearer
    }

    fn asks(&self) -> Option<Url> {
        Some(self.endpoint.clone())
    }

    fn issue<'a>(&'a self, access: &'a Access, http: &'a Arc<dyn Http>) -> Later<'a, Result<Answer, Error>> {
        Box::pin(async move {
            let token = match access {
                Access::Bearer(token) => token,
                Access::Basic { user, password, origin } => return self.dance(user, password, origin, http).await,
                _ => {
                    return Err(Error::protocol(
                        "an earthdata profile was given neither a bearer token nor a password",
                    ));
                }
            };
            let response = self.ask(&self.endpoint, bearer(token), http).await?;
            match judge(&response, &self.endpoint, &self.urs) {
                Verdict::Answer(answer) => Ok(answer),
                Verdict::Error(error) => Err(error),
                Verdict::AskEarthdataLogin { client_id } => self.diagnose(token, &client_id, http).await,
            }
        })
    }
}

impl Earthdata {
    /// Asks for data, with a header that says who we are.
    async fn ask(&self, url: &Url, who: Header, http: &Arc<dyn Http>) -> Result<Response, Error> {
        let mut headers = vec![who, ("accept".to_owned(), Secret::new("application/json"))];
        if let Some(name) = &self.app_name {
            headers.push(("app-name".to_owned(), Secret::new(name)));
        }
        self.get(url, headers, LIMIT, http).await
    }

    async fn get(
        &self,
        url: &Url,
        headers: Vec<Header>,
        limit: Duration,
        http: &Arc<dyn Http>,
    ) -> Result<Response, Error> {
        let request =
            Request { method: "GET", url: url.clone(), headers, body: None, limit, route: self.route.clone() };
        let host = url.host_str().unwrap_or_default();
        http.send(request).await.map_err(|error| error.about(host, &self.route))
    }

    /// A redirect to sign in says only that something about the bearer is wrong (or that Earthdata Login is down).
    /// Earthdata Login itself knows which.
    async fn diagnose(&self, token: &Secret, client_id: &str, http: &Arc<dyn Http>) -> Result<Answer, Error> {
        let uid = jwt::claims(token.expose()).and_then(|claims| claims.uid).unwrap_or_default();
        let mut url = self.urs.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "users", &uid]);
        }
        url.query_pairs_mut().append_pair("client_id", client_id);
        let response = self.ask(&url, bearer(token), http).await?;
        judge_diagnosis(&response, &self.endpoint, &self.urs)
    }
}

fn bearer(token: &Secret) -> Header {
    ("authorization".to_owned(), Secret::new(format!("Bearer {}", token.expose())))
}
