//! STS in both dialects, asked by hand.

use super::super::keycloak::tests::{password, token_of};
use super::super::tests::{body, raw, status};
use super::super::{Behaviour, Standin};
use super::*;

const ROLE: &str = "Action=AssumeRole&Version=2011-06-15&RoleSessionName=me%40here&DurationSeconds=900\
                    &RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Freader";

/// STS asked by the key `AKIDEXAMPLE`, which it knows, at `seconds` since 1970, where it is 1,000,000,000.
async fn ask_at(seconds: i64, form: &str) -> (Standin, String) {
    let standin = Standin::start_at(|| Timestamp::from_second(1_000_000_000).unwrap()).await.unwrap();
    standin.accept_key_id("AKIDEXAMPLE");
    let answer = signed(&standin, "AKIDEXAMPLE", seconds, form).await;
    (standin, answer)
}

async fn signed(standin: &Standin, key: &str, seconds: i64, form: &str) -> String {
    let date = basic(Timestamp::from_second(seconds).unwrap());
    let credential = format!("Credential={key}/{}/us-east-1/sts/aws4_request", &date[..8]);
    let authorization = format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host;x-amz-date, Signature=0");
    post(standin, &format!("authorization: {authorization}\r\nx-amz-date: {date}\r\n"), form).await
}

async fn post(standin: &Standin, headers: &str, form: &str) -> String {
    let length = form.len();
    let head = format!("host: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}");
    raw(standin, &format!("POST /sts/ HTTP/1.1\r\n{head}\r\n{form}")).await
}

fn code(answer: &str) -> (u16, &str) {
    let error = body(answer).split_once("<Code>").expect("an error").1;
    (status(answer), error.split_once('<').unwrap().0)
}

#[tokio::test]
async fn a_role_is_assumed_for_as_long_as_asked() {
    let (standin, answer) = ask_at(1_000_000_000, ROLE).await;
    let issued = &standin.issued()[0];
    assert_eq!(status(&answer), 200);
    assert!(body(&answer).starts_with("<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"));
    assert!(body(&answer).contains("arn:aws:sts::123456789012:assumed-role/reader/me@here</Arn>"));
    assert!(body(&answer).contains(&format!("<AccessKeyId>{}</AccessKeyId>", issued.access_key_id)));
    assert!(body(&answer).contains("<Expiration>2001-09-09T02:01:40Z</Expiration>"));
    assert!(body(&answer).contains("<RequestId>"));
}

#[tokio::test]
async fn only_known_keys_are_served() {
    let (standin, answer) = ask_at(1_000_000_000, "Action=GetCallerIdentity&Version=2011-06-15").await;
    assert!(body(&answer).contains("<Arn>arn:aws:iam::123456789012:user/AKIDEXAMPLE</Arn>"));
    assert_eq!(code(&signed(&standin, "AKIDOTHER", 1_000_000_000, ROLE).await), (403, "InvalidClientTokenId"));
    assert_eq!(code(&post(&standin, "", ROLE).await), (403, "MissingAuthenticationToken"));
    assert!(standin.issued().is_empty());
}

#[tokio::test]
async fn a_role_may_be_assumed_with_credentials_issued_here() {
    let (standin, _) = ask_at(1_000_000_000, "Action=GetSessionToken&Version=2011-06-15").await;
    let session = standin.issued()[0].access_key_id.clone();
    assert_eq!(status(&signed(&standin, &session, 1_000_000_000, ROLE).await), 200);
}

#[tokio::test]
async fn what_may_not_be_or_is_not_is_refused_in_awss_form() {
    let (_standin, denied) = ask_at(1_000_000_000, &format!("{ROLE}-denied")).await;
    assert_eq!(code(&denied), (403, "AccessDenied"));
    assert!(body(&denied).contains("<Type>Sender</Type>"));
    assert_eq!(code(&ask_at(1_000_000_000, "Action=AssumeRole").await.1), (400, "ValidationError"));
    assert_eq!(code(&ask_at(1_000_000_000, "Action=%3Cx").await.1), (400, "InvalidAction"));
}

