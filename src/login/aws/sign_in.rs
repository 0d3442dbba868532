//! Keys out of a person, a variable or a text; and the code that makes a session of them.

use super::keys::Keys;
use super::mfa::{Mfa, split_code};
use super::{Aws, KIND};
use crate::error::Error;
use crate::login::{SignIn, Source, no_netrc};
use crate::secret::Secret;

impl Aws {
    /// Keys out of a person, a variable or a text.
    pub(super) fn take(&self, from: &SignIn<'_>, source: &Source) -> Result<Keys, Error> {
        let variable = |name: &str| {
            from.environment.variable(name).ok_or_else(|| {
                Error::configuration(format!("{name} is not set"), "export it, or leave out --from-env to be asked")
            })
        };
        let keys = match source {
            Source::Variables => Keys {
                access_key_id: variable("AWS_ACCESS_KEY_ID")?,
                secret_access_key: Secret::new(variable("AWS_SECRET_ACCESS_KEY")?),
                session_token: variable("AWS_SESSION_TOKEN").ok().map(Secret::new),
                expiration: None,
            },
            Source::Text(text) => Keys::from_text(text.expose())?,
            Source::Netrc(_) => return Err(no_netrc(KIND.name)),
            Source::Person => Keys {
                access_key_id: from.prompt.ask("Access key ID: ")?,
                secret_access_key: from.prompt.ask_secret("Secret access key: ")?,
                session_token: None,
                expiration: None,
            },
        };
        if !keys.sound() {
            return Err(Error::sign_in(&self.name, "an access key has no spaces and no characters but ASCII"));
        }
        Ok(keys)
    }

    /// The code comes with the text, or from the person; one that cannot be right is not sent.
    pub(super) async fn take_session(&self, mfa: &Mfa, from: &SignIn<'_>) -> Result<Secret, Error> {
        let (source, code) = match &from.source {
            Source::Text(text) => {
                let (keys, code) = split_code(text);
                (Source::Text(keys), code)
            }
            other => (other.clone(), None),
        };
        let keys = self.take(from, &source)?;
        let code = match code {
            Some(code) => code,
            None if from.prompt.someone() => from.prompt.ask("MFA code: ")?,
            None => {
                let fix = "pipe the access key in with the code on a last line of its own: --from-file -";
                return Err(Error::configuration("nobody is there to ask for the MFA code", fix));
            }
        };
        Ok(mfa.session(&keys, &mfa.code(&code)?, from).await?.to_secret())
    }
}
