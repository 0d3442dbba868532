//! The long-lived keys that it assumes its role with: an option's, a file's, a variable's, or a profile's of `~/.aws`.

use super::options::Args;
use crate::access::{Access, Need};
use crate::aws_config::Files;
use crate::broker::StoredLogin;
use crate::cli::aws_files::AwsFiles;
use crate::cli::context::Context;
use crate::error::Error;
use crate::login::{self, AccessRequest};
use crate::ports::Outside;
use crate::secret::Secret;
use crate::system::{config_file, environment};
use crate::worker::Worker;
use serde::Deserialize;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;
use url::Url;

/// Where they are, and whom they are for.
#[derive(Debug)]
pub(super) struct Keys {
    origin: Origin,
    pub(super) region: String,
    pub(super) sts_endpoint: Option<Url>,
    pub(super) iam_endpoint: Option<Url>,
    pub(super) s3_endpoint: Option<Url>,
}

#[derive(Debug)]
enum Origin {
    /// As JSON, with the names of `aws sts`.
    Given(Secret),
    Profile {
        name: String,
        files: AwsFiles,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<Secret>,
}

const MAX_AUTH: u64 = 64 * 1024;
/// For whoever types or pipes the keys.
const PATIENCE: Duration = Duration::from_secs(600);

impl Keys {
    pub(super) async fn find(context: &Context, args: &Args) -> Result<Keys, Error> {
        let files = AwsFiles::of(context);
        let name = environment::variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
        let region = region(&files, &name);
        let variable = |name: &str| environment::variable(name).map(Secret::new);
        let origin = match (&args.auth, &args.access_key, environment::variable("AWS_ACCESS_KEY_ID")) {
            (Some(file), ..) => Origin::Given(of_file(file).await?),
            (None, Some(id), _) => {
                let secret = Secret::new(args.secret_key().unwrap_or_default());
                Origin::Given(json(id, &secret, args.session_token().map(Secret::new).as_ref()))
            }
            (None, None, Some(id)) => {
                let fix = "set AWS_SECRET_ACCESS_KEY too, or neither";
                let secret = variable("AWS_SECRET_ACCESS_KEY")
                    .ok_or_else(|| Error::configuration("AWS_ACCESS_KEY_ID is set without its secret", fix))?;
                Origin::Given(json(&id, &secret, variable("AWS_SESSION_TOKEN").as_ref()))
            }
            (None, None, None) => match has_profile(&files, &name) {
                true => Origin::Profile { name, files },
                false => {
                    let message = format!(
                        "no AWS keys are here: no --auth, no AWS_ACCESS_KEY_ID, no profile {name} in {}",
                        files.config.display()
                    );
                    return Err(Error::configuration(message, super::OTHER_KEYS));
                }
            },
        };
        let endpoint = |of: &str| match &args.endpoint_url {
            Some(text) => url(text, "--endpoint-url").map(Some),
            None => {
                let names = [format!("AWS_ENDPOINT_URL_{of}"), "AWS_ENDPOINT_URL".to_owned()];
                let set = names.iter().find_map(|name| environment::variable(name).map(|text| (name, text)));
                set.map(|(name, text)| url(&text, name)).transpose()
            }
        };
        let (sts_endpoint, iam_endpoint, s3_endpoint) = (endpoint("STS")?, endpoint("IAM")?, endpoint("S3")?);
        Ok(Keys { origin, region, sts_endpoint, iam_endpoint, s3_endpoint })
    }

    /// What the login of our config says: the same keys, read by the same rules.
    pub(super) fn login_settings(&self) -> Vec<(&'static str, Vec<String>)> {
        let Origin::Profile { name, files } = &self.origin else { return Vec::new() };
        let path = |path: &Path| vec![path.to_string_lossy().into_owned()];
        let mut settings = vec![
            ("profile", vec![name.clone()]),
            ("config_file", path(&files.config)),
            ("credentials_file", path(&files.credentials)),
        ];
        settings.extend(self.sts_endpoint.as_ref().map(|endpoint| ("endpoint", vec![endpoint.to_string()])));
        settings
    }

    /// What the login finds in its keyring; None where it finds its keys elsewhere.
    pub(super) fn stored(&self) -> Option<StoredLogin> {
        match &self.origin {
            Origin::Given(secret) => Some(StoredLogin::signed_in(login::aws::KIND.name, secret.clone())),
            Origin::Profile { .. } => None,
        }
    }

