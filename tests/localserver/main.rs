//! `valetkey localserver` beside `s3-credentials localserver`, both against one moto; and where it is stricter.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "../common/mod.rs"]
mod common;

mod beside;
mod keys;
mod refusals;
mod strict;

use common::http::free_port;
use common::moto::Moto;
use common::{COMMAND, Place, peers};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// moto with a bucket, and whoever asks it.
struct Stage {
    moto: Moto,
    place: Place,
    /// s3-credentials, python3.
    theirs: PathBuf,
    python: PathBuf,
}

const BUCKET: &str = "my-bucket";

impl Stage {
    /// None, with a word about it, where the peers are not installed.
    fn new() -> Option<Stage> {
        let found = peers::installed(&["moto_server", "s3-credentials", "python3"])?;
        let [moto, theirs, python] = found.as_slice() else { return None };
        let moto = Moto::start_with_aws_policies(moto);
        let mut place = Place::new();
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", "AKIALONG"),
            ("AWS_SECRET_ACCESS_KEY", "long-lived"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ] {
            place.environment.push((name.into(), value.into()));
        }
        let stage = Stage { moto, place, theirs: theirs.clone(), python: python.clone() };
        let made = stage.script("bucket.py", &[&stage.moto.url, BUCKET]);
        assert!(made.status.success(), "{}", common::stderr(&made));
        Some(stage)
    }

    fn script(&self, name: &str, arguments: &[&str]) -> std::process::Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name);
        self.place.program(self.python.to_str().unwrap()).arg(script).args(arguments).output().unwrap()
    }

    /// Session names and policies of all roles that were assumed, the first one first.
    fn assumed(&self) -> Vec<(String, serde_json::Value)> {
        let printed = self.script("policies.py", &[&self.moto.url]);
        let all: Vec<(String, String)> = serde_json::from_slice(&printed.stdout).unwrap();
        all.into_iter().map(|(name, policy)| (name, serde_json::from_str(&policy).unwrap())).collect()
    }

    /// `PROGRAM localserver my-bucket --duration 1h --endpoint-url MOTO WORDS..`, not run yet.
    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = self.place.program(program);
        command.args(["localserver", BUCKET, "--endpoint-url", &self.moto.url]).args(words);
        command
    }

    fn ours(&self, words: &[&str]) -> Server {
        let port = free_port();
        Server::start(self.command(COMMAND, &[&["-d", "1h", "-p", &port.to_string()], words].concat()), port)
    }

    fn theirs(&self, words: &[&str]) -> Server {
        let port = free_port();
        let program = self.theirs.to_str().unwrap();
        Server::start(self.command(program, &[&["-d", "1h", "-p", &port.to_string()], words].concat()), port)
    }
}

/// One that serves, until it is dropped.
struct Server {
    child: Child,
    port: u16,
    lines: std::io::Lines<BufReader<std::process::ChildStderr>>,
    said: Vec<String>,
}

impl Server {
    fn start(mut command: Command, port: u16) -> Server {
        let mut child = command.stdout(Stdio::null()).env("PYTHONUNBUFFERED", "1").spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        while said.last().is_none_or(|line| line != "Press Ctrl+C to stop") {
            let Some(line) = lines.next() else { panic!("{:?} before it served: {said:?}", child.wait()) };
            said.push(line.unwrap());
        }
        Server { child, port, lines, said }
    }

    fn get(&self, path: &str) -> (u16, String) {
        common::http::get(self.port, path, &[])
    }

    /// Interrupts it; its exit code, and all that it said, with the port and the time of day left out.
    fn interrupt(mut self) -> (Option<i32>, Vec<String>) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let code = self.child.wait().unwrap().code();
        self.said.extend(self.lines.by_ref().map(Result::unwrap));
        let port = self.port.to_string();
        let timeless = |line: &String| match line.split_once(" - \"") {
            Some((time, rest)) if time.len() == 19 => format!("TIME - \"{rest}"),
            _ => line.replace(&port, "PORT"),
        };
        // Only root is warned.
        let said = self.said.iter().filter(|line| !line.starts_with("warning: run by root")).map(timeless);
        (code, said.collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
