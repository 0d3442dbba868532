//! The user units: what they promise is written in them, systemd has nothing to say against them, and the daemon serves
//! a socket that it is handed.

#![cfg(feature = "agent")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test of the outside starts programs, waits, panics

mod common;

use common::{COMMAND, HELPER, Issuer, Place, credentials, peers};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use valetkey::standin::Standin;
use valetkey::wire::Surroundings;

const SOCKET: &str = include_str!("../systemd/valetkey.socket");
const SERVICE: &str = include_str!("../systemd/valetkey.service");

/// The values of `key` in `[section]` of a unit.
fn values<'a>(unit: &'a str, section: &str, key: &str) -> Vec<&'a str> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in unit.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name == section;
        } else if let Some((name, value)) = line.split_once('=')
            && inside
            && name == key
        {
            found.push(value);
        }
    }
    found
}

#[test]
fn s16_the_service_is_confined_and_comes_back_for_ever() {
    assert_eq!(values(SERVICE, "Unit", "StartLimitIntervalSec"), ["0"]);
    for (key, value) in [
        ("Type", "notify"),
        ("RestartSec", "1"),
        ("TimeoutStopSec", "60"),
        ("NoNewPrivileges", "yes"),
        ("LockPersonality", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictRealtime", "yes"),
        ("RestrictSUIDSGID", "yes"),
        ("RestrictNamespaces", "yes"),
        ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),
        ("SystemCallFilter", "@system-service"),
        ("UMask", "0077"),
        ("LimitCORE", "0"),
    ] {
        assert_eq!(values(SERVICE, "Service", key), [value], "{key}");
    }
}

#[test]
fn s16_the_socket_is_private_and_outlives_a_crash_loop() {
    for (key, value) in [("SocketMode", "0600"), ("DirectoryMode", "0700"), ("TriggerLimitIntervalSec", "0")] {
        assert_eq!(values(SOCKET, "Socket", key), [value], "{key}");
    }
}

#[test]
fn s02_the_unit_listens_where_helper_and_command_look() {
    let place = Place::new();
    let runtime = private(&place, "runtime");
    let around = Surroundings {
        valetkey_socket: None,
        valetkey_home: None,
        xdg_runtime_dir: Some(runtime.clone().into()),
        xdg_state_home: None,
        home: None,
        uid: rustix::process::getuid().as_raw(),
        run_user: PathBuf::from("/nowhere"),
    };
    let listens = values(SOCKET, "Socket", "ListenStream")[0].replace("%t", runtime.to_str().unwrap());
    assert_eq!(around.socket_path().unwrap(), Path::new(&listens));
}

#[test]
fn systemd_has_nothing_to_say_against_the_units() {
    let Some(found) = peers::installed(&["systemd-analyze"]) else { return };
    let place = Place::new();
    let (units, bin) = (place.path().join("units"), place.path().join(".local/bin"));
    std::fs::create_dir_all(&units).unwrap();
    std::fs::create_dir_all(&bin).unwrap();
    symlink(COMMAND, bin.join("valetkey")).unwrap();
    let files = [("valetkey.socket", SOCKET), ("valetkey.service", SERVICE)].map(|(name, text)| {
        std::fs::write(units.join(name), text).unwrap();
        units.join(name)
    });
    let mut verify = place.program(found[0].to_str().unwrap());
    verify.args(["verify", "--user", "--man=no"]).args(files).env("XDG_RUNTIME_DIR", place.path());
    let verdict = verify.output().unwrap();
    // Unknown keys are warnings: the exit code alone would not tell.
    assert_eq!((common::stderr(&verdict).as_str(), verdict.status.code()), ("", Some(0)));
}

/// The daemon behind `systemd-socket-activate`, which plays the service manager.
struct Service {
    child: Child,
    socket: PathBuf,
    notices: UnixDatagram,
}

impl Service {
    fn start(activate: &Path, place: &Place, socket: PathBuf, variables: &[(&str, &Path)]) -> Service {
        std::fs::DirBuilder::new().mode(0o700).recursive(true).create(socket.parent().unwrap()).unwrap();
        let notified = place.path().join("notify");
        let notices = UnixDatagram::bind(&notified).unwrap();
        notices.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut command = Command::new(activate);
        command.env_clear().stdin(Stdio::null()).stderr(Stdio::piped()).arg("--listen").arg(&socket);
        for (name, value) in variables.iter().chain(&[("NOTIFY_SOCKET", notified.as_path())]) {
            command.arg("-E").arg(format!("{name}={}", value.display()));
        }
        let mut child = command.args([COMMAND, "daemon"]).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert!(line.starts_with("Listening on"), "{line}");
        // The daemon's log goes there too: a pipe without a reader would end it.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Service { child, socket, notices }
    }

    fn notice(&self) -> String {
        let mut bytes = [0; 256];
        let length = self.notices.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
    }

    /// Ends it as systemd does.
    fn end(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn s11_a_socket_that_is_handed_over_is_served_announced_and_left_in_place() {
    let Some(found) = peers::installed(&["systemd-socket-activate"]) else { return };
    let (issuer, place) = (Issuer::start(), Place::new());
    place.configure(&issuer.earthdata_config("keyring = \"file\"\nautostart = false"));
    let signed_in = place.login("earthdata", &issuer.standin.mint_token("ada", 3600));
    assert!(signed_in.status.success(), "{}", common::stderr(&signed_in));
    let asked = issuer.standin.count(Standin::TEA);

    let variables = [("VALETKEY_HOME", place.path()), ("HOME", place.path())];
    let mut service = Service::start(&found[0], &place, place.socket(), &variables);
    let cold = credentials(&place.helper("podaac"));
    assert_eq!(credentials(&place.helper("podaac")), cold);
    assert_eq!(issuer.standin.count(Standin::TEA), asked + 1);
    assert_eq!(place.daemons(), [i32::try_from(service.child.id()).unwrap()], "the one that was activated");
    assert_eq!(service.notice(), "READY=1");

    service.end();
    assert_eq!(service.notice(), "STOPPING=1");
    assert!(service.socket.exists(), "it is the service manager's");
}

#[test]
fn a_service_that_runs_before_there_is_a_config_takes_in_the_first_one() {
    let Some(found) = peers::installed(&["systemd-socket-activate"]) else { return };
    let place = Place::new();
    let (home, runtime) = (place.path().join("home"), private(&place, "runtime"));
    let variables = [("HOME", home.as_path()), ("XDG_RUNTIME_DIR", runtime.as_path())];
    let mut service = Service::start(&found[0], &place, runtime.join("valetkey/valetkey.sock"), &variables);
    let helper = || {
        let mut helper = place.program(HELPER);
        helper.env_remove("VALETKEY_HOME").envs(variables).arg("podaac").output().unwrap()
    };
    let unknown = helper();
    assert!(common::stderr(&unknown).contains("no profile podaac"), "{}", common::stderr(&unknown));

    let config = home.join(".config/valetkey");
    std::fs::create_dir_all(&config).unwrap();
    let text =
        "keyring = \"file\"\n[profiles.podaac]\nprovider = \"earthdata\"\nendpoint = \"https://127.0.0.1:1/x\"\n";
    std::fs::write(config.join("config.toml"), text).unwrap();
    let known = helper();
    assert_eq!(known.status.code(), Some(3), "not signed in yet: {}", common::stderr(&known));
    service.end();
}

/// A directory of mode 0700.
fn private(place: &Place, name: &str) -> PathBuf {
    let path = place.path().join(name);
    std::fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
    path
}
