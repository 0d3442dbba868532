//! Faults of the machine below real processes: its disk, its names, its limits, its clocks and the programs around us.
//! The whole list is `docs/faults.md`.

#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod clients;
#[path = "../common/mod.rs"]
mod common;
mod descriptors;
mod disk;
mod dns;
mod homes;
mod kills;
mod locale;
mod processes;
mod upgrade;

const FILE: &str = "keyring = \"file\"";
const NO_DAEMON: &str = "keyring = \"file\"\nautostart = false";

/// A daemon of `command`, in the foreground, once its socket takes connections.
fn daemon_of(place: &common::Place, mut command: std::process::Command) -> Foreground {
    let log = std::fs::File::create(place.path().join("log")).unwrap();
    let daemon = command.arg("daemon").stdout(std::process::Stdio::null()).stderr(log).spawn().unwrap();
    let running = Foreground(daemon);
    common::until("the daemon", || std::os::unix::net::UnixStream::connect(place.socket()).is_ok());
    running
}

/// Ended with the test, as is what it traces.
struct Foreground(std::process::Child);

impl Foreground {
    /// The child, told to end by `valetkey stop`.
    fn stop(mut self, place: &common::Place) {
        place.ok(&["stop"]);
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the daemon of [`daemon_of`] has said.
fn log(place: &common::Place) -> String {
    std::fs::read_to_string(place.path().join("log")).unwrap_or_default()
}
