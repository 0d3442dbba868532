//! The options: those of `s3-credentials` 0.17, each with its default, and one of ours.

use crate::error::Error;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    pub(super) bucket: String,
    /// How long credentials are valid: 15m, 1h, 12h, 3600s, 3600; from 15 minutes to 12 hours
    #[arg(short, long, value_parser = duration)]
    pub(super) duration: Duration,
    /// Port to listen on
    #[arg(short, long, default_value_t = 8094)]
    pub(super) port: u16,
    /// Address to listen on; another than the loopback wants --token-file
    #[arg(long, default_value = "localhost")]
    pub(super) host: String,
    /// Only allow reading from the bucket
    #[arg(long)]
    read_only: bool,
    /// Only allow writing to the bucket
    #[arg(long)]
    write_only: bool,
    /// Restrict to keys that begin so
    #[arg(long, default_value = "*")]
    pub(super) prefix: String,
    /// A further statement of the policy, as JSON; may be given several times
    #[arg(long, value_parser = statement, allow_hyphen_values = true)]
    pub(super) statement: Vec<String>,
    /// AWS access key ID
    #[arg(long)]
    pub(super) access_key: Option<String>,
    /// AWS secret access key; everyone's `ps` shows it: rather --auth, or AWS_SECRET_ACCESS_KEY
    #[arg(long)]
    secret_key: Option<String>,
    /// AWS session token; everyone's `ps` shows it
    #[arg(long)]
    session_token: Option<String>,
    /// Custom endpoint URL, for IAM, STS and S3
    #[arg(long)]
    pub(super) endpoint_url: Option<String>,
    /// JSON or INI file with the keys; - for standard input
    #[arg(short, long)]
    pub(super) auth: Option<PathBuf>,
    /// What clients must send as Authorization; made if it is not there. With it other hosts and containers may ask
    #[arg(long)]
    pub(super) token_file: Option<PathBuf>,
}

const EXAMPLES: &str = r#"In ~/.aws/config:
  [profile uploads]
  credential_process = /usr/bin/curl -sf http://localhost:8094/

Without --access-key and --auth the keys are those of AWS_ACCESS_KEY_ID, else of AWS_PROFILE or the default profile."#;

impl Args {
    /// What may be done with the bucket.
    pub(super) fn access(&self) -> &'static str {
        match (self.read_only, self.write_only) {
            (true, _) => "read-only",
            (_, true) => "write-only",
            _ => "read-write",
        }
    }

    pub(super) fn secret_key(&self) -> Option<&str> {
        self.secret_key.as_deref()
    }

    pub(super) fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }
}

/// Mistakes of usage that no option shows by itself.
pub(in crate::cli) fn judge(args: &Args) -> Result<(), Error> {
    let keys = [&args.access_key, &args.secret_key, &args.session_token];
    if args.read_only && args.write_only {
        return Err(Error::configuration(
            "Cannot use --read-only and --write-only at the same time",
            "give one of them, or none for both reading and writing",
        ));
    }
    if args.auth.is_some() && keys.iter().any(|key| key.is_some()) {
        return Err(Error::configuration(
            "--auth cannot be used with --access-key, --secret-key or --session-token",
            "give the one or the others",
        ));
    }
    if args.access_key.is_some() != args.secret_key.is_some()
        || (args.session_token.is_some() && args.access_key.is_none())
    {
        return Err(Error::configuration(
            "--access-key and --secret-key belong together",
            "give both, or neither for the keys of AWS_PROFILE",
        ));
    }
    Ok(())
}

fn duration(text: &str) -> Result<Duration, String> {
    let read = crate::settings::read_duration(text).ok_or("Duration must be of form 3600s or 15m or 2h")?;
    match (15 * 60..=12 * 3600).contains(&read.as_secs()) {
        true => Ok(read),
        false => Err("Duration must be between 15 minutes and 12 hours".to_owned()),
    }
}

fn statement(text: &str) -> Result<String, String> {
    let value: Value = serde_json::from_str(text).map_err(|_| "Invalid JSON string")?;
    let members = value.as_object().ok_or("JSON must be an object")?;
    let missing = ["Action", "Effect", "Resource"].into_iter().filter(|name| !members.contains_key(*name));
    match missing.collect::<Vec<_>>() {
        missing if missing.is_empty() => Ok(text.to_owned()),
        missing => Err(format!("Statement JSON missing required keys: {}", missing.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_s3_credentials() {
        for (text, seconds) in [("15m", 900), ("1h", 3600), ("12h", 43_200), ("900s", 900), ("3600", 3600)] {
            assert_eq!(duration(text).map(|read| read.as_secs()), Ok(seconds), "{text}");
        }
        for bad in ["14m", "13h", "899", "43201s", "0"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(duration("14m").unwrap_err(), "Duration must be between 15 minutes and 12 hours");
        assert_eq!(duration("soon").unwrap_err(), "Duration must be of form 3600s or 15m or 2h");
    }

    #[test]
    fn a_statement_is_an_object_with_its_three_keys() {
        let whole = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#;
        assert_eq!(statement(whole).as_deref(), Ok(whole));
        assert_eq!(statement("x"), Err("Invalid JSON string".into()));
        assert_eq!(statement("[]"), Err("JSON must be an object".into()));
        let missing = "Statement JSON missing required keys: Action, Resource";
        assert_eq!(statement(r#"{"Effect":"Allow"}"#), Err(missing.into()));
    }
}
