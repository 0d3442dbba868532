//! moto with granules, a place with profiles of one hour and of 17 minutes, and a way to run a consumer and count.

use crate::common::moto::Moto;
use crate::common::{COMMAND, HELPER, Place, chmod, peers, stderr};
use crate::rust_sdk;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Requests of each run.
pub(crate) const COUNT: usize = 50;
const BUCKET: &str = "my-bucket";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Process,
    Container,
    Static,
}

impl Form {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Form::Process => "process",
            Form::Container => "container",
            Form::Static => "static",
        }
    }
}

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) version: Option<String>,
    /// Requests that brought something.
    pub(crate) read: Option<usize>,
    /// How often keys were fetched.
    pub(crate) fetched: usize,
    /// For whoever has to find out why.
    pub(crate) said: String,
}

pub(crate) struct Stage {
    moto: Moto,
    place: Place,
    python: PathBuf,
    node: PathBuf,
    /// Where the helper's stand-in notes each run.
    runs: PathBuf,
}

impl Stage {
    /// None, with a word about it, where the consumers are not installed.
    pub(crate) fn new() -> Option<Stage> {
        let found = peers::installed(&["moto_server", "python3", "node", "aws", "rclone"])?;
        let [moto, python, node, ..] = found.as_slice() else { return None };
        let modules = |python: &Path| {
            let imported = Command::new(python).args(["-c", "import boto3, obstore, pyogrio, rasterio, s3fs"]).output();
            imported.is_ok_and(|output| output.status.success())
        };
        if !modules(python) {
            peers::skipped("python3 has no boto3, obstore, pyogrio, rasterio or s3fs");
            return None;
        }
        let (moto, place) = (Moto::start(moto), Place::new());
        let runs = place.path().join("runs");
        let stage = Stage { moto, place, python: python.clone(), node: node.clone(), runs };
        stage.set_up();
        Some(stage)
    }

    fn set_up(&self) {
        let url = &self.moto.url;
        let script = manifest("tests/peers/granules.py");
        let made = self.place.program(path(&self.python)).arg(script).args([url, BUCKET, &COUNT.to_string()]).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", stderr(&made));
        let profile = |name: &str, duration: &str| {
            format!(
                "[profiles.{name}]\nprovider = \"sts\"\nendpoint = \"{url}\"\nrole_arn = \"arn:aws:iam::123456789012:role/reader\"\nduration = \"{duration}\"\n"
            )
        };
        self.place.configure(&format!("keyring = \"file\"\n{}{}", profile("hour", "1h"), profile("short", "17m")));
        let login = self.place.login("aws", r#"{"AccessKeyId":"AKIALONG","SecretAccessKey":"long-lived"}"#);
        assert!(login.status.success(), "{}", stderr(&login));
        self.place.ok(&["configure"]);
        // The same command for every SDK, with a note of each run.
        let counting = self.place.path().join("counting-helper");
        std::fs::write(&counting, format!("#!/bin/sh\necho run >>'{}'\nexec '{HELPER}' \"$@\"\n", self.runs.display()))
            .unwrap();
        chmod(&counting, 0o755);
        let file = self.place.path().join(".aws/config");
        let config = std::fs::read_to_string(&file).unwrap();
        assert!(config.contains(HELPER));
        std::fs::write(&file, config.replace(HELPER, counting.to_str().unwrap())).unwrap();
    }

    /// Runs a consumer with new credentials of `profile`.
    pub(crate) fn run(&self, script: &str, form: Form, profile: &str) -> Ran {
        self.place.ok(&["refresh", profile]);
        let _ = std::fs::remove_file(&self.runs);
        let answered = self.answers(profile);
        let words = self.words(script);
        let mut command = match form {
            Form::Process => {
                let mut command = self.place.program(&words[0]);
                command.args(&words[1..]).env("AWS_PROFILE", profile).env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
                // GDAL, rclone and obstore do not read where the S3 is from a profile.
                let host = self.moto.url.strip_prefix("http://").unwrap();
                command.env("AWS_ENDPOINT_URL_S3", &self.moto.url).env("AWS_S3_ENDPOINT", host);
                command.env("AWS_HTTPS", "NO").env("AWS_VIRTUAL_HOSTING", "FALSE").env("AWS_REGION", "us-east-1");
                command
            }
            Form::Container | Form::Static => {
                let mut command = self.place.program(COMMAND);
                let option = (form == Form::Static).then_some("--static");
                command.arg("exec").args(option).args([profile, "--"]).args(&words);
                command
            }
        };
        let own = self.python.parent().unwrap();
        let path = format!("{}:{}", own.display(), std::env::var("PATH").unwrap());
        // The one is a reader of vectors; the other gets its bytes by our own transport, which is for text.
        let text = script.starts_with("pyogrio") || script == rust_sdk::SCRIPT;
        let key = if text { "point.geojson" } else { "granules/1.tif" };
        command
            .env("PATH", path)
            .env("NODE_PATH", own.join("../node_modules"))
            .env("AWS_EC2_METADATA_DISABLED", "true");
        let output = command.env("BUCKET", BUCKET).env("KEY", key).env("COUNT", COUNT.to_string()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let fetched = match form {
            Form::Process => std::fs::read_to_string(&self.runs).unwrap_or_default().lines().count(),
            // The first is exec's own, before it starts anything.
            _ => self.answers(profile) - answered - 1,
        };
        // `name version count`, after whatever a test program says.
        let line = said.lines().find_map(|line| line.strip_prefix("read: "));
        let words: Vec<&str> = line.unwrap_or_default().split(' ').collect();
        let version = words.iter().rev().nth(1).map(|version| (*version).to_owned());
        let read = words.last().and_then(|count| count.parse().ok()).filter(|_| output.status.success());
        Ran { version, read, fetched, said: format!("{script} {}: {said}{}", form.name(), stderr(&output)) }
    }

    fn words(&self, script: &str) -> Vec<String> {
        let file = manifest("tests/peers/consumers").join(script).display().to_string();
        match script.rsplit('.').next() {
            Some("py") => vec![path(&self.python).to_owned(), file],
            Some("cjs") => vec![path(&self.node).to_owned(), file],
            Some("sh") => vec!["/bin/sh".to_owned(), file],
            _ => rust_sdk::words(),
        }
    }

    /// What the daemon has answered for a profile.
    fn answers(&self, profile: &str) -> usize {
        let status = self.place.status();
        let known = status["profiles"].as_array().unwrap().iter().find(|known| known["name"] == profile).unwrap();
        usize::try_from(known["answers"].as_u64().unwrap()).unwrap()
    }
}

fn manifest(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

fn path(program: &Path) -> &str {
    program.to_str().unwrap()
}
