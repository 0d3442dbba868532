//! The sealed files: leases (their end in clear before the seal, so that old ones can be swept without a key),
//! stored access and pending secrets.

use super::{Fingerprint, disk};
use crate::access::Access;
use crate::error::Error;
use crate::files::PrivateDir;
use crate::lease::Lease;
use crate::ports::SealingKey;
use crate::seal;
use crate::secret::Secret;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;

/// Access as a login gave it, shared by all profiles and processes until `expires`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAccess {
    pub access: Access,
    pub expires: Timestamp,
}

/// A rotated secret, and the version that it takes the place of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub instead_of: String,
    /// A whole stored login, as it goes into the keyring.
    #[serde(serialize_with = "Secret::serialize_exposed")]
    pub login: Secret,
}

const ENDING: &str = "sealed";

/// `podaac.0123456789abcdef.sealed`
fn lease_name(profile: &str, fingerprint: &Fingerprint) -> String {
    format!("{profile}.{fingerprint}.{ENDING}")
}

/// Whether `name` is a lease's of `profile`, under whatever fingerprint.
fn is_lease_of(profile: &str, name: &str) -> bool {
    let rest = name.strip_prefix(profile).and_then(|rest| rest.strip_prefix('.'));
    rest.and_then(|rest| rest.strip_suffix(ENDING)?.strip_suffix('.'))
        .is_some_and(|print| print.len() == 16 && print.bytes().all(|b| b.is_ascii_hexdigit()))
}

pub(super) fn file_name(login: &str) -> String {
    format!("{login}.{ENDING}")
}

/// What the associated data says: whose it is, what it is for, until when.
fn purpose(what: &str, name: &str, dependence: &str, end: i64) -> Vec<u8> {
    let uid = rustix::process::getuid().as_raw();
    format!("{what}\0{uid}\0{name}\0{dependence}\0{end}").into_bytes()
}

pub(super) fn read_lease(
    directory: &PrivateDir,
    profile: &str,
    fingerprint: &Fingerprint,
    key: &SealingKey,
) -> Result<Option<Lease>, Error> {
    let name = lease_name(profile, fingerprint);
    let Some(bytes) = read_file(directory, &name)? else { return Ok(None) };
    let opened = bytes.split_first_chunk::<8>().and_then(|(end, sealed)| {
        let purpose = purpose("lease", profile, fingerprint.as_str(), i64::from_le_bytes(*end));
        let text = seal::open(key, &purpose, sealed)?;
        serde_json::from_str::<Lease>(text.expose()).ok()
    });
    if opened.is_none() {
        tracing::warn!(profile, "a damaged file in the cache counts as none");
    }
    Ok(opened)
}

pub(super) fn write_lease(
    directory: &PrivateDir,
    profile: &str,
    fingerprint: &Fingerprint,
    key: &SealingKey,
    lease: &Lease,
) -> Result<(), Error> {
    let end = lease.credentials.expiration.as_second();
    let text = json(lease)?;
    let sealed = seal::seal(key, &purpose("lease", profile, fingerprint.as_str(), end), &text);
    let name = lease_name(profile, fingerprint);
    let bytes = [end.to_le_bytes().as_slice(), &sealed].concat();
    directory.write(&name, &bytes).map_err(|error| disk(directory, "write to", &error))?;
    remove_leases(directory, profile, Some(&name))
}

/// Removes the profile's leases, whatever their fingerprints, but for the file `keep`.
pub(super) fn remove_leases(directory: &PrivateDir, profile: &str, keep: Option<&str>) -> Result<(), Error> {
    for old in names(directory)? {
        if Some(old.as_str()) != keep && is_lease_of(profile, &old) {
            directory.remove(&old).map_err(|error| disk(directory, "remove from", &error))?;
        }
    }
    Ok(())
}

