//! Where our files are: config and state by the platform's rules, or all of them below `VALETKEY_HOME`.

use crate::error::Error;
use crate::wire::Surroundings;
use directories::BaseDirs;
use std::path::{Path, PathBuf};

/// Every place of ours but the socket's, which `wire` computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    pub config_file: PathBuf,
    /// Cache, locks, failures, and the sealed logins of the tiers that keep them in files.
    pub state: PathBuf,
    pub home: PathBuf,
}

impl Paths {
    pub fn find(surroundings: &Surroundings) -> Result<Paths, Error> {
        let base = BaseDirs::new();
        let home = base.as_ref().map(|base| base.home_dir().to_owned());
        if let Some(own) = &surroundings.valetkey_home {
            let own = Path::new(own);
            if !own.is_absolute() {
                return Err(Error::configuration(
                    "VALETKEY_HOME is not an absolute path",
                    "set it to a path that begins with /",
                ));
            }
            let home = home.unwrap_or_else(|| own.to_owned());
            return Ok(Paths { config_file: own.join("config.toml"), state: own.join("state"), home });
        }
        let (Some(base), Some(home)) = (base, home) else {
            return Err(Error::configuration("there is no home directory", "set HOME, or VALETKEY_HOME"));
        };
        let state = surroundings.state_base().map_err(|error| Error::configuration(error.message, error.hint))?;
        Ok(Paths { config_file: base.config_dir().join("valetkey/config.toml"), state: state.join("valetkey"), home })
    }
}

/// The socket's path, or why there is none.
pub fn socket(surroundings: &Surroundings) -> Result<PathBuf, Error> {
    surroundings.socket_path().map_err(|error| Error::configuration(error.message, error.hint))
}
