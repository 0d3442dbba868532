//! Accounts that say no, which no stand-in for AWS does: scripted answers, and what was sent for them.

use super::*;
use crate::ports::{Http, Later, Request, SendError};
use crate::secret::Secret;
use crate::wire::Kind;
use std::sync::{Arc, Mutex};

/// Answers by the first script whose words are in the request, and keeps what was sent.
#[derive(Debug)]
struct Scripted {
    answers: Vec<(&'static str, u16, &'static str)>,
    sent: Mutex<Vec<String>>,
}

impl Http for Scripted {
    fn send(&self, request: Request) -> Later<'_, Result<Response, SendError>> {
        let body = request.body.as_ref().map(|body| body.expose().to_owned()).unwrap_or_default();
        let sent = format!("{} {} {body}", request.method, request.url);
        let answer = self.answers.iter().find(|(words, ..)| sent.contains(words));
        let (_, status, body) = *answer.unwrap_or_else(|| panic!("nothing is scripted for {sent}"));
        self.sent.lock().unwrap().push(sent);
        // A header where the script has one.
        let (headers, body) = match body.strip_prefix("x-amz-bucket-region: ") {
            Some(region) => (vec![("x-amz-bucket-region".to_owned(), region.to_owned())], ""),
            None => (Vec::new(), body),
        };
        Box::pin(std::future::ready(Ok(Response { status, headers, body: Secret::new(body) })))
    }
}

fn account(answers: &[(&'static str, u16, &'static str)]) -> (Account, Arc<Scripted>) {
    let http = Arc::new(Scripted { answers: answers.to_vec(), sent: Mutex::default() });
    let (region, clock) = ("eu-west-1".to_owned(), SigningClock::default());
    let keys = Credentials::new("AKIA", "secret", None, None, "test");
    let signer =
        Signer { keys, region: region.clone(), clock: clock.clone(), http: http.clone(), route: Route::default() };
    let sts = Address { endpoint: None, region, route: Route::default(), clock };
    let url = |text: &str| Url::parse(text).unwrap();
    let account =
        Account { signer, sts, iam: url("https://iam.amazonaws.com/"), s3: url("https://s3.eu-west-1.amazonaws.com/") };
    (account, http)
}

const NO_ROLE: &str = "<ErrorResponse><Error><Code>NoSuchEntity</Code></Error></ErrorResponse>";
const ROLE_MADE: &str = "<R><Role><Arn>arn:aws-cn:iam::1:role/s3-credentials.AmazonS3FullAccess</Arn></Role></R>";
const DENIED: &str = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";

fn caller() -> Caller {
    Caller { partition: "aws-cn".into(), account: "123456789012".into() }
}

#[tokio::test]
async fn a_role_that_is_missing_is_made_in_the_callers_own_partition() {
    let (account, http) = account(&[
        ("Action=GetRole", 404, NO_ROLE),
        ("Action=CreateRole", 200, ROLE_MADE),
        ("Action=Attach", 200, "<R/>"),
    ]);
    let role = account.role(&caller()).await.unwrap();
    assert!(role.is_new && role.arn.starts_with("arn:aws-cn:iam::1:role/"), "{}", role.arn);
    let sent = http.sent.lock().unwrap().join("\n");
    assert!(sent.contains("arn%3Aaws-cn%3Aiam%3A%3A123456789012%3Aroot"), "{sent}");
    assert!(sent.contains("PolicyArn=arn%3Aaws-cn%3Aiam%3A%3Aaws%3Apolicy%2FAmazonS3FullAccess"), "{sent}");
    assert!(sent.contains("MaxSessionDuration=43200"), "{sent}");
}

#[tokio::test]
async fn each_refusal_names_the_action_and_who_can_put_it_right_and_makes_nothing() {
    for (status, body, kind) in [
        (403, DENIED, Kind::Denied),
        (403, "<Error><Code>InvalidClientTokenId</Code></Error>", Kind::Configuration),
        (503, "", Kind::Unavailable),
        (429, "", Kind::Unavailable),
        (200, "<R/>", Kind::Protocol),
    ] {
        let (account, http) = account(&[("Action=GetRole", status, body)]);
        let error = account.role(&caller()).await.err().unwrap();
        assert_eq!(error.kind(), kind, "{}", error.text());
        assert!(error.text().contains("iam.amazonaws.com"), "{}", error.text());
        assert_eq!(http.sent.lock().unwrap().len(), 1);
    }
    let (account, _) = account(&[("Action=GetRole", 404, NO_ROLE), ("Action=CreateRole", 403, DENIED)]);
    let error = account.role(&caller()).await.err().unwrap();
    assert!(error.text().contains("iam:CreateRole") && error.hint().contains(ROLE), "{}", error.text());
}

#[tokio::test]
async fn a_bucket_is_there_wherever_it_is_and_not_where_nobody_says_so() {
    for (status, body, there) in [
        (200, "", true),
        (301, "", true),
        (400, "x-amz-bucket-region: us-west-2", true),
        (400, "", false),
        (403, "", false),
        (404, "", false),
    ] {
        let (account, http) = account(&[("HEAD https://s3.eu-west-1.amazonaws.com/my-bucket ", status, body)]);
        let found = account.has_bucket("my-bucket").await;
        assert_eq!(found.is_ok(), there, "{status}");
        assert!(found.err().is_none_or(|error| error.text().contains("Bucket does not exist: my-bucket")));
        assert_eq!(http.sent.lock().unwrap().len(), 1);
    }
    let (account, _) = account(&[("HEAD", 500, "")]);
    assert_eq!(account.has_bucket("my-bucket").await.unwrap_err().kind(), Kind::Unavailable);
}
