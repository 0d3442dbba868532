//! How an endpoint answers: well, in one of the ways in which issuers fail, late, or not at all.

use super::Issuer;
use super::answer::Answer;
use super::line::{End, Torn};
use super::urs;
use super::world::Ask;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How an endpoint answers. Put one behind a wait with [`Behaviour::after`] or [`Behaviour::held_by`].
#[derive(Debug, Clone, Default)]
pub enum Behaviour {
    /// As the issuer does in good health: what is wrong with the request is still refused.
    #[default]
    Normal,

    // Normal, but for the credentials:
    /// Their keys in PascalCase, as TEA 1.2 and Harmony write them; STS always does.
    Pascal,
    /// They expired a minute ago.
    PastExpiration,
    /// They say nothing of when they expire.
    MissingExpiration,
    /// The issuer's clock is `seconds` ahead of ours, or behind if negative: the Date header and all it computes.
    SkewedDate { seconds: i64 },
    /// The same ones again, if any were issued at this path.
    RepeatSame,
    /// TEA or Cumulus without bearers: whoever brings one is sent to sign in, though it is good.
    TakesNoBearer,
    /// STS as Ceph speaks it: bare errors, no namespace, nine digits of a second.
    Ceph,

    // Whatever the request:
    /// Exactly this.
    Status { code: u16, content_type: String, body: String, headers: Vec<(String, String)> },
    /// A login page with status 200.
    Html200,
    /// `{}` with status 200.
    EmptyJson,
    /// To the sign-in page, as for a caller whom nobody knows, with status 302.
    Redirect302,
    /// The same with status 307.
    Redirect307,
    /// TEA's 403 for a user who has to accept a EULA; its `error` says `invalid_token`, as TEA's may.
    Eula,
    /// TEA's 403 in HTML for a user who may read no bucket.
    NoBucket,
    /// The issuer's own trouble, in its words.
    ServerError500,
    /// 429 with a Retry-After in seconds.
    TooManyRequests { retry_after: u64 },

    // No whole answer:
    /// The request is read and never answered.
    Hang,
    /// The connection is closed without a byte.
    Close,
    /// The normal answer with its true length in the head, cut after so many bytes of the body.
    Cut { bytes: usize },
    /// The normal answer, broken off after so many bytes, those of the head among them.
    Torn { bytes: usize, end: End },
    /// These bytes, be they HTTP or not, and the connection's end.
    Raw { answer: String, end: End },

    // Late:
    /// `then`, after a delay by tokio's clock, which a test may have paused.
    Slow { delay: Duration, then: Box<Behaviour> },
    /// `then`, once the gate lets the request pass.
    Held { gate: Gate, then: Box<Behaviour> },
    /// As in good health, at once; but the answer stays here until the gate lets it pass.
    Withheld { gate: Gate },
}

/// Holds answers back until a test lets them pass. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

// === impl Behaviour ===

impl Behaviour {
    /// Answers with this status and JSON, whatever the request.
    pub fn json(code: u16, body: impl Into<String>) -> Behaviour {
        let content_type = "application/json".to_owned();
        Behaviour::Status { code, content_type, body: body.into(), headers: Vec::new() }
    }

    /// Answers with this status and no body, whatever the request.
    pub fn status(code: u16) -> Behaviour {
        Behaviour::Status { code, content_type: "text/plain".to_owned(), body: String::new(), headers: Vec::new() }
    }

    /// The same, after `delay`.
    pub fn after(self, delay: Duration) -> Behaviour {
        Behaviour::Slow { delay, then: Box::new(self) }
    }

    /// The same, once `gate` lets the request pass.
    pub fn held_by(self, gate: &Gate) -> Behaviour {
        Behaviour::Held { gate: gate.clone(), then: Box::new(self) }
    }

    /// What becomes of the answer on its way.
    pub(super) fn torn(&self) -> Option<Torn> {
        match self {
            Behaviour::Torn { bytes, end } => Some(Torn { first: Vec::new(), bytes: *bytes, end: *end }),
            Behaviour::Raw { answer, end } => Some(Torn { first: answer.clone().into_bytes(), bytes: 0, end: *end }),
            _ => None,
        }
    }

    /// Waits after all is done, and before anybody learns of it.
    pub(super) async fn let_go(&self) {
        if let Behaviour::Withheld { gate } = self {
            gate.pass().await;
        }
    }

    /// Waits as it says; what is to be done then. The error closes the connection.
    pub(super) async fn ready(mut self) -> io::Result<Behaviour> {
        loop {
            self = match self {
                Behaviour::Slow { delay, then } => {
                    tokio::time::sleep(delay).await;
                    *then
                }
                Behaviour::Held { gate, then } => {
                    gate.pass().await;
                    *then
                }
                Behaviour::Hang => std::future::pending().await,
                Behaviour::Close => return Err(io::ErrorKind::ConnectionAborted.into()),
                ready => return Ok(ready),
            }
        }
    }