    /// The keys as they sign what comes before a broker is there.
    pub(super) async fn access(&self, outside: &Outside) -> Result<Access, Error> {
        let kind = &login::aws::KIND;
        let settings = super::filled(kind.keys, &self.login_settings())?;
        let login = (kind.build)(super::NAME, &settings)?;
        let environment = &*outside.environment;
        let secret = match (&self.origin, login.elsewhere()) {
            (Origin::Given(secret), _) => secret.clone(),
            (Origin::Profile { .. }, Some(elsewhere)) => elsewhere.read(environment).await?,
            (Origin::Profile { .. }, None) => return Err(Error::protocol("a profile's keys are in no file")),
        };
        let (http, now) = (&outside.http, &outside.clock.now());
        let ask = AccessRequest { secret: &secret, need: Need::AwsKeys, rejected: None, http, environment, now };
        login.access(ask).await.map(|granted| granted.access).map_err(super::of_options)
    }
}

fn has_profile(files: &AwsFiles, name: &str) -> bool {
    let text = |file| config_file::read_foreign(file).ok().flatten().unwrap_or_default();
    Files::read(&text(&files.config), &text(&files.credentials)).profile(name).is_some()
}

fn region(files: &AwsFiles, profile: &str) -> String {
    let set = environment::variable("AWS_REGION").or_else(|| environment::variable("AWS_DEFAULT_REGION"));
    let of_profile = || {
        let text = config_file::read_foreign(&files.config).ok().flatten()?;
        Files::read(&text, "").profile(profile)?.get("region").map(|region| (*region).to_owned())
    };
    set.or_else(of_profile).unwrap_or_else(|| "us-east-1".to_owned())
}

fn url(text: &str, what: &str) -> Result<Url, Error> {
    crate::settings::Shape::Url.check(text).ok().and_then(|()| Url::parse(text).ok()).ok_or_else(|| {
        Error::configuration(
            format!("{what} is no URL of an issuer"),
            "write https://HOST, or http:// of this machine's loopback",
        )
    })
}

fn json(id: &str, secret: &Secret, token: Option<&Secret>) -> Secret {
    let mut value = serde_json::json!({ "AccessKeyId": id, "SecretAccessKey": secret.expose() });
    if let Some(token) = token {
        value["SessionToken"] = token.expose().into();
    }
    Secret::new(value.to_string())
}

/// JSON, or INI: then the first section that has an access key. A pipe or a person may take its time: read on a thread of
/// its own, so that we can be told to end meanwhile.
async fn of_file(file: &Path) -> Result<Secret, Error> {
    let path = file.to_owned();
    let read = Worker::new("auth").run(PATIENCE, move || text_of(&path)).await;
    let read =
        read.unwrap_or_else(|_| Err(Error::unavailable(format!("{} has not been read to its end", file.display()))));
    keys_in(read?.expose()).ok_or_else(|| {
        let fix = "write {\"AccessKeyId\":..,\"SecretAccessKey\":..}, or a section with aws_access_key_id and aws_secret_access_key";
        Error::configuration(format!("{} holds no access key", file.display()), fix)
    })
}

fn text_of(file: &Path) -> Result<Secret, Error> {
    let disk = |error: std::io::Error| Error::disk("read", file, &error);
    let mut text = zeroize::Zeroizing::new(String::new());
    if file.as_os_str() == "-" {
        std::io::stdin().take(MAX_AUTH).read_to_string(&mut text).map_err(disk)?;
    } else {
        let opened = std::fs::File::open(file).map_err(disk)?;
        if opened.metadata().is_ok_and(|meta| meta.is_file() && meta.mode() & 0o077 != 0) {
            super::tell(&format!("warning: others may read {0}; run: chmod 600 '{0}'", file.display()));
        }
        opened.take(MAX_AUTH).read_to_string(&mut text).map_err(disk)?;
    }
    Ok(Secret::new(text.as_str()))
}

fn keys_in(text: &str) -> Option<Secret> {
    let text = text.trim();
    if text.starts_with('{') {
        let given: Given = serde_json::from_str(text).ok()?;
        return Some(json(&given.access_key_id, &given.secret_access_key, given.session_token.as_ref()));
    }
    let files = Files::read("", text);
    let headers = text.lines().filter_map(|line| line.trim().strip_prefix('[')?.split(']').next());
    let section = headers
        .filter_map(|name| files.profile(name.trim().trim_matches(['"', '\''])))
        .find(|section| section.contains_key("aws_access_key_id"))?;
    let token = section.get("aws_session_token").map(|token| Secret::new(*token));
    let secret = Secret::new(*section.get("aws_secret_access_key")?);
    Some(json(section.get("aws_access_key_id")?, &secret, token.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auth_file_is_json_or_the_first_section_with_a_key() {
        let ini = "[none]\nregion = x\n[work]\naws_access_key_id = AKIA\naws_secret_access_key = s3/c+r=t\n[a]\naws_access_key_id = B\n";
        let with = r#" {"AccessKeyId":"AKIA","SecretAccessKey":"s3/c+r=t","SessionToken":"t","Other":1}"#;
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(keys_in(text).unwrap().expose()).unwrap();
        for text in [ini, with] {
            assert_eq!(
                (&read(text)["AccessKeyId"], &read(text)["SecretAccessKey"]),
                (&"AKIA".into(), &"s3/c+r=t".into())
            );
        }
        assert_eq!((&read(ini)["SessionToken"], &read(with)["SessionToken"]), (&serde_json::Value::Null, &"t".into()));
        for bad in ["", "{", "{}", "[x]\nregion = y\n", "[x]\naws_access_key_id = A\n"] {
            assert!(keys_in(bad).is_none(), "{bad}");
        }
    }
}
