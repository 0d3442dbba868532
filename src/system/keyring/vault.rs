//! What the keyring does, in blocking steps: picks the tier, makes the key, notes where logins rest.

mod moving;

use super::service::{self, Entries, State};
use super::{kernel, memory, pin, sealed};
use crate::error::Error;
use crate::files::{PrivateDir, host_id};
use crate::lock::{Attempt, Guard, LockFile};
use crate::ports::{SealingKey, Tier};
use crate::seal;
use crate::secret::Secret;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// All that blocks: only ever called on the worker's thread.
#[derive(Debug)]
pub(super) struct Vault {
    state: PathBuf,
    wanted: Option<Tier>,
    limit: Duration,
    memory: memory::Memory,
    /// What a person is to be told once, in lines.
    news: Mutex<Option<String>>,
    /// How one looks at the desktop.
    pub(super) look: fn(Duration) -> Result<State, Error>,
}

/// The tier for one call.
#[derive(Debug)]
struct Pick {
    tier: Tier,
    pinned: bool,
    why: String,
}

pub(super) const CACHE_KEY: &str = "cache-key";
const LOGIN_ENTRY: &str = "login:";
const POLL: Duration = Duration::from_millis(10);

// === impl Vault ===

impl Vault {
    pub(super) fn new(state: PathBuf, wanted: Option<Tier>, limit: Duration) -> Vault {
        let look = |limit| service::probe(limit, None);
        Vault { state, wanted, limit, memory: Default::default(), news: Mutex::default(), look }
    }

    pub(super) fn take_news(&self) -> Option<String> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The tier that is noted for this host, else the one the config wants, else what a look at the desktop says.
    fn pick(&self) -> Result<Pick, Error> {
        if let Some(tier) = pin::read(&self.state)? {
            self.wanted.map_or(Ok(()), |wanted| pin::judge(&self.state, tier, wanted))?;
            return Ok(Pick { tier, pinned: true, why: String::new() });
        }
        if let Some(tier) = self.wanted {
            return Ok(Pick { tier, pinned: false, why: "the config says so".to_owned() });
        }
        match (self.look)(self.limit)? {
            State::Unlocked => Ok(Pick { tier: Tier::Service, pinned: false, why: "it is unlocked".to_owned() }),
            // Not the file instead: a desktop that is locked in the morning would split the logins.
            State::Locked => Err(service::locked()),
            State::Absent(why) => {
                Ok(Pick { tier: Tier::File, pinned: false, why: format!("no desktop keyring answers here: {why}") })
            }
        }
    }

    pub(super) fn key(&self, make: bool) -> Result<Option<SealingKey>, Error> {
        let pick = self.pick()?;
        if !make {
            return self.read_key(pick.tier);
        }
        let key = self.make_key(pick.tier)?;
        self.pin(&pick)?;
        Ok(Some(key))
    }

    pub(super) fn load(&self, name: &str) -> Result<Option<Secret>, Error> {
        let pick = self.pick()?;
        let found = self.load_from(pick.tier, name)?;
        if found.is_some() {
            // Who reads what another host of the home has stored relies on it as well. A note that cannot be made is
            // no reason to answer nothing.
            let _ = self.pin(&pick);
        }
        Ok(found)
    }

    pub(super) fn store(&self, name: &str, secret: Secret) -> Result<(), Error> {
        let pick = self.pick()?;
        self.store_in(pick.tier, name, secret)?;
        self.pin(&pick)
    }

    pub(super) fn delete(&self, name: &str) -> Result<(), Error> {
        self.delete_from(self.pick()?.tier, name)
    }

    fn load_from(&self, tier: Tier, name: &str) -> Result<Option<Secret>, Error> {
        match tier {
            Tier::Service => self.entries().get(&login_entry(name)),
            Tier::Memory => Ok(self.memory.load(name)),
            Tier::Kernel | Tier::File => match self.read_key(tier)? {
                Some(key) => sealed::load(&self.logins(tier), &key, name),
                None => Ok(None),
            },
        }
    }

    pub(super) fn store_in(&self, tier: Tier, name: &str, secret: Secret) -> Result<(), Error> {
        match tier {
            Tier::Service => self.entries().set(&login_entry(name), &secret),
            Tier::Memory => {
                self.memory.store(name, secret);
                Ok(())
            }
            Tier::Kernel | Tier::File => sealed::store(&self.logins(tier), &self.make_key(tier)?, name, &secret),
        }
    }

    fn delete_from(&self, tier: Tier, name: &str) -> Result<(), Error> {
        match tier {
            Tier::Service => self.entries().delete(&login_entry(name)),
            Tier::Memory => {
                self.memory.delete(name);
                Ok(())
            }
            Tier::Kernel | Tier::File => sealed::delete(&self.logins(tier), name),
        }
    }

    /// None only where there definitely is no key.
    fn read_key(&self, tier: Tier) -> Result<Option<SealingKey>, Error> {
        let text = match tier {
            Tier::Service => self.entries().get(CACHE_KEY)?,
            Tier::Kernel => kernel::get(&self.service_name(), CACHE_KEY)?,
            Tier::File => return sealed::read_key(&self.state),
            Tier::Memory => return Ok(self.memory.key(false)),
        };
        let place = format!("the entry {CACHE_KEY} of {}", self.service_name());
        text.map(|text| sealed::key_from(&text, &place)).transpose()
    }

