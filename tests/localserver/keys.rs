//! The keys that it works with: options, files, variables, profiles.

use super::common::http::free_port;
use super::common::{COMMAND, chmod, refused};
use super::{Server, Stage};

/// Ours, without the variables that the stage sets.
fn without_variables(stage: &Stage, words: &[&str]) -> std::process::Command {
    let mut command = stage.command(COMMAND, words);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    command
}

#[test]
fn they_come_from_options_a_file_of_either_form_or_a_profile() {
    let Some(stage) = Stage::new() else { return };
    let file = |name: &str, text: &str| {
        let file = stage.place.path().join(name);
        std::fs::write(&file, text).unwrap();
        chmod(&file, 0o600);
        file.display().to_string()
    };
    let json = file("a.json", r#"{"AccessKeyId": "AKIAJSON", "SecretAccessKey": "s", "SessionToken": "t"}"#);
    let ini = file("a.ini", "[x]\nregion = y\n[z]\naws_access_key_id = AKIAINI\naws_secret_access_key = s\n");
    std::fs::create_dir(stage.place.path().join(".aws")).unwrap();
    file(".aws/credentials", "[default]\naws_access_key_id = AKIAPROF\naws_secret_access_key = s\n");
    for words in [
        &["--access-key", "AKIAOPT", "--secret-key", "s"][..],
        &["--access-key", "AKIAOPT", "--secret-key", "s", "--session-token", "t"],
        &["--auth", &json],
        &["-a", &ini],
        &[],
    ] {
        let port = free_port();
        let numbered = ["-d", "15m", "-p", &port.to_string()].map(str::to_owned);
        let words: Vec<&str> = numbered.iter().map(String::as_str).chain(words.iter().copied()).collect();
        let server = Server::start(without_variables(&stage, &words), port);
        assert_eq!(server.get("/").0, 200, "{words:?}");
    }
    assert_eq!(stage.assumed().len(), 5);
}

#[test]
fn keys_that_are_half_there_or_nowhere_are_told_before_anything_is_sent() {
    let Some(stage) = Stage::new() else { return };
    let empty = stage.place.path().join("empty");
    std::fs::write(&empty, "[x]\nregion = y\n").unwrap();
    for (words, code) in [
        (&["-d", "1h", "--access-key", "A"][..], 2),
        (&["-d", "1h", "--secret-key", "s"], 2),
        (&["-d", "1h", "--auth", empty.to_str().unwrap(), "--access-key", "A", "--secret-key", "s"], 2),
        (&["-d", "1h", "--auth", empty.to_str().unwrap()], 6),
        (&["-d", "1h", "--auth", "/no/such/file"], 6),
        (&["-d", "1h"], 6),
    ] {
        let port = free_port().to_string();
        let output = without_variables(&stage, &[words, &["-p", &port]].concat()).output().unwrap();
        refused(&last_two_lines(output), code);
    }
    let asked = stage.moto.end();
    assert!(!asked.iter().any(|line| line.contains("POST / ") || line.contains("HEAD /my-bucket")), "{asked:?}");
}

/// Root is warned of a server that root runs, above the error.
fn last_two_lines(mut output: std::process::Output) -> std::process::Output {
    let said = String::from_utf8(output.stderr).unwrap();
    let rest: String =
        said.lines().filter(|line| !line.starts_with("warning: ")).map(|line| format!("{line}\n")).collect();
    output.stderr = rest.into_bytes();
    output
}
