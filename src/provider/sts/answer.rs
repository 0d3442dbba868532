//! What an STS means by its refusals, read from the raw body: `<Error>` bare (Ceph), in `<ErrorResponse>` (AWS, MinIO).

use super::super::{Answer, Need};
use crate::error::{Error, printable};
use crate::freshness::clamp_retry_after;
use crate::login;
use crate::ports::{Response, Route, SendError};

/// Judges a call that did not succeed. `sdk_error` counts only where nothing came back, or what came was no error.
pub(super) fn refusal(
    seen: Option<Result<Response, SendError>>,
    sdk_error: &(dyn std::error::Error + 'static),
    host: &str,
    route: &Route,
    need: Need,
) -> Result<Answer, Error> {
    match seen {
        Some(Ok(response)) if response.status >= 300 => judge(&response, host, need),
        Some(Ok(response)) if response.body.expose().trim_start().starts_with("<!") => {
            Err(Error::unavailable(format!("{host} answered {} with a web page", response.status)))
        }
        Some(Ok(response)) => Err(Error::Protocol {
            message: format!("{host} answered {} but not with credentials", response.status),
            request_id: element(&response, "RequestId"),
        }),
        Some(Err(error)) => Err(error.about(host, route)),
        None => Err(Error::protocol(format!("the request to {host} could not be made: {sdk_error}"))),
    }
}

fn judge(response: &Response, host: &str, need: Need) -> Result<Answer, Error> {
    let code = element(response, "Code").unwrap_or_default();
    let said = element(response, "Message").map_or_else(|| code.clone(), |message| format!("{code}: {message}"));
    let said = printable(&said);
    let status = response.status;
    let rejected = |what: &str| {
        // The name is put right by the broker, which knows what the config calls the login.
        Ok(Answer::Rejected(Error::sign_in(login::aws::KIND.name, format!("{host} does not accept {what} ({code})"))))
    };
    let denied = || Error::Denied {
        message: format!("{host} does not let this login have the credentials ({said})"),
        url: None,
        hint: "see the role's trust policy and the login's own policy; Ceph says the same of a wrong key".into(),
    };
    match code.as_str() {
        // AWS says of a skewed clock that the signature is wrong, and why in its message alone.
        "RequestExpired" | "RequestTimeTooSkewed" => Err(skewed(response, host)),
        "SignatureDoesNotMatch" if said.contains("Signature expired") || said.contains("not yet current") => {
            Err(skewed(response, host))
        }
        "InvalidClientTokenId" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "UnrecognizedClientException" => {
            rejected("the access key")
        }
        "InvalidIdentityToken" | "IDPRejectedClaim" => rejected("the identity token"),
        "ExpiredToken" | "ExpiredTokenException" => rejected("the login's token any more"),
        // Ceph says so of an expired identity token too: another token is worth one try.
        "AccessDenied" | "AccessDeniedException" if need == Need::WebIdentity => Ok(Answer::Rejected(denied())),
        "AccessDenied" | "AccessDeniedException" => Err(denied()),
        "Throttling"
        | "ThrottlingException"
        | "ServiceUnavailable"
        | "STSNotInitialized"
        | "InternalFailure"
        // AWS could not reach the identity provider.
        | "IDPCommunicationError"
        | "InternalError" => Err(away(response, host, &code)),
        _ if status == 429 || status >= 500 => Err(away(response, host, &code)),
        "" if status >= 400 => Err(Error::Protocol {
            message: format!("{host} answered {status} without a code: is it an STS? {}", response.excerpt()),
            request_id: element(response, "RequestId"),
        }),
        _ if status >= 400 => Err(Error::configuration(
            format!("{host} refuses the request: {said}"),
            "check role_arn, duration, bucket and prefix of the profile",
        )),
        _ => Err(Error::configuration(
            format!("{host} redirects ({status}): it is no STS"),
            "check endpoint in the config",
        )),
    }
}

fn skewed(response: &Response, host: &str) -> Error {
    let theirs = response.header("date").unwrap_or("no date");
    Error::configuration(
        format!("{host} refuses the signature because the clocks differ by more than 15 minutes (it says {theirs})"),
        "set this host's clock: timedatectl set-ntp true",
    )
}

fn away(response: &Response, host: &str, code: &str) -> Error {
    let retry_after = response.retry_after().map(|wait| clamp_retry_after(wait).as_secs());
    Error::Unavailable {
        message: format!("{host} answered {} {code}", response.status).trim_end().to_owned(),
        retry_after,
    }
}

/// The text of the first `<name>`; these bodies have no attributes and no nesting of equal names.
fn element(response: &Response, name: &str) -> Option<String> {
    let body = response.body.expose();
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.chars().take(300).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::wire::Kind;

    fn judged(status: u16, body: &str) -> (Kind, bool) {
        let response = Response { status, headers: vec![("date".into(), "today".into())], body: Secret::new(body) };
        match judge(&response, "sts.example.org", Need::AwsKeys) {
            Ok(Answer::Rejected(error)) => (error.kind(), true),
            Ok(answer) => panic!("a refusal issues nothing: {answer:?}"),
            Err(error) => (error.kind(), false),
        }
    }

    #[test]
    fn aws_ceph_and_minio_are_read_alike() {
        let aws = |code: &str| {
            format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code><Message>m</Message></Error><RequestId>r</RequestId></ErrorResponse>"
            )
        };
        let ceph =
            |code: &str| format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><RequestId>tx1</RequestId></Error>");
        for (status, body, expected) in [
            (403, aws("InvalidClientTokenId"), (Kind::LoginRequired, true)),
            (403, aws("SignatureDoesNotMatch"), (Kind::LoginRequired, true)),
            (403, aws("AccessDenied"), (Kind::Denied, false)),
            (403, ceph("AccessDenied"), (Kind::Denied, false)),
            (404, ceph("NoSuchEntity"), (Kind::Configuration, false)),
            (400, ceph("InvalidArgument"), (Kind::Configuration, false)),
            (400, aws("MalformedPolicyDocument"), (Kind::Configuration, false)),
            (403, aws("RequestTimeTooSkewed"), (Kind::Configuration, false)),
            (403, aws("InvalidIdentityToken"), (Kind::LoginRequired, true)),
            (
                403,
                aws("SignatureDoesNotMatch")
                    .replace("<Message>m<", "<Message>Signature expired: 1 is now earlier than 2<"),
                (Kind::Configuration, false),
            ),
            (503, aws("STSNotInitialized"), (Kind::Unavailable, false)),
            (400, aws("IDPCommunicationError"), (Kind::Unavailable, false)),
            (400, aws("Throttling"), (Kind::Unavailable, false)),
            (500, String::new(), (Kind::Unavailable, false)),
            (404, "not found".to_owned(), (Kind::Protocol, false)),
            (302, String::new(), (Kind::Configuration, false)),
        ] {
            assert_eq!(judged(status, &body), expected, "{status} {body}");
        }
    }
}
