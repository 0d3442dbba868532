//! A session by a second factor: GetSessionToken with the device's code, asked once, by a person who is present.

use super::keys::Keys;
use crate::access::Need;
use crate::aws::{Address, CallError, Refusal};
use crate::credentials::written;
use crate::error::Error;
use crate::login::SignIn;
use crate::secret::Secret;
use crate::settings::Settings;

/// The device, and the STS that knows it.
#[derive(Debug)]
pub(super) struct Mfa {
    serial: String,
    seconds: Option<i32>,
    address: Address,
}

impl Mfa {
    pub(super) fn new(serial: &str, settings: &Settings, address: Address) -> Result<Mfa, Error> {
        let fine = |b: u8| b.is_ascii_alphanumeric() || b"_+=/:,.@-".contains(&b);
        if !(9..=256).contains(&serial.len()) || !serial.bytes().all(fine) {
            let fix = "write arn:aws:iam::ACCOUNT:mfa/NAME, or the number on the device";
            return Err(settings.refuse("mfa_serial", "mfa_serial is not one that STS takes", fix));
        }
        let seconds = settings.duration("duration").map(|duration| duration.as_secs());
        if address.is_aws() && seconds.is_some_and(|seconds| !(900..=129_600).contains(&seconds)) {
            let fix = "write a duration from 15m to 36h";
            return Err(settings.refuse("duration", "AWS lets an MFA session live 15m to 36h", fix));
        }
        let seconds = seconds.and_then(|seconds| i32::try_from(seconds).ok());
        Ok(Mfa { serial: serial.to_owned(), seconds, address })
    }

    /// The code, if it is one: a slip of the finger costs no attempt.
    pub(super) fn code(&self, typed: &str) -> Result<String, Error> {
        let code = typed.trim();
        let lengths = if self.address.is_aws() { 6..=6 } else { 6..=8 };
        if lengths.contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(code.to_owned());
        }
        Err(Error::configuration("an MFA code is six digits", "type what the device shows now"))
    }

    /// The session that the keys and the code give. One request.
    pub(super) async fn session(&self, keys: &Keys, code: &str, from: &SignIn<'_>) -> Result<Keys, Error> {
        if keys.session_token.is_some() {
            let fix = "give the long-lived access key, without a session token";
            return Err(Error::configuration("these keys are a session already, which cannot get another", fix));
        }
        let (client, seen) = self.address.client(from.http, Some(keys.signer()));
        let call = client.get_session_token().serial_number(&self.serial).token_code(code);
        let session = match call.set_duration_seconds(self.seconds).send().await {
            Ok(answer) => Keys::from_sts(answer.credentials().cloned(), &self.address.host())?,
            Err(error) => {
                return Err(match self.address.refusal(&seen, &CallError::from(error), Need::AwsKeys) {
                    Refusal::Access(error) | Refusal::Request(error) => error,
                });
            }
        };
        match session.expiration {
            Some(end) if end <= from.now.wall => Err(Error::configuration(
                format!("the MFA session ends at {}, which is over here", written(end)),
                "set this host's clock: timedatectl set-ntp true",
            )),
            _ => Ok(session),
        }
    }
}

/// The text of a file without the code, which stands on the last line by itself, and the code if there is one.
pub(super) fn split_code(text: &Secret) -> (Secret, Option<String>) {
    let whole = text.expose().trim_end();
    let (before, last) = whole.rsplit_once('\n').unwrap_or(("", whole));
    let last = last.trim();
    if !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) {
        return (Secret::new(before), Some(last.to_owned()));
    }
    (text.clone(), None)
}
