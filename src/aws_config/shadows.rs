//! What keeps an SDK from asking us although a profile names our helper: keys that it finds first, and commands that
//! mean something else than they seem to.

use super::files::{Files, Section};
use crate::ports::Lookup;

/// Something that is not as it should be, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub what: String,
    pub remedy: String,
}

/// Keys of a profile's section that SDKs use before its `credential_process`.
const BEFORE_A_PROCESS: [&str; 5] =
    ["aws_access_key_id", "role_arn", "web_identity_token_file", "sso_session", "sso_start_url"];

/// A profile of ours, and where its S3 is.
#[derive(Debug, Clone, Copy)]
pub struct Meant<'a> {
    pub profile: &'a str,
    pub region: &'a str,
    /// One that is not AWS'.
    pub endpoint: Option<&'a str>,
}

/// What an SDK takes in place of what is meant. `section` is the profile's in `~/.aws/config`, if it is there,
/// `credentials` the text of `~/.aws/credentials`, by which name it is called.
pub fn shadows(
    meant: Meant<'_>,
    section: Option<&Section<'_>>,
    credentials: &str,
    called: &str,
    variable: Lookup<'_>,
) -> Vec<Finding> {
    let Meant { profile, region, endpoint } = meant;
    let mut found = Vec::new();
    let mut find = |what: String, remedy: String| found.push(Finding { what, remedy });
    let files = Files::read("", credentials);
    if let Some(section) = files.profile(profile) {
        let first = BEFORE_A_PROCESS.iter().chain(&["credential_process"]).find(|key| section.contains_key(**key));
        if let Some(key) = first {
            find(
                format!("{key} of [{profile}] in {called} wins over the credential_process of that profile"),
                format!("remove that section of {called}, or give our profile another name"),
            );
        }
    }
    if let Some(key) = section.and_then(|section| BEFORE_A_PROCESS.iter().find(|key| section.contains_key(**key))) {
        find(
            format!("{key} of [profile {profile}] comes before its credential_process"),
            format!("remove that line; then run: valetkey configure {profile}"),
        );
    }
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        if let Some(set) = variable(name).filter(|set| set != region) {
            find(
                format!("{name} is {set} and wins over the profile's: the buckets of {profile} are in {region}"),
                format!("run: unset {name}"),
            );
        }
    }
    for name in ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"] {
        if let Some(set) = variable(name).filter(|set| endpoint != Some(set)) {
            let there = endpoint.unwrap_or("AWS'");
            find(
                format!("{name} is {set} and wins over the S3 of {profile}, which is {there}"),
                format!("if that is not meant: unset {name}"),
            );
        }
    }
    if endpoint.is_some() && variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|set| set == "true") {
        find(
            format!("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is set: the S3 of {profile} is passed over for AWS'"),
            "run: unset AWS_IGNORE_CONFIGURED_ENDPOINT_URLS".into(),
        );
    }
    found
}

/// What an SDK takes in place of any profile of ours. `known` are the profiles of the user's own files.
pub fn shadows_of_all(known: &Files<'_>, variable: Lookup<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    if variable("AWS_ACCESS_KEY_ID").is_some() {
        found.push(Finding {
            what: "AWS_ACCESS_KEY_ID is set, and wins over AWS_PROFILE in the AWS CLI and boto3".into(),
            remedy: "run: eval \"$(valetkey env --clear)\"".into(),
        });
    }
    if let Some(profile) = variable("AWS_PROFILE").filter(|name| known.profile(name).is_none()) {
        found.push(Finding {
            what: format!("AWS_PROFILE is {profile}, and there is no such profile: the AWS CLI does nothing then"),
            remedy: "run: unset AWS_PROFILE".into(),
        });
    }
    found
}

