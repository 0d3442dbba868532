//! F12 and F14: calls to the disk that fail. Memory serves, `status` says what is wrong.

use crate::common::trace::{may_trace, traced};
use crate::common::{credentials, signed_in, until};
use crate::{FILE, NO_DAEMON, daemon_of};
use valetkey::standin::{Behaviour, Standin};

#[test]
fn f12_a_disk_that_fails_at_a_write_costs_a_warning_and_not_an_answer() {
    if !may_trace() {
        return;
    }
    for call in ["fsync", "renameat", "ftruncate,openat"] {
        for (error, words) in [("EIO", "os error 5"), ("ENOSPC", "No space"), ("EDQUOT", "quota")] {
            let (issuer, place) = signed_in(FILE);
            let state = place.path().join("state/cache").display().to_string();
            let inject = format!("inject={call}:error={error}");
            let trace = format!("trace={call}");
            let mut options = vec!["-e", &trace, "-e", &inject];
            if call.contains("openat") {
                // Opened for the cache, that is: to open nothing at all is another fault.
                options.extend(["-P", &state]);
            }
            let daemon = daemon_of(&place, traced(&place, &options));
            let first = credentials(&place.helper("podaac"));
            assert_eq!(credentials(&place.helper("podaac")), first, "{call} {error}: memory serves");
            let trouble = || place.status()["troubles"]["cache"].as_str().unwrap_or_default().to_owned();
            until(&format!("a word about {call} {error}"), || trouble().contains(words));
            issuer.standin.behave(Standin::TEA, Behaviour::ServerError500);
            assert_eq!(credentials(&place.helper("podaac")), first, "{call} {error}: P0");
            daemon.stop(&place);
            assert_eq!(issuer.standin.count(Standin::TEA), 1);
            // A process of its own prints what it got, though it cannot keep it.
            issuer.standin.behave(Standin::TEA, Behaviour::Normal);
            place.configure(&issuer.earthdata_config(NO_DAEMON));
            credentials(&traced(&place, &options).args(["credentials", "podaac"]).output().unwrap());
        }
    }
}

#[test]
fn f14_a_home_without_locks_and_one_on_nfs_are_said_and_answer_all_the_same() {
    if !may_trace() {
        return;
    }
    let cases = [
        ("flock", "error=ENOLCK", "cannot be locked"),
        ("flock", "error=ENOSYS", "cannot be locked"),
        // NFS and Lustre as statfs tells them, in the order of a small machine's bytes.
        ("fstatfs", "poke_exit=@arg2=6969000000000000", "on NFS"),
        ("fstatfs", "poke_exit=@arg2=d00bd00b00000000", "on Lustre"),
    ];
    for (call, fault, words) in cases {
        let (issuer, place) = signed_in(FILE);
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:{fault}"));
        let options = ["-e", trace.as_str(), "-e", inject.as_str()];
        let daemon = daemon_of(&place, traced(&place, &options));
        let first = credentials(&place.helper("podaac"));
        let status = place.status();
        let trouble = status["troubles"]["lock"].as_str().unwrap_or_default();
        assert!(trouble.contains(words), "{call} {fault}: {status}");
        daemon.stop(&place);
        place.configure(&issuer.earthdata_config(NO_DAEMON));
        let one_shot = traced(&place, &options).args(["credentials", "podaac"]).output().unwrap();
        assert_eq!(credentials(&one_shot), first, "{call} {fault}: the cache is used");
        assert_eq!(issuer.standin.count(Standin::TEA), 1);
    }
}

#[test]
fn f14_without_locks_a_herd_still_gets_answers_and_nobody_the_others() {
    if !may_trace() {
        return;
    }
    let (issuer, place) = signed_in(NO_DAEMON);
    let options = ["-e", "trace=flock", "-e", "inject=flock:error=ENOLCK"];
    let herd: Vec<_> =
        (0..10).map(|_| traced(&place, &options).args(["credentials", "podaac"]).spawn().unwrap()).collect();
    let mut ids = std::collections::BTreeSet::new();
    for one in herd {
        ids.insert(credentials(&one.wait_with_output().unwrap())["AccessKeyId"].as_str().unwrap().to_owned());
    }
    let issued: Vec<_> = issuer.standin.issued().into_iter().map(|keys| keys.access_key_id).collect();
    assert!(ids.iter().all(|id| issued.contains(id)) && issued.len() <= 10);
    let last = credentials(&place.helper("podaac"));
    assert!(issued.iter().any(|id| last["AccessKeyId"] == id.as_str()));
}
