//! One contract for all kinds of issuer: each case of `tests/cases` is a situation, what the user is told of it, and what
//! was sent, no more. The laws at the foot hold for all of them.

mod answers;
mod case;
mod directories;
mod stage;

use super::*;
use crate::ports::Http;
use crate::standin::End;
use crate::system::http::Network;
use crate::{login, provider};
use case::{At, Base, Case, Expected, KindName};
use stage::Stage;
use std::collections::{BTreeMap, BTreeSet};

/// What a daemon answers, itself again, and another process beside it.
type Answers = Vec<(&'static str, Result<Served, Error>)>;

impl Stage<'_> {
    /// Asks for credentials until all is said; with nothing that is wrong, nothing comes back.
    async fn play(&mut self) -> Vec<String> {
        let (case, expect) = (self.case, &self.case.expect);
        let config = match (self.config(), expect.at) {
            (Ok(config), At::SignIn | At::Asking) => config,
            (answer, at) => return self.ended(at == At::Config, "the config", answer.err(), expect),
        };
        if expect.at == At::SignIn {
            self.answers(&case.answer);
        }
        match (self.sign_in(&config).await, expect.at) {
            (Ok(()), At::Asking) => {}
            (answer, at) => return self.ended(at == At::SignIn, "the sign-in", answer.err(), expect),
        }
        let mut wrong = Vec::new();
        if self.signing_in() != expect.signing_in {
            wrong.push(format!("the sign-in made {} requests", self.signing_in()));
        }
        self.happens(&case.since);
        self.answers(&case.answer);
        let broker = self.broker(config.clone(), Manner::Daemon);
        wrong.extend(self.ask(&broker, &config, expect).await);
        if let Some(later) = &case.later {
            self.rig.clock.advance(later.seconds);
            self.happens(&later.since);
            self.answers(&later.answer);
            wrong.extend(self.ask(&broker, &config, &later.expect).await.into_iter().map(|why| format!("later {why}")));
        }
        wrong.extend(self.complaints());
        let paths = case.answer.iter().map(|answer| &answer.path);
        let idle = paths.filter(|path| self.count(path) == 0);
        wrong.extend(idle.map(|path| format!("nobody came for the answer at {path}")));
        wrong
    }

    /// Asked by a process, by the same again and then by another, all at once: which learn the same and send nothing.
    async fn ask(&self, broker: &Broker, config: &Config, expect: &Expected) -> Vec<String> {
        let mut answers: Answers = Vec::new();
        let mut wrong = Vec::new();
        let other = self.broker(config.clone(), Manner::OneShot);
        for (asker, broker) in [("the first", broker), ("the same", broker), ("another", &other)] {
            let answer = broker.credentials("p", 0).await;
            broker.settle(LONGEST_WAIT).await;
            answers.push((asker, answer));
            let (asked, else_asked) = self.asked();
            if asked != expect.asked {
                wrong.push(format!("{asker}: asked {asked:?}, not {:?}", expect.asked));
            }
            wrong.extend(else_asked.map(|place| format!("{asker}: {place} was asked")));
        }
        for (asker, answer) in &answers {
            let judged = match answer {
                Ok(served) => self.served(served, expect),
                Err(error) => self.told(error, expect),
            };
            wrong.extend(judged.into_iter().map(|why| format!("{asker}: {why}")));
            if !wrong.is_empty() {
                break; // The others were told the same.
            }
        }
        wrong
    }

    fn served(&self, served: &Served, expect: &Expected) -> Vec<String> {
        let (lease, mut wrong) = (&served.lease, Vec::new());
        let credentials = &lease.credentials;
        if expect.kind.is_some() {
            wrong.push("credentials instead of an error".to_owned());
        }
        let id = &credentials.access_key_id;
        let issued = self.rig.standin.issued().into_iter().find(|issued| issued.access_key_id == *id);
        let whole = issued.as_ref().map_or(expect.key_id.as_ref() == Some(id), |issued| {
            issued.secret_access_key == credentials.secret_access_key.expose()
                && issued.session_token == credentials.session_token.expose()
                && issued.expiration.map(|end| end.as_second()) == Some(credentials.expiration.as_second())
        });
        if !whole {
            wrong.push(format!("{id} until {} is not what was issued", credentials.expiration));
        }
        if expect.expires.is_some_and(|end| end != credentials.expiration) {
            wrong.push(format!("they end at {}", credentials.expiration));
        }
        let s3_endpoint = expect.s3_endpoint.as_ref().map(|endpoint| self.filled(endpoint));
        if s3_endpoint.is_some() && s3_endpoint != lease.endpoint {
            wrong.push(format!("their S3 is {:?}", lease.endpoint));
        }
        wrong
    }

    /// An error is of its kind, says what it should, is one line with a hint, and repeats no secret.
    fn told(&self, error: &Error, expect: &Expected) -> Vec<String> {
        let (text, mut wrong) = (error.text(), Vec::new());
        if Some(KindName(error.kind())) != expect.kind {
            wrong.push(format!("{}: {text}", error.kind().name()));
        }
        let missing = expect.says.iter().map(|words| self.filled(words)).find(|words| !text.contains(words));
        wrong.extend(missing.map(|words| format!("{words:?} is not said: {text}")));
        if text.lines().count() != 2 || error.hint().is_empty() || error.to_string().is_empty() {
            wrong.push(format!("no line and a hint: {text}"));
        }
        // As it crosses the socket, uncut; the start of a secret is one too.
        let whole = text + &serde_json::to_string(error).unwrap();
        let start = |secret: &String| secret.chars().take(20).collect::<String>();
        if self.secrets().iter().any(|secret| whole.contains(&start(secret))) {
            wrong.push("a secret stands in the error".to_owned());
        }
        wrong
    }

    /// A case that comes to no question.
    fn ended(&self, meant: bool, place: &str, error: Option<Error>, expect: &Expected) -> Vec<String> {
        let mut wrong = match (&error, meant) {
            (Some(error), true) => self.told(error, expect),
            (Some(error), false) => vec![format!("{place}: {}", error.text())],
            (None, _) => vec![format!("{place} is not refused")],
        };
        if self.count("/") != expect.signing_in {
            wrong.push(format!("{} requests were made", self.count("/")));
        }
        wrong.extend(self.complaints());
        wrong
    }
}

