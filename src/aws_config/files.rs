//! `~/.aws/config` and `~/.aws/credentials` as the AWS CLI reads them: sections of `key = value` lines.
//!
//! Its parser (Python's `RawConfigParser` as it comes) knows comments of whole lines alone: what follows a value's blank
//! and `;` or `#` belongs to it, as in `credential_process = sh -c "a ; b"`. It takes a colon for an equals sign.
//!
//! Not read: what a line further indented than its key adds to it, which is how settings of services are nested.

use std::collections::BTreeMap;

/// The sections of both files.
#[derive(Debug, Default)]
pub struct Files<'a> {
    profiles: BTreeMap<String, Section<'a>>,
    sso_sessions: BTreeMap<String, Section<'a>>,
}

/// Keys in lower case, and their values. What comes later, or from the credentials file, wins.
pub type Section<'a> = BTreeMap<String, &'a str>;

impl<'a> Files<'a> {
    pub fn read(config: &'a str, credentials: &'a str) -> Files<'a> {
        let mut files = Files::default();
        files.add(config, |header| match header.split_once(char::is_whitespace) {
            Some(("profile", name)) => Some((Group::Profile, name)),
            Some(("sso-session", name)) => Some((Group::SsoSession, name)),
            None if header == "default" => Some((Group::Profile, header)),
            _ => None,
        });
        files.add(credentials, |header| Some((Group::Profile, header)));
        files
    }

    pub fn profile(&self, name: &str) -> Option<&Section<'a>> {
        self.profiles.get(name)
    }

    pub fn sso_session(&self, name: &str) -> Option<&Section<'a>> {
        self.sso_sessions.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    fn add(&mut self, text: &'a str, named: impl Fn(&str) -> Option<(Group, &str)>) {
        let mut section: Option<&mut Section<'a>> = None;
        // How far the key before is indented: a line beyond that belongs to it.
        let mut key_at = None;
        for line in text.lines() {
            let plain = line.trim();
            if plain.is_empty() || plain.starts_with(['#', ';']) {
                continue;
            }
            if let Some(header) = plain.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                key_at = None;
                section = named(header.trim()).map(|(group, name)| {
                    let name = name.trim().trim_matches(['"', '\'']).to_owned();
                    match group {
                        Group::Profile => self.profiles.entry(name).or_default(),
                        Group::SsoSession => self.sso_sessions.entry(name).or_default(),
                    }
                });
                continue;
            }
            let indent = line.len() - line.trim_start().len();
            if key_at.is_some_and(|at| indent > at) {
                continue;
            }
            if let (Some((key, value)), Some(section)) = (plain.split_once(['=', ':']), section.as_deref_mut()) {
                key_at = Some(indent);
                section.insert(key.trim().to_ascii_lowercase(), value.trim());
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Group {
    Profile,
    SsoSession,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_a_line_of_its_own_as_to_the_aws_cli() {
        // What botocore 1.x makes of the same text, tried by its `load_config`.
        let config = "[default]\nregion = eu-west-1 # near\n[profile a] ; mine\ncredential_process = sh -c \"a ; b\"\n\
                      x = 1\t;c\n; whole\n  # whole\nrole_arn: arn:aws:x\n";
        let files = Files::read(config, "");
        assert_eq!(files.profile("default").unwrap()["region"], "eu-west-1 # near");
        let a = [("credential_process", "sh -c \"a ; b\""), ("role_arn", "arn:aws:x"), ("x", "1\t;c")];
        let read: Vec<(&str, &str)> = files.profile("a").unwrap().iter().map(|(k, v)| (k.as_str(), *v)).collect();
        assert_eq!(read, a);
    }

    #[test]
    fn both_files_are_one_and_the_credentials_win() {
        let config = "[default]\nregion = eu-west-1\n[profile \"a b\"]\n  Region=us-east-1\n  role_arn = r#1\n\
                      s3 =\n    region = nested\n[sso-session corp]\nsso_region = us-west-2\n[plugins]\nregion = x\n\
                      [profile work] ; mine\naws_access_key_id = old\n";
        let credentials =
            "; none\n[work]\naws_access_key_id=new\naws_secret_access_key = a=b/c\n[default]\r\nx = 1\r\n";
        let files = Files::read(config, credentials);
        let value = |profile: &str, key: &str| files.profile(profile).unwrap().get(key).copied();
        assert_eq!(value("default", "region"), Some("eu-west-1"));
        assert_eq!(value("default", "x"), Some("1"));
        assert_eq!((value("a b", "region"), value("a b", "role_arn")), (Some("us-east-1"), Some("r#1")));
        assert_eq!(value("work", "aws_access_key_id"), Some("new"));
        assert_eq!(value("work", "aws_secret_access_key"), Some("a=b/c"));
        assert_eq!(files.sso_session("corp").unwrap()["sso_region"], "us-west-2");
        assert_eq!(files.names().collect::<Vec<_>>(), ["a b", "default", "work"], "other sections are no profiles");
    }
}
