//! STS as AWS speaks it, or as Ceph does: form in, XML out. Whose signature it is and of when is checked; the signature
//! is not.

#[cfg(test)]
mod tests;

use super::Issuer;
use super::answer::Answer;
use super::world::{Ask, later};
use jiff::Timestamp;

pub(super) struct Sts;

const ACCOUNT: &str = "123456789012";
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

// === impl Sts ===

impl Issuer for Sts {
    fn answer(&self, ask: &Ask) -> Answer {
        if ask.request.method != "POST" || !matches!(ask.request.path.as_str(), "/sts" | "/sts/") {
            return Answer::not_deployed();
        }
        let action = ask.request.field("Action");
        // Ceph takes a plus for a plus, not for a blank.
        let plus = ask.request.body.split('&').any(|field| field.starts_with("Policy=") && field.contains('+'));
        if ask.by_ceph() && plus {
            return fault(ask, 400, "MalformedPolicyDocument", "");
        }
        if let Some(policy) = field(ask, "Policy")
            && !serde_json::from_str(&policy).is_ok_and(|policy: serde_json::Value| policy["Statement"].is_array())
        {
            return fault(ask, 400, "MalformedPolicyDocument", "Syntax errors in policy.");
        }
        // The one operation that nobody signs.
        if action.as_deref() == Some("AssumeRoleWithWebIdentity") {
            return web_identity(ask).unwrap_or_else(|refusal| refusal);
        }
        let signer = match signer(ask) {
            Ok(signer) => signer,
            Err(refusal) => return refusal,
        };
        match action.as_deref() {
            Some("GetCallerIdentity") if ask.by_ceph() => fault(ask, 405, "MethodNotAllowed", ""),
            Some("GetFederationToken") => federation_token(ask).unwrap_or_else(|refusal| refusal),
            Some("AssumeRole") => assume_role(ask, &signer).unwrap_or_else(|refusal| refusal),
            Some("GetSessionToken") => session_token(ask).unwrap_or_else(|refusal| refusal),
            Some("GetCallerIdentity") => {
                let user = format!("<Arn>{}</Arn><UserId>{}</UserId>", user(&signer), escaped(&signer));
                success(ask, "GetCallerIdentity", &format!("{user}<Account>{ACCOUNT}</Account>"))
            }
            action => {
                let action = action.unwrap_or_default();
                fault(ask, 400, "InvalidAction", &format!("Could not find operation {action} for version 2011-06-15"))
            }
        }
    }

    /// No STS does this; a gateway before one may.
    fn sign_in(&self, ask: &Ask) -> Answer {
        Answer::redirect(302, &format!("{}/urs/oauth/authorize", ask.world.origin))
    }

    fn trouble(&self, status: u16, code: &str, message: &str) -> Answer {
        aws_fault(status, code, message)
    }
}

/// The access key id of who signed, if it is known and its clock agrees with ours within 15 minutes.
fn signer(ask: &Ask) -> Result<String, Answer> {
    let authorization = ask.request.header("authorization").unwrap_or_default();
    let scope = authorization.strip_prefix("AWS4-HMAC-SHA256 Credential=");
    let Some((id, _)) = scope.and_then(|scope| scope.split_once('/')) else {
        return Err(fault(ask, 403, "MissingAuthenticationToken", "Request is missing Authentication Token"));
    };
    let state = ask.world.state();
    if !state.key_ids.contains(id) && !state.issued.iter().any(|issued| issued.access_key_id == id) {
        return Err(fault(ask, 403, "InvalidClientTokenId", "The security token included in the request is invalid."));
    }
    let stamp = ask.request.header("x-amz-date").unwrap_or_default();
    let signed = Timestamp::strptime("%Y%m%dT%H%M%SZ%z", format!("{stamp}+0000"));
    match signed {
        Ok(signed) if signed < later(ask.now(), -900) => {
            let message = format!("Signature expired: {stamp} is now earlier than {}", basic(later(ask.now(), -900)));
            Err(fault(ask, 403, "SignatureDoesNotMatch", &message))
        }
        Ok(signed) if signed > later(ask.now(), 900) => {
            let message = format!("Signature not yet current: {stamp} is still later than {}", basic(ask.now()));
            Err(fault(ask, 403, "SignatureDoesNotMatch", &message))
        }
        // A test that writes its request by hand may leave the time out.
        _ => Ok(id.to_owned()),
    }
}

fn assume_role(ask: &Ask, signer: &str) -> Result<Answer, Answer> {
    let (role, session) = role(ask)?;
    if role.contains("denied") {
        let user = user(signer);
        let message = format!("User: {user} is not authorized to perform: sts:AssumeRole on resource: {role}");
        return Err(fault(ask, 403, "AccessDenied", &message));
    }
    let result = format!("{}{}", assumed(&role, &session), credentials(ask, life(ask, 3600, ROLES)?));
    Ok(success(ask, "AssumeRole", &result))
}

/// With a code of an MFA device or without. A code that was taken once is wrong from then on.
fn session_token(ask: &Ask) -> Result<Answer, Answer> {
    let (serial, code) = (field(ask, "SerialNumber"), field(ask, "TokenCode"));
    if serial.is_some() || code.is_some() {
        let mut state = ask.world.state();
        let codes = serial.as_ref().and_then(|serial| state.mfa_codes.get_mut(serial));
        if !codes.is_some_and(|codes| codes.remove(&code.unwrap_or_default())) {
            let message = "MultiFactorAuthentication failed with invalid MFA one time pass code. ";
            drop(state);
            return Err(fault(ask, 403, "AccessDenied", message));
        }
    }
    Ok(success(ask, "GetSessionToken", &credentials(ask, life(ask, 43_200, USERS)?)))
}

