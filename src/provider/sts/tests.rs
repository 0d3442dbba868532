//! Settings of an STS, and what is sent for them.

use super::*;
use crate::ports::{Request, Response, SendError};
use crate::provider::Lack;
use crate::wire::Kind as ErrorKind;
use std::path::Path;
use std::sync::Mutex;

/// These settings; keys that are given twice are lists. All stand on line 7.
pub(super) fn settings(values: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::new(Path::new("/c"), "profiles.x", None);
    for (name, _) in values {
        let key = KIND.keys.iter().find(|key| key.name == *name).unwrap();
        let texts = values.iter().filter(|(known, _)| known == name).map(|(_, text)| (*text).to_owned()).collect();
        settings.insert(key, texts, Some(7), Path::new("/")).unwrap();
    }
    settings
}

fn build(values: &[(&str, &str)]) -> Result<Sts, Error> {
    Sts::new(&settings(values))
}

const ROLE: (&str, &str) = ("role_arn", "arn:aws:iam::123456789012:role/r");
const ELSEWHERE: (&str, &str) = ("endpoint", "https://rgw.example.org/");

#[test]
fn each_operation_of_aws_has_its_longest_life() {
    for (operation, more, longest, too_long) in [
        ("assume-role", ROLE, "12h", ["13h", "43201"]),
        ("web-identity", ROLE, "12h", ["13h", "43201"]),
        ("session-token", ("region", "us-east-1"), "36h", ["37h", "129601"]),
        ("federation-token", ("bucket", "my-bucket"), "36h", ["37h", "129601"]),
    ] {
        let with = |duration| build(&[("operation", operation), more, ("duration", duration)]);
        for good in ["15m", "1h", "3600", longest] {
            assert!(with(good).is_ok(), "{operation} {good}");
        }
        for bad in ["14m", "899"].into_iter().chain(too_long) {
            let error = with(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.hint().contains(&format!("15m to {longest} (/c:7)")), "{operation} {bad}: {}", error.text());
        }
    }
    assert!(build(&[ROLE, ("duration", "604800"), ELSEWHERE]).is_ok(), "others have their own bounds");
    let regional = ("endpoint", "https://sts.eu-west-1.amazonaws.com");
    assert!(build(&[ROLE, ("duration", "13h"), regional]).is_err(), "AWS by another name");
}

