//! `valetkey login NAME`: takes a secret, tries it at its issuer at once, keeps it in the keyring.

use super::context::{ATTENDED, Context};
use super::start;
use super::trial::{Tried, try_out};
use crate::broker::{Broker, Manner, StoredLogin, told_of};
use crate::config::{Config, LoginEntry};
use crate::credentials::written;
use crate::daemon::ClientError;
use crate::error::Error;
use crate::login::{self, SignIn, Source};
use crate::ports::{Outside, Prompt, Tier};
use crate::secret::Secret;
use crate::settings::Settings;
use crate::system::prompt::Terminal;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// For another attempt to end, and the two seconds that its turn lasts where it was refused.
const PATIENCE: Duration = Duration::from_secs(4);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A login of the config, or a profile whose login is meant
    name: String,
    /// Take the secret from the variables that other tools use: EARTHDATA_TOKEN, AWS_ACCESS_KEY_ID, KEYCLOAK_PASSWORD, TOKEN and their sisters
    #[arg(long, conflicts_with_all = ["from_file", "from_netrc"])]
    from_env: bool,
    /// Take name and password from ~/.netrc, or the file that NETRC names
    #[arg(long, conflicts_with = "from_file")]
    from_netrc: bool,
    /// Take it from a file that only you can read; - is standard input. Where an MFA code is wanted, it may be the last line
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// Keep it without asking the issuer about it
    #[arg(long)]
    untested: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let config = context.config()?;
    let entry = entry(&config, &args.name)?;
    let keyring = context.keyring(&config, ATTENDED);
    let outside = context.outside(keyring.clone());
    let broker = Broker::new(outside.clone(), &context.paths.state, config.clone(), Manner::OneShot);
    broker.check_unlocked().await?;
    let mut secret = match entry.login.elsewhere() {
        Some(elsewhere) if args.from_env || args.from_netrc || args.from_file.is_some() => {
            let message =
                format!("the secret of {} is not kept here: the config says {}", entry.name, elsewhere.place());
            let fix = format!("put it there, then run: valetkey login {}; or edit [logins.{0}]", entry.name);
            return Err(Error::configuration(message, fix));
        }
        Some(elsewhere) => elsewhere.read(&*outside.environment).await.map_err(|error| told_of(&entry, error))?,
        None => taken(context, args, &entry, &outside, &broker).await.map_err(|error| told_of(&entry, error))?,
    };
    let tried = if args.untested {
        vec![Tried::Untested("as you asked".into())]
    } else {
        try_out(&broker, &entry, &mut secret, &outside).await.map_err(|error| told_of(&entry, error))?
    };

    let stored = StoredLogin::signed_in(entry.kind.name, secret.clone()).for_issuer(entry.login.given_to());
    if entry.login.elsewhere().is_some() {
        broker.forgive_login(&entry.name).await;
        told(hand_in(context, &entry.name, None).await);
    } else if config.keyring == Some(Tier::Memory) {
        // Only the daemon's own memory outlives this command.
        start::ensure_daemon(context).await?;
        hand_in(context, &entry.name, Some(&stored.to_secret())).await?;
    } else {
        broker.store_login(&entry.name, &stored).await?;
        told(hand_in(context, &entry.name, None).await);
    }
    if let Some(sentence) = keyring.pinned_now() {
        Terminal.tell(&sentence);
    }
    let about = entry.login.about(&secret);
    let who = about.who.map(|who| format!(" as {who}")).unwrap_or_default();
    let until = about.until.map(|end| format!(", until {}", written(end))).unwrap_or_default();
    // What nobody has confirmed is kept, no more than that.
    let confirmed = tried.iter().any(Tried::confirms);
    let word = match (confirmed, entry.login.elsewhere()) {
        (false, None) => "kept the secret of",
        (false, Some(_)) => "found the secret of",
        (true, _) => "signed in to",
    };
    Terminal.tell(&format!("{word} {}{who}{until}", entry.name));
    for outcome in tried {
        Terminal.tell(&outcome.told());
    }
    Ok(())
}

