//! The STS of AWS, Ceph or MinIO: four operations, and a session policy that narrows what they give to a bucket.

mod operation;
mod policy;
#[cfg(test)]
mod tests;

use super::{Answer, Kind, Need, Provider};
use crate::access::Access;
use crate::aws::{Address, Refusal, SigningClock};
use crate::credentials::read_time;
use crate::error::Error;
use crate::lease::Issued;
use crate::ports::{Http, Later};
use crate::secret::Secret;
use crate::settings::{Key, Settings, Shape};
use operation::Operation;
use std::sync::Arc;
use url::Url;

pub const KIND: Kind = Kind {
    name: "sts",
    summary: "the STS of AWS, Ceph or MinIO: roles, web identities, sessions",
    keys: &[
        Key {
            name: "operation",
            shape: Shape::OneOf(operation::NAMES),
            required: false,
            help: "assume-role if not given; web-identity with a keycloak login",
        },
        Key { name: "role_arn", shape: Shape::Text, required: false, help: "the role, as the issuer spells it" },
        Key { name: "endpoint", shape: Shape::Url, required: false, help: "the STS's URL, if it is not AWS'" },
        Key { name: "s3_endpoint", shape: Shape::S3Url, required: false, help: "the S3's URL, if it is not the STS'" },
        Key { name: "region", shape: Shape::Text, required: false, help: "us-east-1 if not given" },
        Key { name: "bucket", shape: Shape::Text, required: false, help: "narrows the credentials to one bucket" },
        Key { name: "prefix", shape: Shape::Text, required: false, help: "and to the keys that begin so" },
        Key {
            name: "access",
            shape: Shape::OneOf(&["read-write", "read-only", "write-only"]),
            required: false,
            help: "what may be done in the bucket; read-write if not given",
        },
        Key {
            name: "statements",
            shape: Shape::List,
            required: false,
            help: "further statements of the session policy, as JSON: {\"Effect\":..,\"Action\":..,\"Resource\":..}",
        },
        Key { name: "duration", shape: Shape::Duration, required: false, help: "asked-for life: 15m, 1h, 3600" },
        Key { name: "session_name", shape: Shape::Text, required: false, help: "shown in the issuer's log" },
        Key { name: "external_id", shape: Shape::Text, required: false, help: "if the role's trust policy wants one" },
        Key::CA_FILE,
        Key::PROXY,
    ],
    logins: &["aws", "keycloak", "token"],
    as_its_login: &[],
    region: "us-east-1",
    presets: &[],
    lacks: |settings| operation::lacks(settings, address(settings).is_aws()),
    build: |settings| Ok(Arc::new(Sts::new(settings)?)),
};

#[derive(Debug)]
struct Sts {
    operation: Operation,
    address: Address,
    s3_endpoint: Option<Url>,
    policy: Option<String>,
    duration: Option<i32>,
}

impl Sts {
    fn new(settings: &Settings) -> Result<Sts, Error> {
        let seconds = settings.duration("duration").map(|duration| duration.as_secs());
        let address = address(settings);
        let operation = Operation::new(settings, address.is_aws())?;
        let (bounds, most) = operation.aws_bounds();
        // AWS documents its bounds; Ceph and MinIO have their own, and say so themselves.
        if address.is_aws() && seconds.is_some_and(|seconds| !bounds.contains(&seconds)) {
            let message = format!("AWS gives 15m to {most} by this operation");
            return Err(settings.refuse("duration", message, format!("write a duration from 15m to {most}")));
        }
        Ok(Sts {
            operation,
            // Ceph and MinIO serve both at one address.
            s3_endpoint: settings.url("s3_endpoint").or_else(|| address.endpoint.clone().filter(|_| !address.is_aws())),
            address,
            policy: policy::session_policy(settings)?,
            duration: seconds.and_then(|seconds| i32::try_from(seconds).ok()),
        })
    }
}

fn address(settings: &Settings) -> Address {
    let region = settings.text("region").unwrap_or(KIND.region).to_owned();
    Address { endpoint: settings.url("endpoint"), region, route: settings.route(), clock: SigningClock::default() }
}

impl Provider for Sts {
    fn need(&self) -> Need {
        match self.operation {
            Operation::AssumeRoleWithWebIdentity { .. } => Need::WebIdentity,
            _ => Need::AwsKeys,
        }
    }

    fn asks(&self) -> Option<Url> {
        self.address.endpoint.clone().or_else(|| Url::parse(&format!("https://{}/", self.address.host())).ok())
    }

    fn s3_endpoint(&self) -> Option<String> {
        self.s3_endpoint.as_ref().map(|url| url.origin().ascii_serialization())
    }

    fn issue<'a>(&'a self, access: &'a Access, http: &'a Arc<dyn Http>) -> Later<'a, Result<Answer, Error>> {
        Box::pin(async move {
            let (keys, identity) = match access {
                Access::AwsKeys { access_key_id, secret_access_key, session_token } => {
                    let token = session_token.as_ref().map(|token| token.expose().to_owned());
                    let secret = secret_access_key.expose();
                    (Some(aws_credential_types::Credentials::new(access_key_id, secret, token, None, "valetkey")), None)
                }
                Access::WebIdentity(token) | Access::Bearer(token) => (None, Some(token.expose())),
                Access::Basic { .. } => return Err(Error::protocol("an sts profile was given a password")),
            };
            let ask = async || {
                let (client, seen) = self.address.client(http, keys.clone());
                (self.operation.call(&client, self.policy.clone(), self.duration, identity).await, seen)
            };
            let (mut sent, mut seen) = ask().await;
            // No retry: what was refused is a signature by a wrong clock, and another is made by the issuer's own.
            if sent.is_err() && self.address.learns_the_time(&seen) {
                (sent, seen) = ask().await;
            }
            let given = match sent {
                Ok(given) => given,
                Err(error) => {
                    return match self.address.refusal(&seen, &error, self.need()) {
                        Refusal::Access(error) => Ok(Answer::Rejected(error)),
                        Refusal::Request(error) => Err(error),
                    };
                }
            };
            let host = self.address.host();
            let date = match seen.take() {
                Some(Ok(response)) => response.date(),
                _ => None,
            };
            let given = given.ok_or_else(|| Error::protocol(format!("{host} answered without credentials")))?;
            // Where the answer says nothing of it, the SDK says 1970.
            if given.expiration().secs() == 0 {
                return Err(Error::protocol(format!("{host} answered with credentials without an expiration")));
            }
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
