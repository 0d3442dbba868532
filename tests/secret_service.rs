//! The desktop tier against a real gnome-keyring on a D-Bus of its own: unlocked, locked, stopped, killed.
//!
//! The environment selects the bus, so this program runs itself once more under `dbus-run-session`.
//! Needs gnome-keyring, dbus and gdbus; where they are missing this is skipped, but not in CI.

#![cfg(feature = "agent")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test of the outside starts programs, waits, panics

use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use valetkey::error::{Error, Remedy};
use valetkey::files::PrivateDir;
use valetkey::ports::{Keyring, Tier};
use valetkey::secret::Secret;
use valetkey::system::keyring::OsKeyring;

const HOME: &str = "VALETKEY_TEST_KEYRING_HOME";
/// What the daemon and one-shots grant.
const LIMIT: Duration = Duration::from_secs(2);
/// No service is started by name on this bus: who is killed stays dead.
const BUS: &str = r#"<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"#;

/// A gnome-keyring-daemon of this test's own, ended with it.
struct Daemon(Child);

impl Daemon {
    fn start(password: Option<&str>) -> Daemon {
        let mut command = Command::new("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]).args(password.map(|_| "--unlock"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(password.unwrap_or_default().as_bytes()).unwrap();
        Daemon(child)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until the keyring describes itself with `word`.
async fn until(keyring: &OsKeyring, word: &str) {
    let started = Instant::now();
    loop {
        match keyring.describe().await {
            Ok(text) if text.contains(word) => return,
            other => assert!(started.elapsed() < Duration::from_secs(20), "waiting for {word:?}: {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn lock_collection() {
    let collections = "['/org/freedesktop/secrets/collection/login']";
    let gdbus = ["call", "--session", "--dest=org.freedesktop.secrets", "--object-path=/org/freedesktop/secrets"];
    let method = ["--method=org.freedesktop.Secret.Service.Lock", collections];
    assert!(Command::new("gdbus").args(gdbus).args(method).stdout(Stdio::null()).status().unwrap().success());
}

fn collections(home: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(home.join("data/keyrings")).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".keyring")).collect()
}

/// The part under the bus. In the order of a bad day.
#[test]
#[ignore = "run by the test below, under a bus of its own"]
fn under_a_bus_of_its_own() {
    let Some(home) = std::env::var_os(HOME).map(PathBuf::from) else { return };
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(a_bad_day(&home));
}

async fn a_bad_day(home: &Path) {
    let state = home.join("state");
    let keyring = OsKeyring::new(state.clone(), None, LIMIT);
    let secret = Secret::new("marker-of-a-login");

    // A bus without a service, then a service without a collection: a file would be used, and nothing is made.
    until(&keyring, "file (").await;
    {
        let _locked_out = Daemon::start(None);
        let service = OsKeyring::new(state.clone(), Some(Tier::Service), LIMIT);
        until(&service, "no default collection").await;
        assert!(matches!(service.store("a", &secret).await, Err(Error::Unavailable { .. })));
        until(&keyring, "file (").await;
    }
    assert!(!state.exists());
    assert!(collections(home).is_empty(), "no collection was made");

    // The same process finds the desktop once it is there.
    let daemon = Daemon::start(Some("pw"));
    until(&keyring, "service (Secret Service, unlocked), not pinned").await;
    assert_eq!(collections(home), ["login.keyring"], "this is where one would be");
    assert_eq!(keyring.load("a").await.unwrap(), None);
    keyring.store("a", &Secret::new("old")).await.unwrap();
    assert_eq!(keyring.pinned_now().unwrap(), "logins rest in the desktop keyring (it is unlocked)");
    keyring.store("a", &secret).await.unwrap();
    assert_eq!(keyring.load("a").await.unwrap(), Some(secret.clone()));
    assert_eq!(keyring.key(false).await.unwrap(), None);
    let key = keyring.key(true).await.unwrap().unwrap();
    assert!(keyring.key(true).await.unwrap() == Some(key));
    keyring.store("b", &secret).await.unwrap();
    keyring.delete("b").await.unwrap();
    keyring.delete("b").await.unwrap();
    assert_eq!(keyring.load("b").await.unwrap(), None);
    let other = OsKeyring::new(home.join("other"), Some(Tier::Service), LIMIT);
    assert_eq!(other.load("a").await.unwrap(), None, "a second instance sees nothing of the first");
    assert!(!state.join("key").exists() && !state.join("logins").exists(), "nothing but the pin rests in files");

    lock_collection();
    let started = Instant::now();
    for error in [
        keyring.load("a").await.err(),
        keyring.store("a", &secret).await.err(),
        keyring.delete("a").await.err(),
        keyring.key(true).await.err(),
    ] {
        let locked = matches!(error, Some(Error::LoginRequired { remedy: Remedy::UnlockKeyring, .. }));
        assert!(locked, "F16 locked: {error:?}");
    }
    assert!(started.elapsed() < LIMIT, "nobody waited for a dialog");
    until(&keyring, "service (Secret Service, locked), pinned").await;

    // Stopped, four times: were threads lost, the fourth would be refused at once and for ever.
    daemon.signal(Signal::STOP);
    for _ in 0..4 {
        let started = Instant::now();
        let error = keyring.key(true).await.unwrap_err();
        assert_eq!(error.to_string(), "the keyring did not answer within 2 s", "F16 hung");
        assert!(started.elapsed() < LIMIT + Duration::from_secs(1));
    }
    daemon.signal(Signal::CONT);
    until(&keyring, "locked").await;

    // Killed in the middle of a call.
    daemon.signal(Signal::STOP);
    let (killed, ()) = tokio::join!(keyring.load("a"), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        daemon.signal(Signal::KILL);
    });
    assert!(matches!(killed, Err(Error::Unavailable { .. })), "F16 killed: {killed:?}");
    drop(daemon);
    let gone = keyring.load("a").await;
    assert!(matches!(gone, Err(Error::Unavailable { .. })), "pinned: no file instead: {gone:?}");
    assert!(!state.join("key").exists());

    let _again = Daemon::start(Some("pw"));
    until(&keyring, "service (Secret Service, unlocked), pinned").await;
    assert_eq!(keyring.load("a").await.unwrap(), Some(secret));
}

#[test]
fn f16_s22_a_desktop_keyring_may_be_absent_locked_hung_or_killed() {
    let there = |program: &&str| {
        Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    let missing: Vec<_> =
        ["dbus-run-session", "gnome-keyring-daemon", "gdbus"].into_iter().filter(|p| !there(p)).collect();
    if !missing.is_empty() {
        println!("skipped: not installed: {}", missing.join(", "));
        assert!(std::env::var_os("CI").is_none(), "in CI these must be installed: {missing:?}");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("bus.conf"), BUS).unwrap();
    let mut command = Command::new("dbus-run-session");
    command.arg("--config-file").arg(home.path().join("bus.conf")).arg("--").arg(std::env::current_exe().unwrap());
    command.args(["--exact", "under_a_bus_of_its_own", "--ignored", "--nocapture"]);
    for (name, place) in [("HOME", ""), ("XDG_DATA_HOME", "data"), ("XDG_RUNTIME_DIR", "run"), (HOME, "")] {
        let place = home.path().join(place);
        PrivateDir::open(&place).unwrap();
        command.env(name, place);
    }
    for name in ["DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        command.env_remove(name);
    }
    assert!(command.status().unwrap().success());
}
