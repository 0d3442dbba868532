//! Good configs and wrong ones, each wrong one with the line and the word that its error names.

use super::*;
use crate::wire::Kind;

const GOOD: &str = r#"
# kept
[logins.earthdata]
kind = "earthdata"

[profiles.podaac]
provider = "earthdata"
endpoint = "https://archive.podaac.earthdata.nasa.gov/s3credentials"
login = "earthdata"
"#;

fn refused(text: &str) -> (String, Option<usize>) {
    let error = Config::parse(text, Path::new("/c/config.toml"), Path::new("/home/u")).unwrap_err();
    assert_eq!(error.kind(), Kind::Configuration);
    let Error::Configuration { place, .. } = &error else { unreachable!() };
    (error.text(), place.as_ref().and_then(|place| place.line))
}

#[test]
fn a_whole_config_is_read() {
    let config = Config::parse(GOOD, Path::new("/c"), Path::new("/home/u")).unwrap();
    assert!(config.autostart);
    assert_eq!(config.profile("podaac").unwrap().login, "earthdata");
}

#[test]
fn a_misspelt_key_is_named_with_its_line_and_the_right_word() {
    let (text, line) = refused(&GOOD.replace("endpoint", "endpiont"));
    assert!(text.contains("endpiont") && text.contains("did you mean endpoint?"), "{text}");
    assert!(text.contains("/c/config.toml:8"), "{text}");
    assert_eq!(line, Some(8));
    let (text, line) = refused(&GOOD.replace("provider =", "provdier ="));
    assert!(text.contains("did you mean provider?"), "{text}");
    assert_eq!(line, Some(7));
    let (text, _) = refused(&format!("autostrat = true\n{GOOD}"));
    assert!(text.contains("did you mean autostart?"), "{text}");
}

#[test]
fn a_login_may_be_left_out_where_only_one_can_be_meant() {
    let parse = |text: &str| Config::parse(text, Path::new("/c"), Path::new("/h"));
    let bare = "[profiles.p]\nprovider = \"earthdata\"\nendpoint = \"https://x.org/s3credentials\"\n";
    let config = parse(bare).unwrap();
    assert_eq!(config.profile("p").unwrap().login, "earthdata");
    assert!(config.login("earthdata").is_ok(), "made, since its kind needs no setting");
    let config = parse(&format!("{bare}[logins.nasa]\nkind = \"earthdata\"\n[logins.s3]\nkind = \"aws\"\n")).unwrap();
    assert_eq!(config.profile("p").unwrap().login, "nasa");
    let (text, _) = refused(&format!("{bare}[logins.a]\nkind = \"earthdata\"\n[logins.b]\nkind = \"earthdata\"\n"));
    assert!(text.contains("does not say which login"), "{text}");
}

#[test]
fn a_profile_signs_in_where_its_login_does_unless_it_says_otherwise() {
    let uat = "https://uat.urs.earthdata.nasa.gov";
    let login = format!("[logins.uat]\nkind = \"earthdata\"\nurs = \"{uat}\"\nca_file = \"/of/the/login\"\n");
    let bare = "[profiles.p]\nprovider = \"earthdata\"\nendpoint = \"https://x.org/s3credentials\"\n";
    let own = "urs = \"https://urs.example.org\"\n";
    for (profile, urs) in [(bare.to_owned(), uat), (format!("{bare}{own}"), "https://urs.example.org")] {
        for text in [format!("{login}{profile}"), format!("{profile}{login}")] {
            let config = Config::parse(&text, Path::new("/c"), Path::new("/h")).unwrap();
            let profile = config.profile("p").unwrap();
            assert_eq!(profile.settings.text("urs"), Some(urs), "{text}");
            assert!(format!("{:?}", profile.provider).contains(urs.trim_start_matches("https://")), "{text}");
            assert_eq!(profile.settings.text("ca_file"), None, "the way to each is its own");
        }
    }
}

#[test]
fn which_login_a_profile_gets_does_not_depend_on_names() {
    let named = |first: &str, second: &str| {
        let endpoint = "provider = \"earthdata\"\nendpoint = \"https://x.org/s3credentials\"\n";
        let text = format!(
            "[logins.work]\nkind = \"earthdata\"\n[profiles.{first}]\n{endpoint}login = \"earthdata\"\n[profiles.{second}]\n{endpoint}"
        );
        let config = Config::parse(&text, Path::new("/c"), Path::new("/h")).unwrap();
        (config.profile(first).unwrap().login.clone(), config.profile(second).unwrap().login.clone())
    };
    let expected = ("earthdata".to_owned(), "work".to_owned());
    assert_eq!((named("a", "b"), named("b", "a")), (expected.clone(), expected));
}

#[test]
fn every_wrong_value_is_refused_with_its_line() {
    for (from, to) in [
        ("\"https://archive", "\"http://archive"),
        ("\"https://archive.podaac.earthdata.nasa.gov/s3credentials\"", "\"no url\""),
        ("provider = \"earthdata\"", "provider = \"earthdate\""),
        ("login = \"earthdata\"", "login = \"nobody\""),
        ("login = \"earthdata\"", "login = true"),
        ("login = \"earthdata\"", "login = \"\""),
        ("login = \"earthdata\"", "login = [\"earthdata\", \"earthdata\"]"),
        ("login = \"earthdata\"", "login = []"),
        ("nasa.gov/s3credentials\"", "nasa.gov/s3\\ncredentials\""),
        ("kind = \"earthdata\"", "kind = \"aws\""),
        ("[profiles.podaac]", "[profiles.\"a/b\"]"),
        ("kind = \"earthdata\"", "kind = "),
    ] {
        let (text, line) = refused(&GOOD.replace(from, to));
        assert!(line.is_some(), "{to}: {text}");
    }
}

#[test]
fn a_misspelt_login_or_tier_is_told_the_right_word() {
    let (text, _) = refused(&GOOD.replace("login = \"earthdata\"", "login = \"earthdat\""));
    assert!(text.contains("did you mean \"earthdata\"?"), "{text}");
    let (text, _) = refused(&format!("keyring = \"fiel\"\n{GOOD}"));
    assert!(text.contains("did you mean \"file\"?"), "{text}");
}

#[test]
fn a_secret_in_a_wrong_line_is_not_repeated() {
    for bad in ["[profiles.podaac]\nendpoint = hunter2", "[logins.x]\nkind = \"hunter2\""] {
        assert!(!refused(bad).0.contains("hunter2"), "{bad}");
    }
}
