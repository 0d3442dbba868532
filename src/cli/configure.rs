//! `valetkey configure [PROFILE..]`: the profiles of our config as profiles of `~/.aws/config`.

use super::aws_files::AwsFiles;
use super::context::Context;
use super::obtain::SETTLE;
use super::one_shot::to_its_end;
use super::{print, tell};
use crate::aws_config::{Block, Files, Meant, S3, configured, doubled, marked, shadows, shadows_of_all, without};
use crate::broker::Manner;
use crate::config::{Config, Profile};
use crate::error::Error;
use crate::system::{config_file, environment, process};
use similar::TextDiff;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// All of the config if none is given
    profiles: Vec<String>,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take our blocks out again: those of the profiles, or all
    #[arg(long)]
    remove: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Error> {
    if args.remove {
        return remove(context, args);
    }
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
        let ca_file = profile.s3_ca_file(endpoint.as_deref()).map(|file| file.to_string_lossy().into_owned());
        blocks.push(Block { profile: name, helper: helper.clone(), s3: S3 { region, endpoint, ca_file } });
    }
    let Some(first) = blocks.first() else { return worst };

    let file = AwsFiles::of(context);
    let before = config_file::read_foreign(&file.config)?.unwrap_or_default();
    let after = configured(&before, &blocks, &file.config)?;
    if put(&file.config, &before, &after, args.dry_run)? {
        if context.surroundings.valetkey_home.is_some() {
            tell("VALETKEY_HOME is set: these profiles work only where it is set, too");
        }
        tell(&format!("try: aws s3 ls s3://BUCKET --profile {}", first.profile));
    }
    warn(&file, &after, &blocks);
    if let Some((section, line)) = doubled(&after) {
        tell(&format!(
            "warning: [{section}] is twice in {}:{line}; the AWS CLI reads no such file",
            file.config.display()
        ));
    }
    worst
}

/// Takes blocks out, of profiles that the config may not have any more.
fn remove(context: &Context, args: &Args) -> Result<(), Error> {
    let file = AwsFiles::of(context).config;
    let before = config_file::read_foreign(&file)?.unwrap_or_default();
    let there = marked(&before);
    if let Some(unknown) = args.profiles.iter().find(|name| !there.contains(&name.as_str())) {
        let name = crate::error::printable(unknown);
        let fix = match there.as_slice() {
            [] => "there is no block of ours".to_owned(),
            there => format!("there are blocks of {}", there.join(", ")),
        };
        return Err(Error::configuration(format!("{} has no block of {name}", file.display()), fix));
    }
    let named: Vec<&str> = args.profiles.iter().map(String::as_str).collect();
    let after = without(&before, if named.is_empty() { &there } else { &named }, &file)?;
    put(&file, &before, &after, args.dry_run).map(|_| ())
}

/// Shows the difference and, if it is meant, makes it; the file as it was stays beside it. Whether it was made.
fn put(file: &Path, before: &str, after: &str, dry_run: bool) -> Result<bool, Error> {
    let name = file.display().to_string();
    if after == before {
        tell(&format!("{name} is up to date"));
        return Ok(false);
    }
    config_file::may_be_written(file)?;
    let diff = TextDiff::from_lines(before, after);
    print(&diff.unified_diff().context_radius(2).header(&name, &name).to_string())?;
    if dry_run {
        return Ok(false);
    }
    if !before.is_empty() {
        let backup = backup_of(file);
        config_file::write(&backup, before, 0o600)?;
        tell(&format!("the file as it was: {}", backup.display()));
    }
    config_file::write(file, after, 0o600)?;
    tell(&format!("wrote {name}"));
    Ok(true)
}

/// Says what an SDK would take before it asks us, or in place of what is written.
fn warn(file: &AwsFiles, written: &str, blocks: &[Block]) {
    let credentials = config_file::read_foreign(&file.credentials).ok().flatten().unwrap_or_default();
    let called = file.credentials.display().to_string();
    let files = Files::read(written, "");
    let of_block = |block: &Block| {
        let (region, endpoint) = (block.s3.region.as_str(), block.s3.endpoint.as_deref());
        let meant = Meant { profile: &block.profile, region, endpoint };
        shadows(meant, files.profile(&block.profile), &credentials, &called, &environment::variable)
    };
    let of_all = shadows_of_all(&Files::read(written, &credentials), &environment::variable);
    for found in blocks.iter().flat_map(of_block).chain(of_all) {
        tell(&format!("warning: {}; {}", found.what, found.remedy));
    }
    if written.starts_with('\u{feff}') {
        tell(&format!(
            "warning: {} begins with a byte order mark, and the AWS CLI reads no such file",
            file.config.display()
        ));
    }
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

/// A name of its own for each backup: the first one is what the user had before us.
fn backup_of(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let numbered = (2..).map(|number| file.with_file_name(format!("{name}.before-valetkey-{number}")));
    let mut names = std::iter::once(file.with_file_name(format!("{name}.before-valetkey"))).chain(numbered);
    names.find(|backup| !backup.exists()).unwrap_or_else(|| file.with_extension("before-valetkey"))
}
