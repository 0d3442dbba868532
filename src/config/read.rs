//! TOML into a `Config`. A misspelt key is an error with file, line and the nearest right word.

use super::{Config, LoginEntry, LoopbackEntry, Profile, loopback};
use crate::error::{Error, Place};
use crate::ports::Tier;
use crate::settings::{Key, Settings, nearest};
use crate::wire::{NAME_RULE, valid_name};
use crate::{login, provider};
use std::path::Path;
use toml_edit::{Document, Item, TableLike, Value};

const TOP_KEYS: &[&str] = &["autostart", "keyring", "logins", "loopback", "profiles"];

pub(super) fn parse(text: &str, file: &Path, home: &Path) -> Result<Config, Error> {
    let source = Source { text, file, home };
    let document = Document::parse(text).map_err(|error| {
        let line = error.span().map(|span| source.line_at(span.start));
        // The library's text shows the line's content, which may hold a secret pasted into the wrong file.
        let place = Some(Place { file: file.to_owned(), line });
        let message = format!("{} is not TOML", file.display());
        Error::Configuration { message, place, fix: "mend the line: name = \"value\" under [table.name]".into() }
    })?;
    let mut config = Config::empty(file);
    let mut servers = Vec::new();
    let top = document.as_table();
    for (key, item) in top.iter() {
        let line = source.line_of(top, key);
        match key {
            "autostart" => {
                config.autostart = item
                    .as_bool()
                    .ok_or_else(|| source.error(line, "autostart is not true or false", "write true or false"))?;
            }
            "keyring" => {
                let tier = item.as_str().and_then(Tier::from_name);
                let near = item.as_str().and_then(|word| nearest(word, Tier::ALL.into_iter().map(Tier::name)));
                let fix = match near {
                    Some(word) => format!("did you mean \"{word}\"?"),
                    None => "write \"service\", \"kernel\", \"file\" or \"memory\"".to_owned(),
                };
                config.keyring = Some(tier.ok_or_else(|| source.error(line, "keyring names no tier", &fix))?);
            }
            "logins" => {
                for (name, table, line) in source.named_tables(key, item)? {
                    let entry = source.login(name, table, line)?;
                    config.logins.insert(name.to_owned(), entry);
                }
            }
            "profiles" => {
                for (name, table, line) in source.named_tables(key, item)? {
                    let entry = source.profile(name, table, line)?;
                    config.profiles.insert(name.to_owned(), entry);
                }
            }
            "loopback" => {
                for (name, table, line) in source.named_tables(key, item)? {
                    let settings = source.settings(&format!("loopback.{name}"), "", table, line, loopback::KEYS)?;
                    config.loopback.insert(name.to_owned(), LoopbackEntry::new(name, &settings)?);
                    servers.push((name.to_owned(), settings));
                }
            }
            _ => return Err(source.unknown_key(line, key, "the file", TOP_KEYS.iter().copied())),
        }
    }
    // Before any is made for a profile: what fits must not depend on the profiles' names.
    let own: Vec<String> = config.logins.keys().cloned().collect();
    let names: Vec<String> = config.profiles.keys().cloned().collect();
    for name in names {
        bind_login(&mut config, &own, &name)?;
    }
    for (name, settings) in servers {
        config.loopback[&name].judge(&settings, &config)?;
    }
    Ok(config)
}

