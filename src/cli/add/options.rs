//! The options of `add`: one for each key of each provider, short forms, and the lists of its help.

use crate::provider::{self, Kind};
use crate::settings::{Key, Shape};
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::collections::BTreeMap;

/// Adds to `add` an option for each key of each provider, and the lists of kinds and presets to its help.
pub(in crate::cli) fn with_kinds(command: Command) -> Command {
    let mut options: BTreeMap<&'static str, (&'static Key, Vec<String>)> = BTreeMap::new();
    for kind in provider::KINDS {
        for key in kind.keys {
            options.entry(key.name).or_insert((key, Vec::new())).1.push(kind.name.to_owned());
        }
        if meant(kind, "endpoint") != "endpoint"
            && let Some((_, kinds)) = options.get_mut("endpoint")
        {
            kinds.push(format!("{}: its S3's", kind.name));
        }
    }
    command.mut_subcommand("add", |mut add| {
        add = add.arg(Arg::new("login").long("login").value_name("LOGIN").help("The login that signs in for it"));
        for (name, (key, kinds)) in options {
            let (list, kinds) = (key.shape == Shape::List, kinds.join(", "));
            let mut option = Arg::new(name).long(option_of(key)).value_name("VALUE");
            if list {
                option = option.alias(name.replace('_', "-")).action(ArgAction::Append);
            }
            let often = if list { "; may be given several times" } else { "" };
            add = add.arg(option.help(format!("{}{often} [{kinds}]", key.help)));
        }
        for (flag, key, value) in SHORT {
            let others = SHORT.iter().map(|(other, ..)| *other).filter(|other| *other != flag).chain([key]);
            let help = format!("short for --{key} {value}");
            add = add.arg(Arg::new(flag).long(flag).action(ArgAction::SetTrue).conflicts_with_all(others).help(help));
        }
        add.after_help(kinds_help())
    })
}

/// The settings among the options of `add`; a list has an entry for each of its texts.
pub(in crate::cli) fn given(matches: &ArgMatches) -> Vec<(String, String)> {
    let keys = provider::KINDS.iter().flat_map(|kind| kind.keys).map(|key| key.name).chain(["login"]);
    let mut found: Vec<(String, String)> = Vec::new();
    for name in keys {
        if let Ok(Some(values)) = matches.try_get_many::<String>(name)
            && !found.iter().any(|(known, _)| known == name)
        {
            found.extend(values.map(|value| (name.to_owned(), value.clone())));
        }
    }
    let set = SHORT.iter().filter(|(flag, ..)| matches.get_flag(flag));
    found.extend(set.map(|(_, key, value)| ((*key).to_owned(), (*value).to_owned())));
    found
}

/// Flags, and the setting that each stands for.
const SHORT: [(&str, &str, &str); 2] = [("read-only", "access", "read-only"), ("write-only", "access", "write-only")];

/// The option of a key, without its dashes. That of a list is given once for each text.
pub(super) fn option_of(key: &Key) -> String {
    let name = if key.shape == Shape::List { key.name.trim_end_matches('s') } else { key.name };
    name.replace('_', "-")
}

/// The key of `kind` that an option sets: one that knows no endpoint but its S3's takes `--endpoint` for that.
pub(super) fn meant<'a>(kind: &Kind, name: &'a str) -> &'a str {
    let has = |name: &str| kind.keys.iter().any(|key| key.name == name);
    if name == "endpoint" && !has("endpoint") && has("s3_endpoint") { "s3_endpoint" } else { name }
}

/// What can be added, and what it opens: presets first, which need the least.
pub(super) fn choices() -> Vec<(&'static str, &'static str)> {
    let presets = provider::KINDS.iter().flat_map(|kind| kind.presets).map(|preset| (preset.name, preset.opens));
    presets.chain(provider::KINDS.iter().map(|kind| (kind.name, kind.summary))).collect()
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
