//! The user's `~/.aws` and AWS variables: what an SDK takes in place of us, and what sends it elsewhere.

use super::line::Line;
use crate::aws_config::{
    Block, Files, Meant, S3, Section, configured, doubled, marked, odd_command, shadows, shadows_of_all,
};
use crate::config::Profile;
use crate::helper;
use crate::ports::Lookup;
use std::path::{Path, PathBuf};

/// What was found.
pub(super) struct Found<'a> {
    pub(super) config: &'a str,
    pub(super) config_file: &'a Path,
    pub(super) credentials: &'a str,
    pub(super) credentials_file: &'a Path,
    /// The helper beside this program.
    pub(super) helper: PathBuf,
    pub(super) variable: Lookup<'a>,
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
        let (region, known) =
            (profile.region(), endpoint.map(str::to_owned).or_else(|| profile.provider.s3_endpoint()));
        let meant = Meant { profile: name, region: &region, endpoint: known.as_deref() };
        let called = self.credentials_file.display().to_string();
        let found = shadows(meant, Some(section), self.credentials, &called, self.variable);
        lines.extend(found.into_iter().map(|found| Line::wrong(name, found.what, found.remedy)));
        lines.extend(of_region(profile, section));
        lines.extend(of_endpoint(profile, section, known.as_deref()));
        if !lines.iter().any(Line::is_wrong) {
            lines.extend(self.of_block(profile, known));
        }
        if lines.is_empty() {
            lines.push(Line::fine(name, format!("in {file}")));
        }
        lines
    }

    /// `names`: the profiles of the config. `serves`: whether a loopback server is in use, which SDKs ask after their files.
    pub(super) fn of_all(&self, names: &[&str], serves: bool) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some((section, line)) = doubled(self.config) {
            let what = format!(
                "[{section}] is twice in {}:{line}: the AWS CLI reads nothing of it",
                self.config_file.display()
            );
            lines.push(Line::wrong("aws", what, "remove one of them"));
        }
        for left in marked(self.config).into_iter().filter(|name| !names.contains(name)) {
            let what = format!("{} has a block of {left}, which the config does not have", self.config_file.display());
            lines.push(Line::wrong(left, what, format!("run: valetkey configure --remove {left}")));
        }
        if self.config.starts_with('\u{feff}') {
            let what =
                format!("{} begins with a byte order mark: the AWS CLI reads no such file", self.config_file.display());
            lines.push(Line::wrong("aws", what, "save it as UTF-8 without one"));
        }
        let container = (self.variable)("AWS_CONTAINER_CREDENTIALS_FULL_URI").is_some();
        let keys = |config, credentials| {
            let files = Files::read(config, credentials);
            files.profile("default").is_some_and(|section| section.contains_key("aws_access_key_id"))
        };
        let places = [(keys("", self.credentials), self.credentials_file), (keys(self.config, ""), self.config_file)];
        for (_, place) in places.into_iter().filter(|(there, _)| *there && (serves || container)) {
            let place = place.display();
            let what = format!("[default] in {place} has keys, which SDKs find before a container's endpoint");
            lines.push(Line::wrong(
                "aws",
                what,
                "take them out, or run what is to use ours by valetkey exec, which hides both files",
            ));
        }
        let all = Files::read(self.config, self.credentials);
        let found = shadows_of_all(&all, self.variable);
        lines.extend(found.into_iter().map(|found| Line::wrong("aws", found.what, found.remedy)));
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

    /// The block as `configure` would write it now.
    fn of_block(&self, profile: &Profile, endpoint: Option<String>) -> Option<Line> {
        let name = profile.name.as_str();
        if !marked(self.config).contains(&name) || (endpoint.is_none() && profile.provider.tells_s3_endpoint()) {
            return None;
        }
        let ca_file = profile.s3_ca_file(endpoint.as_deref()).map(|file| file.to_string_lossy().into_owned());
        let s3 = S3 { region: profile.region(), endpoint, ca_file };
        let helper = self.helper.to_string_lossy().into_owned();
        let block = Block { profile: name.to_owned(), helper, s3 };
        match configured(self.config, &[block], self.config_file) {
            Ok(text) if text == self.config => None,
            Ok(_) => {
                let what = format!("the block of {name} is not as `configure` would write it now");
                Some(Line::wrong(
                    name,
                    what,
                    format!("see the difference, then mend it: valetkey configure {name} --dry-run"),
                ))
            }
            Err(error) => Some(Line::of_error(name, &error)),
        }
    }
}

/// NASA's buckets answer inside one region alone.
fn of_region(profile: &Profile, section: &Section<'_>) -> Vec<Line> {
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
    if profile.kind.name == "earthdata" {
        let what = format!("S3 answers AccessDenied to machines outside {region}, though the keys are good");
        lines.push(Line::note(name, what, format!("read from a machine of AWS in {region}, or over https")));
    }
    lines
}

fn of_endpoint(profile: &Profile, section: &Section<'_>, known: Option<&str>) -> Option<Line> {
    let name = profile.name.as_str();
    let elsewhere = known.is_some() || profile.provider.tells_s3_endpoint();
    if !elsewhere {
        return None;
    }
    if section.get("ignore_configured_endpoint_urls").is_some_and(|set| *set == "true") {
        let what = format!("ignore_configured_endpoint_urls of [profile {name}]: its S3 is passed over for AWS'");
        return Some(Line::wrong(name, what, "remove that line"));
    }
    (!section.contains_key("services") && !section.contains_key("endpoint_url")).then(|| {
        let what = format!("[profile {name}] does not say where its S3 is: SDKs would ask AWS'");
        Line::wrong(name, what, format!("run: valetkey configure {name}"))
    })
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
        lines.extend(found.of_all(&["p"], true));
        lines
    }

    fn wrong(kind: &str, config: &str, credentials: &str, set: Option<(&str, &str)>, what: &str) {
        let lines = lines(kind, config, credentials, set);
        assert!(lines.iter().any(|line| line.is_wrong() && line.says(what)), "{what}: {lines:?}");
    }

    /// As `configure` would have written it, if the helper were there.
    fn block(more: &str) -> String {
        static PLACE: std::sync::LazyLock<tempfile::TempDir> =
            std::sync::LazyLock::new(|| tempfile::tempdir().unwrap());
        let helper = PLACE.path().join(helper::PROGRAM);
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
    fn what_is_left_over_or_was_changed_in_a_block_is_wrong() {
        let left = "# >>> valetkey zombie: written\n[profile zombie]\n# <<< valetkey zombie\n";
        wrong("earthdata", left, "", None, "configure --remove zombie");
        wrong("earthdata", "\u{feff}[default]\n", "", None, "byte order mark");
        wrong("earthdata", "[default]\naws_access_key_id = A\n", "", None, "[default] in ~/.aws/config has keys");
        let inside = format!("# >>> valetkey p: written\n{}# <<< valetkey p\n", block("output = json\n"));
        wrong("earthdata", &inside, "", None, "is not as `configure` would write it");
        wrong("earthdata", &inside.replace("# <<< valetkey p\n", ""), "", None, "has lost its last line");
        wrong(
            "cray",
            &block("services = x\nignore_configured_endpoint_urls = true\n"),
            "",
            None,
            "passed over for AWS'",
        );
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
