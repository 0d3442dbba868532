//! HPE Cray from the first `add` to an SDK's config, with real processes and a Keycloak that locks accounts.
#![cfg(feature = "agent")]

mod common;

use common::{COMMAND, Issuer, Place, credentials, stderr};
use std::process::Output;
use valetkey::standin::{Behaviour, Standin};

/// The profile `shasta`, added by command; nobody is signed in yet. Ada has the password `p&w+%`.
fn added() -> (Issuer, Place) {
    added_with(&["--login-set", "username=ada"])
}

fn added_with(login_settings: &[&str]) -> (Issuer, Place) {
    let (issuer, place) = (Issuer::start(), Place::new());
    issuer.standin.add_user("ada", PASSWORD);
    place.configure("keyring = \"file\"\n");
    let (gateway, token_url) = (issuer.standin.url(""), format!("token_url={}", issuer.standin.url(Standin::TOKEN)));
    let mut words = vec!["add", "cray", "shasta", "--gateway", &gateway, "--login-set", &token_url];
    words.extend(login_settings);
    good(&place.command(&words));
    (issuer, place)
}

const PASSWORD: &str = "p&w+%";

fn good(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    stderr(output)
}

/// Requests to Keycloak and to the STS.
fn asked(issuer: &Issuer) -> (usize, usize) {
    (issuer.standin.count(Standin::TOKEN), issuer.standin.count(Standin::CRAY))
}

#[test]
fn add_login_credentials_and_configure_lead_to_a_profile_that_knows_its_s3() {
    let (issuer, place) = added();
    let said = good(&place.login("keycloak", PASSWORD));
    assert!(said.contains("signed in to keycloak as ada") && said.contains("tried with profile shasta"), "{said}");
    let asked_by_login = asked(&issuer);

    let diff = place.program(COMMAND).arg("configure").output().unwrap();
    good(&diff);
    let written = std::fs::read_to_string(place.path().join(".aws/config")).unwrap();
    for line in [
        "[profile shasta]".to_owned(),
        "services = valetkey-shasta".to_owned(),
        "[services valetkey-shasta]".to_owned(),
        format!("  endpoint_url = {}", Standin::CRAY_S3),
    ] {
        assert!(written.lines().any(|known| known == line), "{line}: {written}");
    }
    assert_eq!(asked(&issuer), (asked_by_login.0 + 1, asked_by_login.1 + 1), "the S3 is known from a first fetch");

    let first = credentials(&place.helper("shasta"));
    assert_eq!(first["AccessKeyId"].as_str().unwrap().len(), 19);
    let again = place.command(&["credentials", "shasta"]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&again.stdout).unwrap(), first);
    assert_eq!(asked(&issuer), (asked_by_login.0 + 1, asked_by_login.1 + 1), "which serves everybody else too");
    let up_to_date = place.command(&["configure", "shasta"]);
    assert!(good(&up_to_date).contains("is up to date"));
}

#[test]
fn an_empty_403_is_explained_to_whoever_runs_the_helper() {
    let (issuer, place) = added();
    issuer.standin.set_admin("ada", false);
    let said = good(&place.login("keycloak", PASSWORD));
    assert!(said.contains("the login is good, but gives no credentials") && said.contains("shasta/admin"), "{said}");
    let before = asked(&issuer);
    for _ in 0..5 {
        let refused = place.helper("shasta");
        assert_eq!((refused.status.code(), refused.stdout.as_slice()), (Some(4), &b""[..]));
        let text = stderr(&refused);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("refuses the token (issued by http://127.0.0.1:"), "{text}");
        assert!(text.contains("roles shasta/user") && text.contains("shasta/admin"), "{text}");
    }
    assert_eq!(asked(&issuer), (before.0 + 2, before.1 + 2), "one fresh token, one retry");
}

#[test]
fn a_wrong_password_is_refused_at_login_and_not_kept() {
    let (issuer, place) = added();
    let refused = place.login("keycloak", "wrong");
    assert_eq!(refused.status.code(), Some(3));
    assert!(stderr(&refused).contains("a wrong password, a locked account"), "{}", stderr(&refused));
    assert!(!stderr(&refused).contains("p&w"));
    assert_eq!((asked(&issuer), issuer.standin.failed_attempts("ada")), ((1, 0), 1));
    assert_eq!(place.helper("shasta").status.code(), Some(3));
    assert_eq!(asked(&issuer), (1, 0), "nothing was kept, so nothing is sent");
}

#[test]
fn a_session_that_login_has_tried_and_so_rotated_is_still_good() {
    let (issuer, place) = added_with(&["--login-set", "username=ada", "--login-set", "scope=offline_access"]);
    good(&place.login("keycloak", PASSWORD));
    credentials(&place.helper("shasta"));
    assert_eq!(asked(&issuer), (3, 2), "a password, and a refresh for each set of credentials");
    let sent = issuer.standin.requests().into_iter().filter(|request| request.field("password").is_some());
    assert_eq!(sent.count(), 1, "the password is spent once");
}

