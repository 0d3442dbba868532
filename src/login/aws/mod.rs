//! An AWS user (or one of Ceph, MinIO): by an access key that lives until it is deleted, by an MFA session, by a profile of
//! `~/.aws`, or by the role of the instance.
//!
//! The keyring holds the access key or the MFA session, never both: the keys that a session was made with are not kept.
//! What containers find in their variables (ECS, EKS Pod Identity) is not read: a daemon's variables may be another's.

mod instance;
mod keys;
mod mfa;
mod recipe;
mod resolve;
mod sign_in;
mod sso;
#[cfg(test)]
mod tests;

use super::{About, AccessRequest, Elsewhere, Granted, Kind, Login, SignIn};
use crate::access::Need;
use crate::aws::SigningClock;
use crate::aws_config::Files;
use crate::credentials::written;
use crate::error::Error;
use crate::jwt;
use crate::ports::{Environment, Later, Readers};
use crate::secret::Secret;
use crate::settings::{Key, Settings, Shape};
use keys::Keys;
use mfa::Mfa;
use recipe::{Base, Recipe};
use resolve::Places;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const KIND: Kind = Kind {
    name: "aws",
    summary: "an access key of AWS, Ceph or MinIO, an MFA session, a profile of ~/.aws, or an instance's role",
    keys: &[
        Key {
            name: "source",
            shape: Shape::OneOf(&["keyring", "profile", "instance"]),
            required: false,
            help: "where the keys are; keyring if not given, filled by valetkey login",
        },
        Key {
            name: "profile",
            shape: Shape::Text,
            required: false,
            help: "of ~/.aws; implies source = \"profile\", where default is meant if not given",
        },
        Key { name: "config_file", shape: Shape::Path, required: false, help: "if not ~/.aws/config" },
        Key { name: "credentials_file", shape: Shape::Path, required: false, help: "if not ~/.aws/credentials" },
        Key {
            name: "mfa_serial",
            shape: Shape::Text,
            required: false,
            help: "the MFA device: valetkey login asks for its code and keeps the session",
        },
        Key { name: "duration", shape: Shape::Duration, required: false, help: "of the MFA session: 15m to 36h" },
        Key { name: "endpoint", shape: Shape::Url, required: false, help: "the STS's URL, if it is not AWS'" },
        Key {
            name: "region",
            shape: Shape::Text,
            required: false,
            help: "of the STS; else the profile's or us-east-1",
        },
        Key {
            name: "metadata_endpoint",
            shape: Shape::Text,
            required: false,
            help: "the instance's metadata, if not http://169.254.169.254",
        },
        Key::CA_FILE,
        Key::PROXY,
    ],
    gives: &[Need::AwsKeys],
    build: |name, settings| Ok(Arc::new(Aws { name: name.to_owned(), keys_in: keys_in(settings)? })),
};

#[derive(Debug)]
struct Aws {
    name: String,
    keys_in: KeysIn,
}

/// Where the keys are.
#[derive(Debug)]
enum KeysIn {
    Keyring(Option<Mfa>),
    Profile { name: String, config: PathBuf, credentials: PathBuf, places: Places },
    Instance(Places),
}

fn keys_in(settings: &Settings) -> Result<KeysIn, Error> {
    let named = settings.text("profile");
    let usual = if named.is_some() { "profile" } else { "keyring" };
    let source = settings.text("source").unwrap_or(usual);
    let mfa = settings.text("mfa_serial");
    let asks_sts = source == "profile" || mfa.is_some();
    for (key, fits, of) in [
        ("profile", source == "profile", "source = \"profile\""),
        ("config_file", source == "profile", "source = \"profile\""),
        ("credentials_file", source == "profile", "source = \"profile\""),
        ("mfa_serial", source == "keyring", "keys of the keyring"),
        ("duration", mfa.is_some(), "an MFA session: mfa_serial"),
        ("endpoint", asks_sts, "mfa_serial or a profile, for which an STS is asked"),
        ("region", asks_sts, "mfa_serial or a profile, for which an STS is asked"),
        ("ca_file", asks_sts, "mfa_serial or a profile, for which an STS is asked"),
        ("proxy", asks_sts, "mfa_serial or a profile, for which an STS is asked"),
        ("metadata_endpoint", source != "keyring", "source = \"instance\""),
    ] {
        if settings.text(key).is_some() && !fits {
            return Err(settings.refuse(
                key,
                format!("{key} belongs to {of}"),
                format!("leave out {key}, or add that"),
            ));
        }
    }
    let metadata = match settings.text("metadata_endpoint") {
        None => instance::usual(),
        Some(text) => instance::address(text).ok_or_else(|| {
            let fix = "write http://169.254.169.254, http://[fd00:ec2::254] or a loopback address";
            settings.refuse("metadata_endpoint", "metadata_endpoint is no instance's", fix)
        })?,
    };
    let region = settings.text("region").map(str::to_owned);
    let (sts, route, clock) = (settings.url("endpoint"), settings.route(), SigningClock::default());
    let places = Places { sts, region, route, metadata, clock };
    let file = |key: &str, usual: &str| settings.path(key).unwrap_or_else(|| PathBuf::from(usual));
    Ok(match source {
        "profile" => KeysIn::Profile {
            name: named.unwrap_or("default").to_owned(),
            config: file("config_file", "~/.aws/config"),
            credentials: file("credentials_file", "~/.aws/credentials"),
            places,
        },
        "instance" => KeysIn::Instance(places),
        _ => KeysIn::Keyring(mfa.map(|serial| Mfa::new(serial, settings, places.sts(None))).transpose()?),
    })
}

