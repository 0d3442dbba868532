//! What the keys of a named profile are made of: its own chain through `~/.aws`, and nothing else of these files.

use super::keys::Keys;
use crate::aws_config::{Files, Section};
use crate::error::Error;
use crate::secret::Secret;
use crate::settings::nearest;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// In the order of making. As JSON it is the login's secret: another recipe is another sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recipe {
    /// The profile that the config names.
    pub(super) profile: String,
    pub(super) base: Base,
    /// Each assumed with the keys of the one before.
    pub(super) roles: Vec<Role>,
}

/// What comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Base {
    Keys(Keys),
    /// The role of the machine.
    Instance,
    /// A program that prints keys, and its arguments.
    Process(Vec<String>),
    WebIdentity {
        role: Role,
        token: Token,
    },
    Sso(Sso),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) session_name: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) seconds: Option<i32>,
    pub(super) region: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sso {
    /// The profile that says so: what `aws sso login` wants to hear.
    pub(super) profile: String,
    pub(super) region: String,
    pub(super) account: String,
    pub(super) role: String,
    pub(super) token: Token,
}

/// A token that another program keeps in a file, and what is there once it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    pub(super) file: PathBuf,
    #[serde(serialize_with = "crate::access::serialize_optional")]
    pub(super) text: Option<Secret>,
}

impl Recipe {
    /// Follows `name` through the files, of which `config` is the one to be named in errors. Runs and asks nothing.
    pub(super) fn of(name: &str, files: &Files<'_>, config: &Path) -> Result<Recipe, Error> {
        let (mut roles, mut visited) = (Vec::new(), Vec::<&str>::new());
        let mut current = name;
        let base = loop {
            let profile = Profile { name: current, config, section: found(current, &visited, files, config)? };
            if visited.contains(&current) {
                let way = visited.iter().chain([&current]).copied().collect::<Vec<_>>().join(" -> ");
                return Err(profile.refuse(format!("leads back to itself: {way}"), "let source_profile end at keys"));
            }
            profile.is_not_us()?;
            // As the AWS CLI: what a role's source has by itself comes before the role that it could assume.
            let keys = profile.keys()?;
            if let (false, Some(keys)) = (visited.is_empty(), &keys) {
                break Base::Keys(keys.clone());
            }
            visited.push(current);
            let (Some(role), None) = (profile.role()?, profile.value("web_identity_token_file")) else {
                break profile.base(keys, files)?;
            };
            roles.push(role);
            match (profile.value("source_profile"), profile.value("credential_source")) {
                (Some(source), None) if source == current => break profile.base(keys, files)?,
                (Some(source), None) => current = source,
                (None, Some(source)) => break profile.named_source(source)?,
                (Some(_), Some(_)) => {
                    return Err(
                        profile.refuse("has both source_profile and credential_source", "leave one of them out")
                    );
                }
                (None, None) => {
                    let fix = "add source_profile = NAME: whose keys assume the role";
                    return Err(profile.refuse("has a role_arn and no source_profile", fix));
                }
            }
        };
        roles.reverse();
        Ok(Recipe { profile: name.to_owned(), base, roles })
    }

    /// Whether anything has to be asked or run for the keys.
    pub(super) fn asks(&self) -> bool {
        !self.roles.is_empty() || !matches!(self.base, Base::Keys(_))
    }

    /// The token that has to be read before.
    pub(super) fn token(&mut self) -> Option<&mut Token> {
        match &mut self.base {
            Base::WebIdentity { token, .. } => Some(token),
            Base::Sso(sso) => Some(&mut sso.token),
            Base::Keys(_) | Base::Instance | Base::Process(_) => None,
        }
    }
}

fn found<'a>(name: &str, visited: &[&str], files: &'a Files<'a>, config: &Path) -> Result<&'a Section<'a>, Error> {
    files.profile(name).ok_or_else(|| {
        let by = visited.last().map(|by| format!(", the source_profile of {by}")).unwrap_or_default();
        let fix = match nearest(name, files.names()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("add [profile {name}] to it, or name another profile"),
        };
        Error::configuration(format!("there is no profile {name}{by} in {}", config.display()), fix)
    })
}

/// One profile of the files.
struct Profile<'a> {
    name: &'a str,
    section: &'a Section<'a>,
    config: &'a Path,
}

