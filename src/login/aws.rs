//! An AWS user (or one of Ceph, MinIO): an access key that lives until it is deleted.

use super::{About, Access, AccessRequest, Granted, Kind, Login, SignIn, Source};
use crate::access::Need;
use crate::error::Error;
use crate::ports::Later;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub const KIND: Kind = Kind {
    name: "aws",
    summary: "an access key of AWS, Ceph or MinIO",
    keys: &[],
    gives: &[Need::AwsKeys],
    build: |name, _| Ok(Arc::new(Aws { name: name.to_owned() })),
};

#[derive(Debug)]
struct Aws {
    name: String,
}

/// What rests in the keyring, as JSON; the names of `aws sts` and `aws configure export-credentials`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    access_key_id: String,
    #[serde(serialize_with = "Secret::serialize_exposed")]
    secret_access_key: Secret,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::access::serialize_optional")]
    session_token: Option<Secret>,
}

impl Login for Aws {
    fn sign_in<'a>(&'a self, from: &'a SignIn<'a>) -> Later<'a, Result<Secret, Error>> {
        Box::pin(std::future::ready(self.take(from)))
    }

    fn access<'a>(&'a self, ask: AccessRequest<'a>) -> Later<'a, Result<Granted, Error>> {
        Box::pin(async move {
            if ask.rejected.is_some() {
                return Err(Error::sign_in(&self.name, "the stored access key is no longer accepted"));
            }
            let Ok(keys) = serde_json::from_str::<Keys>(ask.secret.expose()) else {
                return Err(Error::sign_in(&self.name, "what the keyring holds is no access key"));
            };
            let access = Access::AwsKeys {
                access_key_id: keys.access_key_id,
                secret_access_key: keys.secret_access_key,
                session_token: keys.session_token,
            };
            Ok(Granted { access, expires: None, rotated: None })
        })
    }

    fn asks_issuer(&self, _: &Secret) -> bool {
        false
    }

    fn about(&self, secret: &Secret) -> About {
        let keys = serde_json::from_str::<Keys>(secret.expose()).ok();
        About { who: keys.map(|keys| keys.access_key_id), ..About::default() }
    }
}

impl Aws {
    fn take(&self, from: &SignIn<'_>) -> Result<Secret, Error> {
        let variable = |name: &str| {
            from.environment.variable(name).ok_or_else(|| {
                Error::configuration(format!("{name} is not set"), "export it, or leave out --from-env to be asked")
            })
        };
        let keys = match &from.source {
            Source::Variables => Keys {
                access_key_id: variable("AWS_ACCESS_KEY_ID")?,
                secret_access_key: Secret::new(variable("AWS_SECRET_ACCESS_KEY")?),
                session_token: variable("AWS_SESSION_TOKEN").ok().map(Secret::new),
            },
            Source::Text(text) => read_text(text)?,
            Source::Netrc(_) => return Err(super::no_netrc(KIND.name)),
            Source::Person => Keys {
                access_key_id: from.prompt.ask("Access key ID: ")?,
                secret_access_key: from.prompt.ask_secret("Secret access key: ")?,
                session_token: None,
            },
        };
        let sound = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        if !sound(&keys.access_key_id) || !sound(keys.secret_access_key.expose()) {
            return Err(Error::sign_in(&self.name, "an access key has no spaces and no characters but ASCII"));
        }
        Ok(Secret::new(serde_json::to_string(&keys).expect("a struct of strings is JSON")))
    }
}

/// JSON with AWS's names, or the lines of `~/.aws/credentials`: of one section, since nobody said which.
fn read_text(text: &Secret) -> Result<Keys, Error> {
    if let Ok(keys) = serde_json::from_str(text.expose()) {
        return Ok(keys);
    }
    let lines = || text.expose().lines().map(str::trim);
    let Some(first) = lines().position(|line| line.starts_with('[')) else {
        return section(&lines().collect::<Vec<_>>());
    };
    if lines().skip(first + 1).any(|line| line.starts_with('[')) {
        let fix = "give a file with the one section that is meant, or {\"AccessKeyId\":..,\"SecretAccessKey\":..}";
        return Err(Error::configuration("the text has several [sections], each with keys of its own", fix));
    }
    section(&lines().skip(first + 1).collect::<Vec<_>>())
}

fn section(lines: &[&str]) -> Result<Keys, Error> {
    let value = |name: &str| {
        lines.iter().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim())
        })
    };
    let needed = |name: &str| {
        let fix = "give {\"AccessKeyId\":..,\"SecretAccessKey\":..} or lines aws_access_key_id = .. and aws_secret_access_key = ..";
        value(name).ok_or_else(|| Error::configuration("the text holds no access key", fix))
    };
    Ok(Keys {
        access_key_id: needed("aws_access_key_id")?.to_owned(),
        secret_access_key: Secret::new(needed("aws_secret_access_key")?),
        session_token: value("aws_session_token").map(Secret::new),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::tests::moment;
    use crate::ports::Http;
    use crate::ports::tests::{NoHttp, Nobody, Variables};
    use crate::settings::Settings;

    fn sign_in(source: Source, variables: &[(&str, &str)]) -> Result<Secret, Error> {
        let login = (KIND.build)("aws", &Settings::default()).unwrap();
        let environment = Variables::new(variables);
        let (http, now): (Arc<dyn Http>, _) = (Arc::new(NoHttp), moment(0));
        let from = SignIn { prompt: &Nobody, environment: &environment, source, http: &http, now: &now };
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(login.sign_in(&from))
    }

    #[test]
    fn keys_come_from_json_lines_or_variables() {
        let json = r#"{"AccessKeyId":"AKIA1","SecretAccessKey":"s/1+"}"#;
        let lines = "[default]\naws_access_key_id = AKIA1\naws_secret_access_key=s/1+\n";
        let expected = sign_in(Source::Text(Secret::new(json)), &[]).unwrap();
        assert_eq!(sign_in(Source::Text(Secret::new(lines)), &[]).unwrap(), expected);
        let variables = [("AWS_ACCESS_KEY_ID", "AKIA1"), ("AWS_SECRET_ACCESS_KEY", "s/1+")];
        assert_eq!(sign_in(Source::Variables, &variables).unwrap(), expected);
    }

    #[test]
    fn of_several_sections_none_is_guessed_and_none_are_mixed() {
        let one = "[default]\naws_access_key_id = AKIA1\naws_secret_access_key = s1\n";
        for text in [format!("{one}[work]\naws_session_token = t2\n"), format!("[empty]\n  [default]\n{one}")] {
            let error = sign_in(Source::Text(Secret::new(text)), &[]).unwrap_err();
            assert!(error.hint().contains("one section"), "{}", error.text());
        }
        let before = format!("aws_session_token = not-of-the-section\n{one}");
        let kept = sign_in(Source::Text(Secret::new(before)), &[]).unwrap();
        assert_eq!(kept, sign_in(Source::Text(Secret::new(one)), &[]).unwrap());
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        for bad in ["", "hunter2", r#"{"AccessKeyId":"AKIA1"}"#, r#"{"AccessKeyId":"a b","SecretAccessKey":"hunter2"}"#]
        {
            let error = sign_in(Source::Text(Secret::new(bad)), &[]).unwrap_err();
            assert!(!error.text().contains("hunter2"));
        }
    }
}
