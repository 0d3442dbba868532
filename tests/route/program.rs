//! The built programs behind a private CA and a proxy, by the config and by the environment. S30, S31.

use super::ca::Authority;
use super::front::Front;
use super::hop::{Hop, Manner, Seen};
use crate::common::{Issuer, Place, credentials, refused, stderr, until};
use tempfile::NamedTempFile;
use valetkey::standin::Standin;

const PASSWORD: &str = "marker-of-a-password";

/// The stand-in behind TLS, under a name that only a proxy knows; a private CA; and a proxy that leads there.
struct World {
    issuer: Issuer,
    front: Front,
    hop: Hop,
    ca: NamedTempFile,
    /// Drives the last two.
    _runtime: tokio::runtime::Runtime,
}

impl World {
    fn new() -> World {
        let (issuer, ca) = (Issuer::start(), Authority::new("platform"));
        issuer.standin.add_user("ada", PASSWORD);
        let inner = issuer.standin.url("").trim_start_matches("http://").parse().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (front, hop) = runtime.block_on(async {
            let identity = ca.certify(&["gateway.test", "127.0.0.1"]);
            let front = Front::start_before(Some(identity), Some(inner)).await;
            let hop = Hop::start(Manner::Pass(front.address)).await;
            (front, hop)
        });
        World { issuer, front, hop, ca: ca.file(), _runtime: runtime }
    }

    /// Two profiles of one login at `host`, with these lines in every table.
    fn configure(&self, place: &Place, host: &str, lines: &str) {
        let gateway = format!("https://{host}:{}", self.front.address.port());
        let profile = |name: &str| {
            format!("[profiles.{name}]\nprovider = \"cray\"\ngateway = \"{gateway}\"\nlogin = \"keycloak\"\n{lines}\n")
        };
        let login = format!(
            "[logins.keycloak]\nkind = \"keycloak\"\ntoken_url = \"{gateway}{}\"\nusername = \"ada\"\n{lines}\n",
            Standin::TOKEN
        );
        place.configure(&format!("keyring = \"file\"\n{login}{}{}", profile("shasta"), profile("other")));
    }

    fn ca_line(&self) -> String {
        format!("ca_file = \"{}\"\n", self.ca.path().display())
    }

    fn seen(&self) -> Seen {
        self.hop.seen()
    }
}

/// Signs in, and has credentials of the daemon that the helper starts.
fn served(place: &Place) {
    let login = place.login("keycloak", PASSWORD);
    assert!(login.status.success(), "{}", stderr(&login));
    credentials(&place.helper("shasta"));
    assert_eq!(place.daemons().len(), 1);
}

#[test]
fn s30_a_cray_behind_a_private_ca_and_socks_and_the_ca_file_that_went_away() {
    let (world, place) = (World::new(), Place::new());
    world.configure(&place, "gateway.test", &format!("{}proxy = \"{}\"", world.ca_line(), world.hop.url("socks5h")));
    served(&place);
    let seen = world.seen();
    let asked = format!("name gateway.test:{}", world.front.address.port());
    assert!(!seen.asked.is_empty() && seen.asked.iter().all(|line| *line == asked), "{:?}", seen.asked);
    for hidden in [PASSWORD, "bearer", "authorization", "password", "/token"] {
        assert!(!seen.read(hidden), "the proxy read {hidden}");
    }
    let first = credentials(&place.helper("shasta"));

    let (pem, sent) = (std::fs::read(world.ca.path()).unwrap(), world.issuer.standin.requests().len());
    std::fs::remove_file(world.ca.path()).unwrap();
    let said = refused(&place.helper("other"), 6);
    assert!(said.contains(&format!("cannot read ca_file {}: No such file", world.ca.path().display())), "{said}");
    assert!(said.contains("hint: set ca_file to a PEM file"), "{said}");
    assert_eq!(credentials(&place.helper("shasta")), first, "what is valid is served");
    assert_eq!(world.issuer.standin.requests().len(), sent);

    std::fs::write(world.ca.path(), pem).unwrap();
    until("the CA file that is back, without a restart", || place.helper("other").status.success());
    assert!(!place.log().contains(PASSWORD));
}