/// What an SDK makes of a `credential_process` that is not what was meant. The command is split without a shell by some
/// SDKs (no `~`, no variables) and run by a shell in others.
pub fn odd_command(profile: &str, command: &str) -> Option<Finding> {
    let found = |what: &str, remedy: &str| {
        Some(Finding { what: format!("credential_process of {profile} {what}"), remedy: remedy.to_owned() })
    };
    let write = "write the absolute path: valetkey configure does";
    // Within double quotes all is as it stands, to every reader.
    let bare: String = command.split('"').step_by(2).collect();
    let words = shlex::split(command);
    let program = words.as_ref().and_then(|words| words.first()).map_or("", String::as_str);
    match program {
        _ if bare.contains(" #") || bare.contains("\t#") => {
            found("has a # in it: what follows are arguments, not a comment", "put the comment on a line of its own")
        }
        _ if bare.contains('\'') => {
            found("is quoted by ', which cmd.exe and some SDKs do not know", "use double quotes alone")
        }
        "" => found("names no program", write),
        program if program.starts_with('~') || program.contains('$') => {
            found("begins with ~ or a variable, which only a shell fills in", write)
        }
        program if !program.starts_with('/') => {
            found("is a relative path, or depends on PATH, which is another in every job", write)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(credentials: &str, set: (&str, &str), section: Option<&Section<'_>>) -> Vec<String> {
        let variable = |name: &str| (name == set.0).then(|| set.1.to_owned());
        let meant = Meant { profile: "podaac", region: "us-west-2", endpoint: Some("https://s3.lab") };
        let mut found = shadows(meant, section, credentials, "~/.aws/credentials", &variable);
        found.extend(shadows_of_all(&Files::read("[profile podaac]\n", ""), &variable));
        found.into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn keys_that_an_sdk_finds_first_are_named_with_their_place() {
        let none = ("", "");
        assert_eq!(of("", none, None), [""; 0]);
        assert_eq!(of("[default]\naws_access_key_id = A\n[podaac]\nregion = x\n", none, None), [""; 0]);
        for key in BEFORE_A_PROCESS.iter().chain(&["credential_process"]) {
            let found = of(&format!("[podaac]\n{key} = x\n"), none, None);
            assert!(found.len() == 1 && found[0].starts_with(&format!("{key} of [podaac] in ~/.aws")), "{found:?}");
        }
        for key in BEFORE_A_PROCESS {
            let config = format!("[profile podaac]\n{key} = x\n");
            let found = of("", none, Files::read(&config, "").profile("podaac"));
            assert!(found.len() == 1 && found[0].contains("comes before its credential_process"), "{found:?}");
        }
    }

    #[test]
    fn variables_that_win_are_named_and_those_that_say_the_same_are_not() {
        for (name, value, what) in [
            ("AWS_ACCESS_KEY_ID", "A", "wins over AWS_PROFILE"),
            ("AWS_PROFILE", "zzz", "there is no such profile"),
            ("AWS_REGION", "eu-west-1", "are in us-west-2"),
            ("AWS_DEFAULT_REGION", "eu-west-1", "are in us-west-2"),
            ("AWS_ENDPOINT_URL_S3", "http://x", "which is https://s3.lab"),
            ("AWS_ENDPOINT_URL", "http://x", "which is https://s3.lab"),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", "passed over for AWS'"),
        ] {
            let found = of("", (name, value), None);
            assert!(found.len() == 1 && found[0].contains(what), "{name}: {found:?}");
        }
        for same in [("AWS_PROFILE", "podaac"), ("AWS_REGION", "us-west-2"), ("AWS_ENDPOINT_URL_S3", "https://s3.lab")]
        {
            assert_eq!(of("", same, None), [""; 0], "{same:?}");
        }
    }

    #[test]
    fn commands_that_only_some_sdks_understand_are_named() {
        for (command, what) in [
            ("~/bin/valetkey-credential-process a", "begins with ~"),
            ("$HOME/bin/valetkey-credential-process a", "begins with ~ or a variable"),
            ("valetkey-credential-process a", "PATH"),
            ("./valetkey-credential-process a", "relative"),
            ("'/opt/my tools/x' a", "quoted by '"),
            ("/usr/bin/valetkey-credential-process a # mine", "has a #"),
            ("", "names no program"),
        ] {
            let found = odd_command("a", command);
            assert!(found.is_some_and(|found| found.what.contains(what)), "{command}");
        }
        for fine in [
            "\"/home/bob's #1 tools/x\" a",
            "/usr/bin/valetkey-credential-process a",
            "\"/opt/my tools/x\" a",
            "/opt/a#b a",
        ] {
            assert_eq!(odd_command("a", fine), None, "{fine}");
        }
    }
}
