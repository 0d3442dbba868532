//! Real peers of the login kind `aws`: moto as the STS behind an MFA session, and a profile as the AWS CLI writes it.
//!
//! Found and skipped as in `tests/real_peers.rs`.

#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used)] // a test of the outside panics

mod common;

use common::moto::Moto;
use common::{Place, credentials, peers, stderr};

const KEYS: &str = r#"{"AccessKeyId":"AKIALONGLIVED","SecretAccessKey":"marker-of-a-long-lived-key"}"#;

/// The profile `uploads`, which assumes a role there with the keys of that login.
fn place(moto: &Moto, login: &str) -> Place {
    let (place, url) = (Place::new(), &moto.url);
    place.configure(&format!(
        "keyring = \"file\"\n[logins.me]\nkind = \"aws\"\nendpoint = \"{url}\"\n{login}\n\
         [profiles.uploads]\nprovider = \"sts\"\nlogin = \"me\"\nendpoint = \"{url}\"\n\
         role_arn = \"arn:aws:iam::123456789012:role/uploader\"\n"
    ));
    place
}

/// Ends it; how many requests it was sent.
fn asked(moto: Moto) -> usize {
    moto.end().iter().filter(|line| line.contains("\"POST / ")).count()
}

#[test]
fn moto_gives_an_mfa_session_for_a_code_and_the_session_opens_roles() {
    let Some(found) = peers::installed(&["moto_server"]) else { return };
    let moto = Moto::start(&found[0]);
    let place = place(&moto, "mfa_serial = \"arn:aws:iam::123456789012:mfa/ada\"\nduration = \"15m\"");
    let signed_in = place.login("me", &format!("{KEYS}\n123456\n"));
    let said = stderr(&signed_in);
    assert!(signed_in.status.success() && said.contains("signed in to me as AKIA"), "{said}");
    assert!(said.contains(", until ") && said.contains("tried with profile uploads"), "{said}");
    credentials(&place.helper("uploads"));
    assert_eq!(asked(moto), 3, "the session, the trial, the helper");
}

#[test]
fn a_profile_that_the_aws_cli_wrote_is_followed_to_its_role() {
    let Some(found) = peers::installed(&["moto_server", "aws"]) else { return };
    let moto = Moto::start(&found[0]);
    let place = place(&moto, "profile = \"dev\"");
    for (profile, key, value) in [
        ("base", "aws_access_key_id", "AKIALONGLIVED"),
        ("base", "aws_secret_access_key", "marker-of-a-long-lived-key"),
        ("dev", "role_arn", "arn:aws:iam::123456789012:role/hub"),
        ("dev", "source_profile", "base"),
        ("dev", "s3.addressing_style", "path"),
    ] {
        let aws = found[1].to_str().unwrap();
        let set = place.program(aws).args(["configure", "set", key, value, "--profile", profile]).output().unwrap();
        assert!(set.status.success(), "{}", stderr(&set));
    }
    let signed_in = place.command(&["login", "me"]);
    assert!(signed_in.status.success(), "{}", stderr(&signed_in));
    assert!(stderr(&signed_in).contains("signed in to me as profile dev of"), "{}", stderr(&signed_in));
    credentials(&place.helper("uploads"));
    assert_eq!(asked(moto), 4, "the chain's role and ours, at the trial and for the helper");
}
