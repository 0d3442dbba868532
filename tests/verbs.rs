//! Verbs around a login: token, logout, list, remove; with a daemon and without.

mod common;

use common::{COMMAND, Issuer, Place, credentials, refused, stderr};
use valetkey::standin::{Behaviour, Standin};

fn stage(head: &str) -> (Issuer, Place, String) {
    let (issuer, place) = (Issuer::start(), Place::new());
    place.configure(&issuer.earthdata_config(&format!("keyring = \"file\"\n{head}")));
    let token = issuer.standin.mint_token("ada", 3600);
    assert!(place.login("earthdata", &token).status.success());
    (issuer, place, token)
}

#[test]
fn a_token_comes_as_a_line_or_a_header_with_a_daemon_and_without() {
    for head in ["", "autostart = false"] {
        let (_issuer, place, token) = stage(head);
        let plain = place.command(&["token", "earthdata"]);
        assert_eq!((String::from_utf8_lossy(&plain.stdout).trim_end(), stderr(&plain).as_str()), (token.as_str(), ""));
        let header = place.command(&["token", "earthdata", "--header"]);
        assert_eq!(String::from_utf8_lossy(&header.stdout), format!("Authorization: Bearer {token}\n"));
        let unknown = place.command(&["token", "earthdate"]);
        assert_eq!(unknown.status.code(), Some(6));
        assert!(stderr(&unknown).contains("did you mean earthdata?"), "{}", stderr(&unknown));
    }
}

#[test]
fn a_password_is_tried_by_the_dance_where_no_bearer_is_taken() {
    let (issuer, place) = (Issuer::start(), Place::new());
    let config = issuer.earthdata_config("keyring = \"file\"\nautostart = false");
    let urs = issuer.standin.url(Standin::URS);
    place.configure(&config.replace("kind = \"earthdata\"", &format!("kind = \"earthdata\"\nurs = \"{urs}\"")));
    issuer.standin.add_user("ada", "pw-marker");
    issuer.standin.behave("/tea/", Behaviour::TakesNoBearer);
    let page = "/urs/oauth/authorize";
    let login = || {
        let mut command = place.program(COMMAND);
        command.args(["login", "earthdata", "--from-env"]);
        command.env("EARTHDATA_USERNAME", "ada").env("EARTHDATA_PASSWORD", "pw-marker").output().unwrap()
    };

    let by_token = place.login("earthdata", &issuer.standin.mint_token("ada", 3600));
    assert!(by_token.status.success(), "{}", stderr(&by_token));
    let told = stderr(&by_token);
    assert!(told.contains("gives no credentials") && told.contains("takes no bearer tokens"), "{told}");
    assert_eq!(place.helper("podaac").status.code(), Some(3));
    assert_eq!(issuer.standin.count(page), 0);

    issuer.standin.behave_once(page, Behaviour::status(401));
    let refused = login();
    assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("run: valetkey login earthdata"), "{}", stderr(&refused));
    let accepted = login();
    assert!(stderr(&accepted).contains("tried with profile podaac: credentials until"), "{}", stderr(&accepted));
    assert_eq!(issuer.standin.count(page), 2);
    credentials(&place.helper("podaac"));
    assert_eq!(issuer.standin.count(page), 3);
    for output in [by_token, refused, accepted] {
        assert!(!stderr(&output).contains("pw-marker"));
    }
}

#[test]
fn after_a_logout_nothing_is_given_out_and_nothing_is_sent() {
    let (issuer, place, _) = stage("");
    credentials(&place.helper("podaac"));
    let asked = issuer.standin.requests().len();
    let out = place.command(&["logout", "earthdata"]);
    assert!(out.status.success(), "{}", stderr(&out));
    let refused = place.helper("podaac");
    assert_eq!(refused.status.code(), Some(3));
    assert!(stderr(&refused).contains("hint: run: valetkey login earthdata"), "{}", stderr(&refused));
    assert_eq!(place.command(&["token", "earthdata"]).status.code(), Some(3));
    assert_eq!(issuer.standin.requests().len(), asked);
    let twice = place.command(&["logout", "earthdata"]);
    assert!(twice.status.success(), "{}", stderr(&twice));
    assert_eq!(stderr(&twice), "nobody was signed in as earthdata\n");
}

#[test]
fn a_login_in_the_daemons_memory_alone_is_gone_after_a_logout() {
    let (issuer, place) = (Issuer::start(), Place::new());
    place.configure(&issuer.earthdata_config("keyring = \"memory\""));
    let token = issuer.standin.mint_token("ada", 3600);
    let signed_in = place.login("earthdata", &token);
    assert!(signed_in.status.success(), "{}", stderr(&signed_in));
    assert_eq!(place.ok(&["token", "earthdata"]).trim_end(), token);
    place.ok(&["logout", "earthdata"]);
    assert_eq!(place.command(&["token", "earthdata"]).status.code(), Some(3));
    assert_eq!(place.helper("podaac").status.code(), Some(3));
    place.ok(&["stop"]);
    place.ok(&["logout", "earthdata"]);
}

