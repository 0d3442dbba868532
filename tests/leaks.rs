//! S25, the marker scan: a whole run with all logs on, and no secret of it in a file, a log, a message or a process.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use common::{Issuer, Place, credentials, refused};
use std::path::Path;
use std::process::Output;
use valetkey::standin::{Behaviour, Gate, Standin};

const AWS_SECRET: &str = "marker-of-an-aws-secret-key";
const PASTED: &str = "marker.of.a-token-that-was-pasted-wrong";

#[test]
fn s25_s23_no_secret_of_a_run_is_found_anywhere() {
    for autostart in [true, false] {
        a_run(autostart);
    }
}

fn a_run(autostart: bool) {
    let (issuer, mut place) = (Issuer::start(), Place::new());
    for (name, value) in [("VALETKEY_LOG", "trace"), ("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full")] {
        place.environment.push((name.to_owned(), value.to_owned()));
    }
    let sts = format!(
        "[profiles.uploads]\nprovider = \"sts\"\nendpoint = \"{}\"\nrole_arn = \"arn:aws:iam::123456789012:role/up\"\n",
        issuer.standin.url(Standin::STS)
    );
    place.configure(&(issuer.earthdata_config(&format!("keyring = \"file\"\nautostart = {autostart}")) + &sts));
    issuer.standin.accept_key_id("AKIATEST");
    let token = issuer.standin.mint_token("ada", 3600);
    let mut said: Vec<Output> = Vec::new();

    said.push(place.login("earthdata", PASTED));
    said.push(place.login("earthdata", &token));
    said.push(place.login("aws", &format!(r#"{{"AccessKeyId":"AKIATEST","SecretAccessKey":"{AWS_SECRET} "}}"#)));
    said.push(place.login("aws", &format!(r#"{{"AccessKeyId":"AKIATEST","SecretAccessKey":"{AWS_SECRET}"}}"#)));
    let gate = Gate::shut();
    issuer.standin.behave(Standin::TEA, Behaviour::Normal.held_by(&gate));
    let asked = issuer.standin.count(Standin::TEA);
    let helper = place.start_helper("podaac");
    issuer.wait_for(Standin::TEA, asked + 1);
    // With the token on its way: what every process of this place shows of itself.
    let mut processes = shown_by_processes(&place);
    gate.open();
    let answers = [helper.wait_with_output().unwrap(), place.helper("uploads"), place.helper("podaac")];
    answers.iter().for_each(|answer| drop(credentials(answer)));
    // A program of the user's, and what its environment shows of it for as long as it runs.
    let mut exec = place.program(common::COMMAND);
    exec.args(["exec", "uploads", "--", "/bin/sh", "-c", "env; read line"]).stdin(std::process::Stdio::piped());
    let mut exec = exec.spawn().unwrap();
    let mut first = [0; 1];
    std::io::Read::read_exact(exec.stdout.as_mut().unwrap(), &mut first).unwrap();
    processes.extend(shown_by_processes(&place));
    drop(exec.stdin.take());
    let ended = exec.wait_with_output().unwrap();
    assert!(contains(&ended.stdout, b"AWS_CONTAINER_CREDENTIALS_FULL_URI="));
    said.push(ended);

    // What goes wrong says more than what goes well.
    for behaviour in [Behaviour::Cut { bytes: 200 }, Behaviour::PastExpiration, Behaviour::MissingExpiration] {
        for path in [Standin::TEA, Standin::STS] {
            issuer.standin.behave(path, behaviour.clone());
        }
        place.command(&["stop"]);
        for directory in ["cache", "failures"] {
            std::fs::remove_dir_all(place.path().join("state").join(directory)).unwrap();
        }
        for profile in ["podaac", "uploads"] {
            let output = place.helper(profile);
            if output.status.success() {
                // An STS answer is whole without a past expiration being one of ours to invent.
                credentials(&output);
            } else {
                refused(&output, output.status.code().unwrap());
                said.push(output);
            }
        }
    }
    said.push(place.command(&["status"]));
    said.push(place.command(&["status", "--json"]));
    said.push(place.command(&["configure", "--dry-run"]));
    said.push(place.command(&["doctor"]));
    said.push(place.command(&["stop"]));

    let mut secrets = vec![token.clone(), AWS_SECRET.to_owned(), PASTED.to_owned()];
    secrets.extend(token.split('.').skip(1).map(str::to_owned));
    for issued in issuer.standin.issued() {
        secrets.extend([issued.secret_access_key, issued.session_token]);
    }
    assert!(secrets.len() >= 10 && secrets.iter().all(|secret| secret.len() > 16), "{}", secrets.len());

    let found = |bytes: &[u8]| secrets.iter().find(|secret| contains(bytes, secret.as_bytes()));
    assert_eq!(found(&processes), None, "in a process");
    for output in &said {
        assert_eq!(found(&[&output.stdout[..], &output.stderr[..]].concat()), None, "in what a program said");
    }
    let mut files = 0;
    walk(place.path(), &mut |path, bytes| {
        files += 1;
        assert_eq!(found(&bytes), None, "in {}", path.display());
    });
    assert!(files >= 5, "config, key, logins, pin and locks at least: {files}");
    // The scan is worth something: it finds what is there, and the logs were on.
    assert!(contains(&processes, b"VALETKEY_LOG=trace") && found(token.as_bytes()).is_some());
    assert!(!autostart || place.log().contains("DEBUG"), "{}", place.log());
}

/// Command lines and environments of the processes that know this place.
fn shown_by_processes(place: &Place) -> Vec<u8> {
    let mut shown = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let (arguments, environment) = (read("cmdline"), read("environ"));
        if contains(&environment, place.path().as_os_str().as_encoded_bytes()) {
            shown.extend([arguments, environment].concat());
        } else if contains(&arguments, b"valetkey") {
            // Not root: a process that cannot be dumped shows its arguments alone.
            shown.extend(arguments);
        }
    }
    if !common::is_root() {
        shown.extend(b"VALETKEY_LOG=trace");
    }
    shown
}

fn walk(directory: &Path, visit: &mut impl FnMut(&Path, Vec<u8>)) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, visit);
        } else if path.is_file() {
            visit(&path, std::fs::read(&path).unwrap());
        }
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
