//! Real peers: moto as STS and S3, the AWS CLI and boto3 as users' programs, with the profile that `configure` wrote.
//!
//! moto checks signatures and the policies of users and roles where it is told to; a session's policy it only keeps.
//!
//! They are found by `VALETKEY_PEERS` (a directory of programs, such as a Python environment's `bin`) or on PATH; see
//! `tests/peers/requirements.txt`. Where one is missing this is skipped, but not in CI.

#![cfg(feature = "agent")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test of the outside starts programs, waits, panics

mod common;

use common::moto::Moto;
use common::{Issuer, Place, credentials, peers, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use valetkey::standin::Standin;

const BUCKET: &str = "my-bucket";
const OBJECTS: [&str; 2] = ["granule-1.nc", "granule-2.nc"];
const ROLE: &str = "arn:aws:iam::123456789012:role/uploader";
const LONG_LIVED: &str = r#"{"AccessKeyId":"AKIALONGLIVED","SecretAccessKey":"marker-of-a-long-lived-key"}"#;

/// A program of the Python environment, with nothing of the environment but HOME and PATH.
fn run(place: &Place, program: &Path, words: &[&str]) -> Output {
    let output = place.program(program.to_str().unwrap()).env("AWS_EC2_METADATA_DISABLED", "true").args(words).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{program:?} {words:?}: {}", stderr(&output));
    output
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name)
}

/// moto with a bucket, and the programs that ask it; None if one of them is missing.
struct Peers {
    moto: Moto,
    place: Place,
    aws: PathBuf,
    python: PathBuf,
}

impl Peers {
    fn start() -> Option<Peers> {
        let [moto_server, aws, python] = peers::installed(&["moto_server", "aws", "python3"])?.try_into().unwrap();
        let modules = Command::new(&python).args(["-c", "import boto3"]).stderr(Stdio::null()).status().unwrap();
        if !modules.success() {
            peers::skipped("python3 has no boto3");
            return None;
        }
        let peers = Peers { moto: Moto::start(&moto_server), place: Place::new(), aws, python };
        peers.python("bucket.py", &[&peers.moto.url, BUCKET]);
        // Tests' keyring is a file: nobody's desktop is asked.
        peers.place.configure("keyring = \"file\"\n");
        Some(peers)
    }

    fn python(&self, name: &str, words: &[&str]) -> Vec<u8> {
        let file = script(name);
        run(&self.place, &self.python, &[&[file.to_str().unwrap()], words].concat()).stdout
    }

    fn json(&self, name: &str, words: &[&str]) -> serde_json::Value {
        serde_json::from_slice(&self.python(name, words)).unwrap()
    }

    /// What came of boto3's `verb` on an object, which it signed with our helper's keys and no others.
    fn object(&self, profile: &str, key: &str, verb: &str) -> String {
        let seen = self.json("object.py", &[profile, BUCKET, key, verb]);
        let ours = credentials(&self.place.command(&["credentials", profile]));
        assert_eq!((&seen["method"], &seen["access_key"]), (&"custom-process".into(), &ours["AccessKeyId"]));
        seen["came"].as_str().unwrap().to_owned()
    }

    fn add(&self, name: &str, words: &[&str]) {
        let endpoint = format!("{}/", self.moto.url);
        self.place.ok(&[&["add", "sts", name, "--endpoint", &endpoint][..], words].concat());
    }
}

