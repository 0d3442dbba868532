//! Credentials as they leave us, with what a consumer has to know besides, and the forms in which consumers read them.
//!
//! Two forms are JSON and are read by SDKs; the others are lines for shells and files: see [`shell`].

mod shell;
mod variables;

pub use shell::Shell;
pub use variables::{Variable, to_clear};

use crate::aws_config::S3;
use crate::broker::Served;
use crate::config::Profile;
use crate::credentials::{Credentials, written};
use crate::error::Error;
use crate::ports::Lookup;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One set of credentials and the S3 that they are for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    pub profile: String,
    /// Their expiration is the published one.
    pub credentials: Credentials,
    pub region: String,
    /// An S3 that is not AWS'.
    pub endpoint: Option<String>,
    /// Certificates to trust for that S3 besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// A form that `valetkey env` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// What a `credential_process` prints.
    Process,
    /// What a container's credentials endpoint answers.
    Container,
    /// A section of `~/.aws/credentials`.
    Ini,
    Shell(Shell),
}

impl Export {
    pub fn of(served: &Served, profile: &Profile) -> Export {
        let endpoint = served.lease.endpoint.clone().or_else(|| profile.provider.s3_endpoint());
        let credentials = Credentials { expiration: served.published, ..served.lease.credentials.clone() };
        let ca_file = profile.s3_ca_file(endpoint.as_deref());
        Export { profile: profile.name.clone(), credentials, region: profile.region(), endpoint, ca_file }
    }

    /// As a config of the AWS CLI has it.
    pub fn s3(&self) -> S3 {
        let ca_file = self.ca_file.as_ref().map(|file| file.to_string_lossy().into_owned());
        S3 { region: self.region.clone(), endpoint: self.endpoint.clone(), ca_file }
    }

    /// The text of a form, its last newline included, for a reader with this environment.
    pub fn text(&self, form: Form, variable: Lookup<'_>) -> Result<String, Error> {
        let credentials = &self.credentials;
        match form {
            Form::Process => Ok(credentials.process_json(credentials.expiration)),
            Form::Container => Ok(credentials.container_json(credentials.expiration) + "\n"),
            Form::Ini => self.ini(),
            Form::Shell(shell) => Ok(self.shadowing(shell, variable)? + &shell.set(&self.variables()?)?),
        }
    }

    /// Lines that take out what would win over these keys, or send them elsewhere: AWS_PROFILE wins in some SDKs.
    fn shadowing(&self, shell: Shell, variable: Lookup<'_>) -> Result<String, Error> {
        let mut names = self.left_over(variable)?;
        names.extend(["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].into_iter().filter(|name| variable(name).is_some()));
        Ok(if names.is_empty() { String::new() } else { shell.clear(&names).unwrap_or_default() })
    }

    fn ini(&self) -> Result<String, Error> {
        // Issuers name endpoints: a line's end in one would let it write lines of its own.
        self.whereabouts()?;
        let Export { profile, credentials, region, endpoint, .. } = self;
        // Who reads keys of a file reads no services of another.
        let endpoint = endpoint.as_ref().map(|url| format!("endpoint_url = {url}\n")).unwrap_or_default();
        Ok(format!(
            "# valid until {}\n[{profile}]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\nregion = {region}\n{endpoint}",
            written(credentials.expiration),
            credentials.access_key_id,
            credentials.secret_access_key.expose(),
            credentials.session_token.expose(),
        ))
    }
}

impl Form {
    /// Each form and what it is called, the usual one first.
    pub const ALL: [(&'static str, Form); 10] = [
        ("sh", Form::Shell(Shell::Sh)),
        ("env-no-export", Form::Shell(Shell::NoExport)),
        ("fish", Form::Shell(Shell::Fish)),
        ("csh", Form::Shell(Shell::Csh)),
        ("powershell", Form::Shell(Shell::PowerShell)),
        ("windows-cmd", Form::Shell(Shell::WindowsCmd)),
        ("dotenv", Form::Shell(Shell::Dotenv)),
        ("ini", Form::Ini),
        ("container", Form::Container),
        ("process", Form::Process),
    ];
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::credentials::read_time;
    use crate::credentials::tests::sample;

    /// Of an S3 that is AWS', or not.
    pub(crate) fn export(endpoint: Option<&str>) -> Export {
        Export {
            profile: "podaac".into(),
            credentials: sample(read_time("2026-11-23T14:00:00Z").unwrap()),
            region: "us-west-2".into(),
            endpoint: endpoint.map(str::to_owned),
            ca_file: None,
        }
    }

    #[test]
    fn an_export_crosses_a_process_whole() {
        let all = Export { ca_file: Some("/ca.pem".into()), ..export(Some("https://s3.example.org")) };
        let json = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Export>(&json).unwrap(), all);
    }

    #[test]
    fn every_form_has_the_published_expiration_and_one_newline_at_its_end() {
        for (name, form) in Form::ALL {
            let text = export(None).text(form, &|_| None).unwrap();
            assert!(text.contains("2026-11-23T14:00:00Z"), "{name}: {text}");
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{name}");
        }
    }

    #[test]
    fn s48_an_issuers_endpoint_writes_no_lines_of_its_own_in_any_form() {
        for bad in ["http://x.org/\n[default]\ncredential_process = evil", "http://x.org/\r", "http://x.org/\x1b[2J"] {
            for (name, form) in Form::ALL {
                match export(Some(bad)).text(form, &|_| None) {
                    // These two have no room for an endpoint.
                    Ok(text) => {
                        assert!(matches!(form, Form::Process | Form::Container) && !text.contains("evil"), "{name}")
                    }
                    Err(error) => assert!(error.hint().contains("profile podaac"), "{name}: {}", error.text()),
                }
            }
        }
    }

    #[test]
    fn a_shell_drops_what_would_win_over_the_keys_and_only_if_it_is_there() {
        let set = |name: &str| (name == "AWS_PROFILE").then(|| "x".to_owned());
        let text = export(None).text(Form::Shell(Shell::Sh), &set).unwrap();
        assert!(text.starts_with("unset AWS_PROFILE\nexport AWS_ACCESS_KEY_ID="), "{text}");
        assert!(!export(None).text(Form::Shell(Shell::Dotenv), &set).unwrap().contains("unset"), "no shell");
    }

    #[test]
    fn the_ini_form_is_a_section_that_the_aws_cli_reads() {
        let text = export(None).text(Form::Ini, &|_| None).unwrap();
        assert!(text.contains("[podaac]\naws_access_key_id = ASIAEXAMPLE\n"), "{text}");
    }
}
