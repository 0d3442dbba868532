//! What it says: the answers, and the line for each request, of `s3-credentials localserver`.

use super::{NAME, of_options};
use crate::broker::{Broker, Served};
use crate::cli::tell;
use crate::credentials::written;
use crate::error::{Error, printable};
use crate::loopback::{self, Answer, Refused};
use crate::ports::{Clock, Later};
use crate::system::clock::SystemClock;
use jiff::tz::TimeZone;
use serde::Serialize;

#[derive(Debug)]
pub(super) struct Answers {
    broker: Broker,
    clock: SystemClock,
    /// For the log alone.
    zone: TimeZone,
}

impl Answers {
    pub(super) fn new(broker: Broker) -> Answers {
        Answers { broker, clock: SystemClock::new(), zone: TimeZone::system() }
    }
}

impl loopback::Answers for Answers {
    fn answer<'a>(&'a self, target: &'a str) -> Later<'a, Answer> {
        Box::pin(async move {
            if target != "/" {
                return error(404, "Not found");
            }
            let given = async {
                // Closed and opened by other commands, at any time.
                self.broker.check_unlocked().await?;
                self.broker.credentials(NAME, 0).await
            };
            match given.await.map_err(of_options) {
                Ok(served) => Answer { status: 200, body: indented(&served) },
                Err(refusal) => failure(&refusal),
            }
        })
    }

    fn refuse(&self, refused: Refused) -> Answer {
        error(refused.status(), refused.reason())
    }

    fn answered(&self, request: &str, status: u16) {
        let now = self.zone.to_datetime(self.clock.now().wall);
        tell(&format!("{} - \"{}\" {status} -", now.strftime("%Y-%m-%d %H:%M:%S"), printable(request)));
    }
}

fn failure(refusal: &Error) -> Answer {
    error(refusal.kind().http_status(), &format!("{refusal}; {}", refusal.hint()))
}

fn error(status: u16, message: &str) -> Answer {
    Answer { status, body: serde_json::json!({ "error": printable(message) }).to_string() }
}

/// The `credential_process` form over several lines.
fn indented(served: &Served) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Form<'a> {
        version: u8,
        access_key_id: &'a str,
        secret_access_key: &'a str,
        session_token: &'a str,
        expiration: String,
    }
    let credentials = &served.lease.credentials;
    let form = Form {
        version: 1,
        access_key_id: &credentials.access_key_id,
        secret_access_key: credentials.secret_access_key.expose(),
        session_token: credentials.session_token.expose(),
        expiration: written(served.published),
    };
    serde_json::to_string_pretty(&form).unwrap_or_default()
}
