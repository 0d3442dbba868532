//! Keys that others give for a profile: SSO's portal, a program.

use super::profile::{Home, home, read};
use super::*;
use crate::access::Access;
use crate::ports::{Request, Response, SendError};
use std::sync::Mutex;

const SSO: &str = "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Reader\n\
                   [sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.awsapps.com/start\n";
/// As the AWS CLI names it: the SHA-1 of `corp`.
const SSO_FILE: &str = "~/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";

/// Answers as the portal of SSO.
#[derive(Debug)]
struct Portal(u16, Mutex<Vec<Request>>);

impl Http for Portal {
    fn send(&self, request: Request) -> Later<'_, Result<Response, SendError>> {
        self.1.lock().unwrap().push(request);
        let end = moment(3600).wall.as_millisecond();
        let body = match self.0 {
            200 => format!(
                r#"{{"roleCredentials":{{"accessKeyId":"ASIA1","secretAccessKey":"s","sessionToken":"t","expiration":{end}}}}}"#
            ),
            _ => r#"{"message":"Session token not found or invalid"}"#.to_owned(),
        };
        Box::pin(std::future::ready(Ok(Response { status: self.0, headers: Vec::new(), body: Secret::new(body) })))
    }
}

fn with_sso(seconds: i64) -> Home {
    let mut home = home(SSO);
    let end = written(moment(seconds).wall);
    let kept =
        format!(r#"{{"accessToken":"sso-marker","refreshToken":"never","expiresAt":"{end}","region":"eu-west-1"}}"#);
    let file = sso::token_file("corp").to_str().unwrap().to_owned().leak();
    home.0.insert(file, kept);
    home
}

fn ask_sso(status: u16, home: &Home) -> (Result<Granted, Error>, Vec<Request>) {
    let portal = Arc::new(Portal(status, Mutex::default()));
    let (secret, login) = (read("dev", home).unwrap(), built(&[("profile", "dev")]).unwrap());
    let (http, now): (Arc<dyn Http>, _) = (portal.clone(), moment(0));
    let ask = AccessRequest {
        secret: &secret,
        need: Need::AwsKeys,
        rejected: None,
        http: &http,
        environment: home,
        now: &now,
    };
    let granted = run(login.access(ask));
    (granted, std::mem::take(&mut *portal.1.lock().unwrap()))
}

#[test]
fn an_sso_session_gives_the_keys_of_its_role_by_one_request() {
    let (granted, requests) = ask_sso(200, &with_sso(600));
    let granted = granted.unwrap();
    assert!(matches!(&granted.access, Access::AwsKeys { access_key_id, .. } if access_key_id == "ASIA1"));
    assert_eq!(granted.expires, Some(moment(3600).wall));
    let url =
        "https://portal.sso.eu-west-1.amazonaws.com/federation/credentials?role_name=Reader&account_id=123456789012";
    assert_eq!(requests.iter().map(|request| request.url.as_str()).collect::<Vec<_>>(), [url]);
    assert_eq!(requests[0].headers, [("x-amz-sso_bearer_token".to_owned(), Secret::new("sso-marker"))]);
    assert!(!read("dev", &with_sso(600)).unwrap().expose().contains("never"), "its refresh token is left alone");
}

#[test]
fn an_sso_session_that_is_over_names_the_command_that_begins_another() {
    let (over, requests) = ask_sso(200, &with_sso(0));
    assert!(requests.is_empty(), "that it is over is known without asking");
    let (refused, _) = ask_sso(401, &with_sso(600));
    let none = read("dev", &home(SSO));
    for error in [over.unwrap_err(), refused.unwrap_err(), none.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::LoginRequired);
        assert_eq!(error.hint(), "run: aws sso login --profile dev");
    }
    assert_eq!(ask_sso(403, &with_sso(600)).0.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(ask_sso(429, &with_sso(600)).0.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn the_sso_token_is_where_the_aws_cli_keeps_it() {
    assert_eq!(sso::token_file("corp").to_str().unwrap(), SSO_FILE);
}

#[test]
fn a_credential_process_is_run_for_its_keys() {
    let printed = |text: &str| {
        let mut home = home("[profile dev]\ncredential_process = /bin/keys --for 'a b'\n");
        home.1 = Some(text.to_owned());
        let (secret, login) = (read("dev", &home).unwrap(), built(&[("profile", "dev")]).unwrap());
        let (http, now): (Arc<dyn Http>, _) = (Arc::new(NoHttp), moment(0));
        let ask = AccessRequest {
            secret: &secret,
            need: Need::AwsKeys,
            rejected: None,
            http: &http,
            environment: &home,
            now: &now,
        };
        run(login.access(ask))
    };
    let good = KEYS.replace('{', r#"{"Version":1,"#);
    assert!(printed(&good).unwrap().expires.is_none());
    let end = written(moment(600).wall);
    let ending = good.replace('}', &format!(r#","SessionToken":"t","Expiration":"{end}"}}"#));
    assert_eq!(printed(&ending).unwrap().expires, Some(moment(600).wall));
    for bad in [KEYS, "", "{}", &ending.replace(&end, "soon"), &ending.replace(&end, "2001-01-01T00:00:00Z")] {
        assert!(printed(bad).is_err(), "{bad}");
    }
}