/// With a token of this stand-in's Keycloak.
fn web_identity(ask: &Ask) -> Result<Answer, Answer> {
    let (role, session) = role(ask)?;
    let token = field(ask, "WebIdentityToken").unwrap_or_default();
    let end = ask.world.state().people.access.get(&token).copied();
    match end {
        None => return Err(fault(ask, 400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account")),
        Some(end) if end <= ask.now() => {
            return Err(fault(ask, 400, "ExpiredTokenException", "Token expired: current date/time must be before it"));
        }
        Some(_) => {}
    }
    let subject = super::token::claims(&token).unwrap_or_default()["sub"].as_str().unwrap_or_default().to_owned();
    let subject = format!("<SubjectFromWebIdentityToken>{}</SubjectFromWebIdentityToken>", escaped(&subject));
    let result = format!("{subject}{}{}", assumed(&role, &session), credentials(ask, life(ask, 3600, ROLES)?));
    Ok(success(ask, "AssumeRoleWithWebIdentity", &result))
}

fn federation_token(ask: &Ask) -> Result<Answer, Answer> {
    let Some(name) = field(ask, "Name").map(|name| escaped(&name)) else {
        return Err(fault(ask, 400, "ValidationError", "Name is required"));
    };
    let life = life(ask, 43_200, USERS)?;
    let user = format!(
        "<FederatedUser><FederatedUserId>{ACCOUNT}:{name}</FederatedUserId>\
         <Arn>arn:aws:sts::{ACCOUNT}:federated-user/{name}</Arn></FederatedUser>"
    );
    Ok(success(ask, "GetFederationToken", &format!("{user}{}", credentials(ask, life))))
}

fn field(ask: &Ask, name: &str) -> Option<String> {
    ask.request.field(name).filter(|value| !value.is_empty())
}

/// Role and session of a request; a role whose name holds `absent` is not there.
fn role(ask: &Ask) -> Result<(String, String), Answer> {
    let (Some(role), Some(session)) = (field(ask, "RoleArn"), field(ask, "RoleSessionName")) else {
        return Err(fault(ask, 400, "ValidationError", "RoleArn and RoleSessionName are required"));
    };
    if ask.by_ceph() && role.contains("absent") {
        return Err(fault(ask, 404, "NoSuchEntity", ""));
    }
    Ok((role, session))
}

/// The longest life of a role's credentials, and of a user's, in seconds.
const ROLES: i64 = 43_200;
const USERS: i64 = 129_600;

/// Seconds, as asked for within what is allowed.
fn life(ask: &Ask, usual: i64, most: i64) -> Result<i64, Answer> {
    let life = field(ask, "DurationSeconds").and_then(|life| life.parse().ok()).unwrap_or(usual);
    match (900..=most).contains(&life) {
        true => Ok(life),
        false if ask.by_ceph() => Err(fault(ask, 400, "InvalidArgument", "")),
        false => Err(fault(ask, 400, "ValidationError", &format!("DurationSeconds is not within 900 and {most}"))),
    }
}

fn assumed(role: &str, session: &str) -> String {
    let (name, session) = (escaped(role.rsplit('/').next().unwrap_or_default()), escaped(session));
    format!(
        "<AssumedRoleUser><AssumedRoleId>AROASTANDIN0000000001:{session}</AssumedRoleId>\
         <Arn>arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}</Arn></AssumedRoleUser>"
    )
}

fn credentials(ask: &Ask, life: i64) -> String {
    let issued = ask.issue(life);
    let written = |end: Timestamp| match ask.by_ceph() {
        true => end.strftime("%Y-%m-%dT%H:%M:%S.123456789Z").to_string(),
        false => end.to_string(),
    };
    let end = issued.expiration.map(|end| format!("<Expiration>{}</Expiration>", written(end))).unwrap_or_default();
    format!(
        "<Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken>{end}</Credentials>",
        issued.access_key_id, issued.secret_access_key, issued.session_token
    )
}

fn success(ask: &Ask, action: &str, result: &str) -> Answer {
    let id = ask.request_id();
    if ask.by_ceph() {
        let body = format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>");
        return Answer::new(200, "application/xml", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{body}"));
    }
    let body = format!(
        "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{action}Response>\n"
    );
    Answer::new(200, "text/xml", body).with("x-amzn-requestid", id)
}

/// An error in the form of whoever is asked. Ceph says AccessDenied of whatever is wrong with a key or a token.
fn fault(ask: &Ask, status: u16, code: &str, message: &str) -> Answer {
    if !ask.by_ceph() {
        return aws_fault(status, code, message);
    }
    let unknown = ["InvalidIdentityToken", "ExpiredTokenException", "MissingAuthenticationToken"].contains(&code);
    let (status, code) = if status == 403 || unknown { (403, "AccessDenied") } else { (status, code) };
    let body = format!("<Error><Code>{code}</Code><RequestId>tx0-standin</RequestId><HostId>standin</HostId></Error>");
    Answer::new(status, "application/xml", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{body}"))
}

/// An error in AWS's form. Its request id is the same each time, so that a test can look for it.
fn aws_fault(status: u16, code: &str, message: &str) -> Answer {
    let (kind, id) = (if status < 500 { "Sender" } else { "Receiver" }, "00000000-57a4-d000-0000-000000000000");
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{kind}</Type><Code>{code}</Code><Message>{}</Message>\
         </Error><RequestId>{id}</RequestId></ErrorResponse>\n",
        escaped(message)
    );
    Answer::new(status, "text/xml", body).with("x-amzn-requestid", id)
}

fn user(signer: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/{}", escaped(signer))
}

fn basic(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
