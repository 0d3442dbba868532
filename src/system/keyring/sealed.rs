//! Logins as sealed files, one a login, and the file that holds the key where nothing better does.

use crate::error::Error;
use crate::files::PrivateDir;
use crate::ports::SealingKey;
use crate::seal;
use crate::secret::Secret;
use std::io::ErrorKind;
use std::path::Path;

pub(super) const KEY_FILE: &str = "key";
const ENDING: &str = ".sealed";

/// The login's secret; None where there is none that opens: a key that was lost is a login that must be made again.
pub(super) fn load(logins: &Path, key: &SealingKey, name: &str) -> Result<Option<Secret>, Error> {
    let sealed = read(logins, &file_of(name))?;
    Ok(sealed.and_then(|sealed| seal::open(key, &purpose(name), &sealed)))
}

pub(super) fn store(logins: &Path, key: &SealingKey, name: &str, secret: &Secret) -> Result<(), Error> {
    let dir = PrivateDir::open(logins)?;
    // A leftover does no harm: what cannot be removed stays.
    let _ = dir.sweep();
    let file = file_of(name);
    dir.write(&file, &seal::seal(key, &purpose(name), secret))
        .map_err(|error| Error::disk("write", &logins.join(file), &error))
}

pub(super) fn delete(logins: &Path, name: &str) -> Result<(), Error> {
    let Some(dir) = PrivateDir::existing(logins)? else { return Ok(()) };
    let file = file_of(name);
    dir.remove(&file).map_err(|error| Error::disk("remove", &logins.join(file), &error))
}

/// Whose secrets are here, whether or not they open.
pub(super) fn names(logins: &Path) -> Result<Vec<String>, Error> {
    let Some(dir) = PrivateDir::existing(logins)? else { return Ok(Vec::new()) };
    let files = dir.names().map_err(|error| Error::disk("list", logins, &error))?;
    Ok(files.iter().filter_map(|file| file.strip_suffix(ENDING).map(str::to_owned)).collect())
}

pub(super) fn read_key(state: &Path) -> Result<Option<SealingKey>, Error> {
    let Some(bytes) = read(state, KEY_FILE)? else { return Ok(None) };
    let text = Secret::new(String::from_utf8_lossy(&bytes));
    key_from(&text, &state.join(KEY_FILE).display().to_string()).map(Some)
}

/// Makes the key file. One that is there already stays, whoever made it.
pub(super) fn make_key(state: &Path, key: &SealingKey) -> Result<(), Error> {
    let dir = PrivateDir::open(state)?;
    let _ = dir.sweep();
    let made = dir.create(KEY_FILE, key_text(key).expose().as_bytes());
    made.map(|_| ()).map_err(|error| Error::disk("write", &state.join(KEY_FILE), &error))
}

/// 64 hex digits: what every store can hold.
pub(super) fn key_text(key: &SealingKey) -> Secret {
    Secret::new(seal::hex(&key.0))
}

/// The key from its text; `place` is named when it is none. It is never replaced: logins may be sealed with it.
pub(super) fn key_from(text: &Secret, place: &str) -> Result<SealingKey, Error> {
    let digits = text.expose().trim();
    let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    bytes.and_then(|bytes| bytes.try_into().ok()).map(SealingKey).ok_or_else(|| {
        Error::configuration(
            format!("what rests in {place} is no key"),
            "put it back from a backup, or remove it and sign in again: what it sealed is lost",
        )
    })
}

/// A private file of `dir`; None where file or directory are missing.
pub(super) fn read(dir: &Path, name: &str) -> Result<Option<Vec<u8>>, Error> {
    let Some(opened) = PrivateDir::existing(dir)? else { return Ok(None) };
    let path = dir.join(name);
    opened.read(name).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::InvalidData => {
            let fix = format!("if it is yours, run: chmod 600 '{}'; if not, remove it", path.display());
            Error::configuration(format!("{} is refused: {error}", path.display()), fix)
        }
        _ => Error::disk("read", &path, &error),
    })
}

fn file_of(name: &str) -> String {
    format!("{name}{ENDING}")
}

/// Binds the file to its user and its name: exchanged for another's, it does not open.
fn purpose(name: &str) -> Vec<u8> {
    let uid = rustix::process::geteuid().as_raw().to_string();
    seal::digest(&[b"login", uid.as_bytes(), name.as_bytes()]).into_bytes()
}
