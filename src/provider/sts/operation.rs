//! The four operations of an STS: which settings each takes, and its call.

use crate::aws::CallError;
use crate::error::Error;
use crate::settings::Settings;
use aws_sdk_sts::Client;
use aws_sdk_sts::types::Credentials;

/// What is asked of the STS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    /// With access keys, for a role.
    AssumeRole { role_arn: String, session_name: String, external_id: Option<String> },
    /// With another issuer's token, for a role; unsigned.
    AssumeRoleWithWebIdentity { role_arn: String, session_name: String },
    /// With access keys, for the same user.
    GetSessionToken,
    /// With access keys, for the same user narrowed by a policy.
    GetFederationToken { name: String },
}

pub(super) const NAMES: &[&str] = &["assume-role", "web-identity", "session-token", "federation-token"];

impl Operation {
    pub(super) fn new(settings: &Settings) -> Result<Operation, Error> {
        let session_name = session_name(settings)?;
        let role_arn = settings.text("role_arn").map(str::to_owned);
        let operation = settings.text("operation").unwrap_or(NAMES[0]);
        let without_role = |what: &str| match role_arn {
            Some(_) => Err(settings.refuse("role_arn", format!("{what} takes no role"), "leave out role_arn")),
            None => Ok(()),
        };
        match operation {
            "session-token" => {
                without_role("session-token")?;
                if settings.text("bucket").is_some() {
                    let fix = "leave out bucket, or write operation = \"federation-token\"";
                    return Err(settings.refuse("bucket", "session-token takes no policy, so nothing narrows it", fix));
                }
                Ok(Operation::GetSessionToken)
            }
            "federation-token" => {
                without_role("federation-token")?;
                if settings.text("bucket").is_none() {
                    let fix = "add bucket = \"..\", or write operation = \"session-token\"";
                    let message =
                        "a federation token may do only what its policy allows, and without a bucket it has none";
                    return Err(settings.refuse("operation", message, fix));
                }
                Ok(Operation::GetFederationToken { name: session_name.chars().take(32).collect() })
            }
            "web-identity" => Ok(Operation::AssumeRoleWithWebIdentity {
                // MinIO derives it from the token.
                role_arn: role_arn.unwrap_or_default(),
                session_name,
            }),
            // MinIO assumes the key's own user: a role is needed where AWS is asked, and others say so themselves.
            _ if role_arn.is_none() && settings.text("endpoint").is_none() => {
                let fix = "add role_arn = \"arn:aws:iam::ACCOUNT:role/NAME\"";
                Err(settings.refuse("role_arn", "it has no role_arn", fix))
            }
            _ => Ok(Operation::AssumeRole {
                role_arn: role_arn.unwrap_or_default(),
                session_name,
                external_id: settings.text("external_id").map(str::to_owned),
            }),
        }
    }

    /// What AWS documents: the shortest and longest life in seconds, and how to write the longest.
    pub(super) fn aws_bounds(&self) -> (std::ops::RangeInclusive<u64>, &'static str) {
        match self {
            Operation::AssumeRole { .. } | Operation::AssumeRoleWithWebIdentity { .. } => (900..=43_200, "12h"),
            Operation::GetSessionToken | Operation::GetFederationToken { .. } => (900..=129_600, "36h"),
        }
    }

    /// One call. `identity` is the token of another issuer, for the operation that takes one.
    pub(super) async fn call(
        &self,
        client: &Client,
        policy: Option<String>,
        seconds: Option<i32>,
        identity: Option<&str>,
    ) -> Result<Option<Credentials>, CallError> {
        Ok(match self {
            Operation::AssumeRole { role_arn, session_name, external_id } => {
                let call = client.assume_role().role_arn(role_arn).role_session_name(session_name);
                let call = call.set_external_id(external_id.clone()).set_policy(policy).set_duration_seconds(seconds);
                call.send().await?.credentials().cloned()
            }
            Operation::AssumeRoleWithWebIdentity { role_arn, session_name } => {
                let call = client.assume_role_with_web_identity().role_arn(role_arn).role_session_name(session_name);
                let call = call.set_web_identity_token(identity.map(str::to_owned));
                call.set_policy(policy).set_duration_seconds(seconds).send().await?.credentials().cloned()
            }
            Operation::GetSessionToken => {
                client.get_session_token().set_duration_seconds(seconds).send().await?.credentials().cloned()
            }
            Operation::GetFederationToken { name } => {
                let call = client.get_federation_token().name(name).set_policy(policy);
                call.set_duration_seconds(seconds).send().await?.credentials().cloned()
            }
        })
    }
}

fn session_name(settings: &Settings) -> Result<String, Error> {
    let name = settings.text("session_name").unwrap_or("valetkey");
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if (2..=64).contains(&name.len()) && name.bytes().all(fine) {
        return Ok(name.to_owned());
    }
    let fix = "use 2 to 64 characters out of A-Z a-z 0-9 _ + = , . @ -";
    Err(settings.refuse("session_name", "session_name is not one that STS takes", fix))
}