    pub(super) fn answer(&self, issuer: &dyn Issuer, ask: &Ask) -> Answer {
        match self {
            Behaviour::Status { code, content_type, body, headers } => {
                let answer = Answer::new(*code, content_type, body.as_str());
                headers.iter().fold(answer, |answer, (name, value)| answer.with(name, value.as_str()))
            }
            Behaviour::Html200 => urs::login_page(),
            Behaviour::EmptyJson => Answer::json(200, &serde_json::json!({})),
            Behaviour::Redirect302 => Answer { status: 302, ..issuer.sign_in(ask) },
            Behaviour::Redirect307 => Answer { status: 307, ..issuer.sign_in(ask) },
            Behaviour::Eula => urs::eula(ask, "invalid_token"),
            Behaviour::NoBucket => Answer::html(403, "You do not have permission to access any data."),
            Behaviour::ServerError500 => {
                issuer.trouble(500, "InternalServerError", "An internal server error occurred.")
            }
            Behaviour::TooManyRequests { retry_after } => {
                issuer.trouble(429, "Throttling", "Rate exceeded").with("retry-after", retry_after.to_string())
            }
            Behaviour::Cut { bytes } => Answer { cut: Some(*bytes), ..issuer.answer(ask) },
            // The others are in how `ask` issues, or were done by `ready`.
            _ => issuer.answer(ask),
        }
    }
}

// === impl Gate ===

impl Gate {
    /// A gate that is shut.
    pub fn shut() -> Gate {
        Gate(Arc::new(Semaphore::new(0)))
    }

    /// Lets `n` more requests pass, those that wait first.
    pub fn let_pass(&self, n: usize) {
        self.0.add_permits(n);
    }

    /// Lets all pass, from now on.
    pub fn open(&self) {
        self.0.close();
    }

