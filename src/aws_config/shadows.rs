//! What keeps an SDK from asking us although a profile names our helper: keys that it finds first, and commands that
//! mean something else than they seem to.

use super::files::Files;

/// Something that is not as it should be, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub what: String,
    pub remedy: String,
}

/// Keys of a profile's section that SDKs use before its `credential_process`.
const BEFORE_A_PROCESS: [&str; 5] =
    ["aws_access_key_id", "role_arn", "web_identity_token_file", "sso_session", "sso_start_url"];

/// What an SDK takes in place of our credentials for `profile`. `credentials` is the text of `~/.aws/credentials`, by which
/// name it is called; `variable` says how the environment is.
pub fn shadows(
    profile: &str,
    credentials: &str,
    called: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let files = Files::read("", credentials);
    if let Some(section) = files.profile(profile) {
        let first = BEFORE_A_PROCESS.iter().chain(&["credential_process"]).find(|key| section.contains_key(**key));
        if let Some(key) = first {
            found.push(Finding {
                what: format!("{key} of [{profile}] in {called} wins over the credential_process of that profile"),
                remedy: format!("remove that section of {called}, or give our profile another name"),
            });
        }
    }
    if variable("AWS_ACCESS_KEY_ID").is_some() {
        found.push(Finding {
            what: "AWS_ACCESS_KEY_ID is set, and wins over AWS_PROFILE in the AWS CLI and boto3".into(),
            remedy: "run: eval \"$(valetkey env --clear)\"".into(),
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
    let words = shlex::split(command);
    let program = words.as_ref().and_then(|words| words.first()).map_or("", String::as_str);
    match program {
        _ if command.contains(" #") || command.contains("\t#") => {
            found("has a # in it: what follows are arguments, not a comment", "put the comment on a line of its own")
        }
        _ if command.contains('\'') => {
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

    fn of(credentials: &str, set: &str) -> Vec<String> {
        let variable = |name: &str| (name == set).then(|| "x".to_owned());
        shadows("podaac", credentials, "~/.aws/credentials", &variable).into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn keys_that_an_sdk_finds_first_are_named_with_their_place() {
        assert_eq!(of("", ""), [""; 0]);
        assert_eq!(of("[default]\naws_access_key_id = A\n[podaac]\nregion = x\n", ""), [""; 0]);
        for key in BEFORE_A_PROCESS.iter().chain(&["credential_process"]) {
            let found = of(&format!("[podaac]\n{key} = x\n"), "");
            assert!(found.len() == 1 && found[0].starts_with(&format!("{key} of [podaac] in ~/.aws")), "{found:?}");
        }
        assert!(of("", "AWS_ACCESS_KEY_ID")[0].contains("wins over AWS_PROFILE"));
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
        for fine in ["/usr/bin/valetkey-credential-process a", "\"/opt/my tools/x\" a", "/opt/a#b a"] {
            assert_eq!(odd_command("a", fine), None, "{fine}");
        }
    }
}