/// Finds the login of a profile: the one it names; else the only one that fits; else one of the provider's usual kind,
/// which then needs no table of its own. Only the config's `own` logins can fit.
fn bind_login(config: &mut Config, own: &[String], profile: &str) -> Result<(), Error> {
    let Some(entry) = config.profiles.get(profile) else { return Ok(()) };
    let settings = &entry.settings;
    let gives =
        |name: &str| login::KINDS.iter().any(|kind| kind.name == name && kind.gives.contains(&entry.provider.need()));
    let fits: Vec<&str> = entry.kind.logins.iter().copied().filter(|name| gives(name)).collect();
    let login = if entry.login.is_empty() {
        let fitting: Vec<&str> = config
            .logins
            .values()
            .filter(|login| own.contains(&login.name) && fits.contains(&login.kind.name))
            .map(|login| login.name.as_str())
            .collect();
        match fitting.as_slice() {
            [only] => (*only).to_owned(),
            [] => match fits.first() {
                Some(usual) => (*usual).to_owned(),
                None => return Err(settings.refuse("login", "no kind of login is of use to it", "leave it out")),
            },
            several => {
                return Err(settings.refuse(
                    "login",
                    "it does not say which login",
                    format!("add login = {}", quoted(several)),
                ));
            }
        }
    } else {
        entry.login.clone()
    };
    match config.logins.get(&login) {
        Some(known) if fits.contains(&known.kind.name) => {}
        Some(known) => {
            let message = format!("a {} login is no use to this profile", known.kind.name);
            return Err(settings.refuse("login", message, format!("name a login of kind {}", quoted(&fits))));
        }
        None => {
            let usual = login::KINDS.iter().find(|kind| kind.name == login && fits.contains(&kind.name));
            let usual = usual.filter(|kind| kind.keys.iter().all(|key| !key.required)).ok_or_else(|| {
                let message = format!("there is no login {login}");
                let words = config.logins.keys().map(String::as_str).chain(fits.iter().copied());
                let fix = match nearest(&login, words) {
                    Some(word) => format!("did you mean \"{word}\"? or add a table [logins.{login}]"),
                    None => format!("add a table [logins.{login}]"),
                };
                settings.refuse("login", message, fix)
            })?;
            let at = Settings::new(&config.file, &format!("logins.{login}"), None);
            let made =
                LoginEntry { name: login.clone(), kind: usual, login: (usual.build)(&login, &at)?, settings: at };
            config.logins.insert(login.clone(), made);
        }
    }
    let adopted = config.logins.get(&login).map(|login| login.settings.clone()).unwrap_or_default();
    if let Some(entry) = config.profiles.get_mut(profile) {
        entry.login = login;
        if entry.settings.adopt(entry.kind.as_its_login, &adopted) {
            entry.provider = (entry.kind.build)(&entry.settings)?;
        }
    }
    Ok(())
}

/// A table, its name, and the line where it begins.
type Named<'t> = (&'t str, &'t dyn TableLike, Option<usize>);

struct Source<'a> {
    text: &'a str,
    file: &'a Path,
    home: &'a Path,
}

/// Every profile has these beside its provider's own.
const LOGIN_KEY: Key = Key {
    name: "login",
    shape: crate::settings::Shape::Text,
    required: false,
    help: "the [logins.NAME] that signs in for it; may be left out where only one fits",
};

impl<'a> Source<'a> {
    fn profile(&self, name: &str, table: &dyn TableLike, line: Option<usize>) -> Result<Profile, Error> {
        let at = format!("profiles.{name}");
        let kind = self.kind(&at, "provider", table, line, provider::KINDS.iter().map(|kind| (kind.name, kind)))?;
        let keys: Vec<Key> = [LOGIN_KEY].into_iter().chain(kind.keys.iter().copied()).collect();
        let settings = self.settings(&at, "provider", table, line, &keys)?;
        Ok(Profile {
            name: name.to_owned(),
            kind,
            login: settings.text("login").unwrap_or_default().to_owned(),
            provider: (kind.build)(&settings)?,
            settings,
        })
    }

    fn login(&self, name: &str, table: &dyn TableLike, line: Option<usize>) -> Result<LoginEntry, Error> {
        let at = format!("logins.{name}");
        let kind = self.kind(&at, "kind", table, line, login::KINDS.iter().map(|kind| (kind.name, kind)))?;
        let settings = self.settings(&at, "kind", table, line, kind.keys)?;
        Ok(LoginEntry { name: name.to_owned(), kind, login: (kind.build)(name, &settings)?, settings })
    }

