//! F13 and F27: a home that is read-only, or none; and a config whose date says nothing.

use crate::common::small_disk::SmallDisk;
use crate::common::{COMMAND, HELPER, Issuer, Place, credentials, refused, signed_in, stderr, until};
use crate::{FILE, NO_DAEMON};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};
use valetkey::standin::Standin;

#[test]
fn f13_a_home_that_turned_read_only_costs_a_warning_and_not_an_answer() {
    for head in [FILE, NO_DAEMON] {
        let (issuer, place) = (Issuer::start(), Place::new());
        let Some(_disk) = SmallDisk::mount(place.path().join("state")) else { return };
        place.configure(&issuer.earthdata_config(head));
        let login = place.login("earthdata", &issuer.standin.mint_token("ada", 3600));
        assert!(login.status.success(), "{}", stderr(&login));
        let running = (head == FILE).then(|| place.start_daemon());
        let mut mount = Command::new("mount");
        mount.args(["-o", "remount,ro"]).arg(place.path().join("state"));
        assert!(mount.status().unwrap().success());
        let first = credentials(&place.helper("podaac"));
        if running.is_some() {
            assert_eq!(credentials(&place.helper("podaac")), first, "memory serves");
            until("a word in status", || {
                place.status()["troubles"]["cache"].as_str().is_some_and(|t| t.contains("Read-only"))
            });
            place.ok(&["stop"]);
        }
    }
}

#[test]
fn f13_a_state_directory_that_is_read_only_is_no_reason_to_have_no_daemon() {
    let (issuer, place) = (Issuer::start(), Place::new());
    let Some(_disk) = SmallDisk::mount(place.path().join("state")) else { return };
    place.configure(&issuer.earthdata_config(FILE));
    let login = place.login("earthdata", &issuer.standin.mint_token("ada", 3600));
    assert!(login.status.success(), "{}", stderr(&login));
    let mut mount = Command::new("mount");
    mount.args(["-o", "remount,ro"]).arg(place.path().join("state"));
    assert!(mount.status().unwrap().success());
    let before = issuer.standin.count(Standin::TEA);
    let first = credentials(&place.helper("podaac"));
    assert_eq!(credentials(&place.helper("podaac")), first, "memory serves");
    assert_eq!(issuer.standin.count(Standin::TEA), before + 1);
    place.ok(&["stop"]);
}

#[test]
fn f13_without_a_home_it_is_said_which_variable_is_missing() {
    for home in [None, Some("/proc/none"), Some("relative")] {
        for program in [HELPER, COMMAND] {
            let place = Place::new();
            let mut command = place.program(program);
            command.args((program == COMMAND).then_some("credentials")).arg("podaac");
            command.env_remove("VALETKEY_HOME").env_remove("HOME").envs(home.map(|home| ("HOME", home)));
            command.env("VALETKEY_SOCKET", place.socket());
            let output = command.output().unwrap();
            assert!(output.stdout.is_empty() && output.status.code() == Some(6), "{home:?}: {}", stderr(&output));
            refused(&output, 6);
        }
    }
}

#[test]
fn f27_an_edit_counts_whatever_its_date_and_a_date_alone_changes_nothing() {
    let (issuer, place) = signed_in(FILE);
    let date = |seconds| {
        let file = std::fs::File::open(place.config_file()).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    };
    date(0);
    let first = credentials(&place.helper("podaac"));
    for seconds in [4_102_444_800, 0, 4_102_444_800] {
        date(seconds);
        assert_eq!(credentials(&place.helper("podaac")), first);
    }
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
    let text = issuer.earthdata_config(FILE);
    place.configure(&text.replace(Standin::TEA, "/tea/other/s3credentials"));
    date(0);
    assert_ne!(credentials(&place.helper("podaac")), first);
    assert_eq!(issuer.standin.count("/tea/other/"), 1);
}
