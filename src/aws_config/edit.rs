//! `~/.aws/config` edited as text: one marked block for each profile, everything else byte for byte as it was.

use super::block::{Block, OPENING, last_line, section_names, written};
use crate::error::{Error, Place};
use std::path::Path;

/// `text` with these blocks in place of their older selves, or at its end. The same blocks twice change nothing.
pub fn configured(text: &str, blocks: &[Block], file: &Path) -> Result<String, Error> {
    let mut text = text.to_owned();
    for block in blocks {
        let (before, after) = match find_block(&text, &block.profile, file)? {
            Some((start, end)) => (text[..start].to_owned(), text[end..].to_owned()),
            None => (text.clone() + gap_after(&text), String::new()),
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

/// `text` without the blocks of these profiles, and without the blank line that stood before each.
pub fn without(text: &str, profiles: &[&str], file: &Path) -> Result<String, Error> {
    let mut text = text.to_owned();
    for profile in profiles {
        while let Some((start, end)) = find_block(&text, profile, file)? {
            let before = &text[..start];
            // A blank line alone stood before a block that had another of ours above it.
            let blank = before == "\n" || before.ends_with("\n\n");
            let before = if blank { &before[..start - 1] } else { before };
            let after = &text[end..];
            let after = if before.is_empty() { after.strip_prefix('\n').unwrap_or(after) } else { after };
            text = before.to_owned() + after;
        }
    }
    Ok(text)
}

/// The profiles that have a block.
pub fn marked(text: &str) -> Vec<&str> {
    let names = text.lines().filter_map(|line| line.strip_prefix(OPENING)?.split_once(':'));
    names.map(|(name, _)| name).collect()
}

/// A section that is there twice, and the line of its second: the AWS CLI reads nothing of such a file.
pub fn doubled(text: &str) -> Option<(String, usize)> {
    let mut seen = std::collections::BTreeSet::new();
    let sections = text.lines().enumerate().filter_map(|(index, line)| Some((section(line)?, index + 1)));
    sections.into_iter().find(|(name, _)| !seen.insert(name.clone()))
}

/// What keeps a new block apart from what stands above it.
fn gap_after(text: &str) -> &'static str {
    match text {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    }
}

/// Start and end (after its newline) of the profile's block.
fn find_block(text: &str, profile: &str, file: &Path) -> Result<Option<(usize, usize)>, Error> {
    let (first, last) = (format!("{OPENING}{profile}:"), last_line(profile));
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

/// The line of a section of that name.
fn section_line(text: &str, name: &str) -> Option<usize> {
    text.lines().position(|line| section(line).is_some_and(|found| found == name)).map(|index| index + 1)
}

/// The name in a section's line, as botocore reads it: without quotes, inner blanks count as one.
fn section(line: &str) -> Option<String> {
    let inside = line.trim().strip_prefix('[')?.split(']').next()?;
    let plain = inside.replace(['"', '\''], "");
    Some(plain.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::super::block::S3;
    use super::*;

    fn block(endpoint: Option<&str>) -> Block {
        Block {
            profile: "podaac".into(),
            helper: "/usr/bin/valetkey-credential-process".into(),
            s3: S3 { region: "us-west-2".into(), endpoint: endpoint.map(str::to_owned), ca_file: None },
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
    fn removing_leaves_what_was_there_before() {
        let file = Path::new("/c");
        for before in ["", "[default]\nregion = x\n", "[default]\r\n\r\n", "[a]\n\n\n", "# no newline at the end"] {
            let once = configure(before, block(None)).unwrap();
            let two = configure(&once, Block { profile: "other".into(), ..block(Some("https://x.org")) }).unwrap();
            assert_eq!(marked(&two), ["podaac", "other"]);
            let newline = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
            assert_eq!(without(&two, &["podaac", "other"], file).unwrap(), format!("{before}{newline}"));
            assert_eq!(without(&two, &["other"], file).unwrap(), once);
            assert_eq!(without(&two, &["nobody"], file).unwrap(), two);
        }
    }

    #[test]
    fn a_section_that_is_there_twice_is_found_with_its_second_line() {
        assert_eq!(doubled("[a]\nx = 1\n[profile b]\n[ profile  'b' ]\n"), Some(("profile b".into(), 4)));
        assert_eq!(doubled(&configure("[default]\n", block(Some("https://x.org"))).unwrap()), None);
    }

    #[test]
    fn a_broken_block_is_not_guessed_at() {
        let once = configure("", block(None)).unwrap();
        let broken = once.replace("# <<< valetkey podaac\n", "[default]\n");
        assert!(configure(&broken, block(None)).is_err());
    }
}
