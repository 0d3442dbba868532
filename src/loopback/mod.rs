//! Credentials over HTTP on this machine, for programs that cannot run a process: what the daemon, `exec` and
//! `localserver` listen with. Off until asked for.
//!
//! A connection is of our own uid or is closed without a byte; a request passes the guard before anything is looked up;
//! what is answered comes from whoever listens. One request a connection: SDKs ask once in a quarter of an hour.

mod address;
mod guard;
mod reply;
mod server;
mod token;

pub use address::{Allow, refused};
pub use guard::{Guard, Refused};
pub use reply::container_error;
pub use server::{Answer, Answers, Server, UidOf};
pub use token::Token;

use std::time::Duration;

/// Some SDKs give up after a second: what they are told is told before that.
pub const HURRY: Duration = Duration::from_millis(800);
