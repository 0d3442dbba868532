//! The README says what is true: every kind of provider and login, every setting and every preset stands in it.

const README: &str = include_str!("../README.md");

/// The table row that begins with this word.
fn row(word: &str) -> &'static str {
    let begins = format!("| `{word}` |");
    README.lines().find(|line| line.starts_with(&begins)).unwrap_or_else(|| panic!("README has no row for {word}"))
}

#[test]
fn every_provider_stands_in_the_readme_with_its_settings_and_logins() {
    for kind in valetkey::provider::KINDS {
        let row = row(kind.name);
        for word in kind.keys.iter().map(|key| key.name).chain(kind.logins.iter().copied()) {
            assert!(row.contains(&format!("`{word}`")), "{}: {word}", kind.name);
        }
        for preset in kind.presets {
            assert!(README.contains(&format!("`{}`", preset.name)), "{}", preset.name);
        }
    }
}

#[test]
fn every_login_stands_in_the_readme_with_its_settings() {
    let logins = README.split("| login | who we are").nth(1).unwrap();
    for kind in valetkey::login::KINDS {
        let row = logins.lines().find(|line| line.starts_with(&format!("| `{}` |", kind.name))).unwrap();
        for key in kind.keys {
            assert!(row.contains(&format!("`{}`", key.name)), "{}: {}", kind.name, key.name);
        }
    }
}

#[test]
fn the_config_in_the_readme_is_one() {
    let text = README.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let config = valetkey::config::Config::parse(text, "/config.toml".as_ref(), "/home".as_ref());
    assert!(config.is_ok_and(|config| config.profiles.len() >= 3));
}

#[test]
fn every_verb_stands_in_the_readme() {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_valetkey")).arg("--help").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let verbs = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let verbs: Vec<&str> =
        verbs.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(verbs.len() >= 20, "{verbs:?}");
    for verb in verbs.into_iter().filter(|verb| *verb != "help") {
        assert!(README.contains(&format!("`valetkey {verb}")), "{verb}");
    }
}
