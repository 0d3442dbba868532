//! `valetkey remove PROFILE`: takes a profile out of the config. Its login stays: others may use it.

use super::context::Context;
use super::tell;
use crate::config::removed;
use crate::error::Error;
use crate::system::config_file;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    profile: String,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let file = &context.paths.config_file;
    let login = context.config()?.profile(&args.profile)?.login.clone();
    let text = config_file::read_text(file)?.unwrap_or_default();
    config_file::write(file, &removed(&text, &args.profile, file, &context.paths.home)?, 0o600)?;
    tell(&format!("removed {} from {}", args.profile, file.display()));
    tell(&format!(
        "the login stays (valetkey logout {login}), and so does its block in ~/.aws/config, if it has one (valetkey configure --remove {})",
        args.profile
    ));
    Ok(())
}
