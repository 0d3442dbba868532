//! `~/.aws/config` and `~/.aws/credentials` as text: read as the AWS CLI does, and our blocks in the one of them.

mod edit;
mod files;

pub use edit::{Block, configured};
pub use files::{Files, Section};
