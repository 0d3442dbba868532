//! What an STS means by its refusals, read from the raw body: `<Error>` bare (Ceph), in `<ErrorResponse>` (AWS, MinIO).

#[cfg(test)]
mod tests;

use super::clock::MAX_SKEW;
use super::xml::element;
use crate::access::Need;
use crate::error::{Error, printable};
use crate::freshness::clamp_retry_after;
use crate::ports::{Response, Route, SendError};
use jiff::{Timestamp, Unit};

/// Why a call did not succeed.
#[derive(Debug)]
pub enum Refusal {
    /// The STS did not take this access: another may be worth a try. What to tell where there is none; the login's name
    /// in it is put right by the broker, which knows what the config calls it.
    Access(Error),
    /// Another access would not help.
    Request(Error),
}

/// What was asked, of whom, and when by this machine's clock.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) host: &'a str,
    pub(super) route: &'a Route,
    pub(super) need: Need,
    pub(super) signed: Option<Timestamp>,
}

impl Asked<'_> {
    /// Judges a call that did not succeed. `sdk_error` counts only where nothing came back, or what came was no error.
    pub(super) fn refusal(
        &self,
        seen: Option<Result<Response, SendError>>,
        sdk_error: &(dyn std::error::Error + 'static),
    ) -> Refusal {
        let host = self.host;
        Refusal::Request(match seen {
            Some(Ok(response)) if response.status >= 300 => return self.judge(&response),
            Some(Ok(response)) if response.body.expose().trim_start().starts_with("<!") => {
                Error::unavailable(format!("{host} answered {} with a web page", response.status))
            }
            Some(Ok(response)) => Error::Protocol {
                message: format!("{host} answered {} but not with credentials", response.status),
                request_id: element(&response, "RequestId"),
            },
            Some(Err(error)) => error.about(host, self.route),
            None => Error::protocol(format!("the request to {host} could not be made: {sdk_error}")),
        })
    }

    fn judge(&self, response: &Response) -> Refusal {
        let host = self.host;
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
            "RequestExpired" | "RequestTimeTooSkewed" => Refusal::Request(self.skewed(response)),
            "SignatureDoesNotMatch" if said.contains("Signature expired") || said.contains("not yet current") => {
                Refusal::Request(match self.skew(response) {
                    // Both clocks say the same: it took its time on the way.
                    Some(skew) if skew.abs() < MAX_SKEW / 2 => {
                        let fix = "try again; if it stays so, see what stands between: a proxy that holds requests back";
                        Error::configuration(format!("{host} refuses the signature ({said})"), fix)
                    }
                    _ => self.skewed(response),
                })
            }
            // Ceph's STS says AccessDenied of everything, and no key could have been taken.
            _ if (400..500).contains(&status) && self.skew(response).is_some_and(|skew| skew.abs() > MAX_SKEW) => {
                Refusal::Request(self.skewed(response))
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
            "AccessDenied" | "AccessDeniedException" if self.need == Need::WebIdentity => Refusal::Access(denied()),
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
            _ if status >= 400 => {
                let message = format!("{host} refuses the request: {said}");
                Refusal::Request(Error::configuration(message, mend(&code, &said)))
            }
            _ => Refusal::Request(Error::configuration(
                format!("{host} redirects ({status}): it is no STS"),
                "check endpoint in the config",
            )),
        }
    }

    /// By how many seconds this machine's clock is ahead of the issuer's.
    fn skew(&self, response: &Response) -> Option<i64> {
        Some(self.signed?.as_second() - response.date()?.as_second())
    }

    fn skewed(&self, response: &Response) -> Error {
        let host = self.host;
        let clocks = match (self.signed, response.date(), self.skew(response)) {
            (Some(ours), Some(theirs), Some(skew)) => {
                let by = jiff::SignedDuration::from_secs(skew.abs()).round(Unit::Second).unwrap_or_default();
                let way = if skew > 0 { "ahead" } else { "behind" };
                format!("this host's clock is {by:#} {way}: {ours} here, {theirs} there")
            }
            // Without a Date header the message is all there is.
            _ => match element(response, "Message").filter(|said| said.contains("ignature")) {
                Some(said) => format!("the clocks differ by more than 15 minutes: {}", printable(&said)),
                None => "the clocks differ by more than 15 minutes".to_owned(),
            },
        };
        Error::configuration(
            format!("{host} refuses the signature because {clocks}"),
            "set this host's clock: timedatectl set-ntp true",
        )
    }
}

/// Which settings a refusal is about.
fn mend(code: &str, said: &str) -> &'static str {
    match code {
        "MalformedPolicyDocument" | "MalformedPolicy" | "PackedPolicyTooLarge" => {
            "check bucket, prefix and statements of the profile"
        }
        "NoSuchEntity" => "check role_arn of the profile",
        "RegionDisabledException" => "check region of the profile",
        _ if said.contains("role chaining") => {
            "a role assumed with temporary keys lives an hour at most: write duration = \"1h\", or leave it out"
        }
        _ if said.contains("MaxSessionDuration") => "shorten duration of the profile, or raise the role's own maximum",
        _ => "check role_arn, duration, bucket, prefix and statements of the profile",
    }
}

fn away(response: &Response, host: &str, code: &str) -> Error {
    let retry_after = response.retry_after().map(|wait| clamp_retry_after(wait).as_secs());
    Error::Unavailable {
        message: format!("{host} answered {} {code}", response.status).trim_end().to_owned(),
        retry_after,
    }
}
