//! The role of an EC2 instance: asked of the machine's own metadata by IMDSv2, never by the older protocol.

use super::keys::Keys;
use crate::credentials::written;
use crate::error::{Error, printable};
use crate::ports::{Http, Moment, Request, Response, Route};
use crate::secret::Secret;
use crate::settings::is_this_machine;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Where every instance finds its metadata.
pub(super) fn usual() -> Url {
    Url::parse("http://169.254.169.254").expect("a constant URL")
}

/// The address of a setting: the well-known ones, or a stand-in's on the loopback. Keys come back in the clear.
pub(super) fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let bare = url.path() == "/" && url.query().is_none() && url.username().is_empty() && url.password().is_none();
    (url.scheme() == "http" && bare && is_this_machine(&url)).then_some(url)
}

/// Metadata, asked once for one set of keys.
#[derive(Debug)]
pub(super) struct Instance<'a> {
    pub(super) address: &'a Url,
    pub(super) http: &'a Arc<dyn Http>,
    pub(super) now: &'a Moment,
}

impl Instance<'_> {
    /// The keys of the instance's role. Three requests.
    pub(super) async fn keys(&self) -> Result<Keys, Error> {
        let life = ("x-aws-ec2-metadata-token-ttl-seconds".to_owned(), Secret::new("60"));
        let token = self.ask("PUT", "/latest/api/token", life).await?;
        let asked = |path: String| {
            let token = ("x-aws-ec2-metadata-token".to_owned(), token.clone());
            async move { self.ask("GET", &path, token).await }
        };
        let role = asked(ROLES.to_owned()).await?;
        let role = role.expose().lines().next().unwrap_or_default().trim();
        let fine = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
        if role.is_empty() || !role.bytes().all(fine) {
            return Err(no_role());
        }
        self.read(&asked(format!("{ROLES}{role}")).await?)
    }

    fn read(&self, text: &Secret) -> Result<Keys, Error> {
        let value = serde_json::from_str::<Value>(text.expose()).unwrap_or_default();
        match value["Code"].as_str() {
            None | Some("Success") => {}
            Some(code) => {
                let said = printable(&format!("{code}: {}", value["Message"].as_str().unwrap_or_default()));
                let fix = "see whether the role trusts ec2.amazonaws.com";
                return Err(Error::configuration(format!("the instance cannot use its role ({said})"), fix));
            }
        }
        let keys = serde_json::from_str::<Keys>(text.expose()).ok();
        let Some((keys, end)) = keys.and_then(|keys| keys.expiration.map(|end| (keys, end))) else {
            return Err(Error::protocol("the instance's metadata hold no keys that end"));
        };
        // AWS says so of its own outages: the old ones stay there until it is over.
        match end <= self.now.wall {
            true => Err(Error::unavailable(format!(
                "the instance's keys ended at {}, and no others are there",
                written(end)
            ))),
            false => Ok(keys),
        }
    }

    async fn ask(&self, method: &'static str, path: &str, header: (String, Secret)) -> Result<Secret, Error> {
        let mut url = self.address.clone();
        url.set_path(path);
        // Never by a proxy: these addresses mean another machine there.
        let request = Request { method, url, headers: vec![header], body: None, limit: LIMIT, route: Route::default() };
        let response = self.http.send(request).await.map_err(|_| self.silent())?;
        match response.status {
            200 if !response.is_page() => Ok(response.body),
            404 if path == ROLES => Err(no_role()),
            _ => Err(self.judge(&response)),
        }
    }

    fn silent(&self) -> Error {
        let host = self.address.host_str().unwrap_or_default();
        let why = "no EC2 instance, or in a container one hop too far: HttpPutResponseHopLimit = 2";
        Error::unavailable(format!("the instance's metadata at {host} do not answer ({why})"))
    }

    fn judge(&self, response: &Response) -> Error {
        match response.status {
            401 | 429 | 500.. => Error::unavailable(format!("the instance's metadata answered {}", response.status)),
            403 => Error::configuration(
                "the instance's metadata are switched off",
                "aws ec2 modify-instance-metadata-options --http-endpoint enabled, or use another source",
            ),
            status => Error::protocol(format!("the instance's metadata answered {status}")),
        }
    }
}

fn no_role() -> Error {
    Error::configuration("this instance has no role", "attach an instance profile to it, or use another source")
}

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
/// It is on the same machine.
const LIMIT: Duration = Duration::from_secs(2);
