//! `~/.aws/config` and `~/.aws/credentials` as text: read as the AWS CLI does, and our blocks in the one of them.

mod block;
mod edit;
mod files;
mod shadows;

pub use block::{Block, S3, bare_config};
pub use edit::{configured, doubled, marked, without};
pub use files::{Files, Section};
pub use shadows::{Finding, Meant, odd_command, shadows, shadows_of_all};
