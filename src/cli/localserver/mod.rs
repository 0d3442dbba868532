//! `valetkey localserver BUCKET --duration 1h`: in place of `s3-credentials localserver`, through our broker.
//!
//! What is the same, and where it is stricter: docs/localserver.md.

mod account;
mod answers;
mod keys;
mod options;

pub(super) use options::{Args, judge};

use super::context::Context;
use super::one_shot::Told;
use super::tell;
use crate::broker::{Broker, Manner, Served};
use crate::cache::Cache;
use crate::config::{Config, LoginEntry, Profile};
use crate::error::{Error, Remedy};
use crate::loopback::{Allow, Server, Token, refused};
use crate::ports::{Keyring, Tier};
use crate::settings::{Key, Settings};
use crate::system::keyring::OsKeyring;
use crate::system::peer;
use crate::{login, provider};
use account::Account;
use answers::Answers;
use keys::Keys;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The one profile, and the one login, of a config that is in no file.
const NAME: &str = "localserver";
const OTHER_KEYS: &str = "give other keys: --auth FILE, AWS_PROFILE, or --access-key and --secret-key";

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let mut told = Told::new();
    tokio::select! {
        served = serve(context, args) => served,
        () = told.heard() => {
            tell("\nShutting down server...");
            Ok(())
        }
    }
}

/// Serves until it is dropped; returns only where that fails.
async fn serve(context: &Context, args: &Args) -> Result<(), Error> {
    // Taken before anybody is asked: a port that is in use is told at once.
    let server = listen(args)?;
    // While everything is locked nobody is asked for anything.
    context.broker(Config::default(), Manner::OneShot).check_unlocked().await?;
    let keys = Keys::find(context, args).await?;
    // What is wrong with the options is known before the role is.
    config(args, &keys, "arn:aws:iam::000000000000:role/not-known-yet")?;
    let failed = |error: std::io::Error| Error::configuration(format!("no place for a cache: {error}"), "set TMPDIR");
    let state = tempfile::Builder::new().prefix("valetkey-localserver-").tempdir().map_err(failed)?;
    // Keys that came by an option are nobody else's: they rest in this process, and share no cache.
    let keyring = Arc::new(OsKeyring::new(state.path().to_owned(), Some(Tier::Memory), super::context::UNATTENDED));
    let outside = context.outside(keyring.clone());
    let account = Account::new(keys.access(&outside).await?, &keys, &outside)?;
    // Before the bucket: only its answer teaches us the time, where this machine's clock is off.
    let caller = account.caller().await?;
    account.has_bucket(&args.bucket).await?;
    tell("Generating initial credentials...");
    let role = account.role(&caller).await?;

    let config = config(args, &keys, &role.arn)?;
    // Nothing is shared with others but the lock, which is the user's.
    let cache = Cache::new(state.path()).locked_by(&context.paths.state);
    let broker = Broker::with_cache(outside, cache, config, Manner::Daemon);
    broker.check_unlocked().await?;
    if let Some(stored) = keys.stored() {
        keyring.store(NAME, &stored.to_secret()).await?;
    }
    first(&broker, role.is_new).await?;
    tokio::spawn(broker.clone().renew_ahead());

    let (access, port) = (args.access(), server.address().port());
    let host =
        if args.host.contains(':') { format!("[{}]", args.host.trim_matches(['[', ']'])) } else { args.host.clone() };
    tell(&format!("Serving {access} credentials for bucket '{}' at http://{host}:{port}/", args.bucket));
    tell(&format!("Duration: {} seconds", args.duration.as_secs()));
    tell("Press Ctrl+C to stop");
    server.serve(Arc::new(Answers::new(broker.clone()))).await;
    drop(state);
    Ok(())
}