impl<'a> Profile<'a> {
    fn value(&self, key: &str) -> Option<&'a str> {
        self.section.get(key).copied().filter(|value| !value.is_empty())
    }

    fn needed(&self, key: &str, why: &str) -> Result<&'a str, Error> {
        self.value(key).ok_or_else(|| self.refuse(format!("has {why} and no {key}"), format!("add {key} to it")))
    }

    fn refuse(&self, what: impl std::fmt::Display, fix: impl Into<String>) -> Error {
        Error::configuration(format!("profile {} of {} {what}", self.name, self.config.display()), fix)
    }

    fn keys(&self) -> Result<Option<Keys>, Error> {
        let (id, secret) = (self.value("aws_access_key_id"), self.value("aws_secret_access_key"));
        if id.is_none() && secret.is_none() {
            return Ok(None);
        }
        let keys = Keys {
            access_key_id: self.needed("aws_access_key_id", "aws_secret_access_key")?.to_owned(),
            secret_access_key: Secret::new(self.needed("aws_secret_access_key", "aws_access_key_id")?),
            session_token: self.value("aws_session_token").map(Secret::new),
            expiration: None,
        };
        match keys.sound() {
            true => Ok(Some(keys)),
            false => Err(self.refuse("has keys with blanks or other than ASCII in them", "copy them again")),
        }
    }

    fn role(&self) -> Result<Option<Role>, Error> {
        let Some(arn) = self.value("role_arn") else { return Ok(None) };
        if self.value("mfa_serial").is_some() {
            let fix = "name its source_profile here, or sign in with a login that has mfa_serial in valetkey's config";
            return Err(self.refuse("wants a code for each use of its role, which nobody is there to type", fix));
        }
        let seconds = self.value("duration_seconds").map(|text| {
            text.parse::<i32>().map_err(|_| self.refuse("has a duration_seconds that is no number", "write 3600"))
        });
        Ok(Some(Role {
            arn: arn.to_owned(),
            session_name: self.value("role_session_name").map(str::to_owned),
            external_id: self.value("external_id").map(str::to_owned),
            seconds: seconds.transpose()?,
            region: self.value("region").map(str::to_owned),
        }))
    }

    /// What the profile has without a role, in the AWS CLI's order.
    fn base(&self, keys: Option<Keys>, files: &Files<'_>) -> Result<Base, Error> {
        if let Some(file) = self.value("web_identity_token_file") {
            self.needed("role_arn", "web_identity_token_file")?;
            let role = self.role()?.unwrap_or_default();
            return Ok(Base::WebIdentity { role, token: Token { file: PathBuf::from(file), text: None } });
        }
        if self.value("sso_session").is_some() || self.value("sso_start_url").is_some() {
            return self.sso(files).map(Base::Sso);
        }
        if let Some(keys) = keys {
            return Ok(Base::Keys(keys));
        }
        if let Some(command) = self.value("credential_process") {
            return self.words(command).map(Base::Process);
        }
        if self.value("login_session").is_some() {
            let fix = "use a profile with SSO, a role or keys";
            return Err(self.refuse("signs in by the console (aws login), which is not read here", fix));
        }
        Err(self.refuse("has no keys and nothing that leads to any", "name a profile with keys, a role or SSO"))
    }

    fn named_source(&self, source: &str) -> Result<Base, Error> {
        match source {
            "Ec2InstanceMetadata" => Ok(Base::Instance),
            // The environment is of whoever started us, and may be another's.
            "Environment" | "EcsContainer" => {
                let fix = "name a profile with source_profile, or use the keyring: valetkey login NAME --from-env";
                Err(self.refuse(format!("takes keys from the environment ({source}), which is not read"), fix))
            }
            _ => Err(self.refuse("has a credential_source that is none", "write Ec2InstanceMetadata")),
        }
    }

    fn sso(&self, files: &Files<'_>) -> Result<Sso, Error> {
        let session = self.value("sso_session");
        let (start, region) = match session {
            Some(name) => {
                let Some(section) = files.sso_session(name) else {
                    let fix = format!("add [sso-session {name}] with sso_region and sso_start_url");
                    return Err(self.refuse(format!("names the sso_session {name}, which is not there"), fix));
                };
                let of = |key: &str| section.get(key).copied().filter(|value| !value.is_empty());
                (of("sso_start_url"), of("sso_region"))
            }
            None => (self.value("sso_start_url"), self.value("sso_region")),
        };
        let (Some(start), Some(region)) = (start, region) else {
            return Err(self.refuse("has SSO without sso_start_url or sso_region", "run: aws configure sso"));
        };
        // It becomes part of a host's name, to which the session's token is sent.
        if !region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(self.refuse("has an sso_region that is none", "write it as us-east-1"));
        }
        Ok(Sso {
            profile: self.name.to_owned(),
            region: region.to_owned(),
            account: self.needed("sso_account_id", "SSO")?.to_owned(),
            role: self.needed("sso_role_name", "SSO")?.to_owned(),
            token: Token { file: super::sso::token_file(session.unwrap_or(start)), text: None },
        })
    }

    /// A profile that runs us would ask itself for ever.
    fn is_not_us(&self) -> Result<(), Error> {
        let Some(command) = self.value("credential_process") else { return Ok(()) };
        let words = self.words(command)?;
        let wraps = |word: &String| WRAPPERS.contains(&file_name(word));
        let ours = match words.as_slice() {
            [first, rest @ ..] if wraps(first) => rest.iter().flat_map(|word| word.split_whitespace()).any(is_ours),
            [first, ..] => is_ours(first),
            [] => false,
        };
        match ours {
            false => Ok(()),
            true => Err(self.refuse(
                "has valetkey itself as its credential_process: it would ask itself",
                "name the profile whose keys are meant, or keep them with: valetkey login NAME",
            )),
        }
    }

    fn words(&self, command: &str) -> Result<Vec<String>, Error> {
        let words = shlex::split(command).filter(|words| !words.is_empty());
        words.ok_or_else(|| self.refuse("has a credential_process that is no command", "see its quotes"))
    }
}

fn is_ours(word: &str) -> bool {
    OURS.contains(&file_name(word.trim_matches(['"', '\''])))
}

fn file_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

const OURS: [&str; 2] = ["valetkey", "valetkey-credential-process"];
/// Programs that run another.
const WRAPPERS: [&str; 10] = ["sh", "bash", "dash", "zsh", "ksh", "env", "nice", "timeout", "setsid", "sudo"];
