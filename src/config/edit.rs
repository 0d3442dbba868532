//! The config edited in place: what is added is added at the end, every comment stays.

use super::{Config, Profile};
use crate::error::Error;
use crate::settings::{Shape, read_duration};
use crate::{login, provider};
use std::path::Path;
use toml_edit::{Array, DocumentMut, Item, Table, Value, value};

/// A profile to be added, with the login it needs if there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    pub profile: String,
    pub provider: &'static str,
    /// What a person called it: a preset or the provider.
    pub called: &'static str,
    /// Name and kind of a login to add beside it.
    pub login: Option<(String, &'static str)>,
    /// Of that login. Refused where there is one of that name already.
    pub login_settings: Vec<(String, String)>,
    /// Of the profile. A list has an entry for each of its texts.
    pub settings: Vec<(String, String)>,
}

/// The config with an addition in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    pub text: String,
    /// Profiles and their logins, which they now name: the addition would have left open which is meant.
    pub bound: Vec<(String, String)>,
}

/// `text` with the addition; refused where the profile is there already or the outcome would be no valid config.
pub fn added(text: &str, addition: &Addition, file: &Path, home: &Path) -> Result<Added, Error> {
    let config = Config::parse(text, file, home)?;
    if config.profiles.contains_key(&addition.profile) {
        let fix = format!("choose another name: valetkey add {} NAME; or edit the file", addition.called);
        return Err(Error::configuration(
            format!("there is a profile {} in {}", addition.profile, file.display()),
            fix,
        ));
    }
    let mut document: DocumentMut =
        text.parse().map_err(|_| Error::protocol("a config that was read cannot be edited"))?;
    if let Some((login, kind)) = &addition.login {
        let there = document.get("logins").and_then(|logins| logins.get(login)).is_some_and(Item::is_table_like);
        if there && !addition.login_settings.is_empty() {
            return Err(Error::configuration(
                format!("there is a login {login} in {}", file.display()),
                format!("leave out --login-set, choose another --login, or edit [logins.{login}]"),
            ));
        }
        if !there {
            let mut table = Table::new();
            table.insert("kind", value(*kind));
            let keys = login::KINDS.iter().find(|known| known.name == *kind).map_or(&[][..], |kind| kind.keys);
            for (name, text) in &addition.login_settings {
                match keys.iter().any(|key| key.name == name && key.shape == Shape::List) {
                    true => append(&mut table, name, listed(text)),
                    false => drop(table.insert(name, value(text))),
                }
            }
            insert(&mut document, "logins", login, table)?;
        }
    }
    let mut table = Table::new();
    table.insert("provider", value(addition.provider));
    let kind = provider::KINDS.iter().find(|kind| kind.name == addition.provider);
    let keys = kind.map_or(&[][..], |kind| kind.keys);
    for (name, text) in &addition.settings {
        if keys.iter().any(|key| key.name == name && key.shape == Shape::List) {
            append(&mut table, name, vec![text.clone()]);
            continue;
        }
        let plain_seconds = name == "duration" && read_duration(text).is_some() && text.parse::<i64>().is_ok();
        match text.parse::<i64>() {
            Ok(seconds) if plain_seconds => table.insert(name, value(seconds)),
            _ => table.insert(name, value(text)),
        };
    }
    insert(&mut document, "profiles", &addition.profile, table)?;
    let judged = |document: &DocumentMut, bound: Vec<(String, String)>| {
        let text = document.to_string();
        // Judged as it will be read, before anything is written.
        same_logins(&config, &Config::parse(&text, file, home)?)?;
        Ok(Added { text, bound })
    };
    let refused = match judged(&document, Vec::new()) {
        Err(refused) => refused,
        good => return good,
    };
    let bound = bind(&mut document, &config, addition);
    if bound.is_empty() { Err(refused) } else { judged(&document, bound) }
}

/// Has each profile that does not say how it signs in say so, where the addition's login would do for it too.
fn bind(document: &mut DocumentMut, config: &Config, addition: &Addition) -> Vec<(String, String)> {
    let Some((_, kind)) = &addition.login else { return Vec::new() };
    let silent = |profile: &&Profile| profile.settings.text("login").is_none() && profile.kind.logins.contains(kind);
    let mut bound = Vec::new();
    for profile in config.profiles.values().filter(silent) {
        let profiles = document.get_mut("profiles").and_then(Item::as_table_like_mut);
        let table = profiles.and_then(|profiles| profiles.get_mut(&profile.name)).and_then(Item::as_table_like_mut);
        if let Some(table) = table {
            table.insert("login", value(&profile.login));
            bound.push((profile.name.clone(), profile.login.clone()));
        }
    }
    bound
}