fn listen(args: &Args) -> Result<Server, Error> {
    let ip = match args.host.as_str() {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host.trim_matches(['[', ']']).parse().map_err(|_| {
            Error::configuration(
                format!("--host {host} is no address"),
                "write localhost, 127.0.0.1, ::1, or 0.0.0.0 with --token-file",
            )
        })?,
    };
    let address = SocketAddr::new(ip, args.port);
    // Low ports and metadata addresses are asked for by name: here they are.
    let mut allowed = vec![Allow::LowPort, Allow::MetadataAddress];
    if args.token_file.is_some() {
        allowed.push(Allow::Remote);
    }
    if let Some((why, _)) = refused(address, &allowed) {
        return Err(Error::configuration(
            why,
            "leave out --host, or add --token-file FILE, which every client must show",
        ));
    }
    let token = args.token_file.as_deref().map(Token::kept_in).transpose()?;
    if rustix::process::getuid().is_root() {
        tell("warning: run by root: whatever root runs may ask it");
    }
    Server::bind(address, token, peer::uid_of).map_err(|error| {
        let fix = format!("see who uses it: ss -ltnp 'sport = :{}'; or take another: --port", args.port);
        Error::configuration(format!("cannot listen on {address}: {error}"), fix)
    })
}

/// A config as a user would have written it for this, checked by the same rules.
fn config(args: &Args, keys: &Keys, role: &str) -> Result<Config, Error> {
    let seconds = args.duration.as_secs().to_string();
    let session = format!("s3.{}.{}", args.access(), args.bucket).chars().take(64).collect::<String>();
    let mut values = vec![
        ("role_arn", vec![role.to_owned()]),
        ("session_name", vec![session]),
        ("duration", vec![seconds]),
        ("bucket", vec![args.bucket.clone()]),
        ("access", vec![args.access().to_owned()]),
        ("region", vec![keys.region.clone()]),
    ];
    values.extend(keys.sts_endpoint.as_ref().map(|endpoint| ("endpoint", vec![endpoint.to_string()])));
    // All keys that begin with it are meant in any case.
    let prefix = args.prefix.strip_suffix('*').unwrap_or(&args.prefix);
    values.extend((!prefix.is_empty()).then(|| ("prefix", vec![prefix.to_owned()])));
    values.extend((!args.statement.is_empty()).then(|| ("statements", args.statement.clone())));
    let settings = filled(provider::sts::KIND.keys, &values)?;
    let kind = &login::aws::KIND;
    let login_settings = filled(kind.keys, &keys.login_settings())?;
    let login = LoginEntry {
        name: NAME.to_owned(),
        kind,
        login: (kind.build)(NAME, &login_settings)?,
        settings: login_settings,
    };
    let profile = Profile {
        name: NAME.to_owned(),
        kind: &provider::sts::KIND,
        login: NAME.to_owned(),
        provider: (provider::sts::KIND.build)(&settings)?,
        settings,
    };
    Ok(Config {
        profiles: BTreeMap::from([(NAME.to_owned(), profile)]),
        logins: BTreeMap::from([(NAME.to_owned(), login)]),
        ..Config::empty(Path::new(PLACE))
    })
}

/// What is wrong with an option is told with this in place of a file's name.
const PLACE: &str = "the options of localserver";

/// Settings as a table of the config would have them. They need no home: all paths are whole.
fn filled(keys: &[Key], values: &[(&str, Vec<String>)]) -> Result<Settings, Error> {
    let mut settings = Settings::new(Path::new(PLACE), NAME, None);
    for (name, texts) in values {
        let key = keys.iter().find(|key| key.name == *name);
        let key = key.ok_or_else(|| Error::protocol(format!("localserver sets {name}, which no kind knows")))?;
        settings.insert(key, texts.clone(), None, Path::new("/"))?;
    }
    Ok(settings)
}

/// The first credentials. AWS takes some seconds to let a role be assumed that was made just now.
async fn first(broker: &Broker, new_role: bool) -> Result<Served, Error> {
    const PAUSE: Duration = Duration::from_secs(3);
    let mut tries = if new_role { 6 } else { 1 };
    loop {
        match broker.credentials(NAME, 0).await {
            Err(Error::Denied { .. }) if tries > 1 => {
                tries -= 1;
                tokio::time::sleep(PAUSE).await;
                broker.forgive_login(NAME).await;
            }
            served => return served.map_err(of_options),
        }
    }
}

/// An error of the broker's as it is for keys that no `valetkey login` has taken in.
fn of_options(error: Error) -> Error {
    match error {
        Error::LoginRequired { message, remedy: Remedy::SignIn(_) | Remedy::PutRight { .. } } => {
            Error::configuration(message, OTHER_KEYS)
        }
        error => error,
    }
}
