//! Where the AWS CLI reads its files: in the home, or where its own variables say.

use super::context::Context;
use crate::system::environment;
use std::path::PathBuf;

#[derive(Debug, Clone)]
pub(super) struct AwsFiles {
    pub(super) config: PathBuf,
    pub(super) credentials: PathBuf,
}

impl AwsFiles {
    pub(super) fn of(context: &Context) -> AwsFiles {
        let place = |variable, usual| match environment::variable(variable) {
            Some(file) => match file.strip_prefix("~/") {
                Some(rest) => context.paths.home.join(rest),
                None => PathBuf::from(file),
            },
            None => context.paths.home.join(usual),
        };
        AwsFiles {
            config: place("AWS_CONFIG_FILE", ".aws/config"),
            credentials: place("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
        }
    }
}