impl Login for Aws {
    fn sign_in<'a>(&'a self, from: &'a SignIn<'a>) -> Later<'a, Result<Secret, Error>> {
        Box::pin(async move {
            match &self.keys_in {
                KeysIn::Keyring(None) => Ok(self.take(from, &from.source)?.to_secret()),
                KeysIn::Keyring(Some(mfa)) => self.take_session(mfa, from).await,
                _ => Err(Error::configuration(
                    format!("the keys of {} are in {}", self.name, self.place()),
                    "sign in with the program that keeps them",
                )),
            }
        })
    }

    fn access<'a>(&'a self, ask: AccessRequest<'a>) -> Later<'a, Result<Granted, Error>> {
        Box::pin(async move {
            let keys = match &self.keys_in {
                KeysIn::Keyring(_) => self.kept(&ask)?,
                KeysIn::Profile { places, .. } => places.keys(&unpack(ask.secret)?, &ask).await?,
                KeysIn::Instance(places) => places.instance(&ask).keys().await?,
            };
            let expires = keys.expiration;
            let access = keys.into_access();
            match ask.rejected {
                Some(rejected) if *rejected == access => Err(self.not_accepted()),
                _ => Ok(Granted { access, expires, rotated: None }),
            }
        })
    }

    fn asks_issuer(&self, secret: &Secret) -> bool {
        match &self.keys_in {
            KeysIn::Keyring(_) => false,
            KeysIn::Profile { .. } => unpack(secret).is_ok_and(|recipe| recipe.asks()),
            KeysIn::Instance(_) => true,
        }
    }

    fn elsewhere(&self) -> Option<&dyn Elsewhere> {
        match self.keys_in {
            KeysIn::Keyring(_) => None,
            KeysIn::Profile { .. } | KeysIn::Instance(_) => Some(self),
        }
    }

    fn about(&self, secret: &Secret) -> About {
        match &self.keys_in {
            KeysIn::Keyring(_) => {
                let keys = serde_json::from_str::<Keys>(secret.expose()).ok();
                let until = keys.as_ref().and_then(|keys| keys.expiration);
                About { who: keys.map(|keys| keys.access_key_id), until, made_by_hand: until.is_some() }
            }
            _ => About { who: Some(self.place()), ..About::default() },
        }
    }
}

impl Elsewhere for Aws {
    fn place(&self) -> String {
        match &self.keys_in {
            KeysIn::Profile { name, config, .. } => format!("profile {name} of {}", config.display()),
            KeysIn::Instance(_) => "the role of this instance".into(),
            KeysIn::Keyring(_) => "the keyring".into(),
        }
    }

    fn read<'a>(&'a self, environment: &'a dyn Environment) -> Later<'a, Result<Secret, Error>> {
        Box::pin(async move {
            let KeysIn::Profile { name, config, credentials, .. } = &self.keys_in else {
                // Nothing rests anywhere: the machine knows who it is.
                return Ok(Secret::new("instance"));
            };
            let recipe = self.recipe(environment, name, config, credentials).await?;
            Ok(Secret::new(serde_json::to_string(&recipe).expect("a struct of strings is JSON")))
        })
    }
}

impl Aws {
    async fn recipe(
        &self,
        environment: &dyn Environment,
        name: &str,
        config: &Path,
        credentials: &Path,
    ) -> Result<Recipe, Error> {
        let text = |file: Option<Secret>| file.unwrap_or_else(|| Secret::new(""));
        let config_text = text(environment.file(config, Readers::Anyone).await?);
        let credentials = text(environment.file(credentials, Readers::OwnerAlone).await?);
        let files = Files::read(config_text.expose(), credentials.expose());
        let mut recipe = Recipe::of(name, &files, config)?;
        let Some(file) = recipe.token().map(|token| token.file.clone()) else { return Ok(recipe) };
        let read = match &recipe.base {
            Base::Sso(sso) => sso.take_token(environment.file(&file, Readers::OwnerAlone).await?)?,
            _ => jwt::bare(&environment.token_file(&file).await?),
        };
        if let Some(token) = recipe.token() {
            token.text = Some(read);
        }
        Ok(recipe)
    }

    fn kept(&self, ask: &AccessRequest<'_>) -> Result<Keys, Error> {
        let sign_in = |message: String| Err(Error::sign_in(&self.name, message));
        match serde_json::from_str::<Keys>(ask.secret.expose()) {
            Err(_) => sign_in("what the keyring holds is no access key".into()),
            Ok(Keys { expiration: Some(end), .. }) if end <= ask.now.wall => {
                let what =
                    if matches!(self.keys_in, KeysIn::Keyring(Some(_))) { "the MFA session" } else { "the session" };
                sign_in(format!("{what} ended at {}", written(end)))
            }
            Ok(keys) if keys.expiration.is_none() && matches!(self.keys_in, KeysIn::Keyring(Some(_))) => {
                sign_in("the config wants an MFA session, and the keyring holds an access key".into())
            }
            Ok(keys) => Ok(keys),
        }
    }

    fn not_accepted(&self) -> Error {
        let what = match &self.keys_in {
            KeysIn::Keyring(Some(_)) => "the MFA session is not accepted".into(),
            KeysIn::Keyring(None) => "the access key is not accepted".into(),
            _ => format!("the keys of {} are not accepted", self.place()),
        };
        Error::sign_in(&self.name, what)
    }
}

fn unpack(secret: &Secret) -> Result<Recipe, Error> {
    serde_json::from_str(secret.expose()).map_err(|_| Error::protocol("a bug: a profile of ~/.aws was not read as one"))
}
