//! An issuer's own proxy: reached through it, hidden from it, and told apart from it when something fails.

use super::ca::{Authority, Identity};
use super::front::Front;
use super::hop::{Hop, Manner};
use super::{BEARER, ask, is_for_the_user, refused, through};
use crate::common::peers;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use tempfile::NamedTempFile;
use valetkey::error::Error;
use valetkey::ports::Route;
use valetkey::system::http::Network;
use valetkey::wire::Kind;

/// An issuer of a name that nobody here can look up.
const ISSUER: &str = "issuer.test";

fn certified(names: &[&str]) -> (Identity, NamedTempFile) {
    let ca = Authority::new("ours");
    (ca.certify(names), ca.file())
}

async fn issuer() -> (Front, NamedTempFile) {
    let (identity, ca) = certified(&[ISSUER, "localhost", "127.0.0.1"]);
    (Front::start(Some(identity)).await, ca)
}

#[tokio::test]
async fn an_http_and_a_socks5h_proxy_see_the_issuers_name_and_nothing_else() {
    for (scheme, asked) in [("http", "CONNECT issuer.test:"), ("socks5h", "name issuer.test:")] {
        let (front, ca) = issuer().await;
        let hop = Hop::start(Manner::Pass(front.address)).await;
        let route = through(ca.path(), &hop.url(scheme));
        assert!(ask(&Network::default(), &front.url(ISSUER), &route).await.is_ok(), "{scheme}");
        let seen = hop.seen();
        assert_eq!(seen.asked, [format!("{asked}{}", front.address.port())]);
        for hidden in [BEARER, "authorization", "/issue"] {
            assert!(!seen.read(hidden), "{scheme}: {hidden}");
        }
        assert!(String::from_utf8_lossy(&front.heard().inside).contains(BEARER));
    }
}

#[tokio::test]
async fn a_socks5_proxy_is_given_an_address_and_a_name_unknown_here_is_said_to_be() {
    let (front, ca) = issuer().await;
    let hop = Hop::start(Manner::Pass(front.address)).await;
    let route = through(ca.path(), &hop.url("socks5"));
    let network = Network::default();
    assert!(ask(&network, &front.url("127.0.0.1"), &route).await.is_ok());
    assert_eq!(hop.seen().asked, [format!("address 127.0.0.1:{}", front.address.port())]);
    let error = refused(&network, &front.url("name.invalid"), &route).await;
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("with socks5h:// the proxy looks it up"), "{error}");
    assert_eq!(hop.seen().asked.len(), 1);
}

#[tokio::test]
async fn a_proxy_that_speaks_tls_is_verified_as_well() {
    let (front, ca) = issuer().await;
    let ours = Authority::new("proxies");
    let both = super::ca::file(std::fs::read_to_string(ca.path()).unwrap() + &ours.pem());
    let identity = ours.certify(&["127.0.0.1"]);
    let hop = Hop::start_as(Manner::Pass(front.address), Some(identity)).await;
    let route = through(both.path(), &hop.url("https"));
    assert!(ask(&Network::default(), &front.url(ISSUER), &route).await.is_ok());
    assert!(!hop.seen().read(BEARER));

    let expired = ours.certify_between(&["127.0.0.1"], (2020, 2021));
    let hop = Hop::start_as(Manner::Pass(front.address), Some(expired)).await;
    let route = through(both.path(), &hop.url("https"));
    let error = refused(&Network::default(), &front.url(ISSUER), &route).await;
    is_for_the_user(&error, &["the certificate of the proxy 127.0.0.1:", "has expired"]);
    assert!(hop.seen().bytes.is_empty());
}

#[tokio::test]
async fn the_issuers_certificate_is_the_issuers_fault_behind_a_proxy_too() {
    let ca = Authority::new("ours");
    let front = Front::start(Some(ca.certify_between(&[ISSUER], (2020, 2021)))).await;
    let (hop, file) = (Hop::start(Manner::Pass(front.address)).await, ca.file());
    for scheme in ["http", "socks5h"] {
        let error = refused(&Network::default(), &front.url(ISSUER), &through(file.path(), &hop.url(scheme))).await;
        is_for_the_user(&error, &["the certificate of issuer.test has expired"]);
    }
    assert_eq!(front.heard().inside, b"");
    assert!(!hop.seen().read(BEARER));
}

