//! A login whose secret changes with every use, in real processes: two at once, a person between them, killed at any
//! moment, with a store that fails; and a password that is wrong, asked for ten thousand times.

#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "../common/mod.rs"]
mod common;
mod ends;
mod kills;
mod passwords;
mod rig;
mod stores;
mod together;
