//! Bodies of AWS, Ceph and MinIO, and what they come to.

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
            aws("SignatureDoesNotMatch").replace("<Message>m<", "<Message>Signature expired: 1 is now earlier than 2<"),
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
        ("Mon, 23 Nov 2026 12:44:59 GMT", aws("InvalidClientTokenId", ""), "15m 1s ahead: 2026-11-23T13:00:00Z here"),
        ("Mon, 23 Nov 2026 14:00:00 GMT", aws("SignatureDoesNotMatch", late), "1h behind"),
        ("today", aws("SignatureDoesNotMatch", late), "is now earlier than 20261123T134500Z"),
        ("today", aws("RequestTimeTooSkewed", ""), "differ by more than 15 minutes"),
    ] {
        let (error, access) = error(refused(403, date, &body));
        assert!(!access && error.kind() == Kind::Configuration, "{}", error.text());
        assert!(error.text().contains(said) && error.hint().contains("timedatectl"), "{}", error.text());
    }
    let (same, _) = error(refused(403, "Mon, 23 Nov 2026 13:00:02 GMT", &aws("SignatureDoesNotMatch", late)));
    assert!(same.text().contains("is now earlier than") && !same.text().contains("timedatectl"), "{}", same.text());
    let (near, _) = error(refused(403, "Mon, 23 Nov 2026 13:15:00 GMT", &ceph));
    assert_eq!(near.kind(), Kind::Denied, "within what they put up with");
    let (away, _) = error(refused(503, "Mon, 23 Nov 2026 14:00:00 GMT", ""));
    assert_eq!(away.kind(), Kind::Unavailable, "a clock is no reason for that");
}

#[test]
fn a_refusal_names_the_settings_it_is_about() {
    let chained = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
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
    let (error, _) =
        error(refused(400, "today", &aws("Odd", "&quot;a&quot; &lt;b&gt; &#39;c&#x27; &amp;lt; R&D &no; &#xD800; &")));
    assert!(error.to_string().contains(r#"Odd: "a" <b> 'c' &lt; R&D &no; &#xD800; &"#), "{}", error.text());
    let long = error_of_length(500);
    assert!(long.len() < 300, "{long}");
}

fn error_of_length(length: usize) -> String {
    error(refused(400, "today", &aws("Odd", &"x".repeat(length)))).0.to_string()
}
