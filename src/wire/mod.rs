//! What the helper and the daemon agree on: the socket's place, the request's bytes, the reply, the kinds of error;
//! and what both do first.
//!
//! std and rustix alone. Nothing here parses JSON, waits on a runtime or reads a config file,
//! so that the helper stays as small as the work it does.

mod connect;
mod hardening;
mod kind;
mod place;
mod reply;
mod request;
mod text;

pub use connect::{ConnectError, connect};
pub use hardening::{keep_memory_private, shut_out_debuggers};
pub use kind::Kind;
pub use place::{PlaceError, Presence, Surroundings, private_directory};
pub use reply::{MAX_REPLY, Reply, ReplyError};
pub use request::{NAME_RULE, credentials_request, valid_name};
pub use text::{printable, tell, tell_now};

/// The header of every error that valetkey itself answers; its value is [`Kind::name`].
/// A reply without it that is no 200 did not come from us.
pub const ERROR_HEADER: &str = "valetkey-error";
