//! The command `valetkey`: its verbs, one file for each, and what they share.

mod add;
mod aws_files;
mod configure;
mod context;
mod credentials;
mod daemon;
mod demo;
mod doctor;
mod env;
mod exec;
mod keyring;
mod list;
mod localserver;
mod lock;
mod login;
mod logout;
mod obtain;
mod one_shot;
mod refresh;
mod reload;
mod remove;
mod start;
mod status;
mod stop;
mod token;
mod trial;

use crate::error::Error;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use context::Context;
use std::ffi::OsString;
use std::process::ExitCode;

/// Keeps temporary S3 credentials fresh and serves them to every SDK: an ssh-agent for NASA Earthdata and STS
#[derive(Debug, Parser)]
#[command(name = "valetkey", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the whole way on an embedded issuer: no account needed
    Demo(demo::Args),
    /// Add a profile to the config
    Add(add::Args),
    /// Sign in: test a secret at its issuer and keep it in the keyring
    Login(login::Args),
    /// Sign out: remove a login's secret from the keyring
    Logout(logout::Args),
    /// Print a fresh bearer token of a login
    ///
    /// Keep it out of argv, which everyone's `ps` shows: `valetkey token earthdata --header | curl -H @- URL`
    Token(token::Args),
    /// List the profiles of the config
    List,
    /// Remove a profile from the config
    Remove(remove::Args),
    /// Print the credentials of a profile as credential_process JSON
    Credentials(credentials::Args),
    /// Print the credentials of a profile as variables of a shell
    ///
    /// Keys in an environment are seen by every child, and are not renewed there: where a program can run a credential_process,
    /// or under `valetkey exec`, they are neither.
    Env(env::Args),
    /// Run a program whose keys stay fresh
    ///
    /// It finds them at a port of this machine, by the variables AWS_CONTAINER_CREDENTIALS_FULL_URI and
    /// AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, and fetches new ones there for as long as it runs. What else of AWS is in the
    /// environment and would win is taken out; region and S3 are set. It gets our signals, and we end as it ends: with its exit
    /// code, 127 where there is no such program, 126 where it cannot be run.
    Exec(exec::Args),
    /// Serve credentials for a bucket over HTTP, in place of s3-credentials
    ///
    /// The same options, port, answers and messages as `s3-credentials localserver`. Credentials are renewed ahead of their end,
    /// and many clients are answered at once.
    ///
    /// Stricter than s3-credentials: processes of other users of this machine get no answer; web pages, what came through a
    /// proxy, and requests whose Host is not localhost, 127.0.0.1 or [::1] with this port get 403.
    Localserver(localserver::Args),
    /// Write the profiles into ~/.aws/config, or take them out again
    Configure(configure::Args),
    /// Tell the state of each profile
    Status(status::Args),
    /// Tell what shadows, skews or blocks, and what mends it
    ///
    /// Asks nobody for credentials. Issuers are looked up and reached, once each, without any secret. Exits with 1 where
    /// anything is wrong.
    Doctor(doctor::Args),
    /// Ask for new credentials now
    ///
    /// However good the old ones are. Running programs get them with their next request; what was handed out lives on until its end.
    Refresh(refresh::Args),
    /// Have the daemon read the config now
    Reload,
    /// Give nothing out until `unlock`, over restarts
    Lock,
    /// End a lock
    Unlock,
    /// Show where logins rest, or move them
    Keyring(keyring::Args),
    /// Run the daemon in the foreground
    Daemon(daemon::Args),
    /// End the daemon
    Stop,
    /// Print the completions of a shell
    Completions { shell: clap_complete::Shell },
    /// Print a manual page: valetkey man | man -l -
    Man {
        /// Of this verb; of the whole if none is named
        verb: Option<String>,
    },
}

/// Runs the command with the arguments of the process, the program's name first.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    crate::wire::shut_out_debuggers();
    let arguments: Vec<OsString> = arguments.collect();
    if let Some(args) = daemon::Args::plain(&arguments) {
        crate::wire::keep_memory_private();
        return complete(async move { daemon::run(&args).await.map(|()| ExitCode::SUCCESS) });
    }
    let (verb, given) = match parse(arguments) {
        Ok(asked) => asked,
        Err(code) => return code,
    };
    // A program of the user's may leave a core.
    if !matches!(verb, Verb::Exec(_)) {
        crate::wire::keep_memory_private();
    }
    complete(dispatch(verb, given))
}

