//! Sign-in by hand: a device's code, politely asked about; a realm found by its discovery document.

use super::*;
use crate::lease::tests::moment;
use crate::ports::tests::Variables;
use crate::ports::{Clock, Prompt, Request, Response, SendError};
use crate::standin::{Behaviour, Standin};
use crate::system::http::Network;
use crate::wire::Kind as ErrorKind;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;

/// A person who reads what is shown.
#[derive(Debug, Default)]
struct Reader(Mutex<Vec<String>>);

impl Prompt for Reader {
    fn someone(&self) -> bool {
        true
    }
    fn ask(&self, question: &str) -> Result<String, Error> {
        Err(Error::protocol(question))
    }
    fn ask_secret(&self, question: &str) -> Result<Secret, Error> {
        Err(Error::protocol(question))
    }
    fn tell(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

/// A clock that stands.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Moment {
        moment(0)
    }
}

/// Gives these answers in order, and notes when it was asked.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<VecDeque<(u16, &'static str)>>,
    asked: Mutex<Vec<tokio::time::Instant>>,
}

impl Http for Script {
    fn send(&self, _: Request) -> Later<'_, Result<Response, SendError>> {
        self.asked.lock().unwrap().push(tokio::time::Instant::now());
        let answer = self.answers.lock().unwrap().pop_front().expect("no more is asked");
        Box::pin(async move {
            match answer {
                (0, why) => Err(SendError::Unreachable(why.to_owned())),
                (status, body) => Ok(Response { status, headers: Vec::new(), body: Secret::new(body) }),
            }
        })
    }
}

fn login(settings: &[(&str, &str)]) -> Arc<dyn Login> {
    let mut table = Settings::new(Path::new("/c"), "logins.shasta", None);
    for (name, value) in settings {
        let key = KIND.keys.iter().find(|key| key.name == *name).unwrap();
        table.insert(key, vec![(*value).to_owned()], None, Path::new("/")).unwrap();
    }
    (KIND.build)("shasta", &table).unwrap()
}

async fn sign_in(login: &dyn Login, reader: &Reader, http: &Arc<dyn Http>, source: Source) -> Result<Secret, Error> {
    let now = moment(0);
    login.sign_in(&SignIn { prompt: reader, environment: &Variables::new(&[]), source, http, now: &now }).await
}

/// The seconds between the questions of a device that gets these answers after `begun`, and what came of it.
async fn device(begun: &'static str, answers: &[(u16, &'static str)]) -> (Vec<u64>, Result<Secret, Error>) {
    let script = Arc::new(Script::default());
    script.answers.lock().unwrap().push_back((200, begun));
    script.answers.lock().unwrap().extend(answers);
    let http: Arc<dyn Http> = script.clone();
    let login = login(&[("token_url", "https://gw/realms/shasta/protocol/openid-connect/token"), ("grant", "device")]);
    let outcome = sign_in(&*login, &Reader::default(), &http, Source::Person).await;
    let asked = script.asked.lock().unwrap();
    (asked.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect(), outcome)
}

