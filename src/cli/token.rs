//! `valetkey token LOGIN`: a fresh bearer token for a shell script.

use super::context::Context;
use super::obtain::{SETTLE, ask_daemon};
use super::one_shot::to_its_end;
use super::print;
use crate::broker::Manner;
use crate::config::Config;
use crate::error::Error;
use crate::secret::Secret;
use crate::wire::{NAME_RULE, valid_name};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    login: String,
    /// As a header line: `Authorization: Bearer ..`
    #[arg(long)]
    header: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Error> {
    if !valid_name(&args.login) {
        return Err(Error::configuration("this cannot be a login's name", NAME_RULE));
    }
    let path = format!("/v1/logins/{}/token", args.login);
    let known = |config: &Config| config.login(&args.login).map(|_| ());
    let token = match ask_daemon(context, &path, known).await? {
        Ok(line) => Secret::new(line.trim_end()),
        Err(config) => {
            let broker = context.broker(config, Manner::OneShot);
            let token = async {
                let token = broker.token(&args.login).await;
                broker.settle(SETTLE).await;
                token
            };
            to_its_end(&broker, token).await?
        }
    };
    let head = if args.header { "Authorization: Bearer " } else { "" };
    print(&format!("{head}{}\n", token.expose()))
}