pub(super) fn sweep_leases(directory: &PrivateDir, now: i64) -> Result<(), Error> {
    for name in names(directory)? {
        let over = match read_file(directory, &name)?.as_deref().and_then(<[u8]>::split_first_chunk::<8>) {
            Some((end, _)) => i64::from_le_bytes(*end) < now.saturating_sub(3600),
            None => true,
        };
        if over && name.ends_with(ENDING) {
            directory.remove(&name).map_err(|error| disk(directory, "remove from", &error))?;
        }
    }
    Ok(())
}

pub(super) fn read<T: DeserializeOwned>(
    directory: &PrivateDir,
    login: &str,
    dependence: &str,
    key: &SealingKey,
) -> Result<Option<T>, Error> {
    let Some(bytes) = read_file(directory, &file_name(login))? else { return Ok(None) };
    let text = seal::open(key, &purpose("login", login, dependence, 0), &bytes);
    Ok(text.and_then(|text| serde_json::from_str(text.expose()).ok()))
}

/// Like [`read`], for what is nowhere else: a file that is there and does not open is an error. A sign-in drops it.
pub(super) fn read_sole<T: DeserializeOwned>(
    directory: &PrivateDir,
    login: &str,
    dependence: &str,
    key: &SealingKey,
) -> Result<Option<T>, Error> {
    let name = file_name(login);
    let path = directory.path().join(&name);
    let bytes = directory.read(&name).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidData => Error::configuration(
            format!("{} is refused: {error}", path.display()),
            format!("if it is yours, run: chmod 600 '{}'; if not, run: valetkey login {login}", path.display()),
        ),
        _ => disk(directory, "read", &error),
    })?;
    let Some(bytes) = bytes else { return Ok(None) };
    let text = seal::open(key, &purpose("login", login, dependence, 0), &bytes);
    let value = text.and_then(|text| serde_json::from_str(text.expose()).ok());
    let lost = || {
        let message = format!("the last secret of {login} waits in {}, sealed with a key that is lost", path.display());
        Error::sign_in(login, message)
    };
    value.map(Some).ok_or_else(lost)
}

pub(super) fn write<T: Serialize>(
    directory: &PrivateDir,
    login: &str,
    dependence: &str,
    key: &SealingKey,
    value: &T,
) -> Result<(), Error> {
    let sealed = seal::seal(key, &purpose("login", login, dependence, 0), &json(value)?);
    directory.write(&file_name(login), &sealed).map_err(|error| disk(directory, "write to", &error))
}

/// The same, into a file that keeps room for it.
pub(super) fn write_into<T: Serialize>(
    directory: &PrivateDir,
    room: &str,
    login: &str,
    dependence: &str,
    key: &SealingKey,
    value: &T,
) -> Result<(), Error> {
    let sealed = seal::seal(key, &purpose("login", login, dependence, 0), &json(value)?);
    directory.write_into(room, &file_name(login), &sealed).map_err(|error| disk(directory, "write to", &error))
}

fn json<T: Serialize>(value: &T) -> Result<Secret, Error> {
    serde_json::to_string(value).map(Secret::new).map_err(|_| Error::protocol("what was to be sealed is no JSON"))
}

fn names(directory: &PrivateDir) -> Result<Vec<String>, Error> {
    directory.names().map_err(|error| disk(directory, "list", &error))
}

