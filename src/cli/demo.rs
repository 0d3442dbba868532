//! `valetkey demo`: the whole way on an embedded issuer. All is real (config, key file, daemon, socket, cache, helper as
//! a process); only the issuer is ours.

use super::one_shot::Told;
use super::print;
use super::status::columns;
use crate::error::Error;
use crate::helper;
use crate::standin::Standin;
use crate::system::process;
use crate::worker::Worker;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Leave issuer and daemon up to play with, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

/// What is asked for, by which provider, and where the stand-in plays its issuer.
const PROFILES: &[(&str, &str, &str)] = &[
    ("podaac", "earthdata", Standin::TEA),
    ("nsidc", "earthdata", Standin::CUMULUS),
    ("shasta", "cray", Standin::CRAY),
    ("uploads", "sts", Standin::STS),
];
const ACCESS_KEY: &str = "AKIADEMO";
const SECRET_KEY: &str = "a-secret-of-the-demo";
const PASSWORD: &str = "a-password-of-the-demo";
/// Workers of a job that all ask for a profile's first credentials at once.
const HERD: usize = 40;
const LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn run(args: &Args) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::configuration(format!("the demo has no place: {error}"), "set TMPDIR");
    let home = tempfile::Builder::new().prefix("valetkey-demo-").tempdir().map_err(failed)?;
    let issuer = Standin::start().await.map_err(failed)?;
    issuer.accept_key_id(ACCESS_KEY);
    issuer.add_user("ada", PASSWORD);
    let stage = Stage {
        home: home.path().to_owned(),
        program: process::own_program()?,
        // `cargo run` builds one binary only; the helper's code is in ours too.
        helper: process::helper_program().ok().filter(|helper| helper.is_file()),
        worker: Worker::new("demo"),
    };

    let mut told = Told::new();
    let played = tokio::select! {
        played = stage.play(&issuer) => match played {
            Ok(()) if args.keep => stage.invite(&issuer),
            other => other,
        },
        () = told.heard() => Err(Error::unavailable("told to end before the demo was over")),
    };
    if played.is_ok() && args.keep {
        told.heard().await;
    }
    // Whatever happened, no daemon stays behind.
    let _ = stage.command(&["stop"], None).await;
    issuer.stop().await;
    played
}

struct Stage {
    home: PathBuf,
    program: PathBuf,
    helper: Option<PathBuf>,
    worker: Worker,
}

impl Stage {
    /// What it takes to play: all of it opens this stand-in alone, which ends with us.
    fn invite(&self, issuer: &Standin) -> Result<(), Error> {
        let (home, program) = (self.home.display(), self.program.display());
        let (archive, urs) = (issuer.url(Standin::TEA), issuer.url(Standin::URS));
        print(&format!(
            "\nThe issuer and the daemon stay up until Ctrl-C. In another shell:\n  export VALETKEY_HOME={home}\n  \
             {program} status\nIts people: ada, password {PASSWORD}; access key {ACCESS_KEY}, secret {SECRET_KEY}\n\
             (Two wrong passwords within a second lock ada for good, as some directories do: end this and begin another.)\n\
             A second instance, with a config, a daemon and logins of its own:\n  \
             export VALETKEY_HOME=$(mktemp -d); echo 'keyring = \"file\"' >$VALETKEY_HOME/config.toml\n  \
             {program} add earthdata mine --endpoint {archive} --urs {urs} --login-set urs={urs}\n  \
             EARTHDATA_USERNAME=ada EARTHDATA_PASSWORD={PASSWORD} {program} login earthdata --from-env\n  {program} credentials mine\n"
        ))
    }

