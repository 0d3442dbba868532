//! The stand-in issuer as tests use it, and a place that is signed in there.

use super::{COMMAND, Place, stderr};
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;
use valetkey::standin::Standin;

/// A signed-in place with the profile `podaac`, below the lines `head` of the config.
pub(crate) fn signed_in(head: &str) -> (Issuer, Place) {
    let (issuer, place) = (Issuer::start(), Place::new());
    place.configure(&issuer.earthdata_config(head));
    // Untried: the first request to the issuer is the test's.
    let mut login = place.program(COMMAND);
    login.args(["login", "earthdata", "--untested", "--from-file", "-"]).stdin(Stdio::piped());
    let mut login = login.spawn().unwrap();
    login.stdin.take().unwrap().write_all(issuer.standin.mint_token("ada", 60 * 24 * 3600).as_bytes()).unwrap();
    let done = login.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", stderr(&done));
    (issuer, place)
}

/// The stand-in issuer on a thread and a runtime of its own, so that tests can block.
pub(crate) struct Issuer {
    pub(crate) standin: Standin,
    runtime: tokio::runtime::Runtime,
}

impl Issuer {
    pub(crate) fn start() -> Issuer {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let standin = runtime.block_on(Standin::start()).unwrap();
        Issuer { standin, runtime }
    }

    /// Another issuer, for the same people.
    pub(crate) fn beside(&self) -> Standin {
        self.runtime.block_on(self.standin.start_beside()).unwrap()
    }

    /// Waits, for as long as a test may take, until `count` requests for `path` have come.
    #[track_caller]
    pub(crate) fn wait_for(&self, path: &str, count: usize) {
        let come = async { tokio::time::timeout(Duration::from_secs(30), self.standin.wait_for(path, count)).await };
        assert!(self.runtime.block_on(come).is_ok(), "waiting for request {count} of {path}");
    }

    /// Ends it: from now on its port refuses connections.
    pub(crate) fn stop(&self) {
        self.runtime.block_on(self.standin.clone().stop());
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