const BEGUN: &str = r#"{"device_code":"d","user_code":"AB-CD","verification_uri":"https://gw/device","expires_in":600"#;
const PENDING: (u16, &str) = (400, r#"{"error":"authorization_pending"}"#);
const SLOW_DOWN: (u16, &str) = (400, r#"{"error":"slow_down"}"#);
const TOKEN: (u16, &str) = (200, r#"{"access_token":"a","refresh_token":"r"}"#);

fn begun(rest: &str) -> &'static str {
    format!("{BEGUN}{rest}").leak()
}

#[tokio::test(start_paused = true)]
async fn a_device_asks_every_five_seconds_and_five_slower_when_told() {
    let (pauses, outcome) = device(begun("}"), &[PENDING, SLOW_DOWN, PENDING, TOKEN]).await;
    assert_eq!(pauses, [5, 5, 10, 10], "without an interval, and after slow_down");
    assert_eq!(outcome.unwrap().expose(), r#"{"refresh":"r"}"#);
    let (pauses, _) = device(begun(r#","interval":2}"#), &[PENDING, TOKEN]).await;
    assert_eq!(pauses, [2, 2]);
}

#[tokio::test(start_paused = true)]
async fn trouble_that_passes_does_not_end_a_devices_wait() {
    let (pauses, outcome) = device(begun("}"), &[(0, "reset"), (503, "<html>"), TOKEN]).await;
    assert_eq!(pauses, [5, 10, 15]);
    assert!(outcome.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_device_gives_up_when_refused_or_when_the_code_is_over() {
    for (answers, said) in [
        (vec![PENDING, (400, r#"{"error":"access_denied"}"#)], "refused in the browser"),
        (vec![(400, r#"{"error":"expired_token"}"#)], "in time"),
        (vec![PENDING; 119], "in time"),
        (vec![(200, r#"{"access_token":"a"}"#)], "no session"),
    ] {
        let mut answers = answers;
        if answers.len() > 100 {
            answers.push(PENDING);
        }
        let (_, outcome) = device(begun("}"), &answers).await;
        assert!(outcome.as_ref().is_err_and(|error| error.text().contains(said)), "{said}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_person_elsewhere_enters_the_code_and_the_device_is_signed_in() {
    let standin = Standin::start_by(Arc::new(Still)).await.unwrap();
    standin.add_user("ada", "pw");
    standin.set_device_interval(1);
    let login = login(&[("issuer", &standin.url(Standin::REALM)), ("grant", "device")]);
    let (reader, http): (_, Arc<dyn Http>) = (Reader::default(), Arc::new(Network::default()));
    let person = async {
        standin.wait_for(Standin::TOKEN, 1).await;
        standin.decide_device(&standin.user_code().unwrap(), Some("ada"));
    };
    let (secret, ()) = tokio::join!(sign_in(&*login, &reader, &http, Source::Person), person);
    let secret = secret.unwrap();
    assert_eq!(standin.count(Standin::TOKEN), 2, "pending, then granted");
    let shown = reader.0.lock().unwrap().join("\n");
    let requests = standin.requests();
    assert!(shown.contains(&standin.url("/keycloak/realms/shasta/device")), "{shown}");
    assert!(requests.iter().all(|request| !request.mentions("password")));
    let now = moment(0);
    let (need, http, environment, now) = (Need::Bearer, &http, &Variables::new(&[]), &now);
    let ask = AccessRequest { secret: &secret, need, rejected: None, http, environment, now };
    assert!(login.access(ask).await.unwrap().rotated.is_some(), "the session is renewed, and its token with it");
}

#[tokio::test]
async fn a_discovery_document_sends_nothing_to_another_host() {
    let (standin, other) = (Standin::start().await.unwrap(), Standin::start().await.unwrap());
    let document = format!(r#"{{"token_endpoint":"{}"}}"#, other.url(Standin::TOKEN));
    standin.behave("/keycloak", Behaviour::json(200, document));
    let login = login(&[("issuer", &standin.url(Standin::REALM)), ("username", "ada"), ("scope", "offline_access")]);
    let http: Arc<dyn Http> = Arc::new(Network::default());
    let refused = sign_in(&*login, &Reader::default(), &http, Source::Text(Secret::new("pw"))).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Configuration);
    assert_eq!((standin.count("/"), other.count("/")), (1, 0));
}

#[tokio::test]
async fn a_secret_from_a_file_has_no_line_end_and_is_never_empty() {
    let http: Arc<dyn Http> = Arc::new(crate::ports::tests::NoHttp);
    let client = login(&[("token_url", "https://gw/token"), ("grant", "client")]);
    let take = |text: &str| Source::Text(Secret::new(text));
    let stored = sign_in(&*client, &Reader::default(), &http, take("s& +%\r\n")).await.unwrap();
    assert_eq!(stored.expose(), r#"{"client":"s& +%"}"#);
    for settings in [&[("grant", "client")][..], &[("username", "ada")]] {
        let login = login(&[&[("token_url", "https://gw/token")], settings].concat());
        let error = sign_in(&*login, &Reader::default(), &http, take("\n")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}

#[tokio::test]
async fn of_craycli_s_file_the_access_token_alone_is_taken() {
    let http: Arc<dyn Http> = Arc::new(crate::ports::tests::NoHttp);
    let login = login(&[("grant", "token")]);
    let token = crate::jwt::tests::token(r#"{"sub":"c0ffee","preferred_username":"ada","exp":1800000060}"#);
    let file = format!(r#"{{"access_token":"{token}","refresh_token":"never","expires_at":1800000060.5}}"#);
    for text in [file, format!("{token}\n")] {
        let stored = sign_in(&*login, &Reader::default(), &http, Source::Text(Secret::new(text))).await.unwrap();
        assert!(stored.expose().contains(&token) && !stored.expose().contains("never"));
        assert_eq!(login.about(&stored).who.as_deref(), Some("ada"));
    }
}

#[test]
fn a_stored_token_is_not_asked_for_whatever_the_config_says() {
    let login = login(&[("token_url", "https://gw/token"), ("grant", "token")]);
    assert!(!login.asks_issuer(&pack(&Stored::Token(Secret::new("t")))));
    assert!(login.asks_issuer(&pack(&Stored::Refresh(Secret::new("r")))));
}

#[test]
fn a_session_is_of_the_user_whose_password_opened_it() {
    let url = ("token_url", "https://gw/token");
    let who = |setting, token: &str| login(&[url, setting]).about(&pack(&Stored::Refresh(Secret::new(token)))).who;
    let session = crate::jwt::tests::token(r#"{"sub":"c0ffee"}"#);
    assert_eq!(who(("username", "ada"), &session).as_deref(), Some("ada"));
    assert_eq!(who(("username", "ada"), "opaque").as_deref(), Some("ada"));
    assert_eq!(who(("grant", "device"), &session).as_deref(), Some("c0ffee"));
}
