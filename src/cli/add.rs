//! `valetkey add [PRESET|PROVIDER] [NAME]`: a profile for the config; what it lacks is asked of a person.

mod options;

pub(super) use options::{given, with_kinds};

use super::context::Context;
use crate::access::Need;
use crate::config::{Addition, Config, LoginEntry, added};
use crate::error::Error;
use crate::login;
use crate::ports::Prompt;
use crate::provider::{self, Kind, Lack, Preset};
use crate::settings::{Key, Settings};
use crate::system::config_file;
use crate::system::prompt::Terminal;
use crate::wire::{NAME_RULE, valid_name};
use options::{choices, meant, option_of};
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A preset, or a kind of provider (see below); chosen from a list if not given
    #[arg(value_name = "PRESET|PROVIDER")]
    what: Option<String>,
    /// The profile's name; the preset's if not given
    name: Option<String>,
    /// A setting of the login that is added beside it: token_url=https://.., username=ada, kind=keycloak
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    login_set: Vec<(String, String)>,
}

/// What is wrong with the words themselves, before anything is read, asked or written: a mistake of usage.
pub(super) fn judge(args: &Args, given: &[(String, String)]) -> Result<(), Error> {
    judge_for(args, given, &Terminal)
}

fn judge_for(args: &Args, given: &[(String, String)], prompt: &dyn Prompt) -> Result<(), Error> {
    let Some(what) = &args.what else {
        let fix = "name a preset or a provider; the list: valetkey add --help";
        let unsaid = || Error::configuration("nobody is there to choose what is to be added", fix);
        return if prompt.someone() { Ok(()) } else { Err(unsaid()) };
    };
    let (kind, preset) = find(what)?;
    let settings = merged(kind, preset, given)?;
    if prompt.someone() {
        return Ok(());
    }
    if args.name.is_none() && preset.is_none() {
        let fix = format!("name it: valetkey add {} NAME", kind.name);
        return Err(Error::configuration("nobody is there to ask for the profile's name", fix));
    }
    match missing(kind, &settings, &Settings::default(), Path::new("/")) {
        Ok(Some((key, true))) => {
            let option = option_of(key);
            Err(Error::configuration(format!("--{option} is missing"), format!("--{option}: {}", key.help)))
        }
        // A value that is none is the config's affair, which says so with the rest.
        Ok(_) | Err(_) => Ok(()),
    }
}

pub(super) fn run(context: &Context, args: &Args, given: Vec<(String, String)>) -> Result<(), Error> {
    let what = match &args.what {
        Some(what) => what.clone(),
        None => chosen(&Terminal)?.to_owned(),
    };
    let (kind, preset) = find(&what)?;
    let name = args.name.clone().or_else(|| preset.map(|preset| preset.name.to_owned()));
    let name = match name {
        Some(name) => name,
        None => Terminal.ask("Name of the profile: ")?,
    };
    if !valid_name(&name) {
        return Err(Error::configuration("this cannot be a profile's name", NAME_RULE));
    }
    let file = &context.paths.config_file;
    let blank = Settings::new(file, &format!("profiles.{name}"), None);
    let home = &context.paths.home;
    let settings = completed(kind, merged(kind, preset, &given)?, &blank, home, &Terminal)?;
    let text = config_file::read_text(file)?.unwrap_or_default();
    let config = Config::parse(&text, file, &context.paths.home)?;
    let need = (kind.build)(&read(kind, &settings, &blank, home)?)?.need();
    let mut login_settings: Vec<_> = args.login_set.iter().filter(|(key, _)| key != "kind").cloned().collect();
    let login = login(kind, need, &settings, &args.login_set, &mut login_settings, &config)?;
    let mut settings = settings;
    // Of a profile that is there already, that is said first.
    if !config.profiles.contains_key(&name)
        && let Some(named) = named(kind, need, login.as_ref(), &settings, &config)?
    {
        settings.push(("login".to_owned(), named));
    }
    let called = preset.map_or(kind.name, |preset| preset.name);
    let addition = Addition { profile: name.clone(), provider: kind.name, called, login, login_settings, settings };
    let edited = added(&text, &addition, file, &context.paths.home)?;
    config_file::write(file, &edited.text, 0o600)?;
    let config = context.config()?;
    let login = &config.profile(&name)?.login;
    Terminal.tell(&format!("added {name} to {}", file.display()));
    if !edited.bound.is_empty() {
        let bound = edited.bound.iter().map(|(profile, login)| format!("{profile} = {login}"));
        Terminal.tell(&format!("profiles now name the login they had: {}", bound.collect::<Vec<_>>().join(", ")));
    }
    Terminal.tell(&format!("next: valetkey login {login}; valetkey configure {name}"));
    Ok(())
}

