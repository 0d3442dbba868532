//! `valetkey configure [PROFILE..]`: the profiles of our config as profiles of `~/.aws/config`.

use super::context::Context;
use super::obtain::SETTLE;
use super::one_shot::to_its_end;
use super::{print, tell};
use crate::aws_config::{Block, configured};
use crate::broker::Manner;
use crate::config::{Config, Profile};
use crate::error::Error;
use crate::system::{config_file, environment, process};
use similar::TextDiff;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// All of the config if none is given
    profiles: Vec<String>,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let config = context.config()?;
    let chosen: Vec<&Profile> = if args.profiles.is_empty() {
        config.profiles.values().collect()
    } else {
        args.profiles.iter().map(|name| config.profile(name)).collect::<Result<_, _>>()?
    };
    if chosen.is_empty() {
        return Err(Error::configuration("there is no profile to write", "add one first: valetkey add --help"));
    }
    let helper = process::helper_program()?;
    if !helper.is_file() {
        return Err(Error::configuration(
            format!("the helper is not beside this program: {}", helper.display()),
            "build or install both: cargo build --release --bins",
        ));
    }
    let helper = helper.to_string_lossy().into_owned();
    let (mut blocks, mut worst) = (Vec::new(), Ok(()));
    for profile in &chosen {
        let endpoint = match s3_endpoint(context, &config, profile).await {
            Ok(endpoint) => endpoint,
            // The others are none the worse for it. The last one is told by whoever called us.
            Err(error) => {
                let skipped = error.of_profile(&format!("{} is not written", profile.name));
                if let Err(earlier) = std::mem::replace(&mut worst, Err(skipped)) {
                    crate::wire::tell(&earlier.text());
                }
                continue;
            }
        };
        let (name, region) = (profile.name.clone(), profile.region());
        blocks.push(Block { profile: name, helper: helper.clone(), region, endpoint });
    }
    let Some(first) = blocks.first() else { return worst };

    let file = aws_config_file(context);
    let before = config_file::read_foreign(&file)?.unwrap_or_default();
    let after = configured(&before, &blocks, &file)?;
    if after == before {
        tell(&format!("{} is up to date", file.display()));
        return worst;
    }
    let name = file.display().to_string();
    let diff = TextDiff::from_lines(&before, &after);
    print(&diff.unified_diff().context_radius(2).header(&name, &name).to_string())?;
    if args.dry_run {
        return worst;
    }
    if !before.is_empty() {
        let backup = backup_of(&file);
        config_file::write(&backup, &before, 0o600)?;
        tell(&format!("the file as it was: {}", backup.display()));
    }
    config_file::write(&file, &after, 0o600)?;
    if context.surroundings.valetkey_home.is_some() {
        tell("VALETKEY_HOME is set: these profiles work only where it is set, too");
    }
    tell(&format!("wrote {name}; try: aws s3 ls s3://BUCKET --profile {}", first.profile));
    worst
}

/// The S3 that the profile's credentials are for, if it is not AWS'. Where only the issuer knows, it is asked for
/// credentials, which then lie in the cache for the first request.
async fn s3_endpoint(context: &Context, config: &Config, profile: &Profile) -> Result<Option<String>, Error> {
    if !profile.provider.tells_s3_endpoint() {
        return Ok(profile.provider.s3_endpoint());
    }
    let broker = context.broker(config.clone(), Manner::OneShot);
    let served = async {
        let served = broker.credentials(&profile.name, 0).await;
        broker.settle(SETTLE).await;
        served
    };
    Ok(to_its_end(&broker, served).await?.lease.endpoint.clone())
}

/// Where the AWS CLI reads it.
fn aws_config_file(context: &Context) -> PathBuf {
    match environment::variable("AWS_CONFIG_FILE") {
        Some(file) => match file.strip_prefix("~/") {
            Some(rest) => context.paths.home.join(rest),
            None => PathBuf::from(file),
        },
        None => context.paths.home.join(".aws/config"),
    }
}

/// A name of its own for each backup: the first one is what the user had before us.
fn backup_of(file: &std::path::Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let numbered = (2..).map(|number| file.with_file_name(format!("{name}.before-valetkey-{number}")));
    let mut names = std::iter::once(file.with_file_name(format!("{name}.before-valetkey"))).chain(numbered);
    names.find(|backup| !backup.exists()).unwrap_or_else(|| file.with_extension("before-valetkey"))
}
