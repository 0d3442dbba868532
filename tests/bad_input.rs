//! Bad input: each gets a line of error, a line of hint and the exit code of its kind, and costs nobody the login.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use common::{Issuer, Place, credentials, refused, signed_in, stderr};
use valetkey::standin::{Behaviour, Standin};

const FILE: &str = "keyring = \"file\"";
const NO_DAEMON: &str = "keyring = \"file\"\nautostart = false";

/// What an issuer may answer, the exit code, and a word of what is said about it.
fn answers() -> Vec<(&'static str, Behaviour, i32, &'static str)> {
    vec![
        ("a web page", Behaviour::Html200, 5, "web page"),
        ("{}", Behaviour::EmptyJson, 7, "answered 200 but"),
        ("no JSON", Behaviour::json(200, "credentials"), 7, "answered 200 but"),
        ("a past expiration", Behaviour::PastExpiration, 7, "cannot be used"),
        ("no expiration", Behaviour::MissingExpiration, 7, "answered 200 but"),
        ("302 to sign in", Behaviour::Redirect302, 3, "name and password"),
        ("307 to sign in", Behaviour::Redirect307, 3, "name and password"),
        ("302 to elsewhere", Behaviour::status(302), 6, "redirects"),
        ("401", Behaviour::status(401), 3, "valetkey login earthdata"),
        ("403", Behaviour::NoBucket, 4, "403"),
        ("403, a EULA", Behaviour::Eula, 4, "/approve_app"),
        ("404", Behaviour::status(404), 6, "/s3credentials"),
        ("418", Behaviour::json(418, "\u{1b}[2J\u{202e}teapot"), 7, "418"),
        ("429", Behaviour::TooManyRequests { retry_after: 9 }, 5, "asked again in 9 s"),
        ("500", Behaviour::ServerError500, 5, "500"),
        ("nothing", Behaviour::Close, 5, "127.0.0.1"),
        ("half", Behaviour::Cut { bytes: 20 }, 5, "127.0.0.1"),
    ]
}

#[test]
fn every_bad_answer_of_an_issuer_is_told_in_two_lines_and_loses_no_login() {
    let (issuer, place) = signed_in(NO_DAEMON);
    for (name, behaviour, code, word) in answers() {
        issuer.standin.behave(Standin::TEA, behaviour);
        let said = refused(&place.helper("podaac"), code);
        assert!(said.contains(word) && !said.contains('\u{1b}'), "{name}: {said}");
        // What is on record may be deleted at any time; without it the issuer would rest now.
        std::fs::remove_dir_all(place.path().join("state/failures")).unwrap();
    }
    issuer.standin.behave(Standin::TEA, Behaviour::Normal);
    credentials(&place.helper("podaac"));
}

#[test]
fn the_daemon_tells_the_same_and_works_again_when_the_issuer_does() {
    for (name, behaviour, code, word) in answers() {
        let (issuer, place) = signed_in(FILE);
        issuer.standin.behave(Standin::TEA, behaviour);
        let said = refused(&place.helper("podaac"), code);
        assert!(said.contains(word), "{name}: {said}");
        assert_eq!(refused(&place.command(&["credentials", "podaac"]), code).lines().count(), 2, "{name}");
        issuer.standin.behave(Standin::TEA, Behaviour::Normal);
        place.ok(&["stop"]);
        std::fs::remove_dir_all(place.path().join("state/failures")).unwrap();
        credentials(&place.helper("podaac"));
    }
}

#[test]
fn every_bad_line_of_the_config_is_named_with_file_line_and_remedy() {
    let issuer = Issuer::start();
    let good = issuer.earthdata_config(FILE);
    let tea = issuer.standin.url(Standin::TEA);
    for (name, bad, words) in [
        ("a misspelt key", good.replace("endpoint =", "endpiont ="), &["endpiont", "did you mean endpoint", ":7)"][..]),
        ("a misspelt table", good.replace("[logins.", "[login."), &["login", "logins"]),
        ("an unknown provider", good.replace("provider = \"earthdata\"", "provider = \"earthdat\""), &["earthdata"]),
        (
            "an unknown login",
            good.replace("login = \"earthdata\"", "login = \"nobody\""),
            &["nobody", "[logins.nobody]"],
        ),
        ("http", good.replace(&tea, "http://archive.example/s3credentials"), &["https", ":7)"]),
        ("no URL", good.replace(&tea, "archive"), &["URL", ":7)"]),
        ("no text", good.replace(&format!("\"{tea}\""), "7"), &["endpoint", ":7)"]),
        ("no TOML", good.clone() + "marker-of-a-secret\n", &["TOML", ":10)"]),
        ("a bad name", good.replace("[profiles.podaac]", "[profiles.\"po daac\"]"), &["name"]),
    ] {
        let place = Place::new();
        place.configure(&bad);
        let said = refused(&place.helper("podaac"), 6);
        assert!(said.contains("config.toml"), "{name}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{name}: {said}");
        assert!(!said.contains("marker-of-a-secret"), "the line itself may hold anything");
        assert_eq!(place.daemons(), [0; 0], "no daemon is started to say so");
    }
}