/// Refuses an edit after which a profile of `before`, which may not say how it signs in, would do so otherwise.
fn same_logins(before: &Config, after: &Config) -> Result<(), Error> {
    let settings = |config: &Config, login: &str| config.logins.get(login).map(|entry| entry.settings.clone());
    for (old, new) in before.profiles.values().filter_map(|old| Some((old, after.profiles.get(&old.name)?))) {
        let login = &old.login;
        if new.login != *login {
            let message = format!("it would sign in with {} and no more with {login}", new.login);
            return Err(old.settings.refuse("login", message, format!("first add login = \"{login}\" to it")));
        }
        let (then, now) = (settings(before, login).unwrap_or_default(), settings(after, login).unwrap_or_default());
        if then.canonical() != now.canonical() {
            let message = format!("its login {login} would have other settings");
            return Err(old.settings.refuse("login", message, "choose another name for the new login: --login NAME"));
        }
    }
    Ok(())
}

/// `text` without the profile and the comments right above it.
pub fn removed(text: &str, profile: &str, file: &Path, home: &Path) -> Result<String, Error> {
    Config::parse(text, file, home)?.profile(profile)?;
    let mut document: DocumentMut =
        text.parse().map_err(|_| Error::protocol("a config that was read cannot be edited"))?;
    if let Some(profiles) = document.get_mut("profiles").and_then(Item::as_table_like_mut) {
        profiles.remove(profile);
    }
    let edited = document.to_string();
    Config::parse(&edited, file, home)?;
    Ok(edited)
}

/// The texts of a list as one option gives them: `["a", "b"]`, or one text.
fn listed(text: &str) -> Vec<String> {
    let array = text.parse::<Value>().ok().filter(Value::is_array);
    let texts = array.as_ref().and_then(Value::as_array).and_then(|values| {
        values.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
    });
    texts.unwrap_or_else(|| vec![text.to_owned()])
}

fn append(table: &mut Table, name: &str, texts: Vec<String>) {
    if let Some(array) = table.entry(name).or_insert(value(Array::new())).as_array_mut() {
        array.extend(texts);
    }
}