    async fn pass(&self) {
        // An error says that the gate is open.
        if let Ok(permit) = self.0.acquire().await {
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Standin;
    use super::super::tests::{bearer, body, get, header, json, raw, status};
    use super::*;
    use jiff::Timestamp;
    use jiff::fmt::rfc2822::DateTimeParser;

    /// What TEA answers to a good bearer when it behaves so.
    async fn tea(behaviour: Behaviour) -> String {
        let standin = Standin::start().await.unwrap();
        standin.behave(Standin::TEA, behaviour);
        ask(&standin).await
    }

    async fn ask(standin: &Standin) -> String {
        get(standin, Standin::TEA, &bearer(&standin.mint_token("ada", 60))).await
    }

    fn time(text: &str) -> Timestamp {
        text.replace(' ', "T").parse().unwrap()
    }

    #[tokio::test]
    async fn pascal_case_is_the_same_under_other_names() {
        let keys = json(&tea(Behaviour::Pascal).await);
        let names: Vec<_> = keys.as_object().unwrap().keys().collect();
        assert_eq!(names, ["AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken"]);
    }

    #[tokio::test]
    async fn an_expiration_may_be_past_or_missing() {
        let date = |answer: &str| DateTimeParser::new().parse_timestamp(header(answer, "date").unwrap()).unwrap();
        let past = tea(Behaviour::PastExpiration).await;
        assert!(time(json(&past)["expiration"].as_str().unwrap()) < date(&past));
        let missing = json(&tea(Behaviour::MissingExpiration).await);
        assert!(missing.get("expiration").is_none() && missing["sessionToken"].is_string());
    }

    #[tokio::test]
    async fn a_skewed_issuer_is_wrong_in_its_date_and_its_expiration() {
        let standin = Standin::start().await.unwrap();
        let right = ask(&standin).await;
        standin.behave("/tea", Behaviour::SkewedDate { seconds: -7200 });
        let wrong = ask(&standin).await;
        let date = |answer: &str| DateTimeParser::new().parse_timestamp(header(answer, "date").unwrap()).unwrap();
        let expiration = |answer: &str| time(json(answer)["expiration"].as_str().unwrap());
        for skew in [date(&right) - date(&wrong), expiration(&right) - expiration(&wrong)] {
            let skew = skew.as_secs();
            assert!((7100..=7200).contains(&skew), "{skew}");
        }
    }

    #[tokio::test]
    async fn credentials_may_be_repeated() {
        let standin = Standin::start().await.unwrap();
        standin.behave(Standin::TEA, Behaviour::RepeatSame);
        assert_eq!(json(&ask(&standin).await), json(&ask(&standin).await));
        standin.behave(Standin::TEA, Behaviour::Normal);
        assert_ne!(json(&ask(&standin).await)["accessKeyId"], standin.issued()[0].access_key_id.as_str());
        assert_eq!(standin.issued().len(), 2);
    }

    #[tokio::test]
    async fn refusals_look_as_they_do() {
        let page = tea(Behaviour::Html200).await;
        assert_eq!((status(&page), header(&page, "content-type")), (200, Some("text/html")));
        assert_eq!(body(&tea(Behaviour::EmptyJson).await), "{}");
        assert_eq!(status(&tea(Behaviour::Redirect307).await), 307);
        let eula = tea(Behaviour::Eula).await;
        assert_eq!((status(&eula), json(&eula)["error"].as_str()), (403, Some("invalid_token")));
        assert_eq!(json(&eula)["error_description"], "EULA Acceptance Failure");
        assert!(json(&eula)["resolution_url"].as_str().unwrap().contains("/urs/approve_app?client_id="));
        assert!(body(&tea(Behaviour::NoBucket).await).contains("You do not have permission to access any data."));
        assert_eq!(json(&tea(Behaviour::ServerError500).await)["Code"], "InternalServerError");
        let busy = tea(Behaviour::TooManyRequests { retry_after: 9 }).await;
        assert_eq!((status(&busy), header(&busy, "retry-after")), (429, Some("9")));
        assert_eq!(body(&tea(Behaviour::json(418, "[]")).await), "[]");
    }

    #[tokio::test]
    async fn a_closed_connection_gives_no_byte_and_a_cut_one_the_first_few() {
        assert_eq!(tea(Behaviour::Close).await, "");
        for bytes in [0, 10] {
            let cut = tea(Behaviour::Cut { bytes }).await;
            assert_eq!(body(&cut).len(), bytes);
            assert!(header(&cut, "content-length").unwrap().parse::<usize>().unwrap() > 700);
        }
    }

    #[tokio::test]
    async fn one_that_hangs_has_logged_the_request() {
        let standin = Standin::start().await.unwrap();
        standin.behave("/sts", Behaviour::Hang);
        tokio::select! {
            _ = raw(&standin, "POST /sts/ HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi") => panic!("an answer"),
            () = standin.wait_for("/sts", 1) => assert_eq!(standin.requests()[0].body, "hi"),
        }
    }

    #[tokio::test]
    async fn what_is_withheld_was_done_at_once() {
        let standin = Standin::start().await.unwrap();
        let gate = Gate::shut();
        standin.behave(Standin::TEA, Behaviour::Withheld { gate: gate.clone() });
        let asking = tokio::spawn({
            let standin = standin.clone();
            async move { ask(&standin).await }
        });
        while standin.issued().is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(!asking.is_finished());
        gate.open();
        assert_eq!(json(&asking.await.unwrap())["accessKeyId"], standin.issued()[0].access_key_id.as_str());
    }

    #[tokio::test]
    async fn a_gate_lets_pass_as_many_as_it_is_told() {
        let standin = Standin::start().await.unwrap();
        let gate = Gate::shut();
        standin.behave(Standin::TEA, Behaviour::Normal.held_by(&gate));
        let asks = [0, 1, 2].map(|_| {
            let standin = standin.clone();
            tokio::spawn(async move { ask(&standin).await })
        });
        standin.wait_for(Standin::TEA, 3).await;
        assert!(asks.iter().all(|ask| !ask.is_finished()) && standin.issued().is_empty());
        gate.let_pass(1);
        gate.open();
        for ask in asks {
            assert_eq!(status(&ask.await.unwrap()), 200);
        }
        assert_eq!(standin.issued().len(), 3);
    }

    #[tokio::test]
    async fn a_delay_ends_in_what_follows_it() {
        assert_eq!(status(&tea(Behaviour::status(503).after(Duration::from_millis(1))).await), 503);
    }

    #[tokio::test]
    async fn what_is_said_once_is_done_once_in_order() {
        let standin = Standin::start().await.unwrap();
        standin.behave_once("/tea", Behaviour::status(502));
        standin.behave_once("/tea", Behaviour::status(503));
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(status(&ask(&standin).await));
        }
        assert_eq!(seen, [502, 503, 200]);
    }

    #[tokio::test]
    async fn the_longest_path_rules() {
        let standin = Standin::start().await.unwrap();
        standin.behave(Standin::TEA, Behaviour::status(501));
        standin.behave("/tea", Behaviour::status(502));
        assert_eq!(status(&get(&standin, "/tea/nsidc/s3credentials", "").await), 502);
        assert_eq!(status(&ask(&standin).await), 501);
    }
}
