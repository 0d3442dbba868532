//! A place of a test's own: issuer, config, state and socket apart from everyone's, programs as cargo built them.
#![allow(dead_code, unused_imports, clippy::unwrap_used, clippy::disallowed_methods)] // Each test file uses its part of this.

pub(crate) mod desktop;
pub(crate) mod http;
mod issuer;
pub(crate) mod moto;
pub(crate) mod peers;
mod running;
pub(crate) mod small_disk;
pub(crate) mod trace;
mod wait;

pub(crate) use issuer::{Issuer, signed_in};
pub(crate) use running::Daemon;
pub(crate) use wait::{connections, has_a_flight, until, within};

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

pub(crate) const COMMAND: &str = env!("CARGO_BIN_EXE_valetkey");
pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_valetkey-credential-process");

/// `VALETKEY_HOME` in a temporary directory. Its daemon is ended, and the directory removed, at the test's end.
pub(crate) struct Place {
    pub(crate) home: tempfile::TempDir,
    /// Added to the environment of every program; else there is HOME and PATH alone.
    pub(crate) environment: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn new() -> Place {
        // Short: a socket's path has 107 bytes.
        let home = tempfile::Builder::new().prefix("vk-").tempdir_in("/tmp").unwrap();
        Place { home, environment: Vec::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.path().join("config.toml")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path().join("run/valetkey.sock")
    }

    pub(crate) fn configure(&self, text: &str) {
        std::fs::write(self.config_file(), text).unwrap();
        std::fs::set_permissions(self.config_file(), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("VALETKEY_HOME", self.path()).env("HOME", self.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// `valetkey WORDS..`
    pub(crate) fn command(&self, words: &[&str]) -> Output {
        self.program(COMMAND).args(words).output().unwrap()
    }

    /// A verb that must succeed; its standard output.
    pub(crate) fn ok(&self, words: &[&str]) -> String {
        let output = self.command(words);
        assert!(output.status.success(), "{words:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// `valetkey status --json`
    pub(crate) fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.ok(&["status", "--json"])).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("state/daemon.log")).unwrap_or_default()
    }

    /// `valetkey login NAME`, the secret on standard input.
    pub(crate) fn login(&self, name: &str, secret: &str) -> Output {
        let mut command = self.program(COMMAND);
        command.args(["login", name, "--from-file", "-"]).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    pub(crate) fn helper(&self, profile: &str) -> Output {
        self.start_helper(profile).wait_with_output().unwrap()
    }

    pub(crate) fn start_helper(&self, profile: &str) -> Child {
        self.program(HELPER).arg(profile).spawn().unwrap()
    }

    /// A daemon that answers already, as a command would have started it.
    pub(crate) fn start_daemon(&self) -> Daemon {
        Daemon::start(self.program(COMMAND))
    }

    /// The failures in a row that are on record for `podaac` or its login.
    pub(crate) fn failures(&self) -> u64 {
        let files =
            ["profile.podaac.json", "login.earthdata.json"].map(|name| self.path().join("state/failures").join(name));
        let read =
            |file| serde_json::from_slice::<serde_json::Value>(&std::fs::read(file).ok()?).ok()?["attempts"].as_u64();
        files.into_iter().filter_map(read).sum()
    }

    /// As many helpers at once; what each of them came to.
    pub(crate) fn herd(&self, profile: &str, count: usize) -> Vec<Output> {
        let children: Vec<Child> = (0..count).map(|_| self.start_helper(profile)).collect();
        children.into_iter().map(|child| child.wait_with_output().unwrap()).collect()
    }

    /// Processes of this place's daemon.
    pub(crate) fn daemons(&self) -> Vec<i32> {
        let marker = format!("VALETKEY_HOME={}", self.path().display());
        let listening = std::os::unix::net::UnixStream::connect(self.socket())
            .ok()
            .and_then(|stream| rustix::net::sockopt::socket_peercred(&stream).ok())
            .map(|peer| peer.pid.as_raw_nonzero().get());
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
            let argv = read("cmdline");
            let is_daemon = argv.split(|b| *b == 0).nth(1) == Some(b"daemon");
            // Only root may look into a daemon that cannot be dumped; who is not asks the socket below.
            let here = read("environ").split(|b| *b == 0).any(|variable| variable == marker.as_bytes());
            if is_daemon && (here || Some(pid) == listening) {
                found.push(pid);
            }
        }
        found
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.program(COMMAND).arg("stop").output();
        for pid in self.daemons() {
            if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

/// The output's standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The credentials on the output, which must be a success with a silent standard error.
pub(crate) fn credentials(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}: {}", output.status, stderr(output));
    assert_eq!(stderr(output), "", "a success is silent");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The one set of credentials that all of them got.
pub(crate) fn same_credentials(outputs: &[Output]) -> serde_json::Value {
    let first = credentials(&outputs[0]);
    for output in outputs {
        assert_eq!(credentials(output), first);
    }
    first
}

/// The two lines of an error with this exit code, on a silent standard output.
#[track_caller]
pub(crate) fn refused(output: &Output, code: i32) -> String {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let lines: Vec<&str> = said.lines().collect();
    let two = matches!(lines.as_slice(), [error, hint] if error.starts_with("valetkey: error: ") && hint.starts_with("hint: "));
    assert!(two && said.ends_with('\n') && said.len() <= 2048, "two lines: {said:?}");
    assert!(lines.iter().all(|line| line.len() > 20), "both say something: {said:?}");
    said
}

/// Skips the rest of a test, which in CI is a failure.
pub(crate) fn skip(why: &str) {
    println!("skipped: {why}");
    assert!(std::env::var_os("CI").is_none(), "in CI this must be possible: {why}");
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// All that a child writes on its standard output until every holder of the pipe has closed it.
pub(crate) fn read_to_end(child: &mut Child) -> String {
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

pub(crate) fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
