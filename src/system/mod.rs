//! The real outside: clock, network, environment, terminal, files, processes. Nothing else of ours touches them.

pub mod clock;
pub mod config_file;
pub mod environment;
pub mod http;
mod inherited;
pub mod keyring;
mod ownership;
mod passed_on;
pub mod paths;
pub mod peer;
pub mod process;
mod program;
pub mod prompt;
mod reading;
pub mod signals;
pub mod watch;
