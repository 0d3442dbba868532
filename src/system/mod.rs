//! The real outside: clock, network, environment, terminal, files. Nothing else of ours touches them.

pub mod clock;
pub mod config_file;
pub mod environment;
pub mod http;
pub mod paths;
pub mod prompt;
