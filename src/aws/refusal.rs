//! What an STS means by its refusals, read from the raw body: `<Error>` bare (Ceph), in `<ErrorResponse>` (AWS, MinIO).

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

/// In seconds, either way: what AWS, Ceph and MinIO put up with.
const MAX_SKEW: i64 = 15 * 60;

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
                Refusal::Request(self.skewed(response))
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

/// The text of the first `<name>`, 200 characters of it; these bodies have no attributes there and no nesting of equal
/// names.
fn element(response: &Response, name: &str) -> Option<String> {
    let body = response.body.expose();
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(unescaped(text).chars().take(200).collect())
}

/// The five entities of XML, and characters by number. What was read is not read again.
fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain += before;
        let entity = after.split_once(';').and_then(|(name, after)| Some((character(name)?, after)));
        let (character, after) = entity.unwrap_or(('&', after));
        plain.push(character);
        rest = after;
    }
    plain + rest
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::wire::Kind;

    fn refused(status: u16, date: &str, body: &str) -> Refusal {
        let response = Response { status, headers: vec![("date".into(), date.into())], body: Secret::new(body) };
        let (route, signed) = (Route::default(), "2026-11-23T13:00:00Z".parse().ok());
        Asked { host: "sts.example.org", route: &route, need: Need::AwsKeys, signed }.judge(&response)
    }

    fn error(refusal: Refusal) -> (Error, bool) {
        match refusal {
            Refusal::Access(error) => (error, true),
            Refusal::Request(error) => (error, false),
        }
    }

    fn judged(status: u16, body: &str) -> (Kind, bool) {
        let (error, access) = error(refused(status, "today", body));
        (error.kind(), access)
    }

    fn aws(code: &str, message: &str) -> String {
        format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
        )
    }

    #[test]
    fn aws_ceph_and_minio_are_read_alike() {
        let aws = |code: &str| aws(code, "m");
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

    #[test]
    fn clocks_more_than_15_minutes_apart_are_told_with_both_times_whatever_the_code() {
        let ceph = "<Error><Code>AccessDenied</Code></Error>".to_owned();
        let late = "Signature expired: 20261123T130000Z is now earlier than 20261123T134500Z";
        for (date, body, said) in [
            (
                "Mon, 23 Nov 2026 14:00:00 GMT",
                ceph.clone(),
                "1h behind: 2026-11-23T13:00:00Z here, 2026-11-23T14:00:00Z there",
            ),
            (
                "Mon, 23 Nov 2026 12:44:59 GMT",
                aws("InvalidClientTokenId", ""),
                "15m 1s ahead: 2026-11-23T13:00:00Z here",
            ),
            ("Mon, 23 Nov 2026 14:00:00 GMT", aws("SignatureDoesNotMatch", late), "1h behind"),
            ("today", aws("SignatureDoesNotMatch", late), "is now earlier than 20261123T134500Z"),
            ("today", aws("RequestTimeTooSkewed", ""), "differ by more than 15 minutes"),
        ] {
            let (error, access) = error(refused(403, date, &body));
            assert!(!access && error.kind() == Kind::Configuration, "{}", error.text());
            assert!(error.text().contains(said) && error.hint().contains("timedatectl"), "{}", error.text());
        }
        let (near, _) = error(refused(403, "Mon, 23 Nov 2026 13:15:00 GMT", &ceph));
        assert_eq!(near.kind(), Kind::Denied, "within what they put up with");
        let (away, _) = error(refused(503, "Mon, 23 Nov 2026 14:00:00 GMT", ""));
        assert_eq!(away.kind(), Kind::Unavailable, "a clock is no reason for that");
    }

    #[test]
    fn a_refusal_names_the_settings_it_is_about() {
        let chained =
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        let longest = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        for (code, message, hint) in [
            ("ValidationError", chained, "an hour at most"),
            ("ValidationError", longest, "the role's own maximum"),
            ("PackedPolicyTooLarge", "", "statements"),
            ("MalformedPolicyDocument", "", "statements"),
            ("NoSuchEntity", "", "check role_arn of the profile"),
            ("RegionDisabledException", "", "region"),
            ("InvalidArgument", "", "duration"),
        ] {
            let (error, _) = error(refused(400, "today", &aws(code, message)));
            assert!(error.kind() == Kind::Configuration && error.hint().contains(hint), "{}", error.text());
        }
    }

    #[test]
    fn entities_are_read_once_and_what_is_none_stays() {
        let (error, _) = error(refused(
            400,
            "today",
            &aws("Odd", "&quot;a&quot; &lt;b&gt; &#39;c&#x27; &amp;lt; R&D &no; &#xD800; &"),
        ));
        assert!(error.to_string().contains(r#"Odd: "a" <b> 'c' &lt; R&D &no; &#xD800; &"#), "{}", error.text());
        let long = error_of_length(500);
        assert!(long.len() < 300, "{long}");
    }

    fn error_of_length(length: usize) -> String {
        error(refused(400, "today", &aws("Odd", &"x".repeat(length)))).0.to_string()
    }
}
