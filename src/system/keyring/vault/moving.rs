//! Moves logins from one tier to another: cut off anywhere it has lost none, and run again it leaves none behind.

use super::{Tier, Vault, pin, sealed};
use crate::error::Error;
use crate::system::keyring::service::State;
use crate::wire::valid_name;
use std::collections::BTreeSet;
use std::time::Duration;

/// For a look into a desktop that no login is moved from or to.
const GLANCE: Duration = Duration::from_secs(2);

impl Vault {
    /// The names of all logins that rest in any tier of this host.
    pub(in crate::system::keyring) fn resting(&self) -> Result<BTreeSet<String>, Error> {
        let tier = self.pick()?.tier;
        let mut names = self.names_in(tier)?;
        for other in others(tier) {
            if self.reach(other)? == State::Unlocked {
                names.extend(self.names_in(other)?);
            }
        }
        Ok(names)
    }

    /// Copies `names` to `tier`, notes it for this host, and only then takes them from where they were.
    pub(in crate::system::keyring) fn move_to(&self, tier: Tier, names: &[String]) -> Result<(), Error> {
        if tier == Tier::Memory {
            let fix = "write keyring = \"memory\" for an instance with a VALETKEY_HOME of its own";
            return Err(Error::configuration("logins cannot be moved to memory: they would be gone", fix));
        }
        let from = self.pick()?.tier;
        if from != tier {
            for name in names {
                if let Some(secret) = self.load_from(from, name)? {
                    self.store_in(tier, name, secret)?;
                }
            }
            pin::replace(&self.state, tier)?;
        }
        // Where they rest there already, an earlier move may have been cut off just here.
        self.tidy(tier, names)
    }

    /// Removes from the other tiers of this host what rests in `tier` now.
    fn tidy(&self, tier: Tier, names: &[String]) -> Result<(), Error> {
        // The file tier is one for all hosts of a shared home.
        let sharers = pin::elsewhere(&self.state, Tier::File)?;
        for old in others(tier) {
            match self.reach(old)? {
                State::Unlocked => {}
                State::Absent(_) => continue,
                State::Locked => {
                    self.say("the desktop keyring is locked: whether logins were left in it cannot be told");
                    continue;
                }
            }
            let (shared, there) = (old == Tier::File && sharers > 0, self.names_in(old)?);
            let (mut kept, mut alone) = (Vec::new(), Vec::new());
            for name in names.iter().filter(|name| there.contains(*name)) {
                match self.load_from(tier, name)? {
                    Some(_) if shared => kept.push(name.as_str()),
                    Some(_) => self.delete_from(old, name)?,
                    None if shared => {}
                    None if self.load_from(old, name)?.is_some() => alone.push(name.as_str()),
                    None => {}
                }
            }
            let place = self.place(old);
            if !kept.is_empty() {
                self.say(&format!(
                    "{} stays in {place} too, for other hosts of this home ({sharers}); a secret that changes with \
                     each use is good on one host only: sign in again on the other",
                    kept.join(", ")
                ));
            }
            if !alone.is_empty() {
                let (alone, old, new) = (alone.join(", "), old.name(), tier.name());
                self.say(&format!(
                    "{alone} was left in {place}: it is nowhere else; to take it along: valetkey keyring {old}, then \
                     valetkey keyring {new}"
                ));
            }
        }
        Ok(())
    }

    /// Whether one can look into a tier that is not this host's. A desktop that is not there holds up no move of files.
    fn reach(&self, tier: Tier) -> Result<State, Error> {
        match tier {
            Tier::Service => match (self.look)(self.limit.min(GLANCE)) {
                Err(Error::Unavailable { message, .. }) => Ok(State::Absent(message)),
                looked => looked,
            },
            _ => Ok(State::Unlocked),
        }
    }

    fn names_in(&self, tier: Tier) -> Result<BTreeSet<String>, Error> {
        let names = match tier {
            Tier::Service => {
                let users = self.entries().users()?;
                users.iter().filter_map(|user| user.strip_prefix(super::LOGIN_ENTRY).map(str::to_owned)).collect()
            }
            Tier::Kernel | Tier::File => sealed::names(&self.logins(tier))?,
            Tier::Memory => Vec::new(),
        };
        // Whatever else lies there is none of ours.
        Ok(names.into_iter().filter(|name| valid_name(name)).collect())
    }
}

fn others(tier: Tier) -> impl Iterator<Item = Tier> {
    [Tier::Service, Tier::Kernel, Tier::File].into_iter().filter(move |other| *other != tier)
}
