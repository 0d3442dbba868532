//! A gnome-keyring on a D-Bus of a test's own. The environment selects the bus, so a test runs itself once more below it.

use super::until;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Set for the part of a test that runs under the bus: its home.
pub(crate) const HOME: &str = "VALETKEY_TEST_KEYRING_HOME";
/// No service is started by name on this bus: who is killed stays dead.
const BUS: &str = r#"<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"#;
const SERVICE: [&str; 4] =
    ["call", "--session", "--dest=org.freedesktop.secrets", "--object-path=/org/freedesktop/secrets"];

/// A gnome-keyring-daemon of this test's own, ended with it.
pub(crate) struct Daemon(Child);

impl Daemon {
    pub(crate) fn start(password: Option<&str>) -> Daemon {
        let mut command = Command::new("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]).args(password.map(|_| "--unlock"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(password.unwrap_or_default().as_bytes()).unwrap();
        Daemon(child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn lock_collection() {
    let collections = "['/org/freedesktop/secrets/collection/login']";
    let method = ["--method=org.freedesktop.Secret.Service.Lock", collections];
    assert!(Command::new("gdbus").args(SERVICE).args(method).stdout(Stdio::null()).status().unwrap().success());
}

/// Waits until the service has its collection.
pub(crate) fn wait_for_collection() {
    let method = ["--method=org.freedesktop.Secret.Service.ReadAlias", "default"];
    until("the keyring's collection", || {
        let asked = Command::new("gdbus").args(SERVICE).args(method).stderr(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&asked.stdout).contains("/collection/")
    });
}

/// Runs the ignored test `name` of this program under a bus of its own; a skip where the desktop's parts are missing.
pub(crate) fn run_under_a_bus(name: &str) {
    let there = |program: &&str| {
        Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    let missing: Vec<_> =
        ["dbus-run-session", "gnome-keyring-daemon", "gdbus"].into_iter().filter(|p| !there(p)).collect();
    if !missing.is_empty() {
        return super::skip(&format!("not installed: {}", missing.join(", ")));
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("bus.conf"), BUS).unwrap();
    let mut command = Command::new("dbus-run-session");
    command.arg("--config-file").arg(home.path().join("bus.conf")).arg("--").arg(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture"]);
    for (variable, place) in [("HOME", ""), ("XDG_DATA_HOME", "data"), ("XDG_RUNTIME_DIR", "run"), (HOME, "")] {
        let place = home.path().join(place);
        make_private(&place);
        command.env(variable, place);
    }
    for name in ["DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        command.env_remove(name);
    }
    assert!(command.status().unwrap().success());
}

fn make_private(path: &Path) {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).unwrap();
}
