//! valetkey: an ssh-agent for temporary S3 credentials.
//!
//! ```text
//! SDK ─exec→ helper ─Unix socket→ daemon → broker → login (who we are) → provider (who issues) ─HTTPS→ issuer
//!                                            │
//!                                            └→ cache (sealed, on disk)      keyring (logins, the cache's key)
//! ```
//!
//! In reading order, from the ground up:
//!
//! - [`wire`] and [`helper`]: what runs inside every SDK. std and rustix alone.
//! - [`secret`], [`error`], [`credentials`], [`lease`], [`freshness`], [`seal`], [`jwt`], [`netrc`]: values and rules.
//!   They read no clock, no variable and no file.
//! - [`ports`]: the outside as small traits. [`system`] has the real ones.
//! - [`settings`] and [`access`]: what kinds of providers and logins are told, and what passes between them.
//!   [`aws`]: the AWS SDK over these ports, for any of them.
//!   [`provider`] and [`login`]: one file or folder for each kind, listed in a slice. [`config`]: what the user wrote.
//! - [`files`], [`lock`], [`worker`]: private files, their locks, and the thread for what may block.
//! - [`cache`]: what rests on disk. [`broker`]: one flight for each profile, renewal ahead.
//! - [`daemon`] and [`cli`]: the edges; [`loopback`]: the HTTP server that both may open;
//!   [`aws_config`]: the text of `~/.aws`; [`export`]: the forms that consumers read. [`standin`]: the issuer behind the demo
//!   and the tests.
//!
//! Invariants: nothing below `ports` reads a clock, the environment or a file; no provider names another; an answer
//! from memory touches neither disk nor network (it looks at one inotify descriptor, for an edited config); a secret is exposed in few places, all found by `expose`.

pub mod helper;
pub mod wire;

#[cfg(feature = "agent")]
pub mod access;
#[cfg(feature = "agent")]
pub mod aws;
#[cfg(feature = "agent")]
pub mod aws_config;
#[cfg(feature = "agent")]
pub mod broker;
#[cfg(feature = "agent")]
pub mod cache;
#[cfg(feature = "agent")]
pub mod cli;
#[cfg(feature = "agent")]
pub mod config;
#[cfg(feature = "agent")]
pub mod credentials;
#[cfg(feature = "agent")]
pub mod daemon;
#[cfg(feature = "agent")]
pub mod error;
#[cfg(feature = "agent")]
pub mod export;
#[cfg(feature = "agent")]
pub mod files;
#[cfg(feature = "agent")]
pub mod freshness;
#[cfg(feature = "agent")]
pub mod jwt;
#[cfg(feature = "agent")]
pub mod lease;
#[cfg(feature = "agent")]
pub mod lock;
#[cfg(feature = "agent")]
pub mod login;
#[cfg(feature = "agent")]
pub mod loopback;
#[cfg(feature = "agent")]
pub mod netrc;
#[cfg(feature = "agent")]
pub mod ports;
#[cfg(feature = "agent")]
pub mod provider;
#[cfg(feature = "agent")]
pub mod seal;
#[cfg(feature = "agent")]
pub mod secret;
#[cfg(feature = "agent")]
pub mod settings;
#[cfg(feature = "agent")]
pub mod standin;
#[cfg(feature = "agent")]
pub mod system;
#[cfg(feature = "agent")]
pub mod worker;
