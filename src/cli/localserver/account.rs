//! What stands at the account before credentials can be asked for: the bucket, and the role, which is made where it is
//! not there.

use super::keys::Keys;
use crate::access::{Access, Need};
use crate::aws::{Address, Refusal, Signer, SigningClock, element};
use crate::error::{Error, printable};
use crate::ports::{Outside, Response, Route};
use aws_credential_types::Credentials;
use url::Url;

pub(super) struct Account {
    signer: Signer,
    sts: Address,
    iam: Url,
    s3: Url,
}

pub(super) struct Role {
    pub(super) arn: String,
    /// It was made just now.
    pub(super) is_new: bool,
}

/// Of the account, for all who use `s3-credentials` there.
const ROLE: &str = "s3-credentials.AmazonS3FullAccess";
const DESCRIPTION: &str =
    "Role used by the s3-credentials tool to create time-limited credentials that are restricted to specific buckets";
const TWELVE_HOURS: &str = "43200";
const VERSION: (&str, &str) = ("Version", "2010-05-08");

impl Account {
    pub(super) fn new(access: Access, keys: &Keys, outside: &Outside) -> Result<Account, Error> {
        let Access::AwsKeys { access_key_id, secret_access_key, session_token } = access else {
            return Err(Error::protocol("the login of localserver gives no keys"));
        };
        let token = session_token.map(|token| token.expose().to_owned());
        let signed_by = Credentials::new(access_key_id, secret_access_key.expose(), token, None, "valetkey");
        let (region, clock) = (keys.region.clone(), SigningClock::default());
        let parsed = |text: String| {
            Url::parse(&text).map_err(|_| Error::configuration("the region is no region", "set AWS_REGION"))
        };
        let iam = match &keys.iam_endpoint {
            Some(url) => url.clone(),
            None => parsed(iam_of(&region).to_owned())?,
        };
        let s3 = match &keys.s3_endpoint {
            Some(url) => url.clone(),
            None => parsed(format!("https://s3.{region}.{}/", domain_of(&region)))?,
        };
        let sts = Address {
            endpoint: keys.sts_endpoint.clone(),
            region: region.clone(),
            route: Route::default(),
            clock: clock.clone(),
        };
        let signer = Signer { keys: signed_by, region, clock, http: outside.http.clone(), route: Route::default() };
        Ok(Account { signer, sts, iam, s3 })
    }

    /// An error where there is no such bucket, or none that these keys may look at.
    pub(super) async fn has_bucket(&self, bucket: &str) -> Result<(), Error> {
        let mut url = self.s3.clone();
        url.set_path(&format!("/{bucket}"));
        let response = self.sent("s3", &self.signer, "HEAD", &url, None).await?;
        match response.status {
            // In another region there is one as well.
            200..=399 => Ok(()),
            400 if response.header("x-amz-bucket-region").is_some() => Ok(()),
            404 => Err(Error::configuration(
                format!("Bucket does not exist: {bucket}"),
                "check its name, and whose keys are used",
            )),
            // A HEAD has no body that would say more.
            status @ (400 | 401 | 403) => Err(Error::configuration(
                format!("Bucket does not exist: {bucket}, or these keys may not look at it ({status})"),
                "check its name, and whose keys are used; the keys need s3:ListBucket there",
            )),
            status => Err(Error::unavailable(format!("{} answered {status}", host(&url)))),
        }
    }

