//! `valetkey list`: the profiles of the config, and what provides them.

use super::context::Context;
use super::status::columns;
use super::{print, tell};
use crate::error::Error;

pub(super) fn run(context: &Context) -> Result<(), Error> {
    let config = context.config()?;
    if config.profiles.is_empty() {
        tell("no profiles yet; add one: valetkey add --help");
        return Ok(());
    }
    let rows: Vec<[String; 4]> = config
        .profiles
        .values()
        .map(|profile| {
            let at = ["endpoint", "gateway", "role_arn"].iter().find_map(|key| profile.settings.text(key));
            [
                profile.name.clone(),
                profile.kind.name.to_owned(),
                profile.login.clone(),
                at.unwrap_or_default().to_owned(),
            ]
        })
        .collect();
    print(&columns(["PROFILE", "PROVIDER", "LOGIN", "AT"], &rows))
}