fn insert(document: &mut DocumentMut, parent: &str, name: &str, table: Table) -> Result<(), Error> {
    let parents = document.entry(parent).or_insert_with(|| {
        let mut parents = Table::new();
        parents.set_implicit(true);
        Item::Table(parents)
    });
    match parents.as_table_mut() {
        Some(parents) => {
            parents.insert(name, Item::Table(table));
            Ok(())
        }
        None => Err(Error::configuration(
            format!("{parent} is written as an inline table, which is not edited"),
            format!("write it as [{parent}.NAME]"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn podaac() -> Addition {
        Addition {
            profile: "podaac".into(),
            provider: "earthdata",
            called: "podaac",
            login: Some(("earthdata".into(), "earthdata")),
            settings: vec![
                ("endpoint".into(), "https://x.org/s3credentials".into()),
                ("login".into(), "earthdata".into()),
            ],
            login_settings: Vec::new(),
        }
    }

    fn add(text: &str, addition: &Addition) -> Result<String, Error> {
        added(text, addition, Path::new("/c"), Path::new("/h")).map(|added| added.text)
    }

    #[test]
    fn comments_and_order_stay_and_the_new_profile_is_read_back() {
        let before = "# mine\nautostart = false # so\n\n[logins.earthdata]\nkind = \"earthdata\" # NASA\n";
        let after = add(before, &podaac()).unwrap();
        assert!(after.starts_with(before), "{after}");
        let config = Config::parse(&after, Path::new("/c"), Path::new("/h")).unwrap();
        assert_eq!(config.profile("podaac").unwrap().login, "earthdata");
    }

    #[test]
    fn what_was_added_is_removed_and_nothing_else() {
        let before = "# mine\nautostart = false # so\n\n[logins.earthdata]\nkind = \"earthdata\" # NASA\n";
        let after = removed(&add(before, &podaac()).unwrap(), "podaac", Path::new("/c"), Path::new("/h")).unwrap();
        assert_eq!(after, before);
        assert!(removed(before, "podaac", Path::new("/c"), Path::new("/h")).is_err());
    }

    #[test]
    fn an_empty_file_gets_login_and_profile() {
        let after = add("", &podaac()).unwrap();
        assert!(
            after.contains("[logins.earthdata]\nkind = \"earthdata\"\n") && after.contains("[profiles.podaac]"),
            "{after}"
        );
    }

    #[test]
    fn a_logins_settings_are_written_with_it_and_never_over_others() {
        let urs = ("urs".to_owned(), "https://uat.urs.earthdata.nasa.gov".to_owned());
        let uat = Addition { login_settings: vec![urs], ..podaac() };
        let after = add("", &uat).unwrap();
        assert!(after.contains("kind = \"earthdata\"\nurs = \"https://uat.urs.earthdata.nasa.gov\"\n"), "{after}");
        let refused = add("[logins.earthdata]\nkind = \"earthdata\"\n", &uat).unwrap_err();
        assert!(refused.hint().contains("--login-set"));
        let misspelt = Addition { login_settings: vec![("ursula".into(), "x".into())], ..podaac() };
        assert!(add("", &misspelt).is_err());
    }

    #[test]
    fn a_profile_that_names_no_login_keeps_the_one_it_has() {
        let before = "[profiles.old]\nprovider = \"earthdata\"\nendpoint = \"https://x.org/s3credentials\"\n";
        let uat = |login: &str| Addition {
            login: Some((login.into(), "earthdata")),
            login_settings: vec![("urs".into(), "https://uat.urs.earthdata.nasa.gov".into())],
            settings: vec![("endpoint".into(), "https://x.org/s3".into()), ("login".into(), login.into())],
            ..podaac()
        };
        assert!(add(before, &uat("earthdata")).unwrap_err().hint().contains("--login NAME"));
        let commented = format!("# mine\n{before}# the end\n");
        let edited = added(&commented, &uat("uat"), Path::new("/c"), Path::new("/h")).unwrap();
        assert_eq!(edited.bound, [("old".to_owned(), "earthdata".to_owned())]);
        let after = edited.text;
        assert!(after.starts_with(&format!("# mine\n{before}login = \"earthdata\"\n")), "{after}");
        assert!(after.contains("# the end\n"), "{after}");
        let named = add(&format!("{before}login = \"earthdata\"\n"), &uat("uat")).unwrap();
        assert_eq!(named.matches("login = \"earthdata\"").count(), 1, "{named}");
        let config = Config::parse(&after, Path::new("/c"), Path::new("/h")).unwrap();
        assert_eq!(
            (config.profiles["old"].login.as_str(), config.profiles["podaac"].login.as_str()),
            ("earthdata", "uat")
        );
        assert!(add(before, &podaac()).is_ok(), "the same login, with a table now");
    }

    #[test]
    fn a_list_of_a_login_is_given_as_an_array_or_text_by_text() {
        let token = |pairs: &[(&str, &str)]| Addition {
            profile: "c".into(),
            provider: "cray",
            called: "cray",
            login: Some(("cat".into(), "token")),
            login_settings: pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect(),
            settings: vec![("gateway".into(), "https://x.org".into()), ("login".into(), "cat".into())],
        };
        for pairs in [&[("command", r#"["/bin/cat","/path"]"#)][..], &[("command", "/bin/cat"), ("command", "/path")]] {
            let after = add("", &token(pairs)).unwrap();
            let config = Config::parse(&after, Path::new("/c"), Path::new("/h")).unwrap();
            assert_eq!(config.logins["cat"].settings.list("command"), ["/bin/cat", "/path"], "{after}");
        }
    }

    #[test]
    fn a_profile_is_never_overwritten_and_a_bad_one_never_added() {
        let once = add("", &podaac()).unwrap();
        assert!(add(&once, &podaac()).unwrap_err().hint().contains("valetkey add podaac NAME"));
        let http = Addition { settings: vec![("endpoint".into(), "http://x.org".into())], ..podaac() };
        assert!(add("", &http).is_err());
    }
}
