//! One profile's block of `~/.aws/config`: its marks, its sections, and how the helper's path is quoted.

use crate::error::Error;

/// A profile as the AWS CLI and the SDKs read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub profile: String,
    /// Absolute path of the helper.
    pub helper: String,
    pub s3: S3,
}

/// Where an S3 is, and how it is talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    pub region: String,
    /// One that is not AWS'.
    pub endpoint: Option<String>,
    /// What the SDKs of Python trust there in place of their own certificates.
    pub ca_file: Option<String>,
}

/// What every first line of a block begins with, up to the profile's name.
pub(super) const OPENING: &str = "# >>> valetkey ";

fn first_line(profile: &str) -> String {
    format!("{OPENING}{profile}: written by `valetkey configure`, which replaces what is between these lines")
}

pub(super) fn last_line(profile: &str) -> String {
    format!("# <<< valetkey {profile}")
}

/// The lines of a block, its marks included.
pub(super) fn written(block: &Block) -> Result<String, Error> {
    let profile = &block.profile;
    let process = format!("credential_process = {} {profile}", quoted(&block.helper)?);
    let settings = settings(profile, &format!("valetkey-{profile}"), &block.s3)?;
    let lines = [first_line(profile), format!("[{}]", section_names(block)[0]), process];
    Ok(lines.into_iter().chain(settings).chain([last_line(profile)]).collect::<Vec<_>>().join("\n") + "\n")
}

/// A config for a program that gets its keys by another way, as its default profile.
pub fn bare_config(s3: &S3) -> Result<String, Error> {
    let lines = ["[default]".to_owned()].into_iter().chain(settings("the program", "valetkey", s3)?);
    Ok(lines.collect::<Vec<_>>().join("\n") + "\n")
}

/// Where the S3 is and how it is talked to, the section `services` last.
fn settings(profile: &str, services: &str, s3: &S3) -> Result<Vec<String>, Error> {
    // Issuers name endpoints: a line's end in one would let it write lines of its own, a command among them.
    for (what, text) in [("region", Some(&s3.region)), ("endpoint", s3.endpoint.as_ref())] {
        if text.is_some_and(|text| text.chars().any(|c| c.is_control() || c.is_whitespace())) {
            let message = format!("the {what} of {profile} cannot be written: there is a blank or a line's end in it");
            return Err(Error::configuration(message, format!("set the {what} of {profile} in the config")));
        }
    }
    let mut lines = vec![format!("region = {}", s3.region)];
    if let Some(file) = &s3.ca_file {
        if file.chars().any(char::is_control) {
            let message = format!("the ca_file of {profile} cannot be written: there is a line's end in it");
            return Err(Error::configuration(message, format!("set the ca_file of {profile} in the config")));
        }
        lines.push(format!("ca_bundle = {file}"));
    }
    if let Some(endpoint) = &s3.endpoint {
        // A bare endpoint_url would catch sts and iam as well. Without when_required Ceph 16 refuses what newer SDKs send.
        lines.extend([
            format!("services = {services}"),
            "request_checksum_calculation = when_required".into(),
            "response_checksum_validation = when_required".into(),
            format!("[services {services}]"),
            "s3 =".into(),
            format!("  endpoint_url = {endpoint}"),
            "  addressing_style = path".into(),
        ]);
    }
    Ok(lines)
}

/// The sections that a block has.
pub(super) fn section_names(block: &Block) -> Vec<String> {
    let profile = &block.profile;
    let section = if profile == "default" { "default".to_owned() } else { format!("profile {profile}") };
    let services = block.s3.endpoint.is_some().then(|| format!("services valetkey-{profile}"));
    [section].into_iter().chain(services).collect()
}

/// The command is split without a shell by some SDKs and run by a shell in others: double quotes are what both read.
fn quoted(path: &str) -> Result<String, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@=,".contains(c);
    if path.chars().all(plain) {
        return Ok(path.to_owned());
    }
    if path.chars().any(|c| c.is_control() || "\"\\$`!".contains(c)) {
        return Err(Error::configuration(
            format!("the helper's path cannot be written for every SDK: {path}"),
            "install valetkey in a directory whose path has none of \" \\ $ ` !",
        ));
    }
    Ok(format!("\"{path}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_blanks_are_quoted_and_hopeless_ones_refused() {
        assert_eq!(quoted("/opt/my tools/x").unwrap(), "\"/opt/my tools/x\"");
        for bad in ["/a\"b", "/a$b", "/a`b", "/a\\b", "/a\nb"] {
            assert!(quoted(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_ca_of_ones_own_is_a_setting_of_the_profile_and_not_of_the_service() {
        let s3 = S3 {
            region: "us-east-1".into(),
            endpoint: Some("https://s3.lab".into()),
            ca_file: Some("/etc/lab.pem".into()),
        };
        let block = Block { profile: "lab".into(), helper: "/usr/bin/h".into(), s3: s3.clone() };
        let text = written(&block).unwrap();
        let (profile, services) = text.split_once("[services").unwrap();
        assert!(profile.contains("\nca_bundle = /etc/lab.pem\n") && !services.contains("ca_bundle"), "{text}");
        let bare = bare_config(&s3).unwrap();
        assert!(
            bare.starts_with("[default]\nregion = us-east-1\n") && bare.contains("[services valetkey]\n"),
            "{bare}"
        );
        assert!(!bare.contains("credential_process"), "{bare}");
        assert!(written(&Block { s3: S3 { ca_file: Some("/a\n[x]".into()), ..s3 }, ..block }).is_err());
    }
}