#[test]
fn a_removed_profile_is_gone_and_its_login_stays() {
    let (issuer, place, _) = stage("");
    let listed = place.command(&["list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("podaac"), "{}", stderr(&listed));
    assert!(place.command(&["remove", "podaac"]).status.success());
    assert_eq!(place.helper("podaac").status.code(), Some(6));
    assert_eq!(place.command(&["remove", "podaac"]).status.code(), Some(6));
    place.configure(&issuer.earthdata_config("keyring = \"file\""));
    credentials(&place.helper("podaac"));
    assert_eq!(issuer.standin.count(Standin::TEA), 2, "once at login, once now");
}

#[test]
fn what_add_cannot_do_with_its_words_is_a_mistake_of_usage_and_nothing_is_written() {
    let place = Place::new();
    for (words, said) in [
        (&["add"][..], "valetkey add --help"),
        (&["add", "podaack"], "did you mean podaac?"),
        (&["add", "podaac", "--bucket", "b"], "no --bucket"),
        (&["add", "sts", "x"], "--role-arn is missing"),
        (&["add", "sts", "x", "--read-only", "--write-only"], "cannot be used with '--write-only'"),
    ] {
        let refused = place.command(words);
        assert_eq!(refused.status.code(), Some(2), "{words:?}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(said), "{words:?}: {}", stderr(&refused));
    }
    assert!(!place.config_file().exists());
}

#[test]
fn a_password_without_a_profile_is_tried_at_its_own_issuer_and_a_wrong_one_not_kept() {
    let (issuer, place) = (Issuer::start(), Place::new());
    let token_url = issuer.standin.url(Standin::TOKEN);
    let login = format!("[logins.shasta]\nkind = \"keycloak\"\nusername = \"ada\"\ntoken_url = \"{token_url}\"\n");
    place.configure(&format!("keyring = \"file\"\n{login}"));
    issuer.standin.add_user("ada", "pw");
    let wrong = place.login("shasta", "wrong");
    assert_eq!(wrong.status.code(), Some(3), "{}", stderr(&wrong));
    assert_eq!(place.command(&["token", "shasta"]).status.code(), Some(3));
    let signed_in = place.login("shasta", "pw");
    assert!(stderr(&signed_in).contains("signed in to shasta as ada"), "{}", stderr(&signed_in));
    assert!(stderr(&signed_in).contains("tried at its own issuer"), "{}", stderr(&signed_in));
    assert_eq!(issuer.standin.count(Standin::TOKEN), 2);
}

#[test]
fn a_second_login_of_a_family_is_added_without_an_edit_by_hand() {
    let place = Place::new();
    place.configure("# mine\nkeyring = \"file\"\n");
    place.ok(&["add", "podaac"]);
    let first = std::fs::read_to_string(place.config_file()).unwrap();
    let uat = "urs=https://uat.urs.earthdata.nasa.gov";
    let second = place.command(&["add", "nsidc", "--login", "uat", "--login-set", uat]);
    assert!(
        stderr(&second).contains("profiles now name the login they had: podaac = earthdata\n"),
        "{}",
        stderr(&second)
    );
    let after = std::fs::read_to_string(place.config_file()).unwrap();
    assert!(after.starts_with(first.trim_end()) && after.contains("[logins.uat]"), "{after}");
    let third = refused(&place.command(&["add", "podaac"]), 6);
    assert!(third.contains("valetkey add podaac NAME"), "{third}");
    let listed = place.ok(&["list"]);
    assert!(listed.lines().any(|line| line.starts_with("podaac") && line.contains("earthdata")), "{listed}");
}

#[test]
fn a_profile_that_is_wrong_by_itself_does_not_keep_a_login_from_being_tried() {
    let (issuer, place) = (Issuer::start(), Place::new());
    let good = issuer.earthdata_config("keyring = \"file\"");
    let gone = issuer.standin.url("/nothing-here");
    place.configure(&format!("{good}\n[profiles.gone]\nprovider = \"earthdata\"\nendpoint = \"{gone}\"\n"));
    let told = stderr(&place.login("earthdata", &issuer.standin.mint_token("ada", 3600)));
    let (first, then) =
        (told.find("tried with profile gone: "), told.find("tried with profile podaac: credentials until"));
    assert!(first.is_some() && first < then && !told.contains("not tried"), "{told}");
    assert!(told.contains("signed in to earthdata as ada"), "{told}");
    let all = place.command(&["refresh"]);
    assert!(stderr(&all).contains("error: gone: "), "{}", stderr(&all));
}

#[test]
fn status_tells_the_socket_where_logins_rest_and_what_a_daemon_counts() {
    let (_issuer, place, _) = stage("");
    let none = refused(&place.command(&["status", "--metrics"]), 6);
    assert!(none.contains("no daemon runs"), "{none}");
    credentials(&place.helper("podaac"));
    assert!(place.ok(&["status", "--metrics"]).ends_with("# EOF\n"));
    let told = place.ok(&["status"]);
    assert!(told.contains(&format!("socket   {}\n", place.socket().display())), "{told}");
    let login = told.lines().find(|line| line.starts_with("earthdata")).unwrap();
    assert!(login.contains(" file "), "{told}");
}

#[test]
fn manual_pages_are_made_of_the_same_words_as_help() {
    let place = Place::new();
    let page = place.ok(&["man", "exec"]);
    assert!(page.contains(".TH valetkey-exec 1") && page.contains("whose keys stay fresh"), "{page}");
    assert!(place.ok(&["man"]).contains("valetkey\\-localserver(1)"));
    refused(&place.command(&["man", "nothing"]), 6);
}