fn cases() -> Vec<(Base, Case)> {
    directories::all().unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn network() -> Arc<dyn Http> {
    Arc::new(Network::default())
}

/// All that failed at once, each with its sentence.
fn report(wrong: Vec<(&Case, String)>) {
    let mut cases = BTreeMap::<_, String>::new();
    for (case, why) in &wrong {
        *cases.entry((&case.name, &case.sentence)).or_default() += &format!("    {}\n", why.trim_end());
    }
    let told: String = cases.iter().map(|((name, sentence), why)| format!("\n{name}: {sentence}\n{why}")).collect();
    assert!(wrong.is_empty(), "{told}");
}

#[tokio::test]
async fn every_kind_of_issuer_keeps_the_contract() {
    let (cases, http) = (cases(), network());
    let mut wrong = Vec::new();
    for (base, case) in &cases {
        let mut stage = Stage::new(base, case, &http).await;
        wrong.extend(stage.play().await.into_iter().map(|why| (case, why)));
        let requests = stage.requests();
        let browser = |agent: &str| agent.is_empty() || agent.starts_with("Mozilla");
        if requests.iter().any(|request| browser(request.header("user-agent").unwrap_or_default())) {
            wrong.push((case, "the User-Agent is a browser's or none".to_owned()));
        }
        if stage.leaks_a_cookie() || requests.iter().any(|request| request.method == "HEAD") {
            wrong.push((case, "a cookie or a HEAD was sent".to_owned()));
        }
    }
    report(wrong);
}

/// P0. Only where the case is no other place than its folder, so that there can have been a lease.
#[tokio::test]
async fn what_is_still_valid_is_served_whatever_its_renewal_comes_to() {
    let (cases, http) = (cases(), network());
    let (mut wrong, mut kept) = (Vec::new(), 0);
    for (base, case) in &cases {
        let same_settings = case.login.is_empty() && case.profile.is_empty();
        let same_secret = case.sign_in.is_none() && case.files.is_empty() && case.there.sessions.is_empty();
        if case.expect.kind.is_none() || case.expect.at != At::Asking || !same_settings || !same_secret {
            continue;
        }
        let mut stage = Stage::new(base, case, &http).await;
        let config = stage.config().unwrap();
        stage.sign_in(&config).await.unwrap();
        let broker = stage.broker(config, Manner::Daemon);
        let had = key_id(broker.credentials("p", 0).await);
        broker.settle(LONGEST_WAIT).await;
        let asked = stage.count("/");
        stage.rig.clock.advance(3400);
        stage.happens(&case.since);
        stage.answers(&case.answer);
        let answer = broker.credentials("p", 0).await;
        broker.settle(LONGEST_WAIT).await;
        match answer {
            Ok(served) if served.lease.credentials.access_key_id == had => kept += 1,
            // Earthdata Login was not needed: its token is good for another hour.
            Ok(_) => {}
            Err(error) => wrong.push((case, format!("instead of what is valid: {}", error.text()))),
        }
        if stage.count("/") == asked && case.expect.asked != [0, 0] {
            wrong.push((case, "no renewal was tried".to_owned()));
        }
    }
    report(wrong);
    assert!(kept > 50, "{kept}");
}

/// At some bytes, for whoever is asked first of each folder's; at every byte of one kind's it is in `faults`.
#[tokio::test]
async fn f04_an_answer_that_breaks_off_is_unavailable_and_one_request_for_every_kind_of_issuer() {
    let (cases, http) = (cases(), network());
    let (mut wrong, mut folders, mut torn) = (Vec::new(), BTreeSet::new(), 0);
    for (base, case) in &cases {
        let plain = case.expect.kind.is_none()
            && case.expect.at == At::Asking
            && case.answer.is_empty()
            && base.answer.is_empty();
        if !plain || !folders.insert(&base.sentence) {
            continue;
        }
        for (path, bytes) in [&base.credentials_at, &base.login_at]
            .into_iter()
            .flat_map(|path| [0, 1, 12, 17, 60, 150, 220, 300, 400, 600].map(|bytes| (path, bytes)))
        {
            let mut stage = Stage::new(base, case, &http).await;
            let config = stage.config().unwrap();
            stage.sign_in(&config).await.unwrap();
            stage.happens(&case.since);
            let end = if bytes % 2 == 0 { End::Reset } else { End::Closed };
            stage.rig.standin.behave_once(path, Behaviour::Torn { bytes, end });
            let asked = stage.rig.standin.count(path);
            let broker = stage.broker(config, Manner::Daemon);
            let answer = broker.credentials("p", 0).await;
            broker.settle(LONGEST_WAIT).await;
            match answer {
                Ok(served) => {
                    wrong.extend(stage.served(&served, &case.expect).into_iter().map(|why| (case, why)));
                }
                Err(error) if error.kind() == Kind::Unavailable => torn += 1,
                Err(error) => wrong.push((case, format!("{path} at {bytes}: {}", error.text()))),
            }
            let asked = stage.rig.standin.count(path) - asked;
            if asked > 1 {
                wrong.push((case, format!("{path} at {bytes}: {asked} requests")));
            }
        }
    }
    report(wrong);
    assert!(folders.len() > 6 && torn > 70, "{} folders, {torn} torn", folders.len());
}

#[test]
fn every_kind_of_provider_and_login_has_a_case_of_each_outcome() {
    let (mut seen, mut values) = (BTreeSet::new(), BTreeSet::new());
    for (base, case) in cases() {
        let setting = |table: &case::Table, base: &case::Table, key: &str| {
            table.get(key).or_else(|| base.get(key)).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
        };
        let outcome = case.expect.kind.map_or("success", |kind| kind.0.name());
        for (what, key, table, base) in
            [("provider", "provider", &case.profile, &base.profile), ("login", "kind", &case.login, &base.login)]
        {
            seen.insert((what, setting(table, base, key), outcome));
        }
        if outcome == "success" {
            let usual = |value: String, usual: &str| if value.is_empty() { usual.to_owned() } else { value };
            values.insert(usual(setting(&case.profile, &base.profile, "operation"), "assume-role"));
            values.insert(usual(setting(&case.login, &base.login, "grant"), "password"));
            values.insert(setting(&case.login, &base.login, "source"));
        }
    }
    let kinds = provider::KINDS.iter().map(|kind| ("provider", kind.name));
    for (what, kind) in kinds.chain(login::KINDS.iter().map(|kind| ("login", kind.name))) {
        for outcome in ["success", "login-required", "denied", "unavailable", "configuration", "protocol"] {
            assert!(seen.contains(&(what, kind.to_owned(), outcome)), "{what} {kind} has no case of {outcome}");
        }
    }
    // Each way to ask for credentials, each grant and source; a device's code needs a person, and is in `login::keycloak`.
    let operations = ["assume-role", "web-identity", "session-token", "federation-token"];
    for value in operations.into_iter().chain(["password", "client", "token", "netrc"]) {
        assert!(values.contains(value), "no success with {value}");
    }
}