#[test]
fn aws_cli_and_boto3_list_a_bucket_with_keys_that_the_daemon_fetched_from_sts() {
    let Some(peers) = Peers::start() else { return };
    let (moto, place) = (&peers.moto, &peers.place);
    // As a user does it.
    peers.add("uploads", &["--role-arn", ROLE, "--bucket", BUCKET]);
    let signed_in = place.login("aws", LONG_LIVED);
    assert!(signed_in.status.success(), "{}", stderr(&signed_in));
    assert!(stderr(&signed_in).contains("tried with profile uploads"), "{}", stderr(&signed_in));
    let configured = place.command(&["configure", "uploads"]);
    assert!(configured.status.success(), "{}", stderr(&configured));
    let written = std::fs::read_to_string(place.path().join(".aws/config")).unwrap();
    assert!(written.contains(&format!("credential_process = {} uploads\n", common::HELPER)), "{written}");

    let listed = run(place, &peers.aws, &["s3", "ls", &format!("s3://{BUCKET}"), "--profile", "uploads"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<_> = listed.lines().map(|line| line.split_whitespace().last().unwrap()).collect();
    assert_eq!(names, OBJECTS);
    let seen = peers.json("list_bucket.py", &["uploads", BUCKET]);
    assert_eq!(seen["objects"], serde_json::json!(OBJECTS));

    // Who signed: the keys of AssumeRole, from our helper, and no others.
    let ours = credentials(&place.command(&["credentials", "uploads"]));
    assert_eq!(seen["method"], "custom-process");
    assert_eq!(seen["access_key"], ours["AccessKeyId"]);
    let words = ["sts", "get-caller-identity", "--profile", "uploads", "--endpoint-url", &moto.url];
    let caller = run(place, &peers.aws, &words);
    let caller: serde_json::Value = serde_json::from_slice(&caller.stdout).unwrap();
    assert_eq!(caller["Arn"], "arn:aws:sts::123456789012:assumed-role/uploader/valetkey");
    assert_eq!(place.daemons().len(), 1);

    // `login` tried the key, and the daemon asked once: for two users' programs, three processes and our own look.
    let log = peers.moto.end();
    let to_sts = log.iter().filter(|line| line.contains("\"POST / ")).count();
    assert_eq!(to_sts, 3, "login, daemon, get-caller-identity: {log:#?}");
}

#[test]
fn all_four_operations_of_sts_open_an_object_and_their_policies_arrive_whole() {
    let Some(peers) = Peers::start() else { return };
    let (issuer, place) = (Issuer::start(), &peers.place);
    issuer.standin.add_user("ada", "a-password");
    let token_url = format!("token_url={}", issuer.standin.url(Standin::TOKEN));
    let other = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::other/a b+c/*"}"#;
    let narrowed = ["--bucket", BUCKET, "--prefix", "granule", "--read-only", "--statement", other];
    let with = |operation, more: &[&'static str]| [&["--login", "aws", "--operation", operation], more].concat();
    peers.add("session", &with("session-token", &[]));
    peers.add("federation", &[&with("federation-token", &[])[..], &narrowed].concat());
    peers.add(
        "role",
        &[&with("assume-role", &["--role-arn", ROLE, "--session-name", "by-key"])[..], &narrowed].concat(),
    );
    let web = ["--operation", "web-identity", "--role-arn", ROLE, "--session-name", "by-token", "--login", "keycloak"];
    let realm = ["--login-set", "kind=keycloak", "--login-set", &token_url, "--login-set", "username=ada"];
    peers.add("web", &[&web[..], &realm, &narrowed].concat());
    for (login, secret) in [("aws", LONG_LIVED), ("keycloak", "a-password")] {
        let signed_in = place.login(login, secret);
        assert!(signed_in.status.success(), "{}", stderr(&signed_in));
    }
    place.ok(&["configure"]);
    for profile in ["session", "federation", "role", "web"] {
        assert_eq!(peers.object(profile, OBJECTS[0], "get"), "data", "{profile}");
    }

    // moto keeps the policies of roles' sessions, and enforces none of them.
    let policies = peers.json("policies.py", &[&peers.moto.url]);
    for session in ["by-key", "by-token"] {
        let of_session: Vec<_> = policies.as_array().unwrap().iter().filter(|pair| pair[0] == session).collect();
        assert!(!of_session.is_empty(), "{policies}");
        for pair in of_session {
            let policy: serde_json::Value = serde_json::from_str(pair[1].as_str().unwrap()).unwrap();
            let statements = policy["Statement"].as_array().unwrap();
            assert_eq!(statements[1]["Condition"]["StringLike"]["s3:prefix"][0], "granule*");
            assert_eq!(statements[2]["Resource"][0], "arn:aws:s3:::my-bucket/granule*");
            assert_eq!(statements[3], serde_json::from_str::<serde_json::Value>(other).unwrap());
            assert_eq!(statements.len(), 4, "it may read alone");
        }
    }
}

#[test]
fn a_role_opens_what_its_policy_allows_and_a_key_of_nobodys_opens_no_role() {
    let Some(peers) = Peers::start() else { return };
    let keys = peers.python("role.py", &[&peers.moto.url, "uploader", BUCKET, OBJECTS[0]]);
    peers.add("reader", &["--role-arn", ROLE, "--bucket", BUCKET, "--read-only"]);
    // moto looks at each signature from now on, and at the policies of users and roles.
    let stranger = peers.place.login("aws", LONG_LIVED);
    assert_eq!(stranger.status.code(), Some(3), "{}", stderr(&stranger));
    assert!(stderr(&stranger).contains("InvalidClientTokenId"), "{}", stderr(&stranger));
    let signed_in = peers.place.login("aws", std::str::from_utf8(&keys).unwrap());
    assert!(signed_in.status.success(), "{}", stderr(&signed_in));
    peers.place.ok(&["configure"]);
    assert_eq!(peers.object("reader", OBJECTS[0], "get"), "data");
    assert_eq!(peers.object("reader", OBJECTS[1], "get"), "AccessDenied");
    assert_eq!(peers.object("reader", OBJECTS[0], "put"), "AccessDenied");
}
