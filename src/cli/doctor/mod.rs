//! `valetkey doctor`: what shadows our keys, what skews the clock, what blocks the way; each with its remedy.
//!
//! Each file looks at one side of it. Decisions are functions of what was found; here it is all put together.

mod aws;
mod line;
mod places;
mod profiles;
mod programs;
mod ways;

use super::aws_files::AwsFiles;
use super::context::Context;
use super::print;
use super::status::known;
use crate::broker::Status;
use crate::config::{Config, Profile};
use crate::error::Error;
use crate::system::config_file;
use crate::system::environment;
use line::{Line, text};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of the config; all if none is named
    profiles: Vec<String>,
}

/// Exits with 1 where anything is wrong.
pub(super) async fn run(context: &Context, args: &Args) -> Result<ExitCode, Error> {
    let (mut lines, daemon_is_well) = programs::look(context).await;
    lines.extend(places::look(context).await);
    let config = match context.config() {
        Ok(config) => config,
        Err(error) => {
            lines.push(Line::of_error("config", &error));
            return told(&lines);
        }
    };
    let chosen = chosen(&config, args)?;
    lines.push(match config.profiles.len() {
        0 => Line::note("config", format!("{} has no profile", config.file.display()), "add one: valetkey add --help"),
        count => Line::fine("config", format!("{}, profiles: {count}", config.file.display())),
    });
    // A daemon that does not tell has been told of above.
    let known = match daemon_is_well {
        true => known(context).await.map(|(status, _)| status.status).unwrap_or_default(),
        false => Status::default(),
    };
    lines.extend(profiles::of_status(&known, &chosen));
    lines.extend(ways::look(context, &config, &chosen).await);

    let files = AwsFiles::of(context);
    let read = |file| config_file::read_foreign(file).map(Option::unwrap_or_default);
    match (read(&files.config), read(&files.credentials)) {
        (Ok(config_text), Ok(credentials_text)) => {
            let found = aws::Found {
                config: &config_text,
                config_file: &files.config,
                credentials: &credentials_text,
                credentials_file: &files.credentials,
                helper: crate::system::process::helper_program().unwrap_or_default(),
                variable: &environment::variable,
            };
            for profile in &chosen {
                let endpoint = known.profiles.iter().find(|known| known.name == profile.name);
                lines.extend(found.of_profile(profile, endpoint.and_then(|known| known.endpoint.as_deref())));
            }
            let names: Vec<&str> = config.profiles.keys().map(String::as_str).collect();
            lines.extend(found.of_all(&names, !config.loopback.is_empty()));
            if !config.loopback.is_empty() && !config.autostart {
                let what = "a daemon opens the servers on the loopback, and autostart = false starts none";
                lines.push(Line::note("loopback", what, "run one: valetkey daemon, or the service of systemd"));
            }
        }
        (config, credentials) => {
            lines.extend(
                [config, credentials].into_iter().filter_map(Result::err).map(|error| Line::of_error("aws", &error)),
            );
        }
    }
    told(&lines)
}

fn chosen<'a>(config: &'a Config, args: &Args) -> Result<Vec<&'a Profile>, Error> {
    match args.profiles.as_slice() {
        [] => Ok(config.profiles.values().collect()),
        names => names.iter().map(|name| config.profile(name)).collect(),
    }
}

fn told(lines: &[Line]) -> Result<ExitCode, Error> {
    print(&text(lines))?;
    Ok(if lines.iter().any(Line::is_wrong) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