    /// The key, made if there is none: under a lock, and what counts is what the store gives back.
    pub(super) fn make_key(&self, tier: Tier) -> Result<SealingKey, Error> {
        if let Some(key) = self.read_key(tier)? {
            return Ok(key);
        }
        let _guard = match tier {
            Tier::Memory => None,
            tier => self.lock_key(tier)?,
        };
        // Whoever had the lock before us may have made it.
        if let Some(key) = self.read_key(tier)? {
            return Ok(key);
        }
        let key = SealingKey(seal::random());
        match tier {
            Tier::Service => self.entries().set(CACHE_KEY, &sealed::key_text(&key))?,
            Tier::Kernel => kernel::set(&self.service_name(), CACHE_KEY, &sealed::key_text(&key))?,
            Tier::File => sealed::make_key(&self.state, &key)?,
            Tier::Memory => drop(self.memory.key(true)),
        }
        let back = self.read_key(tier)?;
        back.ok_or_else(|| Error::unavailable("the keyring took a key and does not give it back"))
    }

    #[allow(clippy::disallowed_methods)] // on the worker's thread there is no event to wait for: a lock has none
    fn lock_key(&self, tier: Tier) -> Result<Option<Guard>, Error> {
        let path = self.state.join("locks");
        let lock = LockFile::new(Arc::new(PrivateDir::open(&path)?), "key.lock");
        let started = std::time::Instant::now();
        loop {
            match lock.try_acquire()? {
                Attempt::Held(guard) => return Ok(Some(guard)),
                // The key file is made by a link that fails where there is one: as good as a lock.
                Attempt::Unlockable(_) if tier == Tier::File => return Ok(None),
                Attempt::Unlockable(error) => return Err(Error::disk("lock", &path.join("key.lock"), &error)),
                // Before the worker's limit is over, so that this is told from a keyring that hangs.
                Attempt::Busy if started.elapsed() > self.limit * 3 / 4 => {
                    return Err(Error::unavailable("another process is making the key, for too long"));
                }
                Attempt::Busy => std::thread::sleep(POLL),
            }
        }
    }

    /// Notes the tier once something rests there. Memory is never noted: nothing rests.
    fn pin(&self, pick: &Pick) -> Result<(), Error> {
        if !pick.pinned && pick.tier != Tier::Memory && pin::write(&self.state, pick.tier)? {
            self.say(&format!("logins rest in {} ({})", self.place(pick.tier), pick.why));
        }
        Ok(())
    }

    fn say(&self, line: &str) {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        let before = news.take().map(|before| before + "\n").unwrap_or_default();
        *news = Some(before + line);
    }

    fn place(&self, tier: Tier) -> String {
        let logins = self.logins(tier).display().to_string();
        match tier {
            Tier::Service => "the desktop keyring".to_owned(),
            Tier::Kernel => {
                format!("{logins}, sealed with a key in the kernel's keyring, gone at reboot or after three idle days")
            }
            Tier::File => {
                let key = self.state.join(sealed::KEY_FILE);
                format!("{logins}, sealed with a key file of mode 0600: {}", key.display())
            }
            Tier::Memory => "memory: nothing outlives the process".to_owned(),
        }
    }

    pub(super) fn describe(&self) -> Result<String, Error> {
        let pick = match self.pick() {
            Err(Error::LoginRequired { .. }) => return Ok("service (Secret Service, locked), not pinned".to_owned()),
            pick => pick?,
        };
        let what = match pick.tier {
            Tier::Service => match (self.look)(self.limit)? {
                State::Unlocked => "Secret Service, unlocked".to_owned(),
                State::Locked => "Secret Service, locked".to_owned(),
                State::Absent(why) => format!("Secret Service, not there: {why}"),
            },
            Tier::Kernel => "gone at reboot or after three idle days".to_owned(),
            Tier::File => self.state.join(sealed::KEY_FILE).display().to_string(),
            Tier::Memory => "nothing outlives the daemon".to_owned(),
        };
        let pinned = if pick.pinned { "pinned" } else { "not pinned" };
        Ok(format!("{} ({what}), {pinned}", pick.tier.name()))
    }

    /// Where sealed logins are. Under the kernel's key they are this host's own: in a shared home others have others.
    fn logins(&self, tier: Tier) -> PathBuf {
        match tier {
            Tier::Kernel => self.state.join(format!("logins-{}", host_id())),
            _ => self.state.join("logins"),
        }
    }

    fn entries(&self) -> Entries {
        Entries { service: self.service_name(), limit: self.limit }
    }

    /// Tells this instance's entries from those of a test, a demo or a second instance.
    pub(super) fn service_name(&self) -> String {
        let state = canonical(&self.state);
        format!("valetkey-{}", &seal::digest(&[state.as_os_str().as_encoded_bytes()])[..12])
    }
}

fn login_entry(name: &str) -> String {
    format!("{LOGIN_ENTRY}{name}")
}

/// The path without links and dots, though its end may not exist yet.
fn canonical(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|front| Some((front, std::fs::canonicalize(front).ok()?)));
    match found {
        Some((front, real)) => match path.strip_prefix(front) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            _ => real,
        },
        None => path.to_owned(),
    }
}
