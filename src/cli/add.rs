//! `valetkey add PRESET|PROVIDER [NAME]`: a profile for the config, its options made from the kinds' own keys.

use super::context::Context;
use crate::config::{Addition, Key, added};
use crate::error::Error;
use crate::ports::Prompt;
use crate::provider::{self, Kind, Preset};
use crate::system::config_file;
use crate::system::prompt::Terminal;
use crate::wire::{NAME_RULE, valid_name};
use clap::{Arg, ArgMatches, Command};
use std::collections::BTreeMap;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A preset, or a kind of provider (see below)
    #[arg(value_name = "PRESET|PROVIDER")]
    what: String,
    /// The profile's name; the preset's if not given
    name: Option<String>,
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
    let login = settings.iter().find(|(key, _)| key == "login").map(|(_, login)| (login.clone(), kind.logins[0]));
    let addition = Addition { profile: name.clone(), provider: kind.name, login, settings };
    let edited = added(&text, &addition, file, &context.paths.home)?;
    config_file::write(file, &edited, 0o600)?;
    let config = context.config()?;
    let login = &config.profile(&name)?.login;
    Terminal.tell(&format!("added {name} to {}", file.display()));
    Terminal.tell(&format!("next: valetkey login {login}; valetkey configure {name}"));
    Ok(())
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
    let fix = match crate::config::nearest(what, words) {
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
