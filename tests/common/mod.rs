//! A place of a test's own: issuer, config, state and socket apart from everyone's, programs as cargo built them.
// Each test file uses its part of this.
#![allow(dead_code, unreachable_pub, clippy::disallowed_methods, clippy::unwrap_used)]

pub mod peers;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use valetkey::standin::Standin;

pub(crate) const COMMAND: &str = env!("CARGO_BIN_EXE_valetkey");
pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_valetkey-credential-process");

/// `VALETKEY_HOME` in a temporary directory. Its daemon is ended, and the directory removed, at the test's end.
pub(crate) struct Place {
    pub home: tempfile::TempDir,
    /// Added to the environment of every program; else there is HOME and PATH alone.
    pub environment: Vec<(String, String)>,
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
        use std::os::unix::fs::PermissionsExt;
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

    /// As many helpers at once; what each of them came to.
    pub(crate) fn herd(&self, profile: &str, count: usize) -> Vec<Output> {
        let children: Vec<Child> = (0..count).map(|_| self.start_helper(profile)).collect();
        children.into_iter().map(|child| child.wait_with_output().unwrap()).collect()
    }

    /// Processes of this place's daemon.
    pub(crate) fn daemons(&self) -> Vec<i32> {
        let marker = format!("VALETKEY_HOME={}", self.path().display());
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
            let argv = read("cmdline");
            let is_daemon = argv.split(|b| *b == 0).nth(1) == Some(b"daemon");
            let here = read("environ").split(|b| *b == 0).any(|variable| variable == marker.as_bytes());
            if is_daemon && here {
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

/// The stand-in issuer on a thread and a runtime of its own, so that tests can block.
pub(crate) struct Issuer {
    pub standin: Standin,
    runtime: tokio::runtime::Runtime,
}

impl Issuer {
    pub(crate) fn start() -> Issuer {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let standin = runtime.block_on(Standin::start()).unwrap();
        Issuer { standin, runtime }
    }

    /// Waits, for as long as a test may take, until `count` requests for `path` have come.
    pub(crate) fn wait_for(&self, path: &str, count: usize) {
        self.runtime.block_on(self.standin.wait_for(path, count));
    }

    /// A config with the profile `podaac` at TEA, and whatever lines stand before it.
    pub(crate) fn earthdata_config(&self, head: &str) -> String {
        format!(
            "{head}\n[logins.earthdata]\nkind = \"earthdata\"\n\n[profiles.podaac]\nprovider = \"earthdata\"\nendpoint = \"{}\"\nurs = \"{}\"\nlogin = \"earthdata\"\n",
            self.standin.url(Standin::TEA),
            self.standin.url(Standin::URS)
        )
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
