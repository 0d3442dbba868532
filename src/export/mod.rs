//! Credentials as they leave us, with what a consumer has to know besides, and the forms in which consumers read them.
//!
//! Two forms are JSON and are read by SDKs; the others are lines for shells and files: see [`shell`].

mod shell;
mod variables;

pub use shell::Shell;
pub use variables::{ALL_NAMES, Variable, names_of_keys};

use crate::broker::Served;
use crate::config::Profile;
use crate::credentials::{Credentials, written};
use crate::error::Error;
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

    /// The text of a form, its last newline included.
    pub fn text(&self, form: Form) -> Result<String, Error> {
        let credentials = &self.credentials;
        match form {
            Form::Process => Ok(credentials.process_json(credentials.expiration)),
            Form::Container => Ok(credentials.container_json(credentials.expiration) + "\n"),
            Form::Ini => Ok(self.ini()),
            Form::Shell(shell) => shell.set(&self.variables()?),
        }
    }

    fn ini(&self) -> String {
        let Export { profile, credentials, region, .. } = self;
        format!(
            "# valid until {}\n[{profile}]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\nregion = {region}\n",
            written(credentials.expiration),
            credentials.access_key_id,
            credentials.secret_access_key.expose(),
            credentials.session_token.expose(),
        )
    }
}

impl Form {
    /// Each form and what it is called, the usual one first.
    pub const ALL: [(&'static str, Form); 9] = [
        ("sh", Form::Shell(Shell::Sh)),
        ("env-no-export", Form::Shell(Shell::NoExport)),
        ("fish", Form::Shell(Shell::Fish)),
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
    fn every_form_has_the_published_expiration_or_says_nothing_of_it() {
        for (name, form) in Form::ALL {
            let text = export(None).text(form).unwrap();
            assert!(text.contains("2026-11-23T14:00:00Z"), "{name}: {text}");
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{name}");
        }
    }

    #[test]
    fn the_ini_form_is_a_section_that_the_aws_cli_reads() {
        let text = export(None).text(Form::Ini).unwrap();
        assert!(text.contains("[podaac]\naws_access_key_id = ASIAEXAMPLE\n"), "{text}");
    }
}
