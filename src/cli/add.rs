//! `valetkey add PRESET|PROVIDER [NAME]`: a profile for the config, its options made from the kinds' own keys.

use super::context::Context;
use crate::access::Need;
use crate::config::{Addition, Config, added};
use crate::error::Error;
use crate::login;
use crate::ports::Prompt;
use crate::provider::{self, Kind, Preset};
use crate::settings::{Key, Settings};
use crate::system::config_file;
use crate::system::prompt::Terminal;
use crate::wire::{NAME_RULE, valid_name};
use clap::{Arg, ArgMatches, Command};
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A preset, or a kind of provider (see below)
    #[arg(value_name = "PRESET|PROVIDER")]
    what: String,
    /// The profile's name; the preset's if not given
    name: Option<String>,
    /// A setting of the login that is added beside it: token_url=https://.., username=ada, kind=keycloak
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    login_set: Vec<(String, String)>,
}

/// Adds to `add` an option for each key of each provider, and the lists of kinds and presets to its help.
pub(super) fn with_kinds(command: Command) -> Command {
    let mut options: BTreeMap<&'static str, (&'static Key, Vec<&'static str>)> = BTreeMap::new();
    for kind in provider::KINDS {
        for key in kind.keys {
            options.entry(key.name).or_insert((key, Vec::new())).1.push(kind.name);
        }
    }
    command.mut_subcommand("add", |mut add| {
        add = add.arg(Arg::new("login").long("login").value_name("LOGIN").help("The login that signs in for it"));
        for (name, (key, kinds)) in options {
            let long = name.replace('_', "-");
            add = add.arg(Arg::new(name).long(long).value_name("VALUE").help(format!(
                "{} [{}]",
                key.help,
                kinds.join(", ")
            )));
        }
        add.after_help(kinds_help())
    })
}

fn kinds_help() -> String {
    let mut text = "Providers:\n".to_owned();
    for kind in provider::KINDS {
        text += &format!("  {:<14} {}\n", kind.name, kind.summary);
    }
    text += "\nPresets:\n";
    for preset in provider::KINDS.iter().flat_map(|kind| kind.presets) {
        text += &format!("  {:<14} {}\n", preset.name, preset.opens);
    }
    text
}

/// The settings among the options of `add`.
pub(super) fn given(matches: &ArgMatches) -> Vec<(String, String)> {
    let keys = provider::KINDS.iter().flat_map(|kind| kind.keys).map(|key| key.name).chain(["login"]);
    let mut found: Vec<(String, String)> = Vec::new();
    for name in keys {
        if let Ok(Some(value)) = matches.try_get_one::<String>(name)
            && !found.iter().any(|(known, _)| known == name)
        {
            found.push((name.to_owned(), value.clone()));
        }
    }
    found
}

pub(super) fn run(context: &Context, args: &Args, given: Vec<(String, String)>) -> Result<(), Error> {
    let (kind, preset) = find(&args.what)?;
    let name = args.name.clone().or_else(|| preset.map(|preset| preset.name.to_owned()));
    let name = match name {
        Some(name) => name,
        None => Terminal.ask("Name of the profile: ")?,
    };
    if !valid_name(&name) {
        return Err(Error::configuration("this cannot be a profile's name", NAME_RULE));
    }
    let settings = settings(kind, preset, given)?;
    let file = &context.paths.config_file;
    let text = config_file::read_text(file)?.unwrap_or_default();
    let config = Config::parse(&text, file, &context.paths.home)?;
    let need = need(kind, &name, &settings, &config, &context.paths.home)?;
    let mut login_settings: Vec<_> = args.login_set.iter().filter(|(key, _)| key != "kind").cloned().collect();
    let login = login(kind, need, &settings, &args.login_set, &mut login_settings, &config)?;
    let addition = Addition { profile: name.clone(), provider: kind.name, login, login_settings, settings };
    let edited = added(&text, &addition, file, &context.paths.home)?;
    config_file::write(file, &edited, 0o600)?;
    let config = context.config()?;
    let login = &config.profile(&name)?.login;
    Terminal.tell(&format!("added {name} to {}", file.display()));
    Terminal.tell(&format!("next: valetkey login {login}; valetkey configure {name}"));
    Ok(())
}

/// What the provider will want of its login.
fn need(kind: &Kind, name: &str, settings: &[(String, String)], config: &Config, home: &Path) -> Result<Need, Error> {
    let mut read = Settings::new(&config.file, &format!("profiles.{name}"), None);
    for (name, text) in settings {
        if let Some(key) = kind.keys.iter().find(|key| key.name == name) {
            read.insert(key, vec![text.clone()], None, home)?;
        }
    }
    Ok((kind.build)(&read)?.need())
}

