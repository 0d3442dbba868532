//! What most verbs need: where things are, the config, the outside. Composed once.

use crate::broker::{Broker, Manner};
use crate::config::Config;
use crate::daemon::Client;
use crate::error::Error;
use crate::ports::Outside;
use crate::system::clock::SystemClock;
use crate::system::config_file;
use crate::system::environment::ProcessEnvironment;
use crate::system::http::Network;
use crate::system::keyring::OsKeyring;
use crate::system::paths::{self, Paths};
use crate::wire::Surroundings;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long a keyring may take: with nobody there, and with a person who may have to unlock it.
pub(super) const UNATTENDED: Duration = Duration::from_secs(2);
pub(super) const ATTENDED: Duration = Duration::from_secs(60);
/// For one request to the daemon: longer than any waiter waits there.
const ANSWER: Duration = Duration::from_secs(19);

#[derive(Debug)]
pub(super) struct Context {
    pub(super) surroundings: Surroundings,
    pub(super) paths: Paths,
}

impl Context {
    pub(super) fn new() -> Result<Context, Error> {
        let surroundings = Surroundings::of_this_process();
        let paths = Paths::find(&surroundings)?;
        Ok(Context { surroundings, paths })
    }

    pub(super) fn config(&self) -> Result<Config, Error> {
        config_file::read(&self.paths.config_file, &self.paths.home)
    }

    pub(super) fn socket(&self) -> Result<PathBuf, Error> {
        paths::socket(&self.surroundings)
    }

    pub(super) fn client(&self) -> Result<Client, Error> {
        Ok(Client::new(&self.socket()?, ANSWER))
    }

    /// For a request that follows on what took `already`: both together stay within an SDK's patience.
    pub(super) fn client_within(&self, already: Duration) -> Result<Client, Error> {
        Ok(Client::new(&self.socket()?, ANSWER.saturating_sub(already).max(Duration::from_secs(2))))
    }

    pub(super) fn keyring(&self, config: &Config, limit: Duration) -> Arc<OsKeyring> {
        Arc::new(OsKeyring::new(self.paths.state.clone(), config.keyring, limit))
    }

    pub(super) fn outside(&self, keyring: Arc<OsKeyring>) -> Outside {
        Outside {
            clock: Arc::new(SystemClock::new()),
            http: Arc::new(Network::default()),
            keyring,
            environment: Arc::new(ProcessEnvironment::new(self.paths.home.clone())),
        }
    }

    /// A broker of this process's own.
    pub(super) fn broker(&self, config: Config, manner: Manner) -> Broker {
        let keyring = self.keyring(&config, UNATTENDED);
        Broker::new(self.outside(keyring), &self.paths.state, config, manner)
    }
}
