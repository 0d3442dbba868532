//! AssumeRole at the STS of AWS, Ceph or MinIO, with a session policy that narrows the role to a bucket.

mod answer;
mod connector;
mod policy;

use super::{Answer, Kind, Need, Provider};
use crate::config::{Key, Settings, Shape};
use crate::credentials::read_time;
use crate::error::Error;
use crate::lease::Issued;
use crate::login::Access;
use crate::ports::{Http, Later, Route};
use crate::secret::Secret;
use aws_sdk_sts::config::{BehaviorVersion, Region};
use connector::Connector;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

pub const KIND: Kind = Kind {
    name: "sts",
    summary: "AssumeRole at the STS of AWS, Ceph or MinIO",
    keys: &[
        Key {
            name: "role_arn",
            shape: Shape::Text,
            required: true,
            help: "the role to assume, as the issuer spells it",
        },
        Key { name: "endpoint", shape: Shape::Url, required: false, help: "the STS's URL, if it is not AWS'" },
        Key { name: "s3_endpoint", shape: Shape::Url, required: false, help: "the S3's URL, if it is not the STS'" },
        Key { name: "region", shape: Shape::Text, required: false, help: "us-east-1 if not given" },
        Key { name: "bucket", shape: Shape::Text, required: false, help: "narrows the credentials to one bucket" },
        Key { name: "prefix", shape: Shape::Text, required: false, help: "and to the keys that begin so" },
        Key {
            name: "access",
            shape: Shape::OneOf(&["read-write", "read-only", "write-only"]),
            required: false,
            help: "what may be done in the bucket; read-write if not given",
        },
        Key { name: "duration", shape: Shape::Duration, required: false, help: "asked-for life: 15m, 1h, 3600" },
        Key { name: "session_name", shape: Shape::Text, required: false, help: "shown in the issuer's log" },
        Key { name: "external_id", shape: Shape::Text, required: false, help: "if the role's trust policy wants one" },
        Key::CA_FILE,
        Key::PROXY,
    ],
    logins: &["aws"],
    region: "us-east-1",
    presets: &[],
    build: |settings| Ok(Arc::new(Sts::new(settings)?)),
};

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct Sts {
    role_arn: String,
    endpoint: Option<Url>,
    s3_endpoint: Option<Url>,
    region: String,
    policy: Option<String>,
    duration: Option<i32>,
    session_name: String,
    external_id: Option<String>,
    route: Route,
}

impl Sts {
    fn new(settings: &Settings) -> Result<Sts, Error> {
        let seconds = settings.duration("duration").map(|duration| duration.as_secs());
        let session_name = settings.text("session_name").unwrap_or("valetkey");
        let fine = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
        if !(2..=64).contains(&session_name.len()) || !session_name.bytes().all(fine) {
            let fix = "use 2 to 64 characters out of A-Z a-z 0-9 _ + = , . @ -";
            return Err(settings.refuse("session_name", "session_name is not one that STS takes", fix));
        }
        let endpoint = settings.url("endpoint");
        // AWS documents its bounds; Ceph and MinIO have their own, and say so themselves.
        if endpoint.is_none() && seconds.is_some_and(|seconds| !(900..=43_200).contains(&seconds)) {
            return Err(settings.refuse(
                "duration",
                "AWS gives 15 minutes to 12 hours",
                "write a duration from 15m to 12h",
            ));
        }
        Ok(Sts {
            role_arn: settings.text("role_arn").unwrap_or_default().to_owned(),
            // Ceph and MinIO serve both at one address.
            s3_endpoint: settings.url("s3_endpoint").or_else(|| endpoint.clone().filter(|url| !is_aws(url))),
            endpoint,
            region: settings.text("region").unwrap_or(KIND.region).to_owned(),
            policy: policy::session_policy(settings)?,
            duration: seconds.and_then(|seconds| i32::try_from(seconds).ok()),
            session_name: session_name.to_owned(),
            external_id: settings.text("external_id").map(str::to_owned),
            route: settings.route(),
        })
    }

    fn host(&self) -> String {
        match &self.endpoint {
            Some(url) => url.host_str().unwrap_or_default().to_owned(),
            None => format!("sts.{}.amazonaws.com", self.region),
        }
    }

    fn client(&self, connector: Connector, keys: aws_credential_types::Credentials) -> aws_sdk_sts::Client {
        let mut config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(keys)
            .http_client(connector)
            // One attempt: retries and their timing are the broker's.
            .retry_config(aws_sdk_sts::config::retry::RetryConfig::disabled())
            .timeout_config(aws_sdk_sts::config::timeout::TimeoutConfig::disabled())
            .stalled_stream_protection(aws_sdk_sts::config::StalledStreamProtectionConfig::disabled());
        config.set_endpoint_url(self.endpoint.as_ref().map(Url::to_string));
        aws_sdk_sts::Client::from_conf(config.build())
    }
}

fn is_aws(url: &Url) -> bool {
    url.host_str().is_some_and(|host| host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn"))
}

impl Provider for Sts {
    fn need(&self) -> Need {
        Need::AwsKeys
    }

    fn s3_endpoint(&self) -> Option<String> {
        self.s3_endpoint.as_ref().map(|url| url.origin().ascii_serialization())
    }

    fn issue<'a>(&'a self, access: &'a Access, http: &'a Arc<dyn Http>) -> Later<'a, Result<Answer, Error>> {
        Box::pin(async move {
            let Access::AwsKeys { access_key_id, secret_access_key, session_token } = access else {
                return Err(Error::protocol("an sts profile was given something else than access keys"));
            };
            let keys = aws_credential_types::Credentials::new(
                access_key_id.clone(),
                secret_access_key.expose(),
                session_token.as_ref().map(|token| token.expose().to_owned()),
                None,
                "valetkey",
            );
            let connector = Connector::new(http.clone(), self.route.clone(), LIMIT);
            let seen = connector.seen();
            let sent = self
                .client(connector, keys)
                .assume_role()
                .role_arn(&self.role_arn)
                .role_session_name(&self.session_name)
                .set_policy(self.policy.clone())
                .set_duration_seconds(self.duration)
                .set_external_id(self.external_id.clone())
                .send()
                .await;
            let host = self.host();
            let output = match sent {
                Ok(output) => output,
                Err(error) => return answer::refusal(seen.take(), &error, &host, &self.route),
            };
            let date = match seen.take() {
                Some(Ok(response)) => response.date(),
                _ => None,
            };
            let given =
                output.credentials().ok_or_else(|| Error::protocol(format!("{host} answered without credentials")))?;
            // The SDK's own timestamp type carries no zone trouble: format it and read it like every issuer's.
            let expiration = read_time(&given.expiration().to_string())
                .ok_or_else(|| Error::protocol(format!("{host} answered with an expiration that is no time")))?;
            Ok(Answer::Issued(Issued {
                credentials: crate::credentials::Credentials {
                    access_key_id: given.access_key_id().to_owned(),
                    secret_access_key: Secret::new(given.secret_access_key()),
                    session_token: Secret::new(given.session_token()),
                    expiration,
                },
                endpoint: self.s3_endpoint(),
                date,
            }))
        })
    }
}
