//! The config edited in place: what is added is added at the end, every comment stays.

use super::Config;
use crate::error::Error;
use crate::provider;
use crate::settings::{Shape, read_duration};
use std::path::Path;
use toml_edit::{Array, DocumentMut, Item, Table, value};

/// A profile to be added, with the login it needs if there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    pub profile: String,
    pub provider: &'static str,
    /// Name and kind of a login to add beside it.
    pub login: Option<(String, &'static str)>,
    /// Of that login. Refused where there is one of that name already.
    pub login_settings: Vec<(String, String)>,
    /// Of the profile. A list has an entry for each of its texts.
    pub settings: Vec<(String, String)>,
}

/// `text` with the addition; refused where the profile is there already or the outcome would be no valid config.
pub fn added(text: &str, addition: &Addition, file: &Path, home: &Path) -> Result<String, Error> {
    let config = Config::parse(text, file, home)?;
    if config.profiles.contains_key(&addition.profile) {
        let fix = format!("choose another name: valetkey add {} NAME; or edit the file", addition.provider);
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
            for (name, text) in &addition.login_settings {
                table.insert(name, value(text));
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
            if let Some(texts) = table.entry(name).or_insert(value(Array::new())).as_array_mut() {
                texts.push(text);
            }
            continue;
        }
        let plain_seconds = name == "duration" && read_duration(text).is_some() && text.parse::<i64>().is_ok();
        match text.parse::<i64>() {
            Ok(seconds) if plain_seconds => table.insert(name, value(seconds)),
            _ => table.insert(name, value(text)),
        };
    }
    insert(&mut document, "profiles", &addition.profile, table)?;
    let edited = document.to_string();
    // Judged as it will be read, before anything is written.
    same_logins(&config, &Config::parse(&edited, file, home)?)?;
    Ok(edited)
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
            login: Some(("earthdata".into(), "earthdata")),
            settings: vec![
                ("endpoint".into(), "https://x.org/s3credentials".into()),
                ("login".into(), "earthdata".into()),
            ],
            login_settings: Vec::new(),
        }
    }

    fn add(text: &str, addition: &Addition) -> Result<String, Error> {
        added(text, addition, Path::new("/c"), Path::new("/h"))
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
        let moved = add(before, &uat("uat")).unwrap_err();
        assert!(moved.hint().contains("login = \"earthdata\""), "{}", moved.text());
        assert!(add(before, &uat("earthdata")).unwrap_err().hint().contains("--login NAME"));
        let after = add(&format!("{before}login = \"earthdata\"\n"), &uat("uat")).unwrap();
        let config = Config::parse(&after, Path::new("/c"), Path::new("/h")).unwrap();
        assert_eq!(
            (config.profiles["old"].login.as_str(), config.profiles["podaac"].login.as_str()),
            ("earthdata", "uat")
        );
        assert!(add(before, &podaac()).is_ok(), "the same login, with a table now");
    }

    #[test]
    fn a_profile_is_never_overwritten_and_a_bad_one_never_added() {
        let once = add("", &podaac()).unwrap();
        assert!(add(&once, &podaac()).is_err());
        let http = Addition { settings: vec![("endpoint".into(), "http://x.org".into())], ..podaac() };
        assert!(add("", &http).is_err());
    }
}