    fn kind<T>(
        &self,
        at: &str,
        key: &str,
        table: &dyn TableLike,
        line: Option<usize>,
        known: impl Iterator<Item = (&'static str, T)>,
    ) -> Result<T, Error> {
        let known: Vec<(&'static str, T)> = known.collect();
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let Some(word) = table.get(key).and_then(Item::as_str) else {
            let nearby = table.iter().find(|(k, _)| nearest(k, [key].into_iter()).is_some());
            return Err(match nearby {
                Some((typed, _)) => {
                    self.unknown_key(self.line_of(table, typed), typed, &format!("[{at}]"), [key].into_iter())
                }
                None => self.error(line, &format!("[{at}] has no {key}"), &format!("add {key} = {}", quoted(&names))),
            });
        };
        match known.into_iter().find(|(name, _)| *name == word) {
            Some((_, kind)) => Ok(kind),
            None => {
                let fix = match nearest(word, names.iter().copied()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("write {}", quoted(&names)),
                };
                Err(self.error(self.line_of(table, key), &format!("[{at}] has an unknown {key}"), &fix))
            }
        }
    }

    fn settings(
        &self,
        at: &str,
        kind_key: &str,
        table: &dyn TableLike,
        line: Option<usize>,
        keys: &[Key],
    ) -> Result<Settings, Error> {
        let mut settings = Settings::new(self.file, at, line);
        for (name, item) in table.iter().filter(|(name, _)| *name != kind_key) {
            let line = self.line_of(table, name);
            let Some(key) = keys.iter().find(|key| key.name == name) else {
                let known = keys.iter().map(|key| key.name).chain([kind_key].into_iter().filter(|key| !key.is_empty()));
                return Err(self.unknown_key(line, name, &format!("[{at}]"), known));
            };
            let texts = item
                .as_value()
                .and_then(texts_of)
                .ok_or_else(|| self.error(line, &format!("{name} in [{at}] is not a text"), "put it in quotes"))?;
            settings.insert(key, texts, line, self.home)?;
        }
        settings.complete(keys)?;
        Ok(settings)
    }

    fn named_tables<'t>(&self, key: &str, item: &'t Item) -> Result<Vec<Named<'t>>, Error> {
        let tables = item
            .as_table_like()
            .ok_or_else(|| self.error(None, &format!("{key} is not a table"), &format!("write [{key}.NAME]")))?;
        let mut found = Vec::new();
        for (name, item) in tables.iter() {
            let line = self.line_of(tables, name);
            if !valid_name(name) {
                return Err(self.error(
                    line,
                    &format!("[{key}.{}] cannot be a name", crate::error::printable(name)),
                    NAME_RULE,
                ));
            }
            let table = item.as_table_like().ok_or_else(|| {
                self.error(line, &format!("{key}.{name} is not a table"), &format!("write [{key}.{name}]"))
            })?;
            found.push((name, table, line));
        }
        Ok(found)
    }

    fn unknown_key<'w>(&self, line: Option<usize>, key: &str, at: &str, known: impl Iterator<Item = &'w str>) -> Error {
        let known: Vec<&str> = known.collect();
        let fix = match nearest(key, known.iter().copied()) {
            Some(word) => format!("did you mean {word}?"),
            None => format!("it may have {}", known.join(", ")),
        };
        self.error(line, &format!("unknown key {} in {at}", crate::error::printable(key)), &fix)
    }

    fn error(&self, line: Option<usize>, message: &str, fix: &str) -> Error {
        let place = Some(Place { file: self.file.to_owned(), line });
        Error::Configuration { message: message.to_owned(), place, fix: fix.to_owned() }
    }

    fn line_of(&self, table: &dyn TableLike, key: &str) -> Option<usize> {
        let (key, item) = table.get_key_value(key)?;
        let span = key.span().or_else(|| item.span())?;
        Some(self.line_at(span.start))
    }

    fn line_at(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset.min(self.text.len())].iter().filter(|b| **b == b'\n').count() + 1
    }
}

/// A text, a number as text (for `duration = 3600`), or a list of texts.
fn texts_of(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.value().clone()]),
        Value::Integer(number) => Some(vec![number.value().to_string()]),
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests;
