//! The config file on disk: read only if nobody else can write it, written whole or not at all.

use super::ownership::{self, Opened};
use crate::config::Config;
use crate::error::Error;
use std::fs::{self, File, Metadata};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const MAX_CONFIG: u64 = 1024 * 1024;

/// The text of the config; None where there is none.
pub fn read_text(path: &Path) -> Result<Option<String>, Error> {
    let Some(opened) = open_regular(path)? else { return Ok(None) };
    opened.only_ours(path)?;
    text_of(opened.file, path).map(Some)
}

/// The text of another program's config, whoever may write it; None where there is none.
pub fn read_foreign(path: &Path) -> Result<Option<String>, Error> {
    open_regular(path)?.map(|opened| text_of(opened.file, path)).transpose()
}

fn open_regular(path: &Path) -> Result<Option<Opened>, Error> {
    match ownership::open(path) {
        Ok(opened) if opened.meta.is_file() => Ok(Some(opened)),
        Ok(_) => Err(Error::configuration(format!("{} is no regular file", path.display()), "make it a file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::disk("read", path, &error)),
    }
}

/// All of `file`, or an error: half a text would be written back as the whole by whoever edits it.
fn text_of(file: File, path: &Path) -> Result<String, Error> {
    let refused = |what: &str, fix: &str| Error::configuration(format!("{} {what}", path.display()), fix);
    let mut bytes = Vec::new();
    file.take(MAX_CONFIG + 1).read_to_end(&mut bytes).map_err(|error| Error::disk("read", path, &error))?;
    if bytes.len() as u64 > MAX_CONFIG {
        return Err(refused("is larger than 1 MiB", "see whether it is the right file"));
    }
    String::from_utf8(bytes).map_err(|_| refused("is not UTF-8", "save it as UTF-8"))
}

/// The config, or the empty one where there is no file.
pub fn read(path: &Path, home: &Path) -> Result<Config, Error> {
    match read_text(path)? {
        Some(text) => Config::parse(&text, path, home),
        None => Ok(Config::empty(path)),
    }
}

/// Refuses a file that its owner made read-only: the rename of [`write`] would replace it all the same.
pub fn may_be_written(path: &Path) -> Result<(), Error> {
    match fs::metadata(path) {
        Ok(meta) if meta.mode() & 0o200 == 0 => {
            let name = path.display();
            Err(Error::configuration(
                format!("{name} is read-only"),
                format!("if it is to be changed: chmod u+w {name}"),
            ))
        }
        _ => Ok(()),
    }
}

/// Writes `text` beside the file and renames it into place; a link's target is written, not the link. A file that was
/// there keeps its mode and group, a new one gets `mode`.
pub fn write(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(_) if path.is_symlink() => {
            let message = format!("{} is a link that leads nowhere", path.display());
            return Err(Error::configuration(message, "make the file that it links to, or remove the link"));
        }
        Err(_) => path.to_owned(),
    };
    let disk = |error: std::io::Error| Error::disk("write", &real, &error);
    // A bare name has an empty parent.
    let directory = real.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(disk)?;
    let old = fs::metadata(&real).ok();
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    let temporary: PathBuf = directory.join(format!(".{name}.{}", crate::seal::hex(&crate::seal::random::<6>())));
    let written = write_whole(&temporary, text, mode, old.as_ref())
        .and_then(|()| fs::rename(&temporary, &real))
        .and_then(|()| File::open(directory)?.sync_all());
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        disk(error)
    })
}

fn write_whole(path: &Path, text: &str, mode: u32, old: Option<&Metadata>) -> std::io::Result<()> {
    // Open to nobody else until it has the group for which the mode was meant.
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mode = match old {
        None => mode,
        Some(old) if file.metadata()?.gid() == old.gid() => old.mode() & 0o777,
        Some(old) => match std::os::unix::fs::fchown(&file, None, Some(old.gid())) {
            Ok(()) => old.mode() & 0o777,
            // Not one of our groups: what its members might do, those of ours may not.
            Err(_) => old.mode() & 0o707,
        },
    };
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn s20_a_config_that_others_can_write_is_refused_with_the_command_that_mends_it() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config.toml");
        assert_eq!(read_text(&file).unwrap(), None);
        write(&file, "autostart = false\n", 0o600).unwrap();
        assert!(!read(&file, home.path()).unwrap().autostart);

        let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        chmod(&file, 0o666);
        assert!(read_text(&file).unwrap_err().hint().contains("chmod go-w"));
        let link = home.path().join("link.toml");
        symlink(&file, &link).unwrap();
        assert!(read_text(&link).is_err(), "a link's target is what counts");
        chmod(&file, 0o644);
        assert!(read_text(&link).unwrap().is_some());
        chmod(home.path(), 0o777);
        assert!(read_text(&file).is_err(), "a directory that others can write");
        chmod(home.path(), 0o700);
    }

    #[test]
    fn a_write_keeps_mode_and_link_and_leaves_nothing_beside() {
        let home = tempfile::tempdir().unwrap();
        let (file, link) = (home.path().join("real"), home.path().join("link"));
        write(&file, "a", 0o600).unwrap();
        // 0666 is what no usual umask lets through.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        symlink(&file, &link).unwrap();
        write(&link, "b", 0o600).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "b");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o666);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_is_read_only_is_meant_to_stay_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let (file, link) = (home.path().join("config"), home.path().join("link"));
        assert_eq!(may_be_written(&file), Ok(()), "one that is not there yet");
        fs::write(&file, "a").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(may_be_written(&link), Ok(()));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        for path in [&file, &link] {
            assert!(may_be_written(path).unwrap_err().hint().contains("chmod u+w"));
        }
    }

    #[test]
    fn a_bare_name_is_a_file_of_this_directory() {
        // The tests of one program share their directory: a name that nobody else takes.
        let name = PathBuf::from(format!("valetkey-test-{}", crate::seal::hex(&crate::seal::random::<6>())));
        write(&name, "a", 0o600).unwrap();
        let text = fs::read_to_string(&name);
        fs::remove_file(&name).unwrap();
        assert_eq!(text.unwrap(), "a");
    }

    #[test]
    fn a_link_that_leads_nowhere_stays_a_link() {
        let home = tempfile::tempdir().unwrap();
        let link = home.path().join("link");
        symlink("gone", &link).unwrap();
        assert!(write(&link, "a", 0o600).unwrap_err().to_string().contains("leads nowhere"));
        assert!(link.is_symlink());
    }

    #[test]
    fn a_config_is_read_whole_or_not_at_all() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config.toml");
        write(&file, &"#".repeat(MAX_CONFIG as usize), 0o600).unwrap();
        assert!(read_text(&file).is_ok());
        write(&file, &"#".repeat(MAX_CONFIG as usize + 1), 0o600).unwrap();
        assert!(read_text(&file).unwrap_err().to_string().contains("1 MiB"));
        fs::write(&file, b"# caf\xe9\n").unwrap();
        assert!(read_text(&file).unwrap_err().hint().contains("UTF-8"));
    }
}
