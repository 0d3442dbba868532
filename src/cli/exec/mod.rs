//! `valetkey exec PROFILE -- CMD`: a program whose keys stay fresh for as long as it runs, whichever SDK it uses.
//!
//! We stay as its parent and listen on a port of our own, with a token in a private file: no restart of the daemon takes
//! the port away, and no stranger inherits it.

mod child;
mod place;
mod source;
mod variables;

use super::context::Context;
use super::obtain::{duration, export};
use super::one_shot::Told;
use super::tell;
use crate::aws_config::bare_config;
use crate::credentials::written;
use crate::error::Error;
use crate::loopback::{Server, Token};
use crate::system::environment::variable;
use crate::system::peer;
use crate::system::signals::Caught;
use place::Place;
use source::Source;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    profile: String,
    /// For programs that read keys from variables alone: every child sees them, they end, and nothing renews them
    #[arg(long = "static")]
    fixed: bool,
    /// With --static: keys that are valid for so long at least: 30m, 45m, 1800
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "fixed")]
    min_valid: Option<Duration>,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

pub(super) async fn run(context: Context, args: &Args) -> Result<ExitCode, Error> {
    // Before the program starts: one that could have no keys is better not begun.
    let first = export(&context, &args.profile, args.min_valid, Ok).await?;
    if args.fixed {
        let until = written(first.credentials.expiration);
        tell(&format!("valetkey: the keys of {} are valid until {until}, and not renewed", args.profile));
        return Ok(child::not_started(
            &args.command,
            &child::become_it(&args.command, variables::fixed(&first, &variable)?),
        ));
    }
    // Caught before there is a child that they could miss.
    let caught = Caught::new()?;
    let (token, text) = Token::random();
    let run = context.socket().ok().and_then(|socket| socket.parent().map(Path::to_owned));
    let bases: Vec<PathBuf> = [Some(context.paths.state.clone()), run].into_iter().flatten().collect();
    let place = Place::make(&bases, &text, &bare_config(&first.s3())?)?;
    let failed = |error: std::io::Error| {
        Error::configuration(format!("cannot listen on the loopback: {error}"), "see: ip link show lo")
    };
    let server = Server::bind(([127, 0, 0, 1], 0).into(), Some(token), peer::uid_of).map_err(failed)?;
    let url = format!("http://{}{}", server.address(), source::PATH);
    let variables = variables::served(&first, &url, &place, &variable)?;
    let source = Arc::new(Source::new(context, first));
    let serving = tokio::spawn(server.serve(source.clone()));
    let ended = child::run(&args.command, variables, caught).await;
    serving.abort();
    // An exchange that was sent is stored first; whoever cannot wait says so.
    let mut told = Told::new();
    tokio::select! { () = source.close() => {}, () = told.heard() => {} }
    drop(place);
    Ok(match ended {
        Ok(status) => child::end_as_it_did(status),
        Err(error) => child::not_started(&args.command, &error),
    })
}
