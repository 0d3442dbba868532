//! A disk that a test fills.

use super::{is_root, skip};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

/// A file system of 64 KiB, taken away with the test.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    pub(crate) fn mount(path: PathBuf) -> Option<SmallDisk> {
        std::fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs"]).arg(&path).output();
        match mounted {
            Ok(output) if output.status.success() => Some(SmallDisk(path)),
            _ if !is_root() => {
                println!("skipped: only root can mount");
                None
            }
            refused => {
                skip(&format!("cannot mount a small disk: {refused:?}"));
                None
            }
        }
    }

    pub(crate) fn fill(&self) {
        let mut file = std::fs::File::options().create(true).append(true).open(self.0.join("ballast")).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
    }

    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