#[test]
fn a_federation_token_without_a_policy_could_do_nothing_and_is_refused() {
    let federation = ("operation", "federation-token");
    let error = build(&[federation]).unwrap_err();
    assert!(error.hint().contains("add bucket"), "{}", error.text());
    assert!(build(&[federation, ("bucket", "my-bucket")]).is_ok());
    let statement = ("statements", r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#);
    assert!(build(&[federation, statement]).is_ok());
    let session = build(&[("operation", "session-token"), statement]).unwrap_err();
    assert!(session.text().contains("takes no policy"), "{}", session.text());
}

#[test]
fn settings_that_an_operation_does_not_take_are_refused_with_their_line() {
    let (external_id, session_name, bucket) = (("external_id", "x"), ("session_name", "ada"), ("bucket", "my-bucket"));
    for (operation, more, taken, refused) in [
        ("assume-role", ROLE, &[external_id, session_name][..], &[][..]),
        ("web-identity", ROLE, &[session_name], &[external_id]),
        ("federation-token", bucket, &[session_name], &[external_id]),
        ("session-token", ("region", "us-east-1"), &[], &[external_id, session_name]),
    ] {
        for setting in taken {
            assert!(build(&[("operation", operation), more, *setting]).is_ok(), "{operation} {setting:?}");
        }
        for setting in refused {
            let error = build(&[("operation", operation), more, *setting]).unwrap_err();
            let leave_out = format!("leave out {} (/c:7)", setting.0);
            assert!(error.hint().contains(&leave_out), "{operation}: {}", error.text());
        }
    }
}

#[test]
fn a_role_of_aws_is_an_arn_with_an_account_and_any_other_is_the_issuers_word() {
    for operation in ["assume-role", "web-identity"] {
        let operation = ("operation", operation);
        for (bad, said) in [
            ("arn:aws:iam:::role/uploader", "add endpoint"),
            ("arn:aws:iam::me:role/uploader", "twelve digits"),
            ("uploader", "or add endpoint"),
            ("arn:aws:iam::123456789012:user/uploader", "is not the ARN of a role"),
            ("arn:aws:iam::123456789012:role/", "is not the ARN of a role"),
            ("arn:minio:iam:::role/dummy-internal", "is not the ARN of a role"),
        ] {
            let role = ("role_arn", bad);
            for at in [("region", "us-east-1"), ("endpoint", "https://sts.us-east-1.amazonaws.com")] {
                let error = build(&[operation, role, at]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Configuration);
                assert!(error.text().contains(said) && error.hint().contains("(/c:7)"), "{bad}: {}", error.text());
            }
            assert!(build(&[operation, role, ELSEWHERE]).is_ok(), "{bad}");
        }
        for good in ["arn:aws-cn:iam::123456789012:role/r", "arn:aws-us-gov:iam::123456789012:role/path/r"] {
            assert!(build(&[operation, ("role_arn", good)]).is_ok(), "{good}");
        }
        assert!(build(&[operation]).unwrap_err().hint().contains("add role_arn"));
        assert!(build(&[operation, ELSEWHERE]).is_ok(), "MinIO needs none");
    }
}

#[test]
fn what_settings_lack_is_known_before_they_are_refused() {
    let lacks = |values: &[(&str, &str)]| (KIND.lacks)(&settings(values));
    assert_eq!(lacks(&[]), Some(Lack::Needed("role_arn")));
    assert_eq!(lacks(&[ELSEWHERE]), Some(Lack::Wanted("role_arn")));
    assert_eq!(lacks(&[ROLE]), None);
    assert_eq!(lacks(&[("operation", "federation-token")]), Some(Lack::Needed("bucket")));
    assert_eq!(lacks(&[("operation", "session-token")]), None);
}

/// An issuer that says one thing to all, and keeps what it is sent.
#[derive(Debug)]
struct Says {
    status: u16,
    body: String,
    date: Option<&'static str>,
    sent: Mutex<Vec<Request>>,
}

impl Http for Says {
    fn send(&self, request: Request) -> Later<'_, Result<Response, SendError>> {
        self.sent.lock().unwrap().push(request);
        let headers = self.date.iter().map(|date| ("date".to_owned(), (*date).to_owned())).collect();
        let response = Response { status: self.status, headers, body: Secret::new(&self.body) };
        Box::pin(std::future::ready(Ok(response)))
    }
}

/// What comes of these settings with an access key, or a token for a web identity; the one body that was sent.
async fn issued(values: &[(&str, &str)], status: u16, body: &str) -> (Result<Answer, Error>, String) {
    // Of an error the Date is compared with the clock by which the SDK signs, which is the machine's.
    let date = (status == 200 || status == 403).then_some("Mon, 23 Nov 2015 13:00:00 GMT");
    let says = Arc::new(Says { status, body: body.to_owned(), date, sent: Mutex::default() });
    let http: Arc<dyn Http> = says.clone();
    let sts = build(values).unwrap();
    let access = match sts.need() {
        Need::WebIdentity => Access::WebIdentity(Secret::new("a+token/of=sso")),
        _ => Access::AwsKeys {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: Secret::new("s"),
            session_token: None,
        },
    };
    let answer = sts.issue(&access, &http).await;
    let sent = says.sent.lock().unwrap();
    // A signature by a wrong clock is made once more by the issuer's; nothing else is asked twice.
    let clock = status == 403 && sts.need() == Need::AwsKeys;
    assert_eq!(sent.len(), if clock { 2 } else { 1 });
    assert_eq!(sent[0].method, "POST");
    if clock {
        let header =
            |request: &Request| request.headers.iter().find(|(name, _)| name == "x-amz-date").cloned().unwrap().1;
        assert!(!header(&sent[0]).expose().starts_with("2015") && header(&sent[1]).expose().starts_with("20151123T13"));
    }
    (answer, sent[0].body.as_ref().unwrap().expose().to_owned())
}