/// What is told of a proxy of this manner.
async fn failing(manner: Manner, scheme: &str) -> Error {
    let (front, ca) = issuer().await;
    let hop = Hop::start(manner).await;
    let error = refused(&Network::default(), &front.url(ISSUER), &through(ca.path(), &hop.url(scheme))).await;
    let named = format!("the proxy {} (proxy in the config)", hop.address);
    assert!(error.to_string().contains(&named), "{named}: {error}");
    assert_eq!(front.heard().connections, 0);
    assert!(!hop.seen().read(BEARER));
    error
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_with_its_setting() {
    for (manner, scheme) in
        [(Manner::Refuse("407 Proxy Authentication Required", 0), "http"), (Manner::WantsPassword, "socks5h")]
    {
        let error = failing(manner, scheme).await;
        is_for_the_user(&error, &["wants another user and password, or any", "set proxy to one"]);
    }
    is_for_the_user(
        &failing(Manner::Refuse("", 2), "socks5h").await,
        &["refuses to connect to issuer.test", "set proxy"],
    );
    is_for_the_user(
        &failing(Manner::Refuse("403 Filtered", 0), "http").await,
        &["refuses to connect to issuer.test: 403 Filtered", "set proxy to one that lets issuer.test through"],
    );
}

#[tokio::test]
async fn a_proxy_that_finds_no_way_is_no_setting_to_mend() {
    for (manner, scheme, why) in [
        (Manner::Refuse("503 Service Unavailable", 0), "http", "503 Service Unavailable"),
        (Manner::Refuse("", 4), "socks5h", "host unreachable"),
        (Manner::Refuse("", 1), "socks5h", "general server failure"),
    ] {
        let error = failing(manner, scheme).await;
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().ends_with(&format!("cannot reach issuer.test: {why}")), "{error}");
    }
    for scheme in ["http", "socks5h"] {
        let error = failing(Manner::Babble, scheme).await;
        assert!(error.to_string().contains("is it a proxy of that kind?"), "{error}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_away_is_named() {
    let (front, ca) = issuer().await;
    let gone = super::front::listen().await.local_addr().unwrap();
    for scheme in ["http", "https", "socks5", "socks5h"] {
        let route = through(ca.path(), &format!("{scheme}://{gone}"));
        let error = refused(&Network::default(), &front.url("127.0.0.1"), &route).await;
        assert_eq!(error.kind(), Kind::Unavailable);
        let said = format!("the proxy {gone} (proxy in the config) does not answer");
        assert!(error.to_string().starts_with(&said), "{scheme}: {error}");
    }
    assert_eq!(front.heard().connections, 0, "there is no other way");
}

#[tokio::test]
async fn what_is_not_tls_goes_to_a_proxy_on_this_machine_alone() {
    let front = Front::start(None).await;
    let url = format!("http://{}/issue", front.address);
    let hop = Hop::start(Manner::Pass(front.address)).await;
    let route = |proxy: &str| Route { ca_file: None, proxy: Some(proxy.parse().unwrap()) };
    for (scheme, asked) in [("http", format!("GET {url}")), ("socks5h", format!("address {}", front.address))] {
        let near = hop.url(scheme);
        assert!(ask(&Network::default(), &url, &route(&near)).await.is_ok(), "{near}");
        assert_eq!(hop.seen().asked.last(), Some(&asked));
    }
    let connections = front.heard().connections;
    for far in
        ["http://proxy.invalid:3128", "socks5://192.0.2.1:1080", "https://proxy.invalid", "socks5h://[2001:db8::1]"]
    {
        let error = refused(&Network::default(), &url, &route(far)).await;
        is_for_the_user(&error, &["would be sent in the clear to the proxy", "to https, or remove proxy"]);
    }
    assert_eq!(front.heard().connections, connections);
    let hop = Hop::start(Manner::Refuse("407 Proxy Authentication Required", 0)).await;
    let error = refused(&Network::default(), &url, &route(&hop.url("http"))).await;
    is_for_the_user(&error, &["the proxy", "wants another user and password"]);
}

/// microsocks on a port of the kernel's choice, and its log.
struct Microsocks(Child);

impl Microsocks {
    fn start(words: &[&str]) -> Option<(Microsocks, u16)> {
        let program = peers::installed(&["microsocks"])?.remove(0);
        let mut command = Command::new(program);
        command.args(["-i", "127.0.0.1", "-p", "0"]).args(words).stdin(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let mut port = None;
        crate::common::until("microsocks", || {
            port = listening(child.id());
            port.is_some()
        });
        Some((Microsocks(child), port.unwrap()))
    }

    /// Its log's next line.
    fn line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Microsocks {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The port on which a process listens: microsocks does not tell.
fn listening(pid: u32) -> Option<u16> {
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).ok()?;
    let open: Vec<_> = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten().collect();
    let open: Vec<_> = open.iter().filter_map(|entry| std::fs::read_link(entry.path()).ok()).collect();
    table.lines().skip(1).find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let socket = format!("socket:[{}]", words[9]);
        let ours = words[3] == "0A" && open.iter().any(|file| file.as_os_str() == socket.as_str());
        ours.then(|| u16::from_str_radix(words[1].split_once(':')?.1, 16).ok()).flatten()
    })
}

#[tokio::test]
async fn microsocks_connects_and_one_with_a_password_is_told_as_such() {
    let (front, ca) = issuer().await;
    let Some((mut open, port)) = Microsocks::start(&[]) else { return };
    for scheme in ["socks5", "socks5h"] {
        let route = through(ca.path(), &format!("{scheme}://127.0.0.1:{port}"));
        assert!(ask(&Network::default(), &front.url("127.0.0.1"), &route).await.is_ok(), "{scheme}");
    }
    let line = open.line();
    assert!(line.contains(&format!("connected to 127.0.0.1:{}", front.address.port())), "{line}");

    let gone = super::front::listen().await.local_addr().unwrap();
    let route = through(ca.path(), &format!("socks5h://127.0.0.1:{port}"));
    let error = refused(&Network::default(), &format!("https://{gone}/"), &route).await;
    assert!(error.to_string().ends_with("cannot reach 127.0.0.1: connection refused"), "{error}");

    let Some((_closed, port)) = Microsocks::start(&["-u", "ada", "-P", "secret"]) else { return };
    let route = through(ca.path(), &format!("socks5h://127.0.0.1:{port}"));
    let error = refused(&Network::default(), &front.url("127.0.0.1"), &route).await;
    is_for_the_user(&error, &["wants another user and password"]);
}
