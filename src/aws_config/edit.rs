//! `~/.aws/config` edited as text: one marked block for each profile, everything else byte for byte as it was.

use crate::error::{Error, Place};
use std::path::Path;

/// A profile as the AWS CLI and the SDKs read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub profile: String,
    /// Absolute path of the helper.
    pub helper: String,
    pub region: String,
    /// An S3 that is not AWS'.
    pub endpoint: Option<String>,
}

/// `text` with these blocks in place of their older selves, or at its end. The same blocks twice change nothing.
pub fn configured(text: &str, blocks: &[Block], file: &Path) -> Result<String, Error> {
    let mut text = text.to_owned();
    for block in blocks {
        let (before, after) = match find_block(&text, &block.profile, file)? {
            Some((start, end)) => (text[..start].to_owned(), text[end..].to_owned()),
            None => {
                let gap = if text.is_empty() || text.ends_with("\n\n") {
                    ""
                } else if text.ends_with('\n') {
                    "\n"
                } else {
                    "\n\n"
                };
                (text.clone() + gap, String::new())
            }
        };
        // A section of that name outside our block would be merged with ours, or win over it.
        // botocore takes `[profile default]` for the default as well.
        let other_default = (block.profile == "default").then(|| "profile default".to_owned());
        for name in section_names(block).into_iter().chain(other_default) {
            let lines_before_after = text.lines().count() - after.lines().count();
            for (part, above) in [(&before, 0), (&after, lines_before_after)] {
                if let Some(line) = section_line(part, &name).map(|line| above + line) {
                    return Err(Error::Configuration {
                        message: format!("[{name}] is in {} already", file.display()),
                        place: Some(Place { file: file.to_owned(), line: Some(line) }),
                        fix: "remove that section, or choose another name for the profile".into(),
                    });
                }
            }
        }
        text = before + &written(block)? + &after;
    }
    Ok(text)
}

fn first_line(profile: &str) -> String {
    format!("# >>> valetkey {profile}: written by `valetkey configure`, which replaces what is between these lines")
}

fn last_line(profile: &str) -> String {
    format!("# <<< valetkey {profile}")
}

fn written(block: &Block) -> Result<String, Error> {
    let profile = &block.profile;
    let mut lines = vec![
        first_line(profile),
        format!("[{}]", section_names(block)[0]),
        format!("credential_process = {} {profile}", quoted(&block.helper)?),
        format!("region = {}", block.region),
    ];
    // Issuers name endpoints: a line's end in one would let it write lines of its own, a command among them.
    for (what, text) in [("region", Some(&block.region)), ("endpoint", block.endpoint.as_ref())] {
        if text.is_some_and(|text| text.chars().any(|c| c.is_control() || c.is_whitespace())) {
            let message = format!("the {what} of {profile} cannot be written: there is a blank or a line's end in it");
            return Err(Error::configuration(message, format!("set the {what} of {profile} in the config")));
        }
    }
    if let Some(endpoint) = &block.endpoint {
        // A bare endpoint_url would catch sts and iam as well. Without when_required Ceph 16 refuses what newer SDKs send.
        lines.extend([
            format!("services = valetkey-{profile}"),
            "request_checksum_calculation = when_required".into(),
            "response_checksum_validation = when_required".into(),
            format!("[services valetkey-{profile}]"),
            "s3 =".into(),
            format!("  endpoint_url = {endpoint}"),
            "  addressing_style = path".into(),
        ]);
    }
    lines.push(last_line(profile));
    Ok(lines.join("\n") + "\n")
}

