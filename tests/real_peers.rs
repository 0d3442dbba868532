//! Real peers: moto as STS and S3, the AWS CLI and boto3 as users' programs, with the profile that `configure` wrote.
//!
//! They are found by `VALETKEY_PEERS` (a directory of programs, such as a Python environment's `bin`) or on PATH; see
//! `tests/peers/requirements.txt`. Where one is missing this is skipped, but not in CI.

#![cfg(feature = "agent")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test of the outside starts programs, waits, panics

mod common;

use common::{Place, credentials, peers, stderr};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;

const BUCKET: &str = "my-bucket";
const OBJECTS: [&str; 2] = ["granule-1.nc", "granule-2.nc"];
const ROLE: &str = "arn:aws:iam::123456789012:role/uploader";
const LONG_LIVED: &str = r#"{"AccessKeyId":"AKIALONGLIVED","SecretAccessKey":"marker-of-a-long-lived-key"}"#;

/// moto on a port of its own choice.
struct Moto {
    child: Child,
    url: String,
    log: Option<JoinHandle<Vec<String>>>,
}

impl Moto {
    fn start(program: &Path) -> Moto {
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", "0"]).env("PYTHONUNBUFFERED", "1");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = loop {
            let line = said.next().expect("moto ended before it listened").unwrap();
            if let Some((_, rest)) = line.split_once("Running on ") {
                break rest.trim().to_owned();
            }
        };
        let log = std::thread::spawn(move || said.map_while(Result::ok).collect());
        Moto { child, url, log: Some(log) }
    }

    /// Ends it; every line that it logged.
    fn end(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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

#[test]
fn aws_cli_and_boto3_list_a_bucket_with_keys_that_the_daemon_fetched_from_sts() {
    let Some(found) = peers::installed(&["moto_server", "aws", "python3"]) else { return };
    let [moto_server, aws, python] = &found[..] else { unreachable!() };
    let modules = Command::new(python).args(["-c", "import boto3"]).stderr(Stdio::null()).status().unwrap();
    if !modules.success() {
        peers::skipped("python3 has no boto3");
        return;
    }
    let (moto, place) = (Moto::start(moto_server), Place::new());
    let python = |name: &str, words: &[&str]| {
        let file = script(name);
        run(&place, python, &[&[file.to_str().unwrap()], words].concat())
    };
    python("bucket.py", &[&moto.url, BUCKET]);

    // As a user does it. Tests' keyring is a file: nobody's desktop is asked.
    place.configure("keyring = \"file\"\n");
    let endpoint = format!("{}/", moto.url);
    let words = ["add", "sts", "uploads", "--endpoint", &endpoint, "--role-arn", ROLE, "--bucket", BUCKET];
    let added = place.command(&words);
    assert!(added.status.success(), "{}", stderr(&added));
    let signed_in = place.login("aws", LONG_LIVED);
    assert!(signed_in.status.success(), "{}", stderr(&signed_in));
    assert!(stderr(&signed_in).contains("tried with profile uploads"), "{}", stderr(&signed_in));
    let configured = place.command(&["configure", "uploads"]);
    assert!(configured.status.success(), "{}", stderr(&configured));
    let written = std::fs::read_to_string(place.path().join(".aws/config")).unwrap();
    assert!(written.contains(&format!("credential_process = {} uploads\n", common::HELPER)), "{written}");

    let listed = run(&place, aws, &["s3", "ls", &format!("s3://{BUCKET}"), "--profile", "uploads"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<_> = listed.lines().map(|line| line.split_whitespace().last().unwrap()).collect();
    assert_eq!(names, OBJECTS);
    let seen = python("list_bucket.py", &["uploads", BUCKET]);
    let seen: serde_json::Value = serde_json::from_slice(&seen.stdout).unwrap();
    assert_eq!(seen["objects"], serde_json::json!(OBJECTS));

    // Who signed: the keys of AssumeRole, from our helper, and no others.
    let ours = credentials(&place.command(&["credentials", "uploads"]));
    assert_eq!(seen["method"], "custom-process");
    assert_eq!(seen["access_key"], ours["AccessKeyId"]);
    let caller = run(&place, aws, &["sts", "get-caller-identity", "--profile", "uploads", "--endpoint-url", &moto.url]);
    let caller: serde_json::Value = serde_json::from_slice(&caller.stdout).unwrap();
    assert_eq!(caller["Arn"], "arn:aws:sts::123456789012:assumed-role/uploader/valetkey");
    assert_eq!(place.daemons().len(), 1);

    // `login` tried the key, and the daemon asked once: for two users' programs, three processes and our own look.
    let log = moto.end();
    let to_sts = log.iter().filter(|line| line.contains("\"POST / ")).count();
    assert_eq!(to_sts, 3, "login, daemon, get-caller-identity: {log:#?}");
}