#[tokio::test]
async fn a_signature_more_than_15_minutes_off_is_refused() {
    assert_eq!(code(&ask_at(1_000_000_901, ROLE).await.1), (403, "SignatureDoesNotMatch"));
    assert_eq!(code(&ask_at(999_999_099, ROLE).await.1), (403, "SignatureDoesNotMatch"));
    let (standin, near) = ask_at(1_000_000_900, ROLE).await;
    assert_eq!(status(&near), 200);
    standin.behave("/sts", Behaviour::SkewedDate { seconds: 3600 });
    assert_eq!(code(&signed(&standin, "AKIDEXAMPLE", 1_000_000_000, ROLE).await).1, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn its_own_trouble_is_worded_in_xml() {
    let (standin, _) = ask_at(1_000_000_000, ROLE).await;
    standin.behave("/sts", Behaviour::ServerError500);
    let answer = signed(&standin, "AKIDEXAMPLE", 1_000_000_000, ROLE).await;
    assert_eq!(code(&answer), (500, "InternalServerError"));
    standin.behave("/sts", Behaviour::MissingExpiration);
    let answer = signed(&standin, "AKIDEXAMPLE", 1_000_000_000, ROLE).await;
    assert!(status(&answer) == 200 && !body(&answer).contains("<Expiration>"));
}

#[tokio::test]
async fn a_web_identity_is_a_token_of_keycloaks_and_unsigned() {
    let standin = Standin::start().await.unwrap();
    standin.add_user("ada", "pw");
    let form = |token: &str| {
        format!(
            "Action=AssumeRoleWithWebIdentity&RoleArn=arn:aws:iam:::role/r&RoleSessionName=s&WebIdentityToken={token}"
        )
    };
    let good = token_of(&password(&standin, "ada", "pw").await);
    standin.set_token_life(-1);
    let expired = token_of(&password(&standin, "ada", "pw").await);
    let answer = post(&standin, "", &form(&good)).await;
    assert_eq!(status(&answer), 200);
    assert!(body(&answer).contains("<SubjectFromWebIdentityToken>ada</SubjectFromWebIdentityToken>"));
    assert_eq!(code(&post(&standin, "", &form(&expired)).await), (400, "ExpiredTokenException"));
    assert_eq!(code(&post(&standin, "", &form("x")).await), (400, "InvalidIdentityToken"));
    standin.behave("/sts", Behaviour::Ceph);
    assert_eq!(code(&post(&standin, "", &form(&expired)).await), (403, "AccessDenied"), "Ceph does not say what");
}

#[tokio::test]
async fn a_federated_user_has_a_name() {
    let (_standin, answer) = ask_at(1_000_000_000, "Action=GetFederationToken&Name=me").await;
    assert!(status(&answer) == 200 && body(&answer).contains("federated-user/me</Arn>"));
    assert_eq!(code(&ask_at(1_000_000_000, "Action=GetFederationToken").await.1), (400, "ValidationError"));
}

#[tokio::test]
async fn a_users_session_lives_as_long_as_asked_up_to_36_hours() {
    for action in ["GetSessionToken", "GetFederationToken&Name=me"] {
        let form = |life| format!("Action={action}&DurationSeconds={life}");
        let (_standin, answer) = ask_at(1_000_000_000, &form(129_600)).await;
        assert!(body(&answer).contains("<Expiration>2001-09-10T13:46:40Z</Expiration>"), "{answer}");
        assert_eq!(code(&ask_at(1_000_000_000, &form(129_601)).await.1), (400, "ValidationError"));
    }
}

#[tokio::test]
async fn a_policy_that_is_none_is_refused() {
    for policy in ["x", "%7B%7D", "%7B%22Statement%22:1%7D"] {
        let (_standin, answer) = ask_at(1_000_000_000, &format!("{ROLE}&Policy={policy}")).await;
        assert_eq!(code(&answer), (400, "MalformedPolicyDocument"), "{policy}");
    }
}

#[tokio::test]
async fn ceph_writes_nine_digits_no_namespace_and_bare_errors() {
    let (standin, _) = ask_at(1_000_000_000, ROLE).await;
    standin.behave("/sts", Behaviour::Ceph);
    let ask = |form: String| {
        let standin = standin.clone();
        async move { signed(&standin, "AKIDEXAMPLE", 1_000_000_000, &form).await }
    };
    let good = ask(ROLE.to_owned()).await;
    assert!(!body(&good).contains("xmlns") && body(&good).contains(".123456789Z</Expiration>"));
    assert_eq!(code(&ask(format!("{ROLE}-absent")).await), (404, "NoSuchEntity"));
    assert_eq!(code(&ask(ROLE.replace("=900", "=899")).await), (400, "InvalidArgument"));
    assert_eq!(code(&ask(format!("{ROLE}&Policy=%7B+%7D")).await), (400, "MalformedPolicyDocument"));
    assert_eq!(code(&ask("Action=GetCallerIdentity".to_owned()).await), (405, "MethodNotAllowed"));
    let unknown = signed(&standin, "AKIDUNKNOWN", 1_000_000_000, ROLE).await;
    assert_eq!(code(&unknown), (403, "AccessDenied"));
    assert!(body(&unknown).contains("?><Error><Code>"));
}
