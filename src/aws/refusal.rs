//! What an STS means by its refusals, read from the raw body: `<Error>` bare (Ceph), in `<ErrorResponse>` (AWS, MinIO).

use crate::access::Need;
use crate::error::{Error, printable};
use crate::freshness::clamp_retry_after;
use crate::ports::{Response, Route, SendError};

/// Why a call did not succeed.
#[derive(Debug)]
pub enum Refusal {
    /// The STS did not take this access: another may be worth a try. What to tell where there is none; the login's name
    /// in it is put right by the broker, which knows what the config calls it.
    Access(Error),
    /// Another access would not help.
    Request(Error),
}

/// Judges a call that did not succeed. `sdk_error` counts only where nothing came back, or what came was no error.
pub(super) fn refusal(
    seen: Option<Result<Response, SendError>>,
    sdk_error: &(dyn std::error::Error + 'static),
    host: &str,
    route: &Route,
    need: Need,
) -> Refusal {
    Refusal::Request(match seen {
        Some(Ok(response)) if response.status >= 300 => return judge(&response, host, need),
        Some(Ok(response)) if response.body.expose().trim_start().starts_with("<!") => {
            Error::unavailable(format!("{host} answered {} with a web page", response.status))
        }
        Some(Ok(response)) => Error::Protocol {
            message: format!("{host} answered {} but not with credentials", response.status),
            request_id: element(&response, "RequestId"),
        },
        Some(Err(error)) => error.about(host, route),
        None => Error::protocol(format!("the request to {host} could not be made: {sdk_error}")),
    })
}

fn judge(response: &Response, host: &str, need: Need) -> Refusal {
    let code = element(response, "Code").unwrap_or_default();
    let said = element(response, "Message").map_or_else(|| code.clone(), |message| format!("{code}: {message}"));
    let said = printable(&said);
    let status = response.status;
    let rejected =
        |what: &str| Refusal::Access(Error::sign_in("aws", format!("{host} does not accept {what} ({code})")));
    let denied = || Error::Denied {
        message: format!("{host} does not let this login have the credentials ({said})"),
        url: None,
        hint: "see the role's trust policy and the login's own policy; Ceph says the same of a wrong key".into(),
    };
    match code.as_str() {
        // AWS says of a skewed clock that the signature is wrong, and why in its message alone.
        "RequestExpired" | "RequestTimeTooSkewed" => Refusal::Request(skewed(response, host)),
        "SignatureDoesNotMatch" if said.contains("Signature expired") || said.contains("not yet current") => {
            Refusal::Request(skewed(response, host))
        }
        "InvalidClientTokenId" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "UnrecognizedClientException" => {
            rejected("the access key")
        }
        "InvalidIdentityToken" | "IDPRejectedClaim" => rejected("the identity token"),
        "ExpiredToken" | "ExpiredTokenException" => rejected("the login's token any more"),
        "AccessDenied" if said.contains("MultiFactorAuthentication failed") => Refusal::Access(Error::sign_in(
            "aws",
            format!("{host} does not accept the MFA code, which works once and for 30 seconds ({said})"),
        )),
        // Ceph says so of an expired identity token too: another token is worth one try.
        "AccessDenied" | "AccessDeniedException" if need == Need::WebIdentity => Refusal::Access(denied()),
        "AccessDenied" | "AccessDeniedException" => Refusal::Request(denied()),
        "Throttling"
        | "ThrottlingException"
        | "ServiceUnavailable"
        | "STSNotInitialized"
        | "InternalFailure"
        // AWS could not reach the identity provider.
        | "IDPCommunicationError"
        | "InternalError" => Refusal::Request(away(response, host, &code)),
        _ if status == 429 || status >= 500 => Refusal::Request(away(response, host, &code)),
        "" if status >= 400 => Refusal::Request(Error::Protocol {
            message: format!("{host} answered {status} without a code: is it an STS? {}", response.excerpt()),
            request_id: element(response, "RequestId"),
        }),
        // The keys were a role's themselves.
        _ if status >= 400 && said.contains("role chaining") => Refusal::Request(Error::configuration(
            format!("{host} refuses the request: {said}"),
            "keys that came from a role open another for one hour at most: set duration to 1h or less",
        )),
        _ if status >= 400 => Refusal::Request(Error::configuration(
            format!("{host} refuses the request: {said}"),
            "check role_arn, duration, bucket and prefix of the profile",
        )),
        _ => Refusal::Request(Error::configuration(
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

    const INVALID_CODE: &str = "<Message>MultiFactorAuthentication failed with invalid MFA one time pass code. <";

    fn judged(status: u16, body: &str) -> (Kind, bool) {
        let response = Response { status, headers: vec![("date".into(), "today".into())], body: Secret::new(body) };
        match judge(&response, "sts.example.org", Need::AwsKeys) {
            Refusal::Access(error) => (error.kind(), true),
            Refusal::Request(error) => (error.kind(), false),
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
            (403, aws("AccessDenied").replace("<Message>m<", INVALID_CODE), (Kind::LoginRequired, true)),
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
    #[test]
    fn a_role_by_a_role_is_told_of_its_one_hour() {
        let said = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        let body = format!("<Error><Code>ValidationError</Code><Message>{said}</Message></Error>");
        let response = Response { status: 400, headers: Vec::new(), body: Secret::new(body) };
        let Refusal::Request(error) = judge(&response, "sts.example.org", Need::AwsKeys) else { panic!("no access") };
        assert!(error.hint().contains("one hour at most"), "{}", error.text());
    }
}
