//! The metadata of an EC2 instance by IMDSv2: a token first, then the role's name, then its keys. The older protocol is off.

use super::answer::Answer;
use super::world::{Ask, noise, number};
use super::{Issuer, Standin};
use serde_json::json;

pub(super) struct Instance;

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

// === impl Instance ===

impl Issuer for Instance {
    fn answer(&self, ask: &Ask) -> Answer {
        let (method, path) = (ask.request.method.as_str(), ask.request.path.as_str());
        if (method, path) == ("PUT", "/latest/api/token") {
            return match ask.request.header("x-aws-ec2-metadata-token-ttl-seconds") {
                Some(_) => Answer::new(200, "text/plain", token(ask)),
                None => self.trouble(400, "Bad Request", ""),
            };
        }
        let known = ask.request.header("x-aws-ec2-metadata-token").is_some_and(|token| known(ask, token));
        match path.strip_prefix(ROLES) {
            _ if method != "GET" || !known => self.trouble(401, "Unauthorized", ""),
            Some("") => Answer::new(200, "text/plain", Standin::INSTANCE_ROLE),
            Some(role) if role == Standin::INSTANCE_ROLE => keys(ask),
            _ => self.trouble(404, "Not Found", ""),
        }
    }

    fn sign_in(&self, _: &Ask) -> Answer {
        self.trouble(401, "Unauthorized", "")
    }

    fn trouble(&self, status: u16, code: &str, _: &str) -> Answer {
        Answer::html(status, &format!("<h1>{status} - {code}</h1>"))
    }
}

fn token(ask: &Ask) -> String {
    let token: String = noise("metadata", number(), 20).iter().map(|byte| format!("{byte:02x}")).collect();
    ask.world.state().metadata_tokens.insert(token.clone());
    token
}

fn known(ask: &Ask, token: &str) -> bool {
    ask.world.state().metadata_tokens.contains(token)
}

/// They live six hours.
fn keys(ask: &Ask) -> Answer {
    let issued = ask.issue(6 * 3600);
    let mut given = json!({
        "Code": "Success",
        "LastUpdated": ask.now().to_string(),
        "Type": "AWS-HMAC",
        "AccessKeyId": issued.access_key_id,
        "SecretAccessKey": issued.secret_access_key,
        "Token": issued.session_token,
    });
    if let Some(end) = issued.expiration {
        given["Expiration"] = end.to_string().into();
    }
    // The content type that it has there.
    Answer::new(200, "text/plain", given.to_string())
}