#[test]
fn a_gateway_that_is_away_loses_no_login() {
    let (issuer, place) = added();
    issuer.standin.behave_once(Standin::CRAY, Behaviour::ServerError500);
    let said = good(&place.login("keycloak", PASSWORD));
    assert!(said.contains("tried with profile shasta: ") && !said.contains("not tried"), "{said}");
    credentials(&place.helper("shasta"));
}

#[test]
fn a_keycloak_that_is_away_loses_no_secret() {
    let (issuer, place) = added_with(&["--login-set", "grant=client", "--login-set", "client_id=admin-client"]);
    issuer.standin.add_client("admin-client", "client-secret");
    issuer.standin.behave_once(Standin::TOKEN, Behaviour::ServerError500);
    let said = good(&place.login("keycloak", "client-secret"));
    assert!(said.contains("could not be tried at the issuer: ") && said.contains("500"), "{said}");
    credentials(&place.helper("shasta"));
}

#[test]
fn a_new_profile_gets_a_login_of_the_kind_that_it_can_use() {
    let (issuer, place) = (Issuer::start(), Place::new());
    place.configure("keyring = \"file\"\n");
    let gateway = issuer.standin.url("");
    let web = ["add", "sts", "web", "--operation", "web-identity", "--endpoint", &gateway];
    for words in [&["add", "cray", "shasta", "--gateway", &gateway][..], &web] {
        let refused = place.command(words);
        let text = stderr(&refused);
        assert_eq!(refused.status.code(), Some(6), "{text}");
        assert!(text.contains("the keycloak login") && text.contains("--login-set token_url=https://"), "{text}");
    }
    let token_url = format!("token_url={}", issuer.standin.url(Standin::TOKEN));
    good(&place.command(&[&web[..], &["--login-set", &token_url]].concat()));
    let written = std::fs::read_to_string(place.config_file()).unwrap();
    assert!(written.contains("[logins.keycloak]\nkind = \"keycloak\"\n"), "{written}");
    good(&place.command(&["add", "cray", "shasta", "--gateway", &gateway]));
    good(&place.command(&["add", "sts", "own", "--operation", "session-token", "--login", "uploader"]));
    let written = std::fs::read_to_string(place.config_file()).unwrap();
    assert!(written.contains("[logins.uploader]\nkind = \"aws\"\n"), "{written}");
}

#[test]
fn settings_of_a_login_are_checked_before_anything_is_written() {
    let place = Place::new();
    place.configure("keyring = \"file\"\n");
    let before = std::fs::read_to_string(place.config_file()).unwrap();
    for (set, said) in [
        ("token_url=http://gw.example.org/token", "write https"),
        ("token=x", "token_url"),
        ("kind=aws", "kind=keycloak"),
        ("username", "KEY=VALUE"),
    ] {
        let words = ["add", "cray", "shasta", "--gateway", "https://gw.example.org", "--login-set", set];
        let refused = place.command(&words);
        assert!(!refused.status.success() && stderr(&refused).contains(said), "{set}: {}", stderr(&refused));
        assert_eq!(std::fs::read_to_string(place.config_file()).unwrap(), before, "{set}");
    }
}

#[test]
fn configure_writes_the_others_where_a_profile_is_not_signed_in() {
    let (issuer, place) = added();
    place.ok(&["add", "earthdata", "podaac", "--endpoint", &issuer.standin.url(Standin::TEA)]);
    let written = place.path().join(".aws/config");
    for (words, there) in [(&["configure", "--dry-run"][..], false), (&["configure"], true), (&["configure"], true)] {
        let done = place.command(words);
        assert_eq!(done.status.code(), Some(3), "{}", stderr(&done));
        let said = stderr(&done);
        assert!(said.contains("shasta is not written: ") && said.contains("valetkey login keycloak"), "{said}");
        assert_eq!(written.exists(), there);
    }
    let text = std::fs::read_to_string(&written).unwrap();
    assert!(text.contains("[profile podaac]") && !text.contains("shasta"), "{text}");
    good(&place.login("keycloak", PASSWORD));
    place.ok(&["configure"]);
    assert!(std::fs::read_to_string(&written).unwrap().contains("[profile shasta]"));
}

#[test]
fn a_sign_in_at_a_browser_takes_no_secret_from_a_file() {
    let (issuer, place) = added_with(&["--login-set", "grant=device"]);
    let refused = common::refused(&place.login("keycloak", "x"), 6);
    assert!(refused.contains("leave out --from-env and --from-file"), "{refused}");
    let netrc = common::refused(&place.command(&["login", "keycloak", "--from-netrc"]), 6);
    assert!(netrc.contains("a netrc has no entry") && !netrc.contains("cannot read"), "{netrc}");
    assert_eq!(asked(&issuer), (0, 0));
}
