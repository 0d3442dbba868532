//! F05: names that are not found, and a resolver that does not answer.

use crate::common::trace::{may_trace, traced};
use crate::common::{Place, connections, refused, signed_in, stderr, until};
use crate::{FILE, NO_DAEMON, daemon_of};

/// The resolver's config: what is done to whoever opens it is done to every look-up.
const RESOLVER: [&str; 2] = ["-P", "/etc/resolv.conf"];
/// For longer than a connection may take, and once.
const HANGS: [&str; 4] = ["-e", "trace=openat,newfstatat", "-e", "inject=openat,newfstatat:delay_enter=9000000:when=1"];

/// Nobody waited for the look-up, which would have ended in a word about the name.
const GIVEN_UP: &str = "issuer.invalid did not answer in time";

/// A place whose issuer has a name that is none.
fn nowhere(head: &str) -> Place {
    let (_issuer, place) = signed_in(head);
    let text = std::fs::read_to_string(place.config_file()).unwrap();
    let endpoint = text.lines().find(|line| line.starts_with("endpoint")).unwrap();
    place.configure(&text.replace(endpoint, "endpoint = \"https://issuer.invalid/s3credentials\""));
    place
}

#[test]
fn f05_a_name_that_is_not_found_is_told_with_the_name() {
    for head in [FILE, NO_DAEMON] {
        let place = nowhere(head);
        let said = refused(&place.helper("podaac"), 5);
        assert!(said.contains("issuer.invalid"), "{said}");
        assert_eq!(place.failures(), 1);
    }
}

/// It takes 9 s of waiting, all at the same time. strace ends no earlier; what is said shows who gave up.
#[test]
fn f05_a_resolver_that_hangs_is_given_up_and_holds_nobody_up() {
    if !may_trace() {
        return;
    }
    let options = [&RESOLVER[..], &HANGS[..]].concat();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let place = nowhere(NO_DAEMON);
            let one_shot = traced(&place, &options).args(["credentials", "podaac"]).output().unwrap();
            assert!(one_shot.stdout.is_empty() && stderr(&one_shot).contains(GIVEN_UP), "{}", stderr(&one_shot));
            assert_eq!(place.failures(), 1);
        });
        scope.spawn(|| {
            let place = nowhere(FILE);
            let daemon = daemon_of(&place, traced(&place, &options));
            let helper = place.start_helper("podaac");
            until("the helper to wait", || connections(&place.socket()) > 0);
            place.status();
            let said = refused(&helper.wait_with_output().unwrap(), 5);
            assert!(said.contains(GIVEN_UP), "{said}");
            assert_eq!(place.failures(), 1);
            drop(daemon);
        });
    });
}