/// A file that is not a private regular one of ours is passed over with a warning: it is not what we wrote.
fn read_file(directory: &PrivateDir, name: &str) -> Result<Option<Vec<u8>>, Error> {
    match directory.read(name) {
        Ok(bytes) => Ok(bytes),
        Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidData) => {
            tracing::warn!(file = name, "a file in the cache is not private to us and counts as none: {error}");
            Ok(None)
        }
        Err(error) => Err(disk(directory, "read", &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cache;
    use super::*;
    use crate::config::Config;
    use crate::lease::tests::{lease, moment};
    use std::path::Path;

    const KEY: SealingKey = SealingKey([7; 32]);

    fn fingerprint(access: &str) -> Fingerprint {
        let text = format!(
            "[profiles.p]\nprovider = \"sts\"\nrole_arn = \"arn:aws:iam::1:role/r\"\nbucket = \"bbb\"\naccess = \"{access}\"\nlogin = \"l\"\n[logins.l]\nkind = \"aws\"\n"
        );
        let config = Config::parse(&text, Path::new("/c"), Path::new("/h")).unwrap();
        let login = Fingerprint::of_login(config.login("l").unwrap(), "v1", "k");
        Fingerprint::of_profile(config.profile("p").unwrap(), &login)
    }

    #[test]
    fn a_lease_comes_back_whole_and_not_in_plain_text() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::new(home.path());
        let (print, lease) = (fingerprint("read-only"), lease(3600));
        assert_eq!(cache.lease("p", &print, &KEY).unwrap(), None);
        cache.write_lease("p", &print, &KEY, &lease).unwrap();
        assert_eq!(cache.lease("p", &print, &KEY).unwrap(), Some(lease));
        let file = home.path().join("cache").join(lease_name("p", &print));
        let bytes = std::fs::read(file).unwrap();
        assert!(!bytes.windows(6).any(|w| w == b"marker"), "S18");
    }

    #[test]
    fn an_edited_setting_another_login_or_another_key_is_a_miss() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::new(home.path());
        let print = fingerprint("read-write");
        cache.write_lease("p", &print, &KEY, &lease(3600)).unwrap();
        assert_eq!(cache.lease("p", &fingerprint("read-only"), &KEY).unwrap(), None);
        assert_eq!(cache.lease("p", &print, &SealingKey([8; 32])).unwrap(), None);
        cache.write_lease("p", &fingerprint("read-only"), &KEY, &lease(3600)).unwrap();
        assert_eq!(cache.lease("p", &print, &KEY).unwrap(), None, "the old one is gone");
    }

    #[test]
    fn f15_a_damaged_or_swapped_file_is_a_miss() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::new(home.path());
        let print = fingerprint("read-only");
        cache.write_lease("p", &print, &KEY, &lease(3600)).unwrap();
        let directory = home.path().join("cache");
        std::fs::rename(directory.join(lease_name("p", &print)), directory.join(lease_name("q", &print))).unwrap();
        assert_eq!(cache.lease("q", &print, &KEY).unwrap(), None, "S18: swapped between profiles");

        cache.write_lease("p", &print, &KEY, &lease(3600)).unwrap();
        let file = directory.join(lease_name("p", &print));
        let whole = std::fs::read(&file).unwrap();
        for cut in [0, 1, 8, 20, whole.len() - 1] {
            std::fs::write(&file, &whole[..cut]).unwrap();
            assert_eq!(cache.lease("p", &print, &KEY).unwrap(), None, "cut at {cut}");
        }
        let mut longer = whole.clone();
        longer[0] ^= 1;
        std::fs::write(&file, &longer).unwrap();
        assert_eq!(cache.lease("p", &print, &KEY).unwrap(), None, "its end was moved");
    }

    #[test]
    fn the_sweep_takes_what_is_over_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::new(home.path());
        let print = fingerprint("read-only");
        cache.write_lease("p", &print, &KEY, &lease(3600)).unwrap();
        cache.sweep(moment(0).wall.as_second()).unwrap();
        assert!(cache.lease("p", &print, &KEY).unwrap().is_some());
        cache.sweep(moment(3 * 3600).wall.as_second()).unwrap();
        assert_eq!(cache.lease("p", &print, &KEY).unwrap(), None);
    }

    #[test]
    fn a_profile_whose_name_begins_like_anothers_keeps_its_lease() {
        assert!(is_lease_of("a", "a.0123456789abcdef.sealed"));
        assert!(!is_lease_of("a", "a.b.0123456789abcdef.sealed"));
        assert!(!is_lease_of("a", "ab.0123456789abcdef.sealed"));
    }
}