    /// The role that all credentials are made of, made where it is not there.
    pub(super) async fn role(&self, caller: &Caller) -> Result<Role, Error> {
        let got = self.iam(&[("Action", "GetRole"), ("RoleName", ROLE)]).await?;
        if got.status < 300 {
            return arn_of(&got, &self.iam).map(|arn| Role { arn, is_new: false });
        }
        if element(&got, "Code").as_deref() != Some("NoSuchEntity") {
            return Err(self.refused(&got, "iam:GetRole"));
        }
        let Caller { partition, account } = caller;
        let trust = serde_json::json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:{partition}:iam::{account}:root") },
            "Action": "sts:AssumeRole",
        }] });
        let made = self
            .iam(&[
                ("Action", "CreateRole"),
                ("RoleName", ROLE),
                ("Description", DESCRIPTION),
                ("AssumeRolePolicyDocument", &trust.to_string()),
                ("MaxSessionDuration", TWELVE_HOURS),
            ])
            .await?;
        if made.status >= 300 {
            return Err(self.refused(&made, "iam:CreateRole"));
        }
        let policy = format!("arn:{partition}:iam::aws:policy/AmazonS3FullAccess");
        let attached = self.iam(&[("Action", "AttachRolePolicy"), ("RoleName", ROLE), ("PolicyArn", &policy)]).await?;
        if attached.status >= 300 {
            return Err(self.refused(&attached, "iam:AttachRolePolicy"));
        }
        arn_of(&made, &self.iam).map(|arn| Role { arn, is_new: true })
    }

    /// Whose keys these are.
    pub(super) async fn caller(&self) -> Result<Caller, Error> {
        let ask = async || {
            let (client, seen) = self.sts.client(&self.signer.http, Some(self.signer.keys.clone()));
            (client.get_caller_identity().send().await, seen)
        };
        let (mut answered, mut seen) = ask().await;
        // What is signed after it is signed by that clock as well.
        if answered.is_err() && self.sts.learns_the_time(&seen) {
            (answered, seen) = ask().await;
        }
        match answered {
            Ok(identity) => {
                let partition = identity.arn().and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws").to_owned();
                let account = identity.account().unwrap_or_default().to_owned();
                Ok(Caller { partition, account })
            }
            Err(error) => Err(match self.sts.refusal(&seen, &error.into(), Need::AwsKeys) {
                Refusal::Access(error) | Refusal::Request(error) => super::of_options(error),
            }),
        }
    }

    async fn iam(&self, form: &[(&str, &str)]) -> Result<Response, Error> {
        // IAM is one for all regions of a partition, and signed for that one.
        let signer = Signer { region: iam_region(&self.signer.region).to_owned(), ..self.signer.clone() };
        let form: Vec<(&str, &str)> = form.iter().copied().chain([VERSION]).collect();
        self.sent("iam", &signer, "POST", &self.iam, Some(&form)).await
    }

    async fn sent(
        &self,
        service: &str,
        signer: &Signer,
        method: &'static str,
        url: &Url,
        form: Option<&[(&str, &str)]>,
    ) -> Result<Response, Error> {
        signer.send(service, method, url, form).await?.map_err(|error| error.about(host(url), &signer.route))
    }

    fn refused(&self, response: &Response, action: &str) -> Error {
        let (host, status) = (host(&self.iam), response.status);
        let code = element(response, "Code").unwrap_or_default();
        let said = element(response, "Message").map_or_else(|| code.clone(), |message| format!("{code}: {message}"));
        let message = printable(&format!("{host} refuses {action}: {said}"));
        match code.as_str() {
            _ if status >= 500 || status == 429 => Error::unavailable(format!("{host} answered {status} to {action}")),
            "AccessDenied" | "AccessDeniedException" => Error::Denied {
                message,
                url: None,
                hint: format!("let whose keys these are do {action}, or have the role {ROLE} made once by who may"),
            },
            _ => Error::configuration(
                message,
                "give other keys: --auth FILE, AWS_PROFILE, or --access-key and --secret-key",
            ),
        }
    }
}

pub(super) struct Caller {
    partition: String,
    account: String,
}

fn arn_of(response: &Response, iam: &Url) -> Result<String, Error> {
    element(response, "Arn").ok_or_else(|| Error::protocol(format!("{} answered without the role's ARN", host(iam))))
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

fn domain_of(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

fn iam_of(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "https://iam.cn-north-1.amazonaws.com.cn/",
        region if region.starts_with("us-gov-") => "https://iam.us-gov.amazonaws.com/",
        _ => "https://iam.amazonaws.com/",
    }
}

fn iam_region(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "cn-north-1",
        region if region.starts_with("us-gov-") => "us-gov-west-1",
        _ => "us-east-1",
    }
}

#[cfg(test)]
mod tests;
