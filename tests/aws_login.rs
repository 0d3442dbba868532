//! AWS logins with the built programs: an MFA session from `login` to `credentials`, and a profile of `~/.aws`.
#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used)] // a test panics

mod common;

use common::{Issuer, Place, chmod, credentials, refused, stderr};
use valetkey::standin::Standin;

const SERIAL: &str = "arn:aws:iam::123456789012:mfa/ada";
const KEYS: &str = r#"{"AccessKeyId":"AKIALONGLIVED","SecretAccessKey":"marker-of-a-long-lived-key"}"#;

/// The profile `uploads`, which assumes a role with the keys of that login.
fn stage(login: &str) -> (Issuer, Place) {
    let (issuer, place) = (Issuer::start(), Place::new());
    issuer.standin.accept_key_id("AKIALONGLIVED");
    let sts = issuer.standin.url(Standin::STS);
    place.configure(&format!(
        "keyring = \"file\"\n[logins.me]\nkind = \"aws\"\nendpoint = \"{sts}\"\n{login}\n\
         [profiles.uploads]\nprovider = \"sts\"\nlogin = \"me\"\nendpoint = \"{sts}\"\n\
         role_arn = \"arn:aws:iam::123456789012:role/uploader\"\n"
    ));
    (issuer, place)
}

#[test]
fn an_mfa_code_at_login_is_enough_for_every_helper_after_it() {
    let (issuer, place) = stage(&format!("mfa_serial = \"{SERIAL}\""));
    issuer.standin.add_mfa_code(SERIAL, "123456");
    let wrong = place.login("me", &format!("{KEYS}\n000000\n"));
    assert!(refused(&wrong, 3).contains("does not accept the MFA code"));
    assert!(stderr(&wrong).contains("run: valetkey login me"), "{}", stderr(&wrong));
    assert_eq!(issuer.standin.count(Standin::STS), 1);
    assert!(refused(&place.helper("uploads"), 3).contains("nobody has signed in"), "nothing was kept");

    let signed_in = place.login("me", &format!("{KEYS}\n123456\n"));
    let session = issuer.standin.issued()[0].clone();
    let said = stderr(&signed_in);
    assert!(
        signed_in.status.success() && said.contains(&format!("signed in to me as {}", session.access_key_id)),
        "{said}"
    );
    assert!(said.contains(", until ") && said.contains("tried with profile uploads"), "{said}");
    credentials(&place.helper("uploads"));
    let long_lived = issuer.standin.requests().iter().filter(|ask| ask.mentions("AKIALONGLIVED")).count();
    assert_eq!(long_lived, 2, "the two codes' requests and no other");
}

#[test]
fn a_login_without_anybody_to_type_a_code_says_how_to_pass_it() {
    let (issuer, place) = stage(&format!("mfa_serial = \"{SERIAL}\""));
    assert!(refused(&place.login("me", KEYS), 6).contains("last line"));
    assert_eq!(issuer.standin.count(Standin::STS), 0);
}

#[test]
fn a_profile_of_aws_is_used_where_it_is_and_never_one_that_runs_us() {
    let (issuer, place) = stage("profile = \"dev\"");
    let aws = place.path().join(".aws");
    std::fs::create_dir(&aws).unwrap();
    std::fs::write(aws.join("credentials"), "[base]\naws_access_key_id = AKIALONGLIVED\naws_secret_access_key = s\n")
        .unwrap();
    chmod(&aws.join("credentials"), 0o600);
    let config = |text: &str| std::fs::write(aws.join("config"), text).unwrap();
    config("[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/hub\nsource_profile = base\n");
    let said = place.command(&["login", "me"]);
    assert!(said.status.success() && stderr(&said).contains("tried with profile uploads"), "{}", stderr(&said));
    credentials(&place.helper("uploads"));
    assert!(refused(&place.login("me", KEYS), 6).contains("profile dev of"), "it is not kept in two places");

    let before = issuer.standin.count(Standin::STS);
    config(&format!("[profile dev]\ncredential_process = {} uploads\n", common::HELPER));
    let said = refused(&place.command(&["login", "me"]), 6);
    assert!(said.contains("profile dev") && said.contains("ask itself"), "{said}");
    assert_eq!(issuer.standin.count(Standin::STS), before);
}
