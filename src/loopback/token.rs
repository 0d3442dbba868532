//! The token that a server demands, and the private file in which its clients find it.

use crate::error::Error;
use crate::files::PrivateDir;
use crate::secret::Secret;
use sha2::{Digest, Sha256};
use std::path::Path;

/// A token, as its digest: comparing digests takes as long for a near guess as for a far one.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    pub fn of(text: &str) -> Token {
        Token(Sha256::digest(text).into())
    }

    /// The one in this file, which must be ours alone; made if there is none.
    pub fn kept_in(path: &Path) -> Result<Token, Error> {
        let parted = path.parent().zip(path.file_name().and_then(|name| name.to_str()));
        let (directory, name) =
            parted.ok_or_else(|| Error::configuration(format!("{} is no file", path.display()), "name a file"))?;
        let here = Path::new(".");
        let directory = PrivateDir::open(if directory.as_os_str().is_empty() { here } else { directory })?;
        let read = || match directory.read(name) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                let message = format!("{} is not yours alone", path.display());
                Err(Error::configuration(message, format!("run: chmod 600 '{}'", path.display())))
            }
            read => read.map_err(|error| Error::disk("read", path, &error)),
        };
        let mut bytes = read()?;
        if bytes.is_none() {
            let (_, text) = Token::random();
            let made = directory.create(name, text.expose().as_bytes());
            made.map_err(|error| Error::disk("write", path, &error))?;
            bytes = read()?;
        }
        let text = Secret::new(String::from_utf8_lossy(&bytes.unwrap_or_default()));
        match Token::defect(text.expose()) {
            None => Ok(Token::of(text.expose())),
            Some(defect) => {
                let fix = format!(
                    "remove it: valetkey makes a new one; or write it anew: printf %s TOKEN >'{}'",
                    path.display()
                );
                Err(Error::configuration(format!("{} {defect}", path.display()), fix))
            }
        }
    }

    /// A new one of 256 bits, and its text.
    pub fn random() -> (Token, Secret) {
        let text = Secret::new(crate::seal::hex(&crate::seal::random::<32>()));
        (Token::of(text.expose()), text)
    }

    pub(super) fn is(&self, given: &[u8]) -> bool {
        self.0 == <[u8; 32]>::from(Sha256::digest(given))
    }

    /// What is wrong with the text of a token file, if anything is. It is a header's value, to the byte: botocore and
    /// the SDK for Rust fail at a newline.
    pub fn defect(text: &str) -> Option<&'static str> {
        match text {
            text if text.ends_with(['\n', '\r']) => Some("ends in a newline, which SDKs would send"),
            text if text.len() < 22 => Some("holds less than 22 characters: too few to be a token of 128 bits"),
            text if !text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') => Some("holds more than printable ASCII"),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s38_tokens_are_random_long_and_fit_for_a_header() {
        let ((one, text), (other, _)) = (Token::random(), Token::random());
        assert_ne!(one, other);
        assert_eq!((text.expose().len(), Token::defect(text.expose())), (64, None));
        assert!(one.is(text.expose().as_bytes()) && !other.is(text.expose().as_bytes()));
        for bad in ["", "short", "0123456789abcdef0123456789\n", "0123456789abcdef0123456789\u{fc}"] {
            assert!(Token::defect(bad).is_some(), "{bad:?}");
        }
        assert_eq!(format!("{one:?}"), "Token(..)");
    }

    #[test]
    fn s38_a_token_file_is_made_private_and_kept_and_a_bad_one_is_named() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("made/jobs.token");
        let token = Token::kept_in(&file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(token == Token::of(&text) && token == Token::kept_in(&file).unwrap() && !text.ends_with('\n'));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&file, format!("{text}\n")).unwrap();
        assert!(Token::kept_in(&file).unwrap_err().to_string().contains("newline"));
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(Token::kept_in(&file).unwrap_err().hint().contains("chmod 600"));
    }
}