/// Runs what a verb does, to its end; tells its error.
fn complete(verb: impl Future<Output = Result<ExitCode, Error>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            crate::wire::tell(&format!("valetkey: error: no runtime: {error}\nhint: see: ulimit -n\n"));
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(verb);
    // A keyring or disk that hangs has a thread of its own; it is not waited for.
    runtime.shutdown_background();
    match done {
        Ok(code) => code,
        Err(error) => {
            crate::wire::tell(&error.text());
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// The verb, and the settings of `add`; or what was wrong, told already. --help and --version come this way too, with 0.
fn parse(arguments: Vec<OsString>) -> Result<(Verb, Vec<(String, String)>), ExitCode> {
    let usage = |usage: clap::Error| {
        let _ = usage.print();
        ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2))
    };
    let matches = add::with_kinds(Cli::command()).try_get_matches_from(arguments).map_err(usage)?;
    let verb = Cli::from_arg_matches(&matches).map_err(usage)?.verb;
    let given = matches.subcommand_matches("add").map(add::given).unwrap_or_default();
    let sound = match &verb {
        Verb::Add(args) => add::judge(args, &given),
        Verb::Env(args) => env::judge(args),
        Verb::Localserver(args) => localserver::judge(args),
        _ => Ok(()),
    };
    match sound {
        Ok(()) => Ok((verb, given)),
        Err(misuse) => {
            crate::wire::tell(&misuse.text());
            Err(ExitCode::from(2))
        }
    }
}

/// `given`: the settings of `add`, whose options are made from the providers' keys.
async fn dispatch(verb: Verb, given: Vec<(String, String)>) -> Result<ExitCode, Error> {
    let done = match verb {
        Verb::Doctor(args) => return doctor::run(&Context::new()?, &args).await,
        Verb::Exec(args) => return exec::run(Context::new()?, &args).await,
        Verb::Demo(args) => demo::run(&args).await,
        Verb::Add(args) => add::run(&Context::new()?, &args, given),
        Verb::Login(args) => {
            let context = Context::new()?;
            tokio::select! {
                done = login::run(&context, &args) => done,
                // Caught since the first hidden prompt, so that the terminal is put right again.
                _ = tokio::signal::ctrl_c() => Err(Error::configuration("interrupted", "nothing was changed")),
            }
        }
        Verb::Logout(args) => logout::run(&Context::new()?, &args).await,
        Verb::Token(args) => token::run(&Context::new()?, &args).await,
        Verb::List => list::run(&Context::new()?),
        Verb::Remove(args) => remove::run(&Context::new()?, &args),
        Verb::Credentials(args) => credentials::run(&Context::new()?, &args).await,
        Verb::Env(args) => env::run(&args).await,
        Verb::Localserver(args) => localserver::run(&Context::new()?, &args).await,
        Verb::Configure(args) => configure::run(&Context::new()?, &args).await,
        Verb::Status(args) => status::run(&Context::new()?, &args).await,
        Verb::Refresh(args) => refresh::run(&Context::new()?, &args).await,
        Verb::Reload => reload::run(&Context::new()?).await,
        Verb::Lock => lock::run(&Context::new()?, true).await,
        Verb::Unlock => lock::run(&Context::new()?, false).await,
        Verb::Keyring(args) => keyring::run(&Context::new()?, &args).await,
        Verb::Daemon(args) => daemon::run(&args).await,
        Verb::Stop => stop::run(&Context::new()?).await,
        Verb::Completions { shell } => {
            // Not straight to standard output: there it panics where the reader has left.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut add::with_kinds(Cli::command()), "valetkey", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Verb::Man { verb } => man(verb.as_deref()),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// A manual page, as `man` reads it.
fn man(verb: Option<&str>) -> Result<(), Error> {
    let mut whole = add::with_kinds(Cli::command());
    // So that the options of the whole stand with each verb.
    whole.build();
    let page = match verb {
        None => whole,
        Some(verb) => {
            let found = whole.get_subcommands().find(|known| known.get_name() == verb).cloned();
            let fix = "the verbs: valetkey --help";
            let unknown = || Error::configuration(format!("there is no verb {}", crate::error::printable(verb)), fix);
            let found = found.ok_or_else(unknown)?;
            let name = format!("valetkey-{verb}");
            found.name(name)
        }
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page)
        .render(&mut text)
        .map_err(|_| Error::protocol("a manual page that cannot be written"))?;
    print(&String::from_utf8_lossy(&text))
}

/// Puts `text` on standard output. A reader that has left (`| head`) is no error of ours.
fn print(text: &str) -> Result<(), Error> {
    match write_out(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::configuration(
            format!("cannot write to standard output: {error}"),
            "see where standard output goes",
        )),
        _ => Ok(()),
    }
}

fn write_out(text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
}

/// Tells a person a line, on standard error. Not `eprintln!`, which panics where nobody reads it any more.
fn tell(line: &str) {
    crate::wire::tell(&format!("{line}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s23_help_warns_where_keys_are_shown_and_says_where_it_is_stricter() {
        let mut whole = add::with_kinds(Cli::command());
        let mut help = |verb: &str| {
            let text = whole.find_subcommand_mut(verb).unwrap().render_long_help().to_string();
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert!(help("token").contains("everyone's `ps` shows"));
        assert!(help("env").contains("seen by every child"));
        assert!(help("exec").contains("every child sees them"));
        let localserver = help("localserver");
        assert!(localserver.contains("processes of other users") && localserver.contains("everyone's `ps` shows it"));
    }

    #[test]
    fn the_command_line_is_sound() {
        add::with_kinds(Cli::command()).debug_assert();
    }
}
