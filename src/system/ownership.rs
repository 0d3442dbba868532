//! Who could have changed a file: one that somebody else may write to, or exchange, is not believed.

use crate::error::Error;
use crate::files::own_uid;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file that is open, and where it really is: all links are followed.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) real: PathBuf,
    pub(super) file: File,
    pub(super) meta: Metadata,
}

/// Opens `path` to read it. A fifo is not waited for; whether it is a regular file is left to the caller.
pub(super) fn open(path: &Path) -> io::Result<Opened> {
    let real = path.canonicalize()?;
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(&real)?;
    let meta = file.metadata()?;
    Ok(Opened { real, file, meta })
}

impl Opened {
    /// Refuses what was opened as `path` if anybody but us and root could have written it, or put it there.
    pub(super) fn only_ours(&self, path: &Path) -> Result<(), Error> {
        let me = Owner { uid: own_uid(), gid: rustix::process::getgid().as_raw() };
        if let Some(fault) = fault(&Facts::of(&self.meta), me) {
            return Err(fault.of(&self.real, String::new()));
        }
        // Who can write to a directory above can exchange the file; a link's own directories count as well as its target's.
        for start in [self.real.as_path(), path] {
            for above in start.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
                let meta = std::fs::metadata(above).map_err(|error| Error::disk("read", above, &error))?;
                if let Some(fault) = fault(&Facts::of(&meta), me) {
                    return Err(fault.of(above, format!("{} could be exchanged: ", path.display())));
                }
            }
        }
        Ok(())
    }

    /// Whether the file was put where it is for us, so that its mode is not ours to change: on a mount that is only
    /// read, or where containers find their secrets (Kubernetes: root's and 0644, or 0640 with an fsGroup).
    pub(super) fn is_mounted(&self) -> bool {
        let read_only = rustix::fs::fstatvfs(&self.file)
            .is_ok_and(|mount| mount.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
        is_mounted(&self.real, read_only)
    }
}

fn is_mounted(real: &Path, read_only: bool) -> bool {
    read_only || SECRETS.iter().any(|place| real.starts_with(place))
}

/// The first is a link to the second on most systems.
const SECRETS: [&str; 2] = ["/var/run/secrets", "/run/secrets"];

/// The user and group that we run as, or that a file belongs to.
#[derive(Debug, Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

/// What a file or directory says about who may write to it.
#[derive(Debug, Clone, Copy)]
struct Facts {
    owner: Owner,
    mode: u32,
    directory: bool,
}

/// Why somebody else could have changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Owner(u32),
    Mode(u32),
}

/// Nothing where only we and root may write. A group of the user's own is no somebody else, and in a sticky directory
/// of root's nobody can exchange another's files.
fn fault(of: &Facts, me: Owner) -> Option<Fault> {
    if of.owner.uid != me.uid && of.owner.uid != 0 {
        return Some(Fault::Owner(of.owner.uid));
    }
    let own_group = of.owner.gid == me.uid && me.gid == me.uid;
    let sticky_root = of.directory && of.owner.uid == 0 && of.mode & 0o1000 != 0;
    let others = if own_group { 0o002 } else { 0o022 };
    (!sticky_root && of.mode & others != 0).then_some(Fault::Mode(of.mode & 0o7777))
}

impl Facts {
    fn of(meta: &Metadata) -> Facts {
        Facts { owner: Owner { uid: meta.uid(), gid: meta.gid() }, mode: meta.mode(), directory: meta.is_dir() }
    }
}

impl Fault {
    fn of(self, place: &Path, before: String) -> Error {
        let place = place.display();
        match self {
            Fault::Owner(uid) => Error::configuration(
                format!("{before}{place} belongs to uid {uid}, who could change it"),
                "keep the file in a directory of your own",
            ),
            Fault::Mode(mode) => Error::configuration(
                format!("{before}{place} can be written by others (mode {mode:04o})"),
                format!("chmod go-w {place}"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Owner = Owner { uid: 1000, gid: 1000 };

    fn at(uid: u32, gid: u32, mode: u32, me: Owner) -> Option<Fault> {
        let file = Facts { owner: Owner { uid, gid }, mode, directory: false };
        fault(&file, me)
    }

    #[test]
    fn s20_only_we_and_root_may_write_and_a_group_of_our_own_is_us() {
        let users = Owner { uid: 1000, gid: 100 };
        for (uid, gid, mode, me, fine) in [
            (1000, 1000, 0o644, ME, true),
            (1000, 1000, 0o664, ME, true),
            (1000, 100, 0o664, ME, false),
            (1000, 100, 0o664, users, false),
            (1000, 1000, 0o664, users, false),
            (1000, 1000, 0o646, ME, false),
            (0, 0, 0o644, ME, true),
            (0, 0, 0o664, ME, false),
            (0, 1000, 0o664, ME, true),
            (1001, 1000, 0o600, ME, false),
        ] {
            assert_eq!(at(uid, gid, mode, me).is_none(), fine, "{uid}:{gid} {mode:o} {me:?}");
        }
    }

    #[test]
    fn s20_a_sticky_directory_of_roots_is_fine_and_no_other_that_all_may_write() {
        for (uid, mode, directory, fine) in
            [(0, 0o1777, true, true), (0, 0o777, true, false), (1000, 0o1777, true, false), (0, 0o1666, false, false)]
        {
            let of = Facts { owner: Owner { uid, gid: 0 }, mode, directory };
            assert_eq!(fault(&of, ME).is_none(), fine, "{uid} {mode:o}");
        }
    }

    #[test]
    fn what_is_mounted_for_us_is_told_by_the_mount_or_the_place() {
        assert!(is_mounted(Path::new("/srv/token"), true));
        assert!(!is_mounted(Path::new("/srv/token"), false));
        for place in ["/var/run/secrets/eks.amazonaws.com/serviceaccount/token", "/run/secrets/token"] {
            assert!(is_mounted(Path::new(place), false), "{place}");
        }
        assert!(!is_mounted(Path::new("/run/secrets-not/token"), false));
    }
}
