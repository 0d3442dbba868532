//! What the program sees: where its keys are, and nothing of AWS or of us that it should not.

use super::common::{refused, signed_in, stderr};
use super::{FILE, Waiting, exec, places};
use valetkey::standin::{Behaviour, Standin};

#[test]
fn keys_are_at_a_port_and_no_secret_is_in_the_environment() {
    let (_issuer, mut place) = signed_in(FILE);
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ] {
        place.environment.push((name.into(), "of-the-user".into()));
    }
    place.environment.push(("MINE".into(), "stays".into()));
    let output = exec(&place, &["env"]).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
    let seen = String::from_utf8(output.stdout).unwrap();
    assert!(!seen.contains("of-the-user") && seen.contains("MINE=stays\n"), "{seen}");
    assert!(!seen.contains("ASIA") && !seen.contains("AWS_CONTAINER_AUTHORIZATION_TOKEN="), "{seen}");
    for line in [
        "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/",
        "AWS_SHARED_CREDENTIALS_FILE=/dev/null\n",
        "CPL_AWS_CREDENTIALS_FILE=/dev/null\n",
        "AWS_REGION=us-west-2\n",
    ] {
        assert!(seen.contains(line), "{line}: {seen}");
    }
    assert_eq!(places(&place), 0, "token and config went with the program");
}

#[test]
fn the_port_answers_the_token_alone_and_nothing_but_keys() {
    let (issuer, place) = signed_in(FILE);
    let waiting = Waiting::start(&place);
    let (status, body) = waiting.get();
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    assert_eq!(json["Token"], super::common::credentials(&place.helper("podaac"))["SessionToken"]);
    let get = |path: &str, headers: &[(&str, &str)]| super::common::http::get(waiting.port, path, headers).0;
    assert_eq!(get("/credentials", &[]), 401);
    assert_eq!(get("/credentials", &[("authorization", "x")]), 401);
    assert_eq!(get("/", &[("authorization", &waiting.token)]), 404);
    assert_eq!(get("/credentials", &[("authorization", &waiting.token), ("origin", "http://x.org")]), 403);
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
    assert_eq!(waiting.end(), Some(7));
}

#[test]
fn the_fixed_form_has_the_keys_themselves_and_says_how_long_they_last() {
    let (_issuer, place) = signed_in(FILE);
    let mut command = place.program(super::common::COMMAND);
    let output = command.args(["exec", "--static", "podaac", "--", "/bin/sh", "-c", "env; exit 3"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = stderr(&output);
    assert!(said.contains("are valid until 20") && said.contains("not renewed"), "{said}");
    let seen = String::from_utf8(output.stdout).unwrap();
    let keys = super::common::credentials(&place.helper("podaac"));
    assert!(seen.contains(&format!("AWS_SESSION_TOKEN={}\n", keys["SessionToken"].as_str().unwrap())), "{seen}");
    assert!(!seen.contains("AWS_CONTAINER_"), "{seen}");
}

#[test]
fn without_keys_the_program_is_not_started() {
    let (issuer, place) = signed_in(FILE);
    let marker = place.path().join("started");
    issuer.standin.behave("/", Behaviour::status(503));
    let mut command = exec(&place, &["touch", marker.to_str().unwrap()]);
    refused(&command.output().unwrap(), 5);
    assert!(!marker.exists());
    let mut unknown = place.program(super::common::COMMAND);
    refused(&unknown.args(["exec", "nobody", "--", "true"]).output().unwrap(), 6);
}

#[test]
fn an_inherited_descriptor_and_the_core_limit_are_the_programs() {
    let (_issuer, place) = signed_in(FILE);
    // The daemon, which is started on the way, gets neither.
    let script = format!(
        "ulimit -S -c 4096 2>/dev/null; exec 5</etc/hostname; {} exec podaac -- /bin/sh -c 'cat <&5; ulimit -S -c'",
        super::common::COMMAND
    );
    let output = place.program("/bin/bash").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let wanted = std::fs::read_to_string("/etc/hostname").unwrap();
    assert!(said.starts_with(&wanted) && !said.ends_with("\n0\n"), "{said} {}", stderr(&place.command(&["status"])));
}

#[test]
fn s31_a_proxy_of_the_users_is_not_asked_for_us() {
    let (_issuer, mut place) = signed_in(FILE);
    place.environment.push(("http_proxy".into(), "http://proxy.example.org:3128".into()));
    place.environment.push(("no_proxy".into(), ".example.org".into()));
    let output = exec(&place, &["env"]).output().unwrap();
    let seen = String::from_utf8(output.stdout).unwrap();
    for line in [
        "http_proxy=http://proxy.example.org:3128\n",
        "no_proxy=.example.org,127.0.0.1,localhost\n",
        "NO_PROXY=127.0.0.1,localhost\n",
    ] {
        assert!(seen.contains(line), "{line}: {seen}");
    }
}
