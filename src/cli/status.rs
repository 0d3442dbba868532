//! `valetkey status`: what each profile is worth, what failed last and what mends it.

use super::context::{Context, UNATTENDED};
use super::print;
use crate::broker::Status;
use crate::daemon::{ClientError, DaemonStatus};
use crate::error::{Error, printable};
use crate::ports::Keyring;
use std::fmt::Write;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let (status, daemon) = match context.client()?.get("/v1/status").await {
        Ok(text) => {
            let status: DaemonStatus = serde_json::from_str(&text)
                .map_err(|_| Error::protocol("the daemon is of another version, and its status cannot be read"))?;
            let daemon = format!("{} (pid {})", status.version, status.pid);
            (status, Some(daemon))
        }
        Err(ClientError::Error(error)) => return Err(error),
        Err(ClientError::Nobody) => (without_daemon(context).await?, None),
    };
    if args.json {
        let mut value = serde_json::to_value(&status).unwrap_or_default();
        value["running"] = daemon.is_some().into();
        return print(&format!("{value:#}\n"));
    }
    let idle = || match context.config().map(|config| config.autostart) {
        Ok(false) => "not running; each command asks for itself (autostart = false)".to_owned(),
        _ => "not running; the first request starts it".to_owned(),
    };
    print(&table(&status, &daemon.unwrap_or_else(idle)))
}

/// What can be told without a daemon: the config and the keyring. Nothing is started for it.
async fn without_daemon(context: &Context) -> Result<DaemonStatus, Error> {
    let config = context.config()?;
    let keyring = context.keyring(&config, UNATTENDED);
    let file = config.file.clone();
    let keyring_line = keyring.describe().await.unwrap_or_else(|error| error.to_string());
    let broker = context.broker(config, crate::broker::Manner::OneShot);
    broker.look().await;
    let status: Status = broker.status();
    Ok(DaemonStatus { version: env!("CARGO_PKG_VERSION").into(), pid: 0, config: file, keyring: keyring_line, status })
}

fn table(status: &DaemonStatus, daemon: &str) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "daemon   {daemon}");
    let _ = writeln!(text, "keyring  {}", status.keyring);
    let _ = writeln!(text, "config   {}", status.config.display());
    for (area, trouble) in &status.status.troubles {
        let _ = writeln!(text, "warning  {area}: {}", printable(trouble));
    }
    let rows: Vec<[String; 5]> = status
        .status
        .profiles
        .iter()
        .map(|profile| {
            let left = profile
                .remaining
                .map_or_else(|| "-".into(), |seconds| format!("{}m{:02}s", seconds / 60, seconds % 60));
            [profile.name.clone(), profile.provider.clone(), profile.login.clone(), profile.state.clone(), left]
        })
        .collect();
    if rows.is_empty() {
        return text + "\nno profiles yet; add one: valetkey add --help\n";
    }
    text.push('\n');
    text.push_str(&columns(["PROFILE", "PROVIDER", "LOGIN", "STATE", "LEFT"], &rows));
    for profile in &status.status.profiles {
        if let Some(error) = &profile.error {
            let _ = writeln!(text, "\n{}: {}", profile.name, printable(&error.to_string()));
            let _ = match (error, profile.next_attempt) {
                // Its hint sends people here.
                (Error::Unavailable { .. }, Some(seconds)) => writeln!(text, "  next attempt in {seconds} s"),
                (_, Some(seconds)) => {
                    writeln!(text, "  hint: {} (next attempt in {seconds} s)", printable(&error.hint()))
                }
                (_, None) => writeln!(text, "  hint: {}", printable(&error.hint())),
            };
        }
        if let Some(offset) = profile.offset {
            let (seconds, side) = (offset.unsigned_abs(), if offset > 0 { "ahead of" } else { "behind" });
            let _ = writeln!(text, "\n{}: the issuer's clock is {seconds} s {side} this host's", profile.name);
        }
    }
    text
}

/// Columns as wide as their widest cell.
pub(super) fn columns<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let width = |i: usize| rows.iter().map(|row| row[i].chars().count()).chain([head[i].len()]).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let body: String = rows.iter().map(|row| line(std::array::from_fn(|i| row[i].as_str()))).collect();
    line(head) + &body
}