/// The secret, of a person, a variable or a file. Where the issuer is shown a password for it, that is the login's turn:
/// two attempts at one account within two seconds may lock it.
async fn taken(
    context: &Context,
    args: &Args,
    entry: &LoginEntry,
    outside: &Outside,
    broker: &Broker,
) -> Result<Secret, Error> {
    let source = source(context, args, entry, outside).await?;
    let asks = entry.login.asks_at_sign_in();
    // Not while a person types, nor for long: what holds it may be the rotation of a session that this one ends.
    let turn = match asks && source != Source::Person {
        true => tokio::time::timeout(PATIENCE, broker.login_turn(&entry.name)).await.ok().and_then(Result::ok),
        false => None,
    };
    let (environment, http, now) = (&*outside.environment, &outside.http, &outside.clock.now());
    let taken = entry.login.sign_in(&SignIn { prompt: &Terminal, environment, source, http, now }).await;
    if asks && taken.as_ref().is_err_and(Error::wants_sign_in) {
        let turn = match turn {
            Some(turn) => Some(turn),
            None => broker.login_turn(&entry.name).await.ok(),
        };
        if let Some(turn) = turn {
            turn.end_refused().await;
        }
    }
    taken
}

/// What is kept is kept: a daemon that is leaving, or that nobody understands, takes nothing of that back.
fn told(daemon: Result<(), Error>) {
    if let Err(error) = daemon {
        Terminal.tell(&format!("valetkey: warning: the daemon was not told: {error}; see: valetkey status"));
    }
}

/// The login of that name, of the profile of that name, or the one that a kind without required settings makes by itself.
pub(super) fn entry(config: &Config, name: &str) -> Result<LoginEntry, Error> {
    if let Some(entry) = config.logins.get(name) {
        return Ok(entry.clone());
    }
    if let Some(profile) = config.profiles.get(name) {
        return config.login(&profile.login).cloned();
    }
    let usual = login::KINDS.iter().find(|kind| kind.name == name && kind.keys.iter().all(|key| !key.required));
    let Some(kind) = usual else { return config.login(name).cloned() };
    let settings = Settings::new(&config.file, &format!("logins.{name}"), None);
    Ok(LoginEntry { name: name.to_owned(), kind, login: (kind.build)(name, &settings)?, settings })
}

async fn source(context: &Context, args: &Args, entry: &LoginEntry, outside: &Outside) -> Result<Source, Error> {
    let browser = entry.settings.text("grant") == Some("device");
    match &args.from_file {
        from_file if browser && (args.from_env || from_file.is_some()) => {
            let fix = "leave out --from-env and --from-file; a person allows it in a browser";
            Err(Error::configuration(format!("{} has grant = \"device\" and no secret to take", entry.name), fix))
        }
        _ if args.from_env => Ok(Source::Variables),
        // The kind refuses it itself, whatever files there are.
        _ if args.from_netrc && !entry.kind.keys.iter().any(|key| key.name == "netrc") => {
            Ok(Source::Netrc(Secret::new("")))
        }
        _ if args.from_netrc => {
            let named = outside.environment.variable("NETRC").map(PathBuf::from);
            let file = named.unwrap_or_else(|| context.paths.home.join(".netrc"));
            outside.environment.private_file(&file).await.map(Source::Netrc)
        }
        None => Ok(Source::Person),
        Some(file) if file.as_os_str() == "-" => {
            let mut text = zeroize::Zeroizing::new(String::new());
            let read = std::io::stdin().lock().take(64 * 1024).read_to_string(&mut text);
            read.map_err(|error| {
                Error::configuration(format!("cannot read standard input: {error}"), "pipe the secret in")
            })?;
            Ok(Source::Text(Secret::new(text.as_str())))
        }
        Some(file) => outside.environment.private_file(file).await.map(Source::Text),
    }
}

/// Tells a running daemon: the secret itself, or that what rests in the keyring has changed.
pub(super) async fn hand_in(context: &Context, login: &str, secret: Option<&Secret>) -> Result<(), Error> {
    match context.client()?.post(&format!("/v1/logins/{login}"), secret).await {
        Ok(_) => Ok(()),
        Err(ClientError::Nobody) if secret.is_none() => Ok(()),
        Err(ClientError::Nobody) => Err(Error::unavailable("the daemon has left; the login was not kept")),
        Err(ClientError::Error(error)) => Err(error),
    }
}