/// These settings as the provider reads them; `blank` says for which profile of which file.
fn read(kind: &Kind, settings: &[(String, String)], blank: &Settings, home: &Path) -> Result<Settings, Error> {
    let mut read = blank.clone();
    for key in kind.keys {
        let texts: Vec<String> =
            settings.iter().filter(|(name, _)| name == key.name).map(|(_, text)| text.clone()).collect();
        if !texts.is_empty() {
            read.insert(key, texts, None, home)?;
        }
    }
    Ok(read)
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

/// The login that the profile has to name since others could be meant too; None where it names one, or there is none.
fn named(
    kind: &Kind,
    need: Need,
    login: Option<&(String, &'static str)>,
    settings: &[(String, String)],
    config: &Config,
) -> Result<Option<String>, Error> {
    if settings.iter().any(|(key, _)| key == "login") {
        return Ok(None);
    }
    if let Some((login, _)) = login {
        return Ok(Some(login.clone()));
    }
    let fits = |login: &&LoginEntry| kind.logins.contains(&login.kind.name) && login.kind.gives.contains(&need);
    let fitting: Vec<&str> = config.logins.values().filter(fits).map(|login| login.name.as_str()).collect();
    match fitting.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some((*only).to_owned())),
        several => Err(Error::configuration(
            "several logins fit this profile",
            format!("say which: --login {}", several.join(" or --login ")),
        )),
    }
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

/// The preset's settings and what was given, which wins.
fn merged(kind: &Kind, preset: Option<&Preset>, given: &[(String, String)]) -> Result<Vec<(String, String)>, Error> {
    let known = |name: &str| name == "login" || kind.keys.iter().any(|key| key.name == name);
    let mut settings: Vec<(String, String)> = Vec::new();
    for (key, value) in preset.map_or(&[][..], |preset| preset.settings) {
        if !given.iter().any(|(name, _)| meant(kind, name) == *key) {
            settings.push(((*key).to_owned(), (*value).to_owned()));
        }
    }
    for (name, value) in given {
        let key = meant(kind, name);
        if !known(key) {
            let keys = provider::KINDS.iter().flat_map(|kind| kind.keys);
            let option = keys.into_iter().find(|key| key.name == name).map_or_else(|| name.clone(), option_of);
            let fix = format!("its options are those with {} in: valetkey add --help", kind.name);
            return Err(Error::configuration(format!("provider {} has no --{option}", kind.name), fix));
        }
        if key != name && given.iter().any(|(other, _)| other == key) {
            let (one, other) = (name.replace('_', "-"), key.replace('_', "-"));
            let message = format!("--{one} and --{other} are the same to provider {}", kind.name);
            return Err(Error::configuration(message, format!("give one of --{one} and --{other}")));
        }
        settings.push((key.to_owned(), value.clone()));
    }
    Ok(settings)
}

/// The first key that these settings lack, and whether they cannot do without.
fn missing(
    kind: &'static Kind,
    settings: &[(String, String)],
    blank: &Settings,
    home: &Path,
) -> Result<Option<(&'static Key, bool)>, Error> {
    let there = |key: &Key| settings.iter().any(|(name, _)| name == key.name);
    if let Some(key) = kind.keys.iter().find(|key| key.required && !there(key)) {
        return Ok(Some((key, true)));
    }
    let (lacking, needed) = match (kind.lacks)(&read(kind, settings, blank, home)?) {
        Some(Lack::Needed(name)) => (name, true),
        Some(Lack::Wanted(name)) => (name, false),
        None => return Ok(None),
    };
    Ok(kind.keys.iter().find(|key| key.name == lacking && !there(key)).map(|key| (key, needed)))
}

/// With what a person adds where something is missing.
fn completed(
    kind: &'static Kind,
    mut settings: Vec<(String, String)>,
    blank: &Settings,
    home: &Path,
    prompt: &dyn Prompt,
) -> Result<Vec<(String, String)>, Error> {
    while let Some((key, needed)) = missing(kind, &settings, blank, home)? {
        if !needed && !prompt.someone() {
            break;
        }
        let without = if needed { "" } else { "; Enter for none" };
        let answer = prompt.ask(&format!("{} ({}{without}): ", key.name, key.help))?;
        if !needed && answer.is_empty() {
            break;
        }
        settings.push((key.name.to_owned(), answer));
    }
    Ok(settings)
}

/// What a person picks of all that can be added.
fn chosen(prompt: &dyn Prompt) -> Result<&'static str, Error> {
    let choices = choices();
    for (index, (name, opens)) in choices.iter().enumerate() {
        prompt.tell(&format!("{:>3}  {name:<14} {opens}", index + 1));
    }
    let answer = prompt.ask("Number or name: ")?;
    let by_number = answer.parse::<usize>().ok().and_then(|number| choices.get(number.checked_sub(1)?));
    match by_number {
        Some((name, _)) => Ok(name),
        None => find(&answer).map(|(kind, preset)| preset.map_or(kind.name, |preset| preset.name)),
    }
}

#[cfg(test)]
mod tests;
