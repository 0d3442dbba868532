//! `valetkey keyring [TIER]`: where logins rest and why, or their move to another place.

use super::context::{ATTENDED, Context};
use super::{print, tell};
use crate::broker::{Broker, Manner};
use crate::error::Error;
use crate::ports::{Keyring, Tier};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to: service (the desktop's keyring), kernel (its key there: gone at reboot), file (its key in a 0600 file)
    #[arg(value_name = "TIER", value_parser = tier)]
    tier: Option<Tier>,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let config = context.config()?;
    let Some(tier) = args.tier else {
        let keyring = context.keyring(&config, ATTENDED);
        let why = match config.keyring {
            Some(_) => "the config says so",
            None => "nothing in the config says where; once a login is stored, that place stays",
        };
        return print(&format!("{}\n{why}\n", keyring.describe().await?));
    };
    if let Some(wanted) = config.keyring.filter(|wanted| *wanted != tier) {
        return Err(Error::configuration(
            format!("the config wants keyring = \"{}\"", wanted.name()),
            format!("take that line out of {}, then run this again", config.file.display()),
        ));
    }
    let keyring = context.keyring(&crate::config::Config { keyring: None, ..config.clone() }, ATTENDED);
    // Those of the config too, before anything of theirs rests here: nobody is to sign in to one meanwhile.
    let kept = config.logins.values().filter(|entry| entry.login.elsewhere().is_none());
    let mut logins: Vec<String> = kept.map(|entry| entry.name.clone()).collect();
    logins.extend(keyring.resting().await?);
    let broker = Broker::new(context.outside(keyring.clone()), &context.paths.state, config, Manner::OneShot);
    // Nobody signs in or rotates meanwhile, and what waits to be stored is stored first: its seal's key stays behind.
    let turns = loop {
        let turns = broker.hold_logins(&logins).await?;
        let there = keyring.resting().await?;
        if there.iter().all(|name| logins.contains(name)) {
            break turns;
        }
        // A sign-in that nobody knew of, before its turn was held.
        logins.extend(there);
    };
    keyring.move_to(tier, logins).await?;
    drop(turns);
    if let Some(news) = keyring.pinned_now() {
        tell(&news);
    }
    tell(&format!("logins rest in {}", keyring.describe().await?));
    Ok(())
}

fn tier(text: &str) -> Result<Tier, String> {
    Tier::from_name(text).ok_or_else(|| "write service, kernel or file".to_owned())
}
