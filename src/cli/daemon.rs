//! `valetkey daemon`: harden, listen, say so, serve until told to end.

use super::context::Context;
use crate::broker::{Broker, Manner};
use crate::cache::MARKER;
use crate::daemon::{ConfigSource, Orders, Socket};
use crate::error::Error;
use crate::system::environment::variable;
use crate::system::watch::Watch;
use crate::system::{config_file, process};
use listenfd::ListenFd;
use std::ffi::OsString;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::{Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Started by a command of ours that waits on our standard output
    #[arg(long, hide = true)]
    detached: bool,
}

impl Args {
    /// A command line as services and [`process::start_daemon`] write it. Any other is clap's to judge, which builds the
    /// trees of all verbs first: what that touches of the program would stay with the daemon.
    pub(super) fn plain(arguments: &[OsString]) -> Option<Args> {
        let (verb, rest) = arguments.get(1..)?.split_first()?;
        match rest {
            _ if verb != "daemon" => None,
            [] => Some(Args { detached: false }),
            [option] if option == "--detached" => Some(Args { detached: true }),
            _ => None,
        }
    }
}

pub(super) async fn run(args: &Args) -> Result<(), Error> {
    if args.detached {
        process::leave_session();
    }
    log();
    let prepared = prepare();
    if args.detached {
        process::tell_starter(prepared.as_ref().map(|_| ()));
    }
    let (socket, broker, source) = prepared?;
    let orders = Orders::default();
    follow_signals(orders.clone())?;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");
    crate::daemon::run(socket, broker, source, process::raise_descriptor_limit(), orders).await;
    tracing::info!("ended");
    Ok(())
}

/// Everything that can be wrong, before anybody is told that we are ready.
fn prepare() -> Result<(Socket, Broker, ConfigSource), Error> {
    let context = Context::new()?;
    // Before the config is read: an edit in between would never be seen.
    let marker = context.paths.state.join(MARKER);
    let watch = Watch::new(&context.paths.config_file, &marker);
    let config = context.config()?;
    let source = ConfigSource {
        file: context.paths.config_file.clone(),
        home: context.paths.home.clone(),
        marker,
        read: config_file::read,
        watch,
    };
    let socket = match handed_over()? {
        Some(socket) => socket,
        None => Socket::bind(&context.socket()?)?,
    };
    Ok((socket, context.broker(config, Manner::Daemon), source))
}

/// The socket that a service manager listens on for us, if it does.
fn handed_over() -> Result<Option<Socket>, Error> {
    let fix = "give the service one ListenStream= with a path";
    let failed =
        |error: std::io::Error| Error::configuration(format!("the socket handed over is no use: {error}"), fix);
    // Checks LISTEN_PID, and takes the variables out of the environment.
    match ListenFd::from_env().take_unix_listener(0) {
        Ok(Some(listener)) => Socket::activated(listener).map(Some).map_err(failed),
        Ok(None) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// SIGTERM and SIGINT end, SIGHUP reads the config again.
fn follow_signals(orders: Orders) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::configuration(format!("no signals here: {error}"), "see: ulimit -i");
    let mut end = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = end.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => orders.reload(),
            }
        }
        tracing::info!("told to end");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        orders.end();
    });
    Ok(())
}

/// To standard error: the journal under systemd, a file of ours where a command started us.
fn log() {
    let plain = tracing_subscriber::fmt::layer().with_writer(|| Log).with_ansi(false).with_target(false);
    let shown = shown(variable("VALETKEY_LOG").as_deref());
    let _ = tracing_subscriber::registry().with(plain.with_filter(shown)).try_init();
}

/// What `wanted` names (levels, and `target=level` for a part of us); `info` where it names nothing.
///
/// Of other crates only warnings are let through, whatever it says: at lower levels they show requests and answers
/// whole, secrets included.
fn shown<S>(wanted: Option<&str>) -> impl Filter<S> + use<S> {
    let named = wanted.and_then(|text| text.parse::<Targets>().ok());
    let named = named.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let ours = filter_fn(|meta| meta.target().starts_with("valetkey") || *meta.level() <= Level::WARN);
    // Without a hint, every event of every crate would come as far as here.
    named.and(ours.with_max_level_hint(LevelFilter::TRACE))
}

/// Standard error, on which a daemon neither waits nor fails: its reader may have stopped, its disk may be full.
struct Log;

impl std::io::Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        crate::wire::tell_now(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Verb, parse};
    use super::*;

    #[test]
    fn the_log_shows_what_is_wanted_and_of_other_crates_warnings_only() {
        let written = |wanted: Option<&str>| {
            let log = tempfile::NamedTempFile::new().unwrap();
            let writer = std::sync::Mutex::new(log.reopen().unwrap());
            let plain = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false).without_time();
            tracing::subscriber::with_default(
                tracing_subscriber::registry().with(plain.with_filter(shown(wanted))),
                || {
                    tracing::warn!(target: "hyper::proto", "a");
                    tracing::info!(target: "hyper::proto", "b");
                    tracing::info!(target: "valetkey::broker", "c");
                    tracing::debug!(target: "valetkey::broker", "d");
                    tracing::trace!(target: "valetkey::daemon", "e");
                },
            );
            let text = std::fs::read_to_string(log.path()).unwrap();
            text.lines().filter_map(|line| line.chars().last()).collect::<String>()
        };
        assert_eq!(written(None), "ac");
        assert_eq!(written(Some("debug")), "acd");
        assert_eq!(written(Some("trace")), "acde");
        assert_eq!(written(Some("warn,valetkey::daemon=trace,hyper=trace")), "ae");
        assert_eq!(written(Some("off")), "");
        assert_eq!(written(Some("valetkey=loud")), "ac", "as if it were not set");
    }

    #[test]
    fn a_plain_command_line_is_read_as_clap_reads_it() {
        let line = |words: &[&str]| -> Vec<OsString> { words.iter().map(Into::into).collect() };
        for words in [&["valetkey", "daemon"][..], &["valetkey", "daemon", "--detached"]] {
            let plain = Args::plain(&line(words)).unwrap();
            let Ok((Verb::Daemon(args), _)) = parse(line(words)) else { panic!("{words:?}") };
            assert_eq!(plain.detached, args.detached);
        }
        for words in [&[][..], &["valetkey"], &["valetkey", "stop"], &["valetkey", "daemon", "--help"]] {
            assert!(Args::plain(&line(words)).is_none(), "{words:?}");
        }
    }
}