/// Name and kind of the login that is added where it is not there yet; None where none needs a table of its own. Where
/// a new one has to know its realm, a person is asked.
fn login(
    kind: &Kind,
    need: Need,
    settings: &[(String, String)],
    login_set: &[(String, String)],
    login_settings: &mut Vec<(String, String)>,
    config: &Config,
) -> Result<Option<(String, &'static str)>, Error> {
    let known = |name: &str| login::KINDS.iter().find(|known| known.name == name);
    let fits: Vec<&login::Kind> =
        kind.logins.iter().filter_map(|name| known(name)).filter(|login| login.gives.contains(&need)).collect();
    let names = || fits.iter().map(|login| login.name).collect::<Vec<_>>();
    let login_kind = match login_set.iter().find(|(key, _)| key == "kind") {
        None => fits.first().copied(),
        Some((_, wanted)) => fits.iter().copied().find(|login| login.name == wanted),
    };
    let login_kind = login_kind.ok_or_else(|| {
        let fix = format!("write kind={}", names().join(" or kind="));
        Error::configuration(format!("provider {} takes no such login", kind.name), fix)
    })?;
    let name = settings.iter().find(|(key, _)| key == "login").map(|(_, login)| login.clone());
    let name = name.or_else(|| (!login_set.is_empty()).then(|| login_kind.name.to_owned()));
    let there = match &name {
        Some(name) => config.logins.contains_key(name),
        None => config.logins.values().any(|login| names().contains(&login.kind.name)),
    };
    let given = |wanted: &str| login_settings.iter().any(|(key, _)| key == wanted);
    let realm = login_kind.keys.iter().find(|key| key.name == "token_url");
    let Some(realm) = realm.filter(|_| {
        let of_a_token = login_settings.iter().any(|(key, grant)| key == "grant" && grant == "token");
        !there && !of_a_token && !given("token_url") && !given("issuer")
    }) else {
        return Ok(name.map(|name| (name, login_kind.name)));
    };
    if !Terminal.someone() {
        return Err(Error::configuration(
            format!("the {} login that it needs has neither token_url nor issuer", login_kind.name),
            "add --login-set token_url=https://HOST/keycloak/realms/REALM/protocol/openid-connect/token",
        ));
    }
    let answer = Terminal.ask(&format!("{} of the {} login ({}): ", realm.name, login_kind.name, realm.help))?;
    login_settings.push((realm.name.to_owned(), answer));
    Ok(Some((name.unwrap_or_else(|| login_kind.name.to_owned()), login_kind.name)))
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn find(what: &str) -> Result<(&'static Kind, Option<&'static Preset>), Error> {
    if let Some(kind) = provider::KINDS.iter().find(|kind| kind.name == what) {
        return Ok((kind, None));
    }
    if let Some((kind, preset)) = provider::preset(what) {
        return Ok((kind, Some(preset)));
    }
    let words = provider::KINDS.iter().flat_map(|kind| {
        let presets =
            kind.presets.iter().flat_map(|preset| [preset.name].into_iter().chain(preset.aliases.iter().copied()));
        [kind.name].into_iter().chain(presets)
    });
    let fix = match crate::settings::nearest(what, words) {
        Some(word) => format!("did you mean {word}?"),
        None => "the list: valetkey add --help".to_owned(),
    };
    Err(Error::configuration(format!("there is no preset or provider {}", crate::error::printable(what)), fix))
}

/// The preset's settings, what was given, and what a person adds where something is missing.
fn settings(
    kind: &Kind,
    preset: Option<&Preset>,
    given: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, Error> {
    let mut settings: Vec<(String, String)> = Vec::new();
    for (key, value) in preset.map_or(&[][..], |preset| preset.settings) {
        settings.push(((*key).to_owned(), (*value).to_owned()));
    }
    for (key, value) in given {
        if key != "login" && !kind.keys.iter().any(|known| known.name == key) {
            let option = key.replace('_', "-");
            return Err(Error::configuration(
                format!("provider {} has no --{option}", kind.name),
                "its options: valetkey add --help",
            ));
        }
        settings.retain(|(known, _)| *known != key);
        settings.push((key, value));
    }
    for key in kind.keys.iter().filter(|key| key.required) {
        if settings.iter().any(|(known, _)| known == key.name) {
            continue;
        }
        if !Terminal.someone() {
            let option = key.name.replace('_', "-");
            return Err(Error::configuration(format!("--{option} is missing"), format!("--{option}: {}", key.help)));
        }
        settings.push((key.name.to_owned(), Terminal.ask(&format!("{} ({}): ", key.name, key.help))?));
    }
    Ok(settings)
}