#[test]
fn s30_the_sdks_sts_takes_the_same_way() {
    let (world, place) = (World::new(), Place::new());
    world.issuer.standin.accept_key_id("AKIALONGLIVED");
    let endpoint = format!("https://gateway.test:{}{}", world.front.address.port(), Standin::STS);
    let profile = |name: &str| {
        format!(
            "[profiles.{name}]\nprovider = \"sts\"\nlogin = \"aws\"\nendpoint = \"{endpoint}\"\n\
             role_arn = \"arn:aws:iam::123456789012:role/uploader\"\n{}proxy = \"{}\"\n",
            world.ca_line(),
            world.hop.url("http")
        )
    };
    let login = "keyring = \"file\"\n[logins.aws]\nkind = \"aws\"\n";
    place.configure(&format!("{login}{}{}", profile("uploads"), profile("other")));
    let key = format!(r#"{{"AccessKeyId":"AKIALONGLIVED","SecretAccessKey":"{PASSWORD}"}}"#);
    let login = place.login("aws", &key);
    assert!(login.status.success(), "{}", stderr(&login));
    credentials(&place.helper("uploads"));
    let (seen, front) = (world.seen(), &world.front);
    assert_eq!(seen.asked.len(), front.heard().connections, "no other way was taken");
    assert!(seen.asked.iter().all(|line| *line == format!("CONNECT gateway.test:{}", front.address.port())));
    assert!(!seen.asked.is_empty() && !seen.read("AKIALONGLIVED"));
    std::fs::write(world.ca.path(), "").unwrap();
    let said = refused(&place.helper("other"), 6);
    assert!(said.contains("is empty"), "{said}");
}

#[test]
fn s31_the_environments_proxy_and_roots_reach_a_daemon_that_was_started() {
    for (variable, scheme) in [("HTTPS_PROXY", "http"), ("https_proxy", "http"), ("ALL_PROXY", "socks5h")] {
        let (world, mut place) = (World::new(), Place::new());
        world.configure(&place, "gateway.test", "");
        place.environment.push((variable.to_owned(), world.hop.url(scheme)));
        place.environment.push(("SSL_CERT_FILE".to_owned(), world.ca.path().display().to_string()));
        served(&place);
        assert!(!world.seen().asked.is_empty() && !world.seen().read("authorization"), "{variable}");
        assert_eq!(world.seen().asked.len(), world.front.heard().connections, "no other way was taken: {variable}");
    }
}

#[test]
fn s31_no_proxy_is_honoured_and_an_environments_proxy_that_fails_is_named_as_such() {
    let (world, mut place) = (World::new(), Place::new());
    world.configure(&place, "gateway.test", &world.ca_line());
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // A password in the variable is nobody's to see.
    place.environment.push(("HTTPS_PROXY".to_owned(), format!("http://ada:{PASSWORD}@{gone}")));
    let failed = place.login("keycloak", PASSWORD);
    let named = format!("the proxy {gone} (HTTPS_PROXY or ALL_PROXY of the environment) does not answer");
    assert!(stderr(&failed).contains(&named), "{}", stderr(&failed));
    assert!(!stderr(&failed).contains(PASSWORD) && !place.log().contains(PASSWORD));

    place.environment = vec![
        ("HTTPS_PROXY".to_owned(), world.hop.url("http")),
        ("NO_PROXY".to_owned(), "x.test, gateway.test".to_owned()),
    ];
    let failed = place.login("keycloak", PASSWORD);
    assert!(stderr(&failed).contains("cannot reach gateway.test") && !stderr(&failed).contains("proxy"));
    assert_eq!(world.seen().asked, [""; 0]);
}

#[test]
fn s31_the_loopback_is_never_reached_through_the_environments_proxy() {
    let (world, mut place) = (World::new(), Place::new());
    world.configure(&place, "127.0.0.1", &world.ca_line());
    for variable in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        place.environment.push((variable.to_owned(), world.hop.url("http")));
    }
    served(&place);
    // And in plain text.
    place.configure(&world.issuer.earthdata_config("keyring = \"file\""));
    let token = world.issuer.standin.mint_token("ada", 3600);
    assert!(place.login("earthdata", &token).status.success());
    credentials(&place.helper("podaac"));
    assert_eq!(world.seen().asked, [""; 0]);
}

#[test]
fn s31_the_configs_proxy_takes_the_place_of_the_environments() {
    let (world, mut place) = (World::new(), Place::new());
    // For the loopback too, and whatever NO_PROXY says: it was meant for just this issuer.
    world.configure(&place, "127.0.0.1", &format!("{}proxy = \"{}\"", world.ca_line(), world.hop.url("http")));
    for (variable, value) in [("HTTPS_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "*"), ("no_proxy", "127.0.0.1")] {
        place.environment.push((variable.to_owned(), value.to_owned()));
    }
    served(&place);
    assert_eq!(world.seen().asked.len(), world.front.heard().connections);
}

#[test]
fn a_demo_of_plain_http_wants_no_certificates_on_the_machine() {
    let (issuer, mut place) = (Issuer::start(), Place::new());
    place.environment.push(("SSL_CERT_FILE".to_owned(), "/nonexistent".to_owned()));
    place.environment.push(("SSL_CERT_DIR".to_owned(), "/nonexistent".to_owned()));
    place.configure(&issuer.earthdata_config("keyring = \"file\""));
    let login = place.login("earthdata", &issuer.standin.mint_token("ada", 3600));
    assert!(login.status.success(), "{}", stderr(&login));
    credentials(&place.helper("podaac"));

    place.configure("[logins.earthdata]\nkind = \"earthdata\"\n[profiles.x]\nprovider = \"earthdata\"\nendpoint = \"https://127.0.0.1:1/s3credentials\"\nlogin = \"earthdata\"\n");
    let said = refused(&place.helper("x"), 6);
    assert!(said.contains("no TLS on this machine") && said.contains("SSL_CERT_FILE"), "{said}");
}