#[test]
fn s20_a_config_that_others_can_write_is_refused_with_the_command_that_mends_it() {
    let (_issuer, place) = signed_in(FILE);
    for (path, mode, good) in [(place.config_file(), 0o666, 0o600), (place.path().to_owned(), 0o777, 0o700)] {
        common::chmod(&path, mode);
        let said = refused(&place.command(&["credentials", "podaac"]), 6);
        assert!(said.contains("chmod"), "{said}");
        common::chmod(&path, good);
    }
    credentials(&place.helper("podaac"));
}

#[test]
fn s01_a_socket_directory_that_is_not_private_is_refused_by_both_and_never_mended() {
    for what in ["a link", "a dangling link", "a file", "0755", "0777"] {
        let (_issuer, place) = signed_in(FILE);
        let run = place.path().join("run");
        let elsewhere = place.path().join("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        common::chmod(&elsewhere, 0o700);
        // Signing in looked for a daemon, and may have made it.
        let _ = std::fs::remove_dir_all(&run);
        match what {
            "a link" => std::os::unix::fs::symlink(&elsewhere, &run).unwrap(),
            "a dangling link" => std::os::unix::fs::symlink("/nonexistent", &run).unwrap(),
            "a file" => std::fs::write(&run, "").unwrap(),
            mode => {
                std::fs::create_dir(&run).unwrap();
                common::chmod(&run, u32::from_str_radix(mode, 8).unwrap());
            }
        }
        let said = refused(&place.helper("podaac"), 6);
        assert_eq!(refused(&place.command(&["credentials", "podaac"]), 6), said, "{what}");
        refused(&place.command(&["daemon"]), 6);
        assert!(said.contains(run.to_str().unwrap()), "{what}: {said}");
        assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0, "nothing was put behind a link");
        std::fs::remove_file(&run).or_else(|_| std::fs::remove_dir(&run)).unwrap();
        credentials(&place.helper("podaac"));
    }
}

#[test]
fn bad_names_and_bad_places_are_told_before_anything_is_asked() {
    let (issuer, mut place) = signed_in(FILE);
    let long = "x".repeat(65);
    for name in ["", "../podaac", ".hidden", "a b", "a/b", "a\nb", "\u{202e}", long.as_str()] {
        refused(&place.helper(name), 6);
    }
    for name in ["podaack", "-x", "--", "--min-valid"] {
        let said = refused(&place.helper(name), 6);
        assert!(said.contains(name), "{said}");
    }
    assert!(refused(&place.helper("podaack"), 6).contains("podaac"), "the nearest name, or the list");
    let set = |place: &mut Place, value: String| place.environment = vec![("VALETKEY_SOCKET".to_owned(), value)];
    for length in [120, 4000, 100_000] {
        set(&mut place, format!("/{}", "é".repeat(length / 2)));
        assert!(refused(&place.helper("podaac"), 6).contains("VALETKEY_SOCKET"), "S03");
        refused(&place.command(&["credentials", "podaac"]), 6);
    }
    for place_of_socket in ["relative.sock", "/"] {
        set(&mut place, place_of_socket.to_owned());
        refused(&place.helper("podaac"), 6);
    }
    place.environment.clear();
    assert_eq!((issuer.standin.count("/"), place.daemons()), (0, vec![]));
}

#[test]
fn a_token_that_is_no_token_is_refused_and_the_good_one_stays() {
    let (issuer, place) = signed_in(NO_DAEMON);
    let expired = issuer.standin.mint_token("ada", -60);
    for bad in ["", "hello", "a.b", "a.!.c", "e30.e30", "a b.e30.c", expired.as_str()] {
        let said = refused(&place.login("earthdata", bad), 3);
        assert!(bad.len() < 3 || !said.contains(bad), "{said}");
    }
    let unknown = Issuer::start().standin.mint_token("ada", 60);
    let said = refused(&place.login("earthdata", &unknown), 3);
    assert!(!said.contains("stored"), "it was only typed: {said}");
    refused(&place.login("earthdatum", "x"), 6);
    let nobody = place.command(&["login", "earthdata"]);
    let hint = stderr(&nobody).lines().last().unwrap_or_default().to_owned();
    assert!(hint.contains("--from-file -") && hint.contains("--from-env"), "{hint}");
    assert_eq!(nobody.status.code(), Some(6));
    let netrc = refused(&place.command(&["login", "earthdata", "--from-netrc"]), 6);
    assert!(netrc.contains("No such file or directory"), "{netrc}");
    credentials(&place.helper("podaac"));
}

#[test]
fn nobody_signed_in_is_said_with_the_command_that_does() {
    for head in [FILE, NO_DAEMON] {
        let (issuer, place) = (Issuer::start(), Place::new());
        place.configure(&issuer.earthdata_config(head));
        assert!(refused(&place.helper("podaac"), 3).contains("run: valetkey login earthdata"));
        assert_eq!(issuer.standin.count("/"), 0);
    }
}

#[test]
fn a_usage_error_exits_with_2() {
    let place = Place::new();
    for arguments in [&[][..], &["a", "b"], &["a", "--help"]] {
        let output = place.program(common::HELPER).args(arguments).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        assert!(stderr(&output).starts_with("usage: "));
    }
}