fn section_names(block: &Block) -> Vec<String> {
    let profile = &block.profile;
    let section = if profile == "default" { "default".to_owned() } else { format!("profile {profile}") };
    let services = block.endpoint.is_some().then(|| format!("services valetkey-{profile}"));
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

/// Start and end (after its newline) of the profile's block.
fn find_block(text: &str, profile: &str, file: &Path) -> Result<Option<(usize, usize)>, Error> {
    let (first, last) = (format!("# >>> valetkey {profile}:"), last_line(profile));
    let mut offset = 0;
    let mut start = None;
    for line in text.split_inclusive('\n') {
        if start.is_none() && line.starts_with(&first) {
            start = Some(offset);
        }
        offset += line.len();
        if let Some(start) = start
            && line.trim_end() == last
        {
            return Ok(Some((start, offset)));
        }
    }
    match start {
        None => Ok(None),
        Some(start) => Err(Error::Configuration {
            message: format!("the block of {profile} in {} has lost its last line", file.display()),
            place: Some(Place { file: file.to_owned(), line: Some(text[..start].lines().count() + 1) }),
            fix: format!("put `{last}` after it, or remove the block"),
        }),
    }
}

/// The line of a section of that name, as botocore reads it: inner blanks count as one.
fn section_line(text: &str, name: &str) -> Option<usize> {
    let wanted: Vec<&str> = name.split(' ').collect();
    text.lines()
        .position(|line| {
            let inside = line.trim().strip_prefix('[').and_then(|rest| rest.split(']').next());
            inside.is_some_and(|inside| {
                let plain = inside.replace(['"', '\''], "");
                plain.split_whitespace().collect::<Vec<_>>() == wanted
            })
        })
        .map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(endpoint: Option<&str>) -> Block {
        Block {
            profile: "podaac".into(),
            helper: "/usr/bin/valetkey-credential-process".into(),
            region: "us-west-2".into(),
            endpoint: endpoint.map(str::to_owned),
        }
    }

    fn configure(text: &str, block: Block) -> Result<String, Error> {
        configured(text, &[block], Path::new("/home/u/.aws/config"))
    }

    #[test]
    fn what_was_there_stays_byte_for_byte_and_twice_is_once() {
        for before in ["", "[default]\r\nregion=eu-west-1 ; so\n\n", "# no newline at the end", "[profile x]\n"] {
            let once = configure(before, block(None)).unwrap();
            assert!(once.starts_with(before), "{once}");
            assert!(once.contains("credential_process = /usr/bin/valetkey-credential-process podaac\n"));
            assert_eq!(configure(&once, block(None)).unwrap(), once);
        }
    }

    #[test]
    fn a_block_is_replaced_where_it_stands() {
        let once = configure("[default]\n", block(None)).unwrap() + "[profile after]\n";
        let ceph = configure(&once, block(Some("http://rgw.example.org"))).unwrap();
        assert!(ceph.starts_with("[default]\n") && ceph.ends_with("[profile after]\n"));
        assert!(ceph.contains("[services valetkey-podaac]\ns3 =\n  endpoint_url = http://rgw.example.org\n"));
        assert_eq!(configure(&ceph, block(None)).unwrap(), once);
    }

    #[test]
    fn a_profile_of_somebody_elses_is_never_shadowed() {
        for text in ["[profile podaac]\n", "x\n[ profile   \"podaac\" ] # mine\n"] {
            let error = configure(text, block(None)).unwrap_err();
            assert!(
                error.text().contains(&format!("/home/u/.aws/config:{}", text.lines().count())),
                "{}",
                error.text()
            );
        }
        assert!(configure("[profile podaac-swot]\n", block(None)).is_ok());
    }

    #[test]
    fn a_section_behind_our_block_is_named_with_its_line_in_the_file() {
        let once = configure("[default]\n", block(None)).unwrap();
        let text = once + "[profile podaac]\n";
        let error = configure(&text, block(Some("https://x.org"))).unwrap_err();
        assert!(error.text().contains(&format!("/home/u/.aws/config:{})", text.lines().count())), "{}", error.text());
    }

    #[test]
    fn the_default_profile_has_two_names() {
        let default = Block { profile: "default".into(), ..block(None) };
        assert!(configure("[profile default]\n", default.clone()).is_err());
        assert!(configure("[default]\n", default.clone()).is_err());
        assert!(configure("[profile other]\n", default).is_ok());
    }

    #[test]
    fn s27_an_issuers_endpoint_writes_no_lines_of_its_own() {
        for bad in ["http://x.org/\n[profile y]\ncredential_process = evil", "http://x.org/\r", "http://x.org/ y"] {
            assert!(configure("", block(Some(bad))).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_broken_block_is_not_guessed_at() {
        let once = configure("", block(None)).unwrap();
        let broken = once.replace("# <<< valetkey podaac\n", "[default]\n");
        assert!(configure(&broken, block(None)).is_err());
    }

    #[test]
    fn paths_with_blanks_are_quoted_and_hopeless_ones_refused() {
        assert_eq!(quoted("/opt/my tools/x").unwrap(), "\"/opt/my tools/x\"");
        for bad in ["/a\"b", "/a$b", "/a`b", "/a\\b", "/a\nb"] {
            assert!(quoted(bad).is_err(), "{bad}");
        }
    }
}
