//! Ada's session at Keycloak, which ends when an old refresh token is shown again, and a place that is signed in to it.

use crate::common::{COMMAND, Daemon, HELPER, Issuer, Place, refused, stderr, until};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use valetkey::broker::StoredLogin;
use valetkey::ports::{Keyring, Tier};
use valetkey::standin::{Behaviour, Gate, Logged, Standin};
use valetkey::system::keyring::OsKeyring;

/// A session, by a password that is spent at once.
pub(crate) const OFFLINE: &str = "username = \"ada\"\nscope = \"offline_access\"";
pub(crate) const PASSWORD: &str = "p&w+%";
/// Signed in with by nobody yet: one-shots only, unless a test starts a daemon.
pub(crate) const ALONE: &str = "keyring = \"file\"\nautostart = false";

/// Profiles `p0` to `p9` at HPE Cray and `web` at STS, all of the login `shasta`.
pub(crate) struct Rig {
    pub(crate) place: Place,
    pub(crate) issuer: Issuer,
}

impl Rig {
    /// Signed in, and nothing asked since.
    pub(crate) fn new() -> Rig {
        let rig = Rig::at(Place::new(), ALONE, OFFLINE);
        rig.sign_in();
        rig
    }

    /// Nobody is signed in yet.
    pub(crate) fn at(place: Place, head: &str, login: &str) -> Rig {
        let issuer = Issuer::start();
        issuer.standin.add_user("ada", PASSWORD);
        let url = |path| issuer.standin.url(path);
        let mut text =
            format!("{head}\n[logins.shasta]\nkind = \"keycloak\"\ntoken_url = \"{}\"\n", url(Standin::TOKEN));
        text += &format!("{login}\n");
        for number in 0..10 {
            text +=
                &format!("[profiles.p{number}]\nprovider = \"cray\"\nlogin = \"shasta\"\ngateway = \"{}\"\n", url(""));
        }
        text += "[profiles.web]\nprovider = \"sts\"\noperation = \"web-identity\"\nlogin = \"shasta\"\n";
        text += &format!("role_arn = \"arn:aws:iam:::role/reader\"\nendpoint = \"{}\"\n", url(Standin::STS));
        place.configure(&text);
        Rig { place, issuer }
    }

    pub(crate) fn sign_in(&self) {
        let done = self.start_login(&["--untested"]).wait_with_output().unwrap();
        assert!(done.status.success(), "{}", stderr(&done));
    }

    /// `valetkey login shasta`, with the right password.
    pub(crate) fn start_login(&self, options: &[&str]) -> Child {
        let mut command = self.place.program(COMMAND);
        command.args(["login", "shasta", "--from-file", "-"]).args(options).stdin(Stdio::piped());
        let mut login = command.spawn().unwrap();
        login.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        login
    }

    // === Who asks ===

    /// A program that looks for its daemon at a socket of its own; state and config are everyone's.
    pub(crate) fn elsewhere(&self, program: &str) -> Command {
        let mut command = self.place.program(program);
        command.env("VALETKEY_SOCKET", self.other_socket());
        command
    }

    pub(crate) fn other_socket(&self) -> PathBuf {
        self.place.path().join("other/valetkey.sock")
    }

    pub(crate) fn second_daemon(&self) -> Daemon {
        Daemon::start(self.elsewhere(COMMAND))
    }

    /// A helper for each of `profiles`, here or elsewhere.
    pub(crate) fn helpers(&self, here: bool, profiles: std::ops::Range<usize>) -> Vec<Child> {
        let program = || if here { self.place.program(HELPER) } else { self.elsewhere(HELPER) };
        profiles.map(|number| program().arg(format!("p{number}")).spawn().unwrap()).collect()
    }

    /// A fresh token by a process of its own: one exchange, if nothing is stored.
    pub(crate) fn token(&self) -> Output {
        self.elsewhere(COMMAND).args(["token", "shasta"]).output().unwrap()
    }

    // === What became of it ===

    pub(crate) fn standin(&self) -> &Standin {
        &self.issuer.standin
    }

    /// Requests for tokens so far, in order.
    pub(crate) fn asked(&self) -> Vec<Logged> {
        let requests = self.standin().requests().into_iter();
        requests.filter(|request| request.path == Standin::TOKEN).collect()
    }

    /// The refresh tokens that were shown, in order.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.asked().iter().filter_map(|request| request.field("refresh_token")).collect()
    }

    /// So many exchanges were made, and no token was shown twice.
    #[track_caller]
    pub(crate) fn exchanged(&self, count: usize) {
        let shown = self.shown();
        assert_eq!(shown.len(), count, "exchanges");
        let different: std::collections::HashSet<_> = shown.iter().collect();
        assert_eq!(different.len(), count, "a refresh token was shown again");
    }

    /// The refresh token that the issuer takes next, of the session that was opened last.
    pub(crate) fn good(&self) -> Option<String> {
        self.standin().refresh_tokens().pop()
    }

    /// The refresh token that rests in the keyring of files.
    pub(crate) fn stored(&self) -> String {
        let keyring = OsKeyring::new(self.place.path().join("state"), Some(Tier::File), Duration::from_secs(20));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let entry = runtime.block_on(keyring.load("shasta")).unwrap().expect("a login");
        let login = StoredLogin::from_secret(&entry).expect("a whole login");
        let secret: serde_json::Value = serde_json::from_str(login.secret.expose()).unwrap();
        secret["refresh"].as_str().expect("a refresh token").to_owned()
    }

    /// The next exchange is held: done there at once, told to nobody until the gate is opened.
    pub(crate) fn withhold(&self) -> Gate {
        let gate = Gate::shut();
        self.standin().behave_once(Standin::TOKEN, Behaviour::Withheld { gate: gate.clone() });
        gate
    }

    /// Waits for the request after `before`, and for what it did at the issuer.
    #[track_caller]
    pub(crate) fn wait_for_exchange(&self, before: &str) {
        until("the exchange at the issuer", || self.good().is_some_and(|good| good != before));
    }

    /// Takes away what rests beside the keyring, which costs a round trip and no more.
    pub(crate) fn forget_access(&self) {
        for name in ["access", "cache"] {
            let _ = std::fs::remove_dir_all(self.place.path().join("state").join(name));
        }
    }

    /// The session is lost: said so after one request, with what mends it and why it may be; then without any.
    #[track_caller]
    pub(crate) fn told_of_the_loss(&self) {
        let before = self.asked().len();
        for _ in 0..2 {
            let said = refused(&self.token(), 3);
            assert!(said.contains("the session at 127.0.0.1 is over") && said.contains("cut off"), "{said}");
            assert!(said.contains("valetkey login shasta"), "{said}");
            assert_eq!(self.asked().len(), before + 1, "one request");
        }
    }
}

/// Whether all of them succeeded.
#[track_caller]
pub(crate) fn all_served(children: Vec<Child>) {
    for child in children {
        crate::common::credentials(&child.wait_with_output().unwrap());
    }
}

#[track_caller]
pub(crate) fn good(output: &Output) {
    assert!(output.status.success(), "{}: {}", output.status, stderr(output));
}
