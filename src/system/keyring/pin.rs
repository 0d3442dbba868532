//! Which store holds the logins of this host, noted when the first one was stored.
//!
//! Without the note a desktop that is not up yet would look like a host that has none, and logins would end up in two
//! places, each lost to whoever looks in the other.

use super::sealed;
use crate::error::Error;
use crate::files::{PrivateDir, host_id};
use crate::ports::Tier;
use std::path::{Path, PathBuf};

const NOTE: &str = "keyring-";

pub(super) fn path(state: &Path) -> PathBuf {
    state.join(file())
}

pub(super) fn read(state: &Path) -> Result<Option<Tier>, Error> {
    let Some(bytes) = sealed::read(state, &file())? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    match Tier::from_name(text.trim()) {
        Some(tier) => Ok(Some(tier)),
        None => Err(Error::configuration(
            format!("{} names no place for logins: {:.40}", path(state).display(), text.trim()),
            "write one of service, kernel, file into it",
        )),
    }
}

/// Notes `tier`; false where it was noted before. A note that says otherwise is an error.
pub(super) fn write(state: &Path, tier: Tier) -> Result<bool, Error> {
    let created = PrivateDir::open(state)?.create(&file(), format!("{}\n", tier.name()).as_bytes());
    if created.map_err(|error| Error::disk("write", &path(state), &error))? {
        return Ok(true);
    }
    judge(state, read(state)?.unwrap_or(tier), tier).map(|()| false)
}

/// Notes `tier` in place of what was noted.
pub(super) fn replace(state: &Path, tier: Tier) -> Result<(), Error> {
    let written = PrivateDir::open(state)?.write(&file(), format!("{}\n", tier.name()).as_bytes());
    written.map_err(|error| Error::disk("write", &path(state), &error))
}

/// How many other hosts of a shared home have noted `tier`. A note that does not read may say so, and counts.
pub(super) fn elsewhere(state: &Path, tier: Tier) -> Result<usize, Error> {
    let Some(dir) = PrivateDir::existing(state)? else { return Ok(0) };
    let mut notes = dir.names().map_err(|error| Error::disk("list", state, &error))?;
    notes.retain(|name| name.starts_with(NOTE) && *name != file());
    let says_another = |name: &String| match dir.read(name) {
        Ok(Some(bytes)) => Tier::from_name(String::from_utf8_lossy(&bytes).trim()).is_some_and(|noted| noted != tier),
        Ok(None) => true,
        Err(_) => false,
    };
    Ok(notes.iter().filter(|name| !says_another(name)).count())
}

/// Whether `wanted` is where the logins are.
pub(super) fn judge(state: &Path, pinned: Tier, wanted: Tier) -> Result<(), Error> {
    if pinned == wanted {
        return Ok(());
    }
    let (pinned, wanted) = (pinned.name(), wanted.name());
    Err(Error::configuration(
        format!("logins rest in the {pinned} keyring on this host, not in {wanted}: {}", path(state).display()),
        format!(
            "write keyring = \"{pinned}\" into the config, or remove the line keyring = \"{wanted}\"; to move: valetkey keyring {wanted}"
        ),
    ))
}

fn file() -> String {
    format!("{NOTE}{}", host_id())
}