const CEPH: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ACTIONResponse><ACTIONResult><Credentials>\
    <AccessKeyId>K</AccessKeyId><SecretAccessKey>S+/=&amp;</SecretAccessKey><SessionToken>T</SessionToken>\
    <Expiration>2026-11-23T14:00:00.123456789Z</Expiration></Credentials></ACTIONResult></ACTIONResponse>";

#[tokio::test]
async fn each_operation_is_asked_of_ceph_and_its_answer_without_a_namespace_is_read() {
    let prefix = ("prefix", "a b+c/");
    for (operation, action, more) in [
        ("assume-role", "AssumeRole", &[("role_arn", "arn:aws:iam:::role/r"), ("bucket", "my-bucket"), prefix][..]),
        ("web-identity", "AssumeRoleWithWebIdentity", &[("bucket", "my-bucket"), prefix]),
        ("session-token", "GetSessionToken", &[]),
        ("federation-token", "GetFederationToken", &[("bucket", "my-bucket"), prefix]),
    ] {
        let values = [&[("operation", operation), ELSEWHERE, ("duration", "1h")][..], more].concat();
        let (answer, sent) = issued(&values, 200, &CEPH.replace("ACTION", action)).await;
        let Ok(Answer::Issued(issued)) = answer else { panic!("{operation}: {answer:?}") };
        assert_eq!(issued.credentials.secret_access_key.expose(), "S+/=&");
        assert_eq!(issued.credentials.expiration.to_string(), "2026-11-23T14:00:00.123456Z");
        assert_eq!(issued.endpoint.as_deref(), Some("https://rgw.example.org"));
        assert!(issued.date.is_some());

        let field = |name: &str| {
            let found = url::form_urlencoded::parse(sent.as_bytes()).find(|(known, _)| known == name);
            found.map(|(_, value)| value.into_owned())
        };
        assert_eq!(field("Action").as_deref(), Some(action));
        assert_eq!(field("Version").as_deref(), Some("2011-06-15"), "MinIO wants just this one");
        assert_eq!(field("DurationSeconds").as_deref(), Some("3600"));
        let role = values.iter().find(|(key, _)| *key == "role_arn").map(|(_, role)| *role);
        assert_eq!(field("RoleArn").as_deref(), role, "as it was written, or not at all");
        assert!(!sent.contains('+'), "Ceph takes a plus for a plus: {sent}");
        let policy = field("Policy").unwrap_or_default();
        assert_eq!(policy.contains("my-bucket/a b+c/*"), operation != "session-token", "{policy}");
        let token = (operation == "web-identity").then_some("a+token/of=sso");
        assert_eq!(field("WebIdentityToken").as_deref(), token);
    }
}

#[tokio::test]
async fn a_bare_error_is_read_and_so_is_minios() {
    let values = [("role_arn", "arn:aws:iam:::role/r"), ELSEWHERE];
    let bare = "<?xml version=\"1.0\"?><Error><Code>NoSuchEntity</Code><RequestId>tx1</RequestId></Error>";
    let (answer, _) = issued(&values, 404, bare).await;
    assert!(answer.unwrap_err().text().contains("NoSuchEntity"));
    let minio = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type></Type>\
        <Code>STSNotInitialized</Code><Message>STS API not initialized, please try again.</Message></Error>\
        <RequestId>1</RequestId></ErrorResponse>";
    let (answer, _) = issued(&values, 503, minio).await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn s34_by_a_clock_that_is_far_off_another_signature_is_made_and_then_the_issuers_word_counts() {
    let bare = "<Error><Code>AccessDenied</Code></Error>";
    let (answer, _) = issued(&[("role_arn", "arn:aws:iam:::role/r"), ELSEWHERE], 403, bare).await;
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{}", error.text());
    let (unsigned, _) = issued(&[("operation", "web-identity"), ELSEWHERE], 403, bare).await;
    assert!(matches!(unsigned, Ok(Answer::Rejected(_))), "nothing is signed, so no clock is to blame");
}
