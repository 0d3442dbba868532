//! The kind `aws` without an issuer: what is read, what is refused before anything is sent.

mod others;
mod profile;

use super::super::Source;
use super::*;
use crate::lease::tests::moment;
use crate::ports::Http;
use crate::ports::tests::{NoHttp, Nobody, Variables};
use crate::wire::Kind as ErrorKind;

const KEYS: &str = r#"{"AccessKeyId":"AKIA1","SecretAccessKey":"s/1+"}"#;
const SERIAL: &str = "arn:aws:iam::123456789012:mfa/ada";

fn built(values: &[(&str, &str)]) -> Result<Arc<dyn Login>, Error> {
    let mut settings = Settings::new(Path::new("/c"), "logins.aws", None);
    for (name, value) in values {
        let key = KIND.keys.iter().find(|key| key.name == *name).unwrap();
        settings.insert(key, vec![(*value).to_owned()], None, Path::new("/home/ada")).unwrap();
    }
    (KIND.build)("aws", &settings)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn sign_in_to(login: &dyn Login, source: Source, variables: &[(&str, &str)]) -> Result<Secret, Error> {
    let environment = Variables::new(variables);
    let (http, now): (Arc<dyn Http>, _) = (Arc::new(NoHttp), moment(0));
    run(login.sign_in(&SignIn { prompt: &Nobody, environment: &environment, source, http: &http, now: &now }))
}

fn sign_in(source: Source, variables: &[(&str, &str)]) -> Result<Secret, Error> {
    sign_in_to(&*built(&[]).unwrap(), source, variables)
}

fn text(text: impl Into<String>) -> Source {
    Source::Text(Secret::new(text))
}

#[test]
fn keys_come_from_json_lines_or_variables() {
    let lines = "[default]\naws_access_key_id = AKIA1\naws_secret_access_key=s/1+\n";
    let expected = sign_in(text(KEYS), &[]).unwrap();
    assert_eq!(sign_in(text(lines), &[]).unwrap(), expected);
    let variables = [("AWS_ACCESS_KEY_ID", "AKIA1"), ("AWS_SECRET_ACCESS_KEY", "s/1+")];
    assert_eq!(sign_in(Source::Variables, &variables).unwrap(), expected);
}

#[test]
fn of_several_sections_none_is_guessed_and_none_are_mixed() {
    let one = "[default]\naws_access_key_id = AKIA1\naws_secret_access_key = s1\n";
    for both in [format!("{one}[work]\naws_session_token = t2\n"), format!("[empty]\n  [default]\n{one}")] {
        let error = sign_in(text(both), &[]).unwrap_err();
        assert!(error.hint().contains("one section"), "{}", error.text());
    }
    let before = format!("aws_session_token = not-of-the-section\n{one}");
    assert_eq!(sign_in(text(before), &[]).unwrap(), sign_in(text(one), &[]).unwrap());
}

#[test]
fn what_is_no_key_is_refused_without_being_repeated() {
    for bad in ["", "hunter2", r#"{"AccessKeyId":"AKIA1"}"#, r#"{"AccessKeyId":"a b","SecretAccessKey":"hunter2"}"#] {
        let error = sign_in(text(bad), &[]).unwrap_err();
        assert!(!error.text().contains("hunter2"));
    }
}

#[test]
fn a_session_that_is_pasted_is_good_until_its_end() {
    let login = built(&[]).unwrap();
    let pasted =
        r#"{"AccessKeyId":"ASIA1","SecretAccessKey":"s","SessionToken":"t","Expiration":"2001-01-01T00:00:00+00:00"}"#;
    let secret = sign_in(text(pasted), &[]).unwrap();
    assert!(login.about(&secret).made_by_hand && login.about(&secret).until.is_some());
    let (http, now): (Arc<dyn Http>, _) = (Arc::new(NoHttp), moment(0));
    let (need, environment) = (Need::AwsKeys, &Variables::new(&[]));
    let ask = AccessRequest { secret: &secret, need, rejected: None, http: &http, environment, now: &now };
    let error = run(login.access(ask)).unwrap_err();
    assert!(error.to_string().contains("ended at 2001-01-01T00:00:00Z"), "{}", error.text());
}

#[test]
fn a_code_that_cannot_be_one_is_not_sent_and_nobody_is_no_code() {
    let login = built(&[("mfa_serial", SERIAL)]).unwrap();
    for code in ["12345", "1234567"] {
        let error = sign_in_to(&*login, text(format!("{KEYS}\n{code}\n")), &[]).unwrap_err();
        assert!(error.to_string().contains("six digits"), "{}", error.text());
    }
    let error = sign_in_to(&*login, text(KEYS), &[]).unwrap_err();
    assert!(error.hint().contains("last line"), "{}", error.text());
    let session = KEYS.replace('}', r#","SessionToken":"t"}"#);
    let error = sign_in_to(&*login, text(format!("{session}\n123456")), &[]).unwrap_err();
    assert!(error.to_string().contains("session already"), "{}", error.text());
}

/// A person who answers, and what was asked.
#[derive(Debug)]
struct Typist(std::sync::Mutex<Vec<String>>, &'static str);

impl crate::ports::Prompt for Typist {
    fn someone(&self) -> bool {
        true
    }
    fn ask(&self, question: &str) -> Result<String, Error> {
        self.0.lock().unwrap().push(question.to_owned());
        Ok(if question.starts_with("MFA") { self.1 } else { "AKIA1" }.to_owned())
    }
    fn ask_secret(&self, question: &str) -> Result<Secret, Error> {
        self.0.lock().unwrap().push(question.to_owned());
        Ok(Secret::new("s/1+"))
    }
    fn tell(&self, _: &str) {}
}

#[test]
fn a_person_is_asked_for_the_code_last_whatever_the_keys_came_from() {
    let login = built(&[("mfa_serial", SERIAL)]).unwrap();
    let environment = Variables::new(&[("AWS_ACCESS_KEY_ID", "AKIA1"), ("AWS_SECRET_ACCESS_KEY", "s/1+")]);
    for (source, questions) in [
        (Source::Person, &["Access key ID: ", "Secret access key: ", "MFA code: "][..]),
        (Source::Variables, &["MFA code: "]),
        (text(KEYS), &["MFA code: "]),
        (text(format!("{KEYS}\n12345")), &[]),
    ] {
        let (typist, http, now) = (Typist(Default::default(), "12 34"), Arc::new(NoHttp) as Arc<dyn Http>, moment(0));
        let from = SignIn { prompt: &typist, environment: &environment, source, http: &http, now: &now };
        assert!(run(login.sign_in(&from)).unwrap_err().to_string().contains("six digits"));
        assert_eq!(*typist.0.lock().unwrap(), questions);
    }
}

#[test]
fn an_access_key_that_was_kept_before_mfa_was_wanted_is_not_used() {
    let login = built(&[("mfa_serial", SERIAL)]).unwrap();
    let (http, now): (Arc<dyn Http>, _) = (Arc::new(NoHttp), moment(0));
    let (need, environment, secret) = (Need::AwsKeys, &Variables::new(&[]), &Secret::new(KEYS));
    let ask = AccessRequest { secret, need, rejected: None, http: &http, environment, now: &now };
    assert_eq!(run(login.access(ask)).unwrap_err().kind(), ErrorKind::LoginRequired);
}

#[test]
fn settings_that_would_do_nothing_are_refused() {
    for bad in [
        &[("source", "keyring"), ("profile", "dev")][..],
        &[("endpoint", "https://x.org")],
        &[("duration", "1h")],
        &[("source", "instance"), ("mfa_serial", SERIAL)],
        &[("config_file", "~/x")],
        &[("metadata_endpoint", "http://169.254.169.254")],
        &[("source", "instance"), ("metadata_endpoint", "http://169.254.169.253")],
        &[("source", "instance"), ("metadata_endpoint", "https://imds.example.org")],
        &[("mfa_serial", "a b")],
        &[("mfa_serial", SERIAL), ("duration", "5m")],
    ] {
        assert!(built(bad).is_err(), "{bad:?}");
    }
    for good in [
        &[("profile", "dev")][..],
        &[("source", "profile"), ("credentials_file", "~/x")],
        &[("mfa_serial", SERIAL), ("duration", "36h"), ("region", "eu-west-1")],
        &[("source", "instance"), ("metadata_endpoint", "http://[fd00:ec2::254]")],
    ] {
        assert!(built(good).is_ok(), "{good:?}");
    }
}