    async fn play(&self, issuer: &Standin) -> Result<(), Error> {
        self.write("config.toml", "keyring = \"file\"\n")?;
        for (profile, provider, path) in PROFILES {
            let (endpoint, gateway, urs) = (issuer.url(path), issuer.url(""), issuer.url(Standin::URS));
            let token_url = format!("token_url={}", issuer.url(Standin::TOKEN));
            let mut words = vec!["add", provider, profile];
            words.extend(match *provider {
                "sts" => {
                    let role = "arn:aws:iam::123456789012:role/uploader";
                    vec!["--endpoint", &endpoint, "--role-arn", role, "--bucket", "my-bucket"]
                }
                "cray" => vec!["--gateway", &gateway, "--login-set", &token_url, "--login-set", "username=ada"],
                _ => vec!["--endpoint", &endpoint, "--urs", &urs],
            });
            self.shown(&words, None).await?;
        }
        let token = issuer.mint_token("ada", 60 * 24 * 3600);
        self.shown(&["login", "earthdata", "--from-file", "-"], Some(token)).await?;
        self.shown(&["login", "keycloak", "--from-file", "-"], Some(PASSWORD.to_owned())).await?;
        let keys = format!(r#"{{"AccessKeyId":"{ACCESS_KEY}","SecretAccessKey":"{SECRET_KEY}"}}"#);
        self.shown(&["login", "aws", "--from-file", "-"], Some(keys)).await?;

        let mut rows = Vec::new();
        for (index, (profile, provider, path)) in PROFILES.iter().enumerate() {
            let before = issuer.count(path);
            // The last one is cold for a whole herd.
            let herd = if index + 1 == PROFILES.len() { HERD } else { 1 };
            let (cold, answers) = self.ask(profile, herd).await?;
            if answers.iter().any(|answer| *answer != answers[0]) {
                return Err(Error::protocol("the herd got different answers: a bug"));
            }
            let (warm, _) = self.ask(profile, 1).await?;
            if index == 0 {
                print(&format!("$ {} {profile}\n{}\n", helper::PROGRAM, answers[0]))?;
            }
            let expiration =
                serde_json::from_str::<serde_json::Value>(&answers[0]).unwrap_or_default()["Expiration"].clone();
            rows.push([
                (*profile).to_owned(),
                (*provider).to_owned(),
                if herd == 1 { "1".to_owned() } else { format!("{herd} at once") },
                milliseconds(cold),
                milliseconds(warm),
                (issuer.count(path) - before).to_string(),
                expiration.as_str().unwrap_or_default().to_owned(),
            ]);
        }
        let head = ["PROFILE", "PROVIDER", "HELPERS", "COLD", "WARM", "UPSTREAM CALLS", "EXPIRATION"];
        print(&columns(head, &rows))?;
        print(
            "(The first cold answer includes the daemon's start. Cold and warm are whole processes, exec to exit.)\n",
        )?;
        match self.helper {
            Some(_) => Ok(()),
            None => {
                print("(The helper's own binary is not built yet: its code ran out of this one, which costs more.)\n")
            }
        }
    }

    /// Runs a verb and shows it as a person would have typed it.
    async fn shown(&self, words: &[&str], input: Option<String>) -> Result<(), Error> {
        print(&format!("$ valetkey {}\n", words.join(" ")))?;
        let output = self.command(words, input).await?;
        print(&String::from_utf8_lossy(&output.stderr))?;
        if output.status.success() { print("\n") } else { Err(Error::protocol("the demo stopped at this command")) }
    }

    async fn command(&self, words: &[&str], input: Option<String>) -> Result<Output, Error> {
        let mut command = self.prepared(&self.program);
        command.args(words);
        let job = move || -> std::io::Result<Output> {
            let mut child = command.spawn()?;
            if let (Some(mut stdin), Some(text)) = (child.stdin.take(), input) {
                stdin.write_all(text.as_bytes())?;
            }
            child.wait_with_output()
        };
        self.run(job).await
    }

    /// Runs `count` helpers at once; how long it took, and what each printed.
    async fn ask(&self, profile: &str, count: usize) -> Result<(Duration, Vec<String>), Error> {
        let commands: Vec<Command> = (0..count)
            .map(|_| {
                let mut command = self.prepared(self.helper.as_ref().unwrap_or(&self.program));
                command.arg0(helper::PROGRAM).arg(profile);
                command
            })
            .collect();
        let started = tokio::time::Instant::now();
        let outputs = self.run(move || {
            let children: Vec<_> = commands.into_iter().map(|mut command| command.spawn()).collect::<Result<_, _>>()?;
            children.into_iter().map(|child| child.wait_with_output()).collect::<std::io::Result<Vec<Output>>>()
        });
        let outputs = outputs.await?;
        let took = started.elapsed();
        if let Some(failed) = outputs.iter().find(|output| !output.status.success()) {
            print(&String::from_utf8_lossy(&failed.stderr))?;
            return Err(Error::protocol(format!("a helper failed: {}", failed.status)));
        }
        Ok((
            took,
            outputs.into_iter().map(|output| String::from_utf8_lossy(&output.stdout).trim_end().to_owned()).collect(),
        ))
    }

    /// A program of ours in the demo's place, with nothing of the user's but PATH.
    fn prepared(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("VALETKEY_HOME", &self.home).env("HOME", &self.home).env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// On a thread of its own: the issuer answers on this one.
    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let done =
            self.worker.run(LIMIT, job).await.map_err(|_| Error::unavailable("the demo took longer than a minute"))?;
        done.map_err(|error| {
            Error::configuration(format!("cannot run {}: {error}", self.program.display()), "build it anew")
        })
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        crate::system::config_file::write(&Path::new(&self.home).join(name), text, 0o600)
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
