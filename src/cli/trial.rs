//! A secret is tried at its issuer before it is kept: once, and never beside a daemon's own attempt.

use crate::access::{Access, Need};
use crate::broker::Broker;
use crate::config::{LoginEntry, Profile};
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
    /// The login's issuer took it; the issuer of this profile's credentials wants more than that.
    Denied(String, String),
    /// It was asked with this profile, if any, and nothing that was answered speaks against the secret.
    Failed(Option<String>, String),
    /// Nobody was asked.
    Untested(String),
}

/// Profiles that are tried until one says something of the secret and not of itself.
const AT_MOST: usize = 3;

impl Tried {
    /// Whether an issuer has taken the secret.
    pub(super) fn confirms(&self) -> bool {
        matches!(self, Tried::Works(..) | Tried::Taken | Tried::Denied(..))
    }

    /// In a line for a person.
    pub(super) fn told(&self) -> String {
        match self {
            Tried::Works(profile, end) => format!("tried with profile {profile}: credentials until {end}"),
            Tried::Taken => "tried at its own issuer; no profile uses this login yet".to_owned(),
            Tried::Denied(profile, why) => {
                format!("tried with profile {profile}: the login is good, but gives no credentials: {why}")
            }
            Tried::Failed(Some(profile), why) => format!("tried with profile {profile}: {why}"),
            Tried::Failed(None, why) => format!("could not be tried at the issuer: {why}"),
            Tried::Untested(why) => format!("not tried at the issuer: {why}"),
        }
    }
}

/// Issues once with a profile that uses the login, and with the next where that fails for the profile's own sake;
/// without one, asks the login's own issuer where it has one. Only a refusal of the secret itself is an error: a missing
/// right or an issuer that is away says nothing about the secret, and must not lose it.
pub(super) async fn try_out(
    broker: &Broker,
    entry: &LoginEntry,
    secret: &mut Secret,
    outside: &Outside,
) -> Result<Vec<Tried>, Error> {
    let config = broker.config();
    let users = config.profiles.values().filter(|profile| profile.login == entry.name);
    let profiles: Vec<&Profile> = users.take(AT_MOST).collect();
    if profiles.is_empty() && !entry.login.asks_issuer(secret) {
        return Ok(vec![Tried::Untested("no profile uses this login yet".into())]);
    }
    // Two attempts at one account at a time may lock it: a daemon may be asking as this login just now. What cannot be
    // tried for that is no worse a secret.
    let turn = match entry.login.asks_issuer(secret) {
        true => match broker.login_turn(&entry.name).await {
            Ok(turn) => Some(turn),
            Err(error) => return Ok(vec![Tried::Failed(None, reason(&error))]),
        },
        false => None,
    };
    let tried = try_each(&profiles, entry, secret, outside).await;
    if let (Some(turn), true) = (turn, tried.as_ref().is_err_and(Error::wants_sign_in)) {
        turn.end_refused().await;
    }
    tried
}

/// In the login's turn.
async fn try_each(
    profiles: &[&Profile],
    entry: &LoginEntry,
    secret: &mut Secret,
    outside: &Outside,
) -> Result<Vec<Tried>, Error> {
    let Some(first) = profiles.first() else {
        let Some(need) = entry.kind.gives.first() else { return Ok(Vec::new()) };
        announce(&entry.name);
        return Ok(vec![match granted(entry, secret, *need, outside).await? {
            Ok(_) => Tried::Taken,
            Err(why) => Tried::Failed(None, why),
        }]);
    };
    announce(&first.name);
    let mut need = first.provider.need();
    let mut access = match granted(entry, secret, need, outside).await? {
        Ok(access) => access,
        Err(why) => return Ok(vec![Tried::Failed(None, why)]),
    };
    let mut outcomes = Vec::new();
    for profile in profiles {
        if profile.name != first.name {
            announce(&profile.name);
        }
        if profile.provider.need() != need {
            need = profile.provider.need();
            access = match granted(entry, secret, need, outside).await? {
                Ok(access) => access,
                Err(why) => {
                    outcomes.push(Tried::Failed(Some(profile.name.clone()), why));
                    break;
                }
            };
        }
        let (outcome, next) = try_with(profile, &access, entry, secret, outside).await?;
        outcomes.push(outcome);
        if !next {
            break;
        }
    }
    Ok(outcomes)
}

/// What one profile comes to, and whether that is for its own sake: another may do better.
async fn try_with(
    profile: &Profile,
    with: &Access,
    entry: &LoginEntry,
    secret: &mut Secret,
    outside: &Outside,
) -> Result<(Tried, bool), Error> {
    let name = || profile.name.clone();
    let mut answer = profile.provider.issue(with, &outside.http).await;
    if let Ok(Answer::Wants(need, why)) = answer {
        answer = match granted(entry, secret, need, outside).await {
            Ok(Ok(access)) => profile.provider.issue(&access, &outside.http).await,
            _ => Ok(Answer::Wants(need, why)),
        };
    }
    let denied = |why| (Tried::Denied(profile.name.clone(), why), true);
    match answer {
        // Good for what it is, and for other profiles.
        Ok(Answer::Wants(_, why)) => {
            Ok(denied(format!("{why}; sign in again by name, with Enter where a token is asked for")))
        }
        Ok(Answer::Issued(issued)) => Ok((Tried::Works(name(), written(issued.credentials.expiration)), false)),
        Ok(Answer::Rejected(error @ Error::Denied { .. })) => Ok(denied(reason(&error))),
        Ok(Answer::Rejected(error @ Error::LoginRequired { .. })) => Err(error),
        Ok(Answer::Rejected(error)) | Err(error) => {
            let own = matches!(error, Error::Configuration { .. } | Error::Denied { .. });
            Ok((Tried::Failed(Some(name()), reason(&error)), own))
        }
    }
}

fn announce(whose: &str) {
    if Terminal.someone() {
        Terminal.tell(&format!("asking the issuer of {whose} ..."));
    }
}

/// Access by the secret, which gives way to what it was exchanged for: shown again, the old one would end the session.
/// What says nothing against the secret comes as text.
async fn granted(
    entry: &LoginEntry,
    secret: &mut Secret,
    need: Need,
    outside: &Outside,
) -> Result<Result<Access, String>, Error> {
    match access(entry, secret, need, outside).await {
        Ok(granted) => {
            if let Some(rotated) = granted.rotated {
                *secret = rotated;
            }
            Ok(Ok(granted.access))
        }
        Err(error @ Error::LoginRequired { .. }) => Err(error),
        Err(error) => Ok(Err(reason(&error))),
    }
}

async fn access(entry: &LoginEntry, secret: &Secret, need: Need, outside: &Outside) -> Result<Granted, Error> {
    let (http, environment, now) = (&outside.http, &*outside.environment, &outside.clock.now());
    entry.login.access(AccessRequest { secret, need, rejected: None, http, environment, now }).await
}

fn reason(error: &Error) -> String {
    format!("{error}; {}", error.hint())
}
