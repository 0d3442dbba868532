//! `valetkey exec`: what a program finds, what it does not, and how it and we end together.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "../common/mod.rs"]
mod common;

mod ends;
mod environment;
mod fresh;
mod long_job;

use common::{COMMAND, Place};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

const FILE: &str = "keyring = \"file\"";

/// `valetkey exec podaac -- WORDS..`
fn exec(place: &Place, words: &[&str]) -> Command {
    let mut command = place.program(COMMAND);
    command.args(["exec", "podaac", "--"]).args(words);
    command
}

/// How many programs have a place of their own, whether they live or not.
fn places(place: &Place) -> usize {
    let all = std::fs::read_dir(place.path().join("state/exec")).unwrap();
    all.flatten().filter(|entry| entry.path().is_dir()).count()
}

/// A program under `exec` that says where its keys are and waits for a line.
struct Waiting {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    port: u16,
    token: String,
}

impl Waiting {
    fn start(place: &Place) -> Waiting {
        Waiting::of(&mut exec(place, &[]))
    }

    /// Of a command that runs whatever follows.
    fn of(command: &mut Command) -> Waiting {
        let script = r#"echo "$AWS_CONTAINER_CREDENTIALS_FULL_URI"; cat "$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"; echo; read line; exit 7"#;
        let mut child = command.args(["/bin/sh", "-c", script]).stdin(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next().unwrap().unwrap();
        let port =
            url.strip_prefix("http://127.0.0.1:").unwrap().strip_suffix("/credentials").unwrap().parse().unwrap();
        let token = lines.next().unwrap().unwrap();
        Waiting { child, lines, port, token }
    }

    fn get(&self) -> (u16, String) {
        common::http::get(self.port, "/credentials", &[("authorization", &self.token)])
    }

    /// Ends it; its exit code.
    fn end(mut self) -> Option<i32> {
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert!(self.lines.next().is_none());
        self.child.wait().unwrap().code()
    }
}
