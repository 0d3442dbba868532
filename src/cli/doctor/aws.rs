//! The user's `~/.aws` and AWS variables: what an SDK takes in place of us, and what sends it elsewhere.

use super::line::Line;
use crate::aws_config::{Files, Section, doubled, odd_command, shadows};
use crate::config::Profile;
use crate::helper;
use std::path::{Path, PathBuf};

/// What was found.
pub(super) struct Found<'a> {
    pub(super) config: &'a str,
    pub(super) config_file: &'a Path,
    pub(super) credentials: &'a str,
    pub(super) credentials_file: &'a Path,
    /// The helper beside this program.
    pub(super) helper: PathBuf,
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Found<'_> {
    /// `endpoint`: the S3 of its credentials, where they are at hand and it is not AWS'.
    pub(super) fn of_profile(&self, profile: &Profile, endpoint: Option<&str>) -> Vec<Line> {
        let name = profile.name.as_str();
        let files = Files::read(self.config, "");
        let file = self.config_file.display();
        let Some(section) = files.profile(name) else {
            return vec![Line::note(name, format!("it is not in {file}"), format!("run: valetkey configure {name}"))];
        };
        let mut lines = Vec::new();
        match section.get("credential_process") {
            None => {
                let what = format!("[profile {name}] in {file} has no credential_process");
                lines.push(Line::wrong(
                    name,
                    what,
                    format!("remove that section, then run: valetkey configure {name}"),
                ));
            }
            Some(command) => lines.extend(self.of_command(name, command)),
        }
        lines.extend(self.of_shadows(name));
        lines.extend(self.of_region(profile, section));
        lines.extend(self.of_endpoint(profile, section, endpoint));
        if lines.is_empty() {
            lines.push(Line::fine(name, format!("in {file}")));
        }
        lines
    }

    /// `serves`: whether a loopback server is in use, which SDKs ask after their files.
    pub(super) fn of_all(&self, serves: bool) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some((section, line)) = doubled(self.config) {
            let what = format!(
                "[{section}] is twice in {}:{line}: the AWS CLI reads nothing of it",
                self.config_file.display()
            );
            lines.push(Line::wrong("aws", what, "remove one of them"));
        }
        let container = (self.variable)("AWS_CONTAINER_CREDENTIALS_FULL_URI").is_some();
        let default = Files::read("", self.credentials);
        if (serves || container)
            && default.profile("default").is_some_and(|section| section.contains_key("aws_access_key_id"))
        {
            let what = format!(
                "[default] in {} has keys, which SDKs find before a container's endpoint",
                self.credentials_file.display()
            );
            lines.push(Line::wrong(
                "aws",
                what,
                "set AWS_SHARED_CREDENTIALS_FILE=/dev/null where ours are meant, or use valetkey exec",
            ));
        }
        for name in ["AWS_ACCESS_KEY_ID"].into_iter().filter(|name| (self.variable)(name).is_some()) {
            let what = format!("{name} is set, and wins over AWS_PROFILE in the AWS CLI and boto3");
            lines.push(Line::wrong("aws", what, "run: eval \"$(valetkey env --clear)\""));
        }
        let (proxy, none) = (["HTTP_PROXY", "http_proxy"], ["NO_PROXY", "no_proxy"]);
        let set = |names: [&str; 2]| names.into_iter().find_map(|name| (self.variable)(name));
        let spared = set(none).is_some_and(|hosts| hosts == "*" || hosts.contains("127.0.0.1"));
        if (serves || container) && set(proxy).is_some() && !spared {
            let what = "HTTP_PROXY is set, and some SDKs ask even this machine's loopback by it";
            lines.push(Line::wrong("aws", what, "run: export NO_PROXY=127.0.0.1,localhost"));
        }
        lines
    }

    fn of_command(&self, name: &str, command: &str) -> Option<Line> {
        if let Some(odd) = odd_command(name, command) {
            return Some(Line::wrong(name, odd.what, odd.remedy));
        }
        let words = shlex::split(command).unwrap_or_default();
        let program = PathBuf::from(words.first().map_or("", String::as_str));
        let again = format!("run: valetkey configure {name}");
        if program.file_name().is_none_or(|file| file != helper::PROGRAM) {
            let what = format!("credential_process of {name} runs {}, not our helper", program.display());
            return Some(Line::wrong(name, what, format!("remove that section, then {again}")));
        }
        if !program.is_file() {
            return Some(Line::wrong(
                name,
                format!("credential_process of {name} names no program: {}", program.display()),
                again,
            ));
        }
        if words.get(1).map(String::as_str) != Some(name) || words.len() != 2 {
            return Some(Line::wrong(name, format!("credential_process of {name} asks for another profile"), again));
        }
        let what = || format!("it runs another helper than the one beside this program: {}", program.display());
        (program != self.helper).then(|| Line::note(name, what(), again))
    }

    fn of_shadows(&self, name: &str) -> Vec<Line> {
        let called = self.credentials_file.display().to_string();
        // What holds for all profiles is said once, with them.
        let found = shadows(name, self.credentials, &called, &|_| None);
        found.into_iter().map(|found| Line::wrong(name, found.what, found.remedy)).collect()
    }

    /// NASA's buckets answer inside one region alone: there is one, where the kind says so itself.
    fn of_region(&self, profile: &Profile, section: &Section<'_>) -> Vec<Line> {
        let (name, region) = (profile.name.as_str(), profile.region());
        let mut lines = Vec::new();
        match section.get("region") {
            Some(there) if *there == region => {}
            there => {
                let there = there.copied().unwrap_or("not set");
                let what = format!("region of [profile {name}] is {there}, and its buckets are in {region}");
                lines.push(Line::wrong(name, what, format!("run: valetkey configure {name}")));
            }
        }
        for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            if let Some(set) = (self.variable)(variable).filter(|set| *set != region) {
                let what = format!("{variable} is {set} and wins over the profile's: its buckets are in {region}");
                lines.push(Line::wrong(name, what, format!("run: unset {variable}")));
            }
        }
        if profile.kind.name == "earthdata" {
            let what = format!("S3 answers AccessDenied to machines outside {region}, though the keys are good");
            lines.push(Line::note(name, what, format!("read from a machine of AWS in {region}, or over https")));
        }
        lines
    }

    fn of_endpoint(&self, profile: &Profile, section: &Section<'_>, endpoint: Option<&str>) -> Vec<Line> {
        let name = profile.name.as_str();
        let known = endpoint.map(str::to_owned).or_else(|| profile.provider.s3_endpoint());
        let elsewhere = known.is_some() || profile.provider.tells_s3_endpoint();
        let mut lines = Vec::new();
        if elsewhere && !section.contains_key("services") && !section.contains_key("endpoint_url") {
            let what = format!("[profile {name}] does not say where its S3 is: SDKs would ask AWS'");
            lines.push(Line::wrong(name, what, format!("run: valetkey configure {name}")));
        }
        for variable in ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"] {
            if let Some(set) = (self.variable)(variable).filter(|set| known.as_ref() != Some(set)) {
                let meant = known.clone().unwrap_or_else(|| "AWS'".to_owned());
                let what = format!("{variable} is {set} and wins over the profile's S3, which is {meant}");
                lines.push(Line::wrong(name, what, format!("run: unset {variable}")));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const HELPER: &str = "/bin/sh";

    /// The lines about one profile, of this kind, with these files and this variable.
    fn lines(kind: &str, config: &str, credentials: &str, set: Option<(&str, &str)>) -> Vec<Line> {
        let settings = match kind {
            "cray" => {
                "provider = \"cray\"\ngateway = \"https://gw.local\"\n[logins.k]\nkind = \"keycloak\"\ntoken_url = \"https://gw.local/t\"\nclient_id = \"s\"\n"
            }
            _ => "provider = \"earthdata\"\nendpoint = \"https://x.org/s3credentials\"\n",
        };
        let text = format!("[profiles.p]\n{settings}");
        let parsed = Config::parse(&text, Path::new("/c"), Path::new("/h")).unwrap();
        let variable = |name: &str| set.filter(|(known, _)| *known == name).map(|(_, value)| value.to_owned());
        let found = Found {
            config,
            config_file: Path::new("~/.aws/config"),
            credentials,
            credentials_file: Path::new("~/.aws/credentials"),
            helper: HELPER.into(),
            variable: &variable,
        };
        let mut lines = found.of_profile(parsed.profile("p").unwrap(), None);
        lines.extend(found.of_all(true));
        lines
    }

    fn wrong(kind: &str, config: &str, credentials: &str, set: Option<(&str, &str)>, what: &str) {
        let lines = lines(kind, config, credentials, set);
        assert!(lines.iter().any(|line| line.is_wrong() && line.says(what)), "{what}: {lines:?}");
    }

    /// As `configure` would have written it, if the helper were there.
    fn block(more: &str) -> String {
        let helper = std::env::temp_dir().join(helper::PROGRAM);
        std::fs::write(&helper, "").unwrap();
        format!("[profile p]\ncredential_process = {} p\nregion = us-west-2\n{more}", helper.display())
    }

    #[test]
    fn what_is_as_it_should_be_is_not_wrong_and_what_is_missing_is_noted() {
        assert!(!lines("earthdata", &block(""), "", None).iter().any(Line::is_wrong));
        let absent = lines("earthdata", "", "", None);
        assert!(absent.iter().any(|line| !line.is_wrong() && line.says("valetkey configure p")), "{absent:?}");
    }

    #[test]
    fn each_shadow_is_wrong_and_has_its_remedy() {
        let good = block("");
        wrong("earthdata", &good, "[p]\naws_access_key_id = A\n", None, "aws_access_key_id of [p]");
        wrong("earthdata", &good, "[default]\naws_access_key_id = A\n", None, "before a container's endpoint");
        wrong("earthdata", &good, "", Some(("AWS_ACCESS_KEY_ID", "A")), "wins over AWS_PROFILE");
        wrong("earthdata", &good, "", Some(("HTTP_PROXY", "http://proxy:3128")), "NO_PROXY");
        wrong("earthdata", "[profile p]\ncredential_process = ~/bin/x p\n", "", None, "begins with ~");
        wrong(
            "earthdata",
            "[profile p]\ncredential_process = /no/such/valetkey-credential-process p\n",
            "",
            None,
            "names no program",
        );
        wrong("earthdata", "[profile p]\ncredential_process = /bin/cat p\n", "", None, "not our helper");
        wrong("earthdata", &good.replace(" p\nregion", " q\nregion"), "", None, "asks for another profile");
        wrong("earthdata", "[profile p]\nregion = us-west-2\n", "", None, "has no credential_process");
        wrong("earthdata", &format!("{good}[profile p]\n"), "", None, "is twice");
    }

    #[test]
    fn a_wrong_region_and_a_store_that_is_not_named_are_wrong() {
        wrong("earthdata", &block("").replace("us-west-2", "us-east-1"), "", None, "its buckets are in us-west-2");
        wrong("earthdata", &block(""), "", Some(("AWS_REGION", "eu-west-1")), "AWS_REGION is eu-west-1");
        wrong(
            "earthdata",
            &block(""),
            "",
            Some(("AWS_ENDPOINT_URL_S3", "http://x")),
            "AWS_ENDPOINT_URL_S3 is http://x",
        );
        let cray = block("").replace("us-west-2", "us-east-1");
        wrong("cray", &cray, "", None, "does not say where its S3 is");
        assert!(!lines("cray", &format!("{cray}services = valetkey-p\n"), "", None).iter().any(Line::is_wrong));
    }
}
