//! The daemon's servers on the loopback, as the config opens and closes them, against real connections.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use common::http::{free_port, get};
use common::{Daemon, Issuer, Place, chmod, signed_in, until};
use serde_json::Value;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use valetkey::standin::{Behaviour, Standin};

const FILE: &str = "keyring = \"file\"";

/// A daemon with a server of these lines besides its `listen`, which answers already.
fn serving(lines: &str) -> (Issuer, Place, Daemon, u16) {
    let (issuer, place) = signed_in(FILE);
    let port = free_port();
    open(&place, &issuer, port, lines);
    let daemon = place.start_daemon();
    listens(port);
    (issuer, place, daemon, port)
}

fn open(place: &Place, issuer: &Issuer, port: u16, lines: &str) {
    let server = format!("[loopback.jobs]\nlisten = \"127.0.0.1:{port}\"\n{lines}\n");
    place.configure(&(issuer.earthdata_config(FILE) + &server));
}

fn listens(port: u16) {
    until("the server", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
}

#[test]
fn a_profile_is_given_out_in_the_container_form() {
    let (issuer, place, _daemon, port) = serving("");
    let (status, body) = get(port, "/profiles/podaac", &[]);
    let json: Value = serde_json::from_str(&body).unwrap();
    let names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((status, names), (200, vec!["AccessKeyId", "Expiration", "SecretAccessKey", "Token"]));
    let by_helper = common::credentials(&place.helper("podaac"));
    assert_eq!((&json["Token"], &json["Expiration"]), (&by_helper["SessionToken"], &by_helper["Expiration"]));
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
    let told = &place.status()["loopback"][0];
    assert_eq!(told["url"], format!("http://127.0.0.1:{port}/profiles/"));
    assert!(place.ok(&["status"]).contains(&format!("loopback http://127.0.0.1:{port}/profiles/NAME (jobs)\n")));
    for path in ["/", "/profiles/", "/profiles/nobody", "/v1/status", "/v1/logins/earthdata/token", "/profiles/podaac/"]
    {
        let (status, body) = get(port, path, &[]);
        let error: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(status, 404, "{path}");
        assert!(error["message"] == error["Message"] && error["code"] == error["Code"], "{body}");
    }
}

#[test]
fn s36_s37_s49_a_page_a_rebound_name_and_an_order_get_nothing() {
    let (issuer, _place, _daemon, port) = serving("");
    for headers in [
        ("origin", "http://evil.example.org"),
        ("referer", "http://localhost/"),
        ("sec-fetch-site", "cross-site"),
        ("x-forwarded-for", "10.0.0.1"),
        ("host", "evil.example.org"),
    ] {
        let (status, body) = get(port, "/profiles/podaac", &[headers]);
        assert_eq!(status, 403, "{headers:?}");
        assert!(!body.contains("ASIA") && !body.contains("SecretAccessKey"), "{body}");
    }
    let order = format!("POST /v1/stop HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n");
    assert_eq!(common::http::send(port, &order).0, 405);
    assert_eq!(issuer.standin.count("/"), 0, "nothing was asked for any of them");
}

#[test]
fn s38_a_token_is_made_where_there_is_none_and_demanded() {
    let (_issuer, place, _daemon, port) = serving("token_file = \"~/jobs.token\"");
    let token = std::fs::read_to_string(place.path().join("jobs.token")).unwrap();
    assert_eq!(get(port, "/profiles/podaac", &[]).0, 401);
    assert_eq!(get(port, "/profiles/podaac", &[("authorization", "x")]).0, 401);
    assert_eq!(get(port, "/profiles/podaac", &[("authorization", &token)]).0, 200);
}

/// Perl is on every Debian, and can be run by a user who sees little else.
const CLIENT: &str = r#"use IO::Socket::INET; $SIG{PIPE} = 'IGNORE'; my $heard = '';
my $client = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[0]") or die $!;
syswrite($client, "GET /profiles/podaac HTTP/1.1\r\nhost: localhost:$ARGV[0]\r\n\r\n");
sysread($client, $heard, 15); print "<$heard>";"#;

#[test]
fn s39_another_user_of_the_machine_gets_no_byte() {
    if !common::is_root() {
        return println!("skipped: only root can become another user");
    }
    let (issuer, _place, _daemon, port) = serving("");
    let as_user = |uid: &str| {
        let mut command = Command::new("setpriv");
        command.args([
            &format!("--reuid={uid}"),
            &format!("--regid={uid}"),
            "--clear-groups",
            "/usr/bin/perl",
            "-e",
            CLIENT,
        ]);
        let output = command.arg(port.to_string()).stdout(Stdio::piped()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(as_user("65534"), "<>");
    assert_eq!(issuer.standin.count("/"), 0);
    assert_eq!(as_user("0"), "<HTTP/1.1 200 OK>");
}

#[test]
fn an_issuer_that_hangs_costs_a_reader_over_http_less_than_a_second() {
    let (issuer, place, _daemon, port) = serving("");
    issuer.standin.behave(Standin::TEA, Behaviour::Hang);
    let started = Instant::now();
    let (status, body) = get(port, "/profiles/podaac", &[]);
    assert_eq!(status, 503, "{body}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(issuer.standin.count(Standin::TEA), 1, "and the request goes on behind it");
    drop(place);
}

#[test]
fn an_edit_opens_closes_and_moves_servers_and_narrows_what_they_give() {
    let (issuer, place, _daemon, port) = serving("");
    let other = free_port();
    open(&place, &issuer, other, "");
    place.ok(&["reload"]);
    listens(other);
    until("the old port's end", || get(port, "/profiles/podaac", &[]).0 == 0);
    let two = "\n[profiles.second]\nprovider = \"earthdata\"\nendpoint = \"http://127.0.0.1:9/\"\n";
    let server = format!("[loopback.jobs]\nlisten = \"127.0.0.1:{other}\"\nprofiles = [\"second\"]\n");
    place.configure(&(issuer.earthdata_config(FILE) + two + &server));
    place.ok(&["reload"]);
    until("the narrower one", || get(other, "/profiles/podaac", &[]).0 == 404);
    place.configure(&issuer.earthdata_config(FILE));
    place.ok(&["reload"]);
    until("its end", || get(other, "/profiles/podaac", &[]).0 == 0);
}

#[test]
fn a_port_that_is_taken_is_told_and_stops_nothing_else() {
    let (issuer, place) = signed_in(FILE);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    open(&place, &issuer, taken.local_addr().unwrap().port(), "");
    let _daemon = place.start_daemon();
    common::credentials(&place.helper("podaac"));
    until("the trouble", || place.status()["troubles"]["loopback"].is_string());
    let told = place.status()["troubles"]["loopback"].as_str().unwrap().to_owned();
    assert!(told.contains("cannot listen on 127.0.0.1:") && told.contains("[loopback.jobs]"), "{told}");
}

#[test]
fn a_lock_holds_for_this_way_too() {
    let (_issuer, place, _daemon, port) = serving("");
    assert_eq!(get(port, "/profiles/podaac", &[]).0, 200);
    place.ok(&["lock"]);
    assert_eq!(get(port, "/profiles/podaac", &[]).0, 401);
    place.ok(&["unlock"]);
    assert_eq!(get(port, "/profiles/podaac", &[]).0, 200);
}

#[test]
fn a_token_that_was_replaced_holds_from_the_next_reload_and_a_bad_one_closes_the_server() {
    let (_issuer, place, _daemon, port) = serving("token_file = \"~/jobs.token\"");
    let file = place.path().join("jobs.token");
    let status = |token: &str| get(port, "/profiles/podaac", &[("authorization", token)]).0;
    let (old, new) = (std::fs::read_to_string(&file).unwrap(), "a-new-token-of-32-characters-now");
    assert_eq!(status(&old), 200);
    std::fs::write(&file, new).unwrap();
    place.ok(&["reload"]);
    until("the new token", || status(new) == 200);
    assert_eq!(status(&old), 401);
    chmod(&file, 0o644);
    place.ok(&["reload"]);
    until("its end", || status(new) == 0);
    until("the trouble", || {
        place.status()["troubles"]["loopback"].as_str().is_some_and(|told| told.contains("chmod 600"))
    });
}

#[test]
fn an_edit_that_narrows_a_server_holds_from_the_next_request_on() {
    let (issuer, place, _daemon, port) = serving("");
    assert_eq!(get(port, "/profiles/podaac", &[]).0, 200);
    open(&place, &issuer, port, "token_file = \"~/jobs.token\"");
    let (status, body) = get(port, "/profiles/podaac", &[]);
    assert!(status == 503 && !body.contains("SecretAccessKey"), "{status} {body}");
    until("the token's demand", || get(port, "/profiles/podaac", &[]).0 == 401);
}

/// S45: however often a stranger knocks, who asks at the socket is answered.
#[test]
fn s45_strangers_at_the_loopback_hold_up_nobody_at_the_socket() {
    if !common::is_root() {
        return println!("skipped: only root can become another user");
    }
    let (_issuer, place, _daemon, port) = serving("");
    common::credentials(&place.helper("podaac"));
    let knock =
        r#"use IO::Socket::INET; while (1) { my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[0]"); }"#;
    let mut strangers: Vec<_> = (0..2)
        .map(|_| {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/perl", "-e", knock]);
            command.arg(port.to_string()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let started = Instant::now();
            common::credentials(&place.helper("podaac"));
            started.elapsed()
        })
        .collect();
    for stranger in &mut strangers {
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
    times.sort();
    println!("helper beside two strangers: p50 {:?}, p99 {:?}", times[100], times[198]);
    assert_eq!(get(port, "/profiles/podaac", &[]).0, 200);
}
