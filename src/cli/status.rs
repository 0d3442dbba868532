//! `valetkey status`: what each profile is worth, what failed last and what mends it.

use super::context::{Context, UNATTENDED};
use super::{print, write_out};
use crate::broker::Status;
use crate::daemon::{ClientError, DaemonStatus};
use crate::error::{Error, printable};
use crate::ports::{Keyring, Tier};
use std::fmt::Write;
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Again every two seconds, until interrupted
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// What the daemon counts, as OpenMetrics text
    #[arg(long, conflicts_with_all = ["json", "watch"])]
    metrics: bool,
}

const EVERY: std::time::Duration = std::time::Duration::from_secs(2);

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Error> {
    if args.metrics {
        return print(&metrics(context).await?);
    }
    if !args.watch {
        return print(&told(context, args.json).await?);
    }
    // On a terminal from its top; elsewhere one after the other.
    let start = if std::io::IsTerminal::is_terminal(&std::io::stdout()) { "\x1b[H\x1b[2J" } else { "" };
    loop {
        let text = told(context, false).await.unwrap_or_else(|error| error.text());
        if write_out(&format!("{start}{text}\n")).is_err() {
            // Nobody watches any more.
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

async fn metrics(context: &Context) -> Result<String, Error> {
    context.client()?.get("/v1/metrics").await.map_err(|error| match error {
        ClientError::Error(error) => error,
        ClientError::Nobody => {
            Error::configuration("no daemon runs, and only a daemon counts", "start one: valetkey daemon")
        }
    })
}

/// What is known, and which daemon says so, if one runs.
pub(super) async fn known(context: &Context) -> Result<(DaemonStatus, Option<String>), Error> {
    match context.client()?.get("/v1/status").await {
        Ok(text) => {
            let status: DaemonStatus = serde_json::from_str(&text)
                .map_err(|_| Error::protocol("the daemon is of another version, and its status cannot be read"))?;
            let daemon = format!("{} (pid {})", status.version, status.pid);
            Ok((status, Some(daemon)))
        }
        Err(ClientError::Error(error)) => Err(error),
        Err(ClientError::Nobody) => Ok((without_daemon(context).await?, None)),
    }
}

async fn told(context: &Context, json: bool) -> Result<String, Error> {
    let (status, daemon) = known(context).await?;
    let socket = context.socket()?;
    if json {
        let mut value = serde_json::to_value(&status).unwrap_or_default();
        value["socket"] = socket.display().to_string().into();
        value["running"] = daemon.is_some().into();
        return Ok(format!("{value:#}\n"));
    }
    let idle = || match context.config().map(|config| config.autostart) {
        Ok(false) => "not running; each command asks for itself (autostart = false)".to_owned(),
        _ => "not running; the first request starts it".to_owned(),
    };
    Ok(table(&status, &daemon.unwrap_or_else(idle), &socket))
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
    let version = env!("CARGO_PKG_VERSION").into();
    Ok(DaemonStatus { version, pid: 0, config: file, keyring: keyring_line, loopback: Vec::new(), status })
}

fn table(status: &DaemonStatus, daemon: &str, socket: &Path) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "daemon   {daemon}");
    let _ = writeln!(text, "socket   {}", socket.display());
    let _ = writeln!(text, "keyring  {}", status.keyring);
    let _ = writeln!(text, "config   {}", status.config.display());
    for server in &status.loopback {
        let names = if server.profiles.is_empty() { "NAME".to_owned() } else { server.profiles.join("|") };
        let token = if server.token_file.is_some() { ", by token" } else { "" };
        let _ = writeln!(text, "loopback {}{names} ({}{token})", server.url, server.name);
    }
    if status.status.locked {
        let _ = writeln!(text, "locked   nothing is given out; hint: run: valetkey unlock");
    }
    for (area, trouble) in &status.status.troubles {
        let _ = writeln!(text, "warning  {area}: {}", printable(trouble));
    }
    let rows: Vec<[String; 5]> = status
        .status
        .profiles
        .iter()
        .map(|profile| {
            let left = profile.remaining.map_or_else(|| "-".into(), time_left);
            [profile.name.clone(), profile.provider.clone(), profile.login.clone(), profile.state.clone(), left]
        })
        .collect();
    if rows.is_empty() {
        return text + "\nno profiles yet; add one: valetkey add --help\n";
    }
    text.push('\n');
    text.push_str(&logins(&status.status, kept_in(&status.keyring)));
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

/// Who we are, where that is kept, and until when: the other clock behind each profile.
fn logins(status: &Status, keyring: &str) -> String {
    let rows: Vec<[String; 5]> = status
        .logins
        .iter()
        .map(|login| {
            let who = login.who.clone().unwrap_or_else(|| "-".into());
            let left = match (&login.error, login.remaining) {
                (Some(Error::LoginRequired { .. }), _) => "not signed in".to_owned(),
                (Some(_), _) => "not known".to_owned(),
                (None, Some(seconds)) if seconds <= 0 => "over".to_owned(),
                (None, Some(seconds)) => time_left(seconds),
                (None, None) => "-".to_owned(),
            };
            let place = if login.place == "keyring" { keyring } else { &login.place };
            [login.name.clone(), login.kind.clone(), printable(&who), place.to_owned(), left]
        })
        .collect();
    let mut text = columns(["LOGIN", "KIND", "WHO", "KEPT IN", "LEFT"], &rows);
    for login in &status.logins {
        if let Some(notice) = &login.notice {
            let _ = writeln!(text, "notice: {notice}");
        }
        // Its profiles say the same below.
        let said = |error: &Error| status.profiles.iter().any(|profile| profile.error.as_ref() == Some(error));
        if let Some(error) = login.error.as_ref().filter(|error| !said(error)) {
            let _ = writeln!(
                text,
                "{}: {}\n  hint: {}",
                login.name,
                printable(&error.to_string()),
                printable(&error.hint())
            );
        }
    }
    text
}

/// The tier that a keyring's description begins with.
fn kept_in(keyring: &str) -> &str {
    let word = keyring.split(' ').next().unwrap_or_default();
    Tier::from_name(word).map_or("keyring", Tier::name)
}

fn time_left(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600, seconds / 60);
    match seconds {
        86_400.. => format!("{days}d{:02}h", hours % 24),
        7200.. => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{minutes}m{:02}s", seconds % 60),
    }
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
