//! A secret is tried at its issuer before it is kept: once, and never beside a daemon's own attempt.

use crate::access::{Access, Need};
use crate::broker::Broker;
use crate::config::LoginEntry;
use crate::credentials::written;
use crate::error::Error;
use crate::login::{AccessRequest, Granted};
use crate::ports::{Outside, Prompt};
use crate::provider::Answer;
use crate::secret::Secret;
use crate::system::prompt::Terminal;

/// What came of a trial that speaks not against the secret.
pub(super) enum Tried {
    /// A profile, and until when its credentials are valid.
    Works(String, String),
    /// The login's issuer took it. No profile uses the login yet.
    Taken,
    /// The login's issuer took it; the issuer of credentials wants more than that.
    Denied(String),
    /// It may be good: nothing that was answered speaks against it.
    Untested(String),
}

/// Issues once with the first profile that uses the login; without one, asks the login's own issuer where it has one.
/// Only a refusal of the secret itself is an error: a missing right or an issuer that is away says nothing about the
/// secret, and must not lose it.
pub(super) async fn try_out(
    broker: &Broker,
    entry: &LoginEntry,
    secret: &mut Secret,
    outside: &Outside,
) -> Result<Tried, Error> {
    let config = broker.config();
    let profile = config.profiles.values().find(|profile| profile.login == entry.name);
    let need = match (profile, entry.kind.gives.first()) {
        (Some(profile), _) => profile.provider.need(),
        (None, Some(need)) if entry.login.asks_issuer(secret) => *need,
        (None, _) => return Ok(Tried::Untested("no profile uses this login yet".into())),
    };
    if Terminal.someone() {
        let whose = profile.map_or(&entry.name, |profile| &profile.name);
        Terminal.tell(&format!("asking the issuer of {whose} ..."));
    }
    // Two attempts at one account at a time may lock it: a daemon may be asking as this login just now. What cannot be
    // tried for that is no worse a secret.
    let _turn = match entry.login.asks_issuer(secret) {
        true => match broker.login_turn(&entry.name).await {
            Ok(turn) => Some(turn),
            Err(error) => return Ok(untested(&error)),
        },
        false => None,
    };
    let granted = match access(entry, secret, need, outside).await {
        Ok(granted) => granted,
        Err(error @ Error::LoginRequired { .. }) => return Err(error),
        Err(error) => return Ok(untested(&error)),
    };
    // The old one may be void from here on, and shown again it would end the session.
    if let Some(rotated) = granted.rotated {
        *secret = rotated;
    }
    let Some(profile) = profile else { return Ok(Tried::Taken) };
    let issue = async |access: &Access| profile.provider.issue(access, &outside.http).await;
    let mut answer = issue(&granted.access).await;
    if let Ok(Answer::Wants(need, why)) = answer {
        answer = match access(entry, secret, need, outside).await {
            Ok(granted) => issue(&granted.access).await,
            Err(_) => Ok(Answer::Wants(need, why)),
        };
    }
    match answer {
        // Good for what it is, and for other profiles.
        Ok(Answer::Wants(_, why)) => {
            Ok(Tried::Denied(format!("{why}; sign in again by name, with Enter where a token is asked for")))
        }
        Ok(Answer::Issued(issued)) => Ok(Tried::Works(profile.name.clone(), written(issued.credentials.expiration))),
        Ok(Answer::Rejected(error @ Error::Denied { .. })) => Ok(Tried::Denied(format!("{error}; {}", error.hint()))),
        Ok(Answer::Rejected(error @ Error::LoginRequired { .. })) => Err(error),
        Ok(Answer::Rejected(error)) | Err(error) => Ok(untested(&error)),
    }
}

async fn access(entry: &LoginEntry, secret: &Secret, need: Need, outside: &Outside) -> Result<Granted, Error> {
    let (http, environment, now) = (&outside.http, &*outside.environment, &outside.clock.now());
    entry.login.access(AccessRequest { secret, need, rejected: None, http, environment, now }).await
}

fn untested(error: &Error) -> Tried {
    Tried::Untested(format!("{error}; {}", error.hint()))
}
