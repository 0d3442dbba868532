//! IAM Identity Center: the token that `aws sso login` left behind, and the keys of a role that it opens.
//!
//! The token is the AWS CLI's: it is read anew for each flight, and neither renewed nor written here. A profile with an
//! `sso_session` has one that lives an hour, which any command of the AWS CLI renews while the session lasts.

use super::keys::Keys;
use super::recipe::Sso;
use crate::aws::LIMIT;
use crate::credentials::{read_time, written};
use crate::error::{Error, Remedy, printable};
use crate::freshness::clamp_retry_after;
use crate::ports::{Http, Moment, Request, Response, Route};
use crate::secret::Secret;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use std::path::PathBuf;
use std::sync::Arc;
use url::Url;

/// Where the AWS CLI keeps the token of a session, or of a start URL.
pub(super) fn token_file(name: &str) -> PathBuf {
    PathBuf::from(format!("~/.aws/sso/cache/{}.json", crate::seal::hex(&Sha1::digest(name))))
}

/// The part of that file that counts.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    #[serde(serialize_with = "Secret::serialize_exposed")]
    access_token: Secret,
    expires_at: String,
}

/// As GetRoleCredentials answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    role_credentials: RoleCredentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleCredentials {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Secret,
    /// Milliseconds.
    expiration: i64,
}

impl Sso {
    /// The token out of its file, without the refresh token beside it.
    pub(super) fn take_token(&self, file: Option<Secret>) -> Result<Secret, Error> {
        let Some(file) = file else { return Err(self.sign_in("nobody has signed in to SSO")) };
        match serde_json::from_str::<Kept>(file.expose()) {
            Ok(kept) => Ok(Secret::new(serde_json::to_string(&kept).expect("a struct of strings is JSON"))),
            Err(_) => Err(self.sign_in("there is no token in what SSO left behind")),
        }
    }

    /// The role's keys. One request, if the session is not over.
    pub(super) async fn keys(&self, http: &Arc<dyn Http>, route: &Route, now: &Moment) -> Result<Keys, Error> {
        let kept = self.token.text.as_ref().and_then(|text| serde_json::from_str::<Kept>(text.expose()).ok());
        let kept = kept.ok_or_else(|| self.sign_in("nobody has signed in to SSO"))?;
        let end = read_time(&kept.expires_at).unwrap_or(Timestamp::MIN);
        if end <= now.wall {
            return Err(self.sign_in(&format!("the SSO session ended at {}", written(end))));
        }
        let url = self.url()?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let request = Request {
            method: "GET",
            url,
            headers: vec![("x-amz-sso_bearer_token".to_owned(), kept.access_token)],
            body: None,
            limit: LIMIT,
            route: route.clone(),
        };
        let response = http.send(request).await.map_err(|error| error.about(&host, route))?;
        match response.status {
            200 => read(&response).ok_or_else(|| Error::protocol(format!("{host} answered without credentials"))),
            _ => Err(self.judge(&response, &host)),
        }
    }

    fn url(&self) -> Result<Url, Error> {
        let suffix = if self.region.starts_with("cn-") { ".cn" } else { "" };
        let text = format!("https://portal.sso.{}.amazonaws.com{suffix}/federation/credentials", self.region);
        let query = [("role_name", &self.role), ("account_id", &self.account)];
        Url::parse_with_params(&text, query)
            .map_err(|_| Error::configuration(format!("profile {} has no good sso_region", self.profile), "correct it"))
    }

    fn judge(&self, response: &Response, host: &str) -> Error {
        let said = serde_json::from_str::<serde_json::Value>(response.body.expose()).unwrap_or_default();
        let said = printable(said["message"].as_str().unwrap_or("no reason given"));
        match response.status {
            401 => self.sign_in("the SSO session is not accepted any more"),
            403 => Error::Denied {
                message: format!("{host} does not give role {} of account {} ({said})", self.role, self.account),
                url: None,
                hint: "ask whoever assigns permission sets, or see sso_account_id and sso_role_name".into(),
            },
            429 | 500.. => Error::Unavailable {
                message: format!("{host} answered {}", response.status),
                retry_after: response.retry_after().map(|wait| clamp_retry_after(wait).as_secs()),
            },
            400 | 404 => Error::configuration(
                format!("{host} refuses the request of profile {}: {said}", self.profile),
                "check sso_account_id, sso_role_name and sso_region",
            ),
            status => Error::protocol(format!("{host} answered {status}")),
        }
    }

    fn sign_in(&self, why: &str) -> Error {
        let remedy = Remedy::Run(format!("aws sso login --profile {}", self.profile));
        Error::LoginRequired { message: format!("profile {} of ~/.aws: {why}", self.profile), remedy }
    }
}

fn read(response: &Response) -> Option<Keys> {
    let given = serde_json::from_str::<Answer>(response.body.expose()).ok()?.role_credentials;
    Some(Keys {
        access_key_id: given.access_key_id,
        secret_access_key: given.secret_access_key,
        session_token: Some(given.session_token),
        expiration: Some(Timestamp::from_millisecond(given.expiration).ok()?),
    })
}
