//! Variables and private files of the person for whom a command runs.

use crate::error::Error;
use crate::ports::Environment;
use crate::secret::Secret;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

const MAX_FILE: u64 = 64 * 1024;

/// This process's.
#[derive(Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[allow(clippy::disallowed_methods)] // This is the environment that everyone else is to ask.
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn private_file(&self, path: &Path) -> Result<Secret, Error> {
        let disk = |error: std::io::Error| Error::disk("read", path, &error);
        // Without O_NONBLOCK a fifo would be waited for.
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(disk)?;
        let meta = file.metadata().map_err(disk)?;
        let refused = |what: &str, fix: String| Err(Error::configuration(format!("{} {what}", path.display()), fix));
        if !meta.is_file() {
            return refused("is no regular file", "name a file".into());
        }
        if meta.uid() != rustix::process::getuid().as_raw() {
            return refused("belongs to another user", "copy it to a file of your own, mode 0600".into());
        }
        if meta.mode() & 0o077 != 0 {
            return refused("can be read by others", format!("chmod 600 {}", path.display()));
        }
        let mut text = zeroize::Zeroizing::new(String::new());
        file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(disk)?;
        if text.len() as u64 > MAX_FILE {
            return refused("is larger than 64 KiB", "name the file that holds the secret".into());
        }
        Ok(Secret::new(text.as_str()))
    }
}
