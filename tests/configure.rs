//! `valetkey configure` on a user's `~/.aws/config`: what it writes, what it leaves, and what it will not touch.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, chmod, refused, stderr};
use std::path::PathBuf;

const TWO: &str = "\n[profiles.podaac]\nprovider = \"earthdata\"\nendpoint = \"https://a.example.org/s3credentials\"\n\
                   [profiles.lab]\nprovider = \"sts\"\nendpoint = \"https://minio.example.org:9000\"\nca_file = \"/etc/lab.pem\"\n";

fn place() -> (Place, PathBuf) {
    let place = Place::new();
    place.configure(TWO);
    std::fs::create_dir(place.path().join(".aws")).unwrap();
    let file = place.path().join(".aws/config");
    (place, file)
}

fn read(file: &PathBuf) -> String {
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn blocks_are_written_once_and_taken_out_again_one_or_all() {
    let (place, file) = place();
    let mine = "[default]\nregion = eu-west-1 ; mine\n\n# a word of mine\n";
    std::fs::write(&file, mine).unwrap();
    place.ok(&["configure"]);
    let written = read(&file);
    assert!(written.starts_with(mine));
    assert!(written.contains("[services valetkey-lab]\ns3 =\n  endpoint_url = https://minio.example.org:9000\n"));
    assert!(written.contains("ca_bundle = /etc/lab.pem\n"));
    place.ok(&["configure"]);
    assert_eq!(read(&file), written);
    assert_eq!(read(&place.path().join(".aws/config.before-valetkey")), mine);

    let diff = place.ok(&["configure", "--remove", "lab", "--dry-run"]);
    assert!(diff.contains("-[services valetkey-lab]") && read(&file) == written, "{diff}");
    place.ok(&["configure", "--remove", "lab"]);
    assert!(!read(&file).contains("lab") && read(&file).contains("[profile podaac]"));
    refused(&place.command(&["configure", "--remove", "lab"]), 6);
    place.ok(&["configure", "--remove"]);
    assert_eq!(read(&file), mine);
}

#[test]
fn a_file_that_cannot_be_understood_or_is_not_to_be_changed_stays_as_it_was() {
    let (place, file) = place();
    let twice = "[profile x]\n[profile podaac]\nregion = a\n[profile podaac]\n";
    for (text, mode, why) in [
        (&b"[default]\nregion = caf\xe9\n"[..], 0o600, "is not UTF-8"),
        (b"[default]\n", 0o444, "is read-only"),
        (twice.as_bytes(), 0o600, "/.aws/config:2"),
    ] {
        let _ = std::fs::remove_file(&file);
        std::fs::write(&file, text).unwrap();
        chmod(&file, mode);
        let said = refused(&place.command(&["configure", "podaac"]), 6);
        assert!(said.contains(why), "{said}");
        assert_eq!(std::fs::read(&file).unwrap(), text);
        assert_eq!(std::fs::read_dir(place.path().join(".aws")).unwrap().count(), 1, "nothing beside it either");
    }
}

#[test]
fn a_link_is_followed_and_aws_config_file_too() {
    let (mut place, link) = place();
    let real = place.path().join("dotfiles-config");
    std::fs::write(&real, "[default]\n").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    place.ok(&["configure", "podaac"]);
    assert!(link.is_symlink() && read(&real).contains("[profile podaac]"));
    let other = place.path().join("other dir/config");
    place.environment.push(("AWS_CONFIG_FILE".into(), other.display().to_string()));
    place.ok(&["configure", "podaac"]);
    assert!(read(&other).contains("[profile podaac]"));
}

#[test]
fn what_an_sdk_would_take_before_it_asks_us_is_warned_of() {
    let (mut place, _) = place();
    std::fs::write(place.path().join(".aws/credentials"), "[podaac]\naws_access_key_id = AKIAOLD\n").unwrap();
    place.environment.push(("AWS_ACCESS_KEY_ID".into(), "AKIAENV".into()));
    let output = place.command(&["configure", "podaac"]);
    assert!(output.status.success());
    let said = stderr(&output);
    assert!(said.contains("aws_access_key_id of [podaac] in ") && said.contains("AWS_ACCESS_KEY_ID is set"), "{said}");
    assert!(!said.contains("AKIA"), "{said}");
}

#[test]
fn a_section_of_others_that_is_twice_is_told_and_ours_is_written() {
    let (place, file) = place();
    std::fs::write(&file, "[profile x]\n[profile x]\n").unwrap();
    let output = place.command(&["configure", "podaac"]);
    assert!(output.status.success() && read(&file).contains("[profile podaac]"));
    assert!(stderr(&output).contains("[profile x] is twice in "), "{}", stderr(&output));
}

/// The programs as somebody else installed them.
fn installed_in(place: &Place, directory: &str) -> PathBuf {
    let directory = place.path().join(directory);
    std::fs::create_dir(&directory).unwrap();
    for program in [common::COMMAND, common::HELPER] {
        std::fs::copy(program, directory.join(PathBuf::from(program).file_name().unwrap())).unwrap();
    }
    directory.join("valetkey")
}

#[test]
fn a_helper_below_a_path_with_blanks_is_quoted_so_that_every_sdk_runs_it_and_hopeless_ones_are_refused() {
    let (place, file) = place();
    let program = installed_in(&place, "my tools");
    let output = place.program(program.to_str().unwrap()).args(["configure", "podaac"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let written = read(&file);
    let command = written.lines().find_map(|line| line.strip_prefix("credential_process = ")).unwrap();
    // As a shell runs it, and as Python splits it; both reach the helper, which has nothing to give.
    let by_shell = place.program("/bin/sh").args(["-c", command]).output().unwrap();
    assert!(stderr(&by_shell).contains("nobody has signed in"), "{}", stderr(&by_shell));
    assert_eq!(
        shlex::split(command).unwrap()[0],
        program.with_file_name("valetkey-credential-process").to_str().unwrap()
    );
    for hopeless in ["a\"b", "a$b"] {
        let program = installed_in(&place, hopeless);
        let output = place.program(program.to_str().unwrap()).args(["configure", "podaac"]).output().unwrap();
        assert!(refused(&output, 6).contains("cannot be written for every SDK"));
        assert_eq!(read(&file), written);
    }
}
