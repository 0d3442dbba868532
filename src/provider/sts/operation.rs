//! The four operations of an STS: which settings each takes, and its call.

use crate::aws::CallError;
use crate::error::Error;
use crate::provider::Lack;
use crate::settings::Settings;
use aws_sdk_sts::Client;
use aws_sdk_sts::types::Credentials;

/// What is asked of the STS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    /// With access keys, for a role.
    AssumeRole { role_arn: Option<String>, session_name: String, external_id: Option<String> },
    /// With another issuer's token, for a role; unsigned.
    AssumeRoleWithWebIdentity { role_arn: Option<String>, session_name: String },
    /// With access keys, for the same user.
    GetSessionToken,
    /// With access keys, for the same user narrowed by a policy.
    GetFederationToken { name: String },
}

pub(super) const NAMES: &[&str] = &["assume-role", "web-identity", "session-token", "federation-token"];

impl Operation {
    /// `aws`: whether it is AWS itself that is asked.
    pub(super) fn new(settings: &Settings, aws: bool) -> Result<Operation, Error> {
        let operation = settings.text("operation").unwrap_or(NAMES[0]);
        for (key, fits, of) in [
            ("external_id", operation == "assume-role", "assume-role"),
            ("session_name", operation != "session-token", "a role or a federation token"),
        ] {
            if settings.text(key).is_some() && !fits {
                let message = format!("{key} belongs to {of}: {operation} takes none");
                return Err(settings.refuse(key, message, format!("leave out {key}")));
            }
        }
        let session_name = session_name(settings)?;
        let external_id = settings.text("external_id").map(str::to_owned);
        match operation {
            "session-token" => {
                without_role(settings, "session-token")?;
                for key in ["bucket", "statements"] {
                    if !settings.list(key).is_empty() {
                        let fix = format!("leave out {key}, or write operation = \"federation-token\"");
                        return Err(settings.refuse(key, "session-token takes no policy, so nothing narrows it", fix));
                    }
                }
                Ok(Operation::GetSessionToken)
            }
            "federation-token" => {
                without_role(settings, "federation-token")?;
                if lacks(settings, aws).is_some() {
                    let fix = "add bucket = \"..\" or statements, or write operation = \"session-token\"";
                    let message =
                        "a federation token may do only what its policy allows, and without a bucket it has none";
                    return Err(settings.refuse("operation", message, fix));
                }
                Ok(Operation::GetFederationToken { name: session_name.chars().take(32).collect() })
            }
            "web-identity" => Ok(Operation::AssumeRoleWithWebIdentity { role_arn: role(settings, aws)?, session_name }),
            _ => Ok(Operation::AssumeRole { role_arn: role(settings, aws)?, session_name, external_id }),
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
                let call = client.assume_role().set_role_arn(role_arn.clone()).role_session_name(session_name);
                let call = call.set_external_id(external_id.clone()).set_policy(policy).set_duration_seconds(seconds);
                call.send().await?.credentials().cloned()
            }
            Operation::AssumeRoleWithWebIdentity { role_arn, session_name } => {
                let call = client.assume_role_with_web_identity().set_role_arn(role_arn.clone());
                let call = call.role_session_name(session_name).set_web_identity_token(identity.map(str::to_owned));
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

/// What these settings lack for their operation.
pub(super) fn lacks(settings: &Settings, aws: bool) -> Option<Lack> {
    let missing = |key: &str| settings.list(key).is_empty();
    match settings.text("operation").unwrap_or(NAMES[0]) {
        "session-token" => None,
        "federation-token" => (missing("bucket") && missing("statements")).then_some(Lack::Needed("bucket")),
        // Ceph needs one, too; to MinIO the key's own policy, or the token's, says what may be done.
        _ if aws => missing("role_arn").then_some(Lack::Needed("role_arn")),
        _ => missing("role_arn").then_some(Lack::Wanted("role_arn")),
    }
}

fn without_role(settings: &Settings, operation: &str) -> Result<(), Error> {
    match settings.text("role_arn") {
        Some(_) => Err(settings.refuse("role_arn", format!("{operation} takes no role"), "leave out role_arn")),
        None => Ok(()),
    }
}

/// The role. To AWS it must be an ARN of AWS'; to all others it is a word of their own.
fn role(settings: &Settings, aws: bool) -> Result<Option<String>, Error> {
    if let Some(Lack::Needed(missing)) = lacks(settings, aws) {
        return Err(settings.refuse(missing, "it has no role_arn", format!("add role_arn = \"{ROLE}\"")));
    }
    let role = settings.text("role_arn");
    let parts: Vec<&str> = role.unwrap_or_default().splitn(6, ':').collect();
    match parts.as_slice() {
        _ if !aws => {}
        ["arn", partition, "iam", "", account, resource]
            if partition.starts_with("aws") && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty()) =>
        {
            if account.is_empty() {
                let message = "role_arn names no account: that is how Ceph's roles look, and it is AWS that is asked";
                let fix = format!("add endpoint = \"https://..\" for Ceph's STS, or write {ROLE}");
                return Err(settings.refuse("role_arn", message, fix));
            }
            if !account.bytes().all(|b| b.is_ascii_digit()) {
                let fix = format!("write {ROLE}, with the account's twelve digits");
                return Err(settings.refuse("role_arn", "role_arn names an account that is no number", fix));
            }
        }
        _ => {
            let fix = format!("write {ROLE}, or add endpoint = \"https://..\" if it is not AWS that is asked");
            return Err(settings.refuse("role_arn", "role_arn is not the ARN of a role", fix));
        }
    }
    Ok(role.map(str::to_owned))
}

const ROLE: &str = "arn:aws:iam::ACCOUNT:role/NAME";

fn session_name(settings: &Settings) -> Result<String, Error> {
    let name = settings.text("session_name").unwrap_or("valetkey");
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if (2..=64).contains(&name.len()) && name.bytes().all(fine) {
        return Ok(name.to_owned());
    }
    let fix = "use 2 to 64 characters out of A-Z a-z 0-9 _ + = , . @ -";
    Err(settings.refuse("session_name", "session_name is not one that STS takes", fix))
}
