//! Earthdata by name and password: tokens fetched and replaced, nobody else's revoked, the password seen by one host.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const PASSWORD: &str = "p w:x";

/// Ada, signed in by password; Earthdata Login is the stand-in of the rig, the archives' is another.
struct Place {
    rig: Rig,
    archive: Standin,
}

impl Place {
    async fn new(password: &str) -> Place {
        let rig = Rig::new().await;
        let archive = Standin::start_by(rig.clock.clone()).await.unwrap();
        let place = Place { rig, archive };
        place.rig.standin.add_user("ada", PASSWORD);
        let variables = [("EARTHDATA_USERNAME", "ada"), ("EARTHDATA_PASSWORD", password)];
        place.rig.sign_in(&place.config(), "earthdata", "", &variables).await;
        place
    }

    /// The archive answers as it is told: it knows none of Earthdata Login's tokens.
    fn config(&self) -> Config {
        let (urs, archive) = (self.rig.standin.url(Standin::URS), self.archive.url(Standin::TEA));
        self.rig.config_of(&format!(
            "[logins.earthdata]\nkind = \"earthdata\"\nurs = \"{urs}\"\n\
             [profiles.p]\nprovider = \"earthdata\"\nlogin = \"earthdata\"\nendpoint = \"{archive}\"\nurs = \"{urs}\"\n"
        ))
    }

    async fn ask(&self) -> Result<Served, Error> {
        let broker = self.rig.with(self.config(), Manner::Daemon);
        let answer = broker.credentials("p", 0).await;
        broker.settle(LONGEST_WAIT).await;
        answer
    }

    fn good(&self) {
        let body =
            r#"{"accessKeyId":"A","secretAccessKey":"B","sessionToken":"C","expiration":"2027-01-15 09:00:00+00:00"}"#;
        self.archive.behave("/tea", Behaviour::json(200, body));
    }

    /// What Earthdata Login was asked below `/api/users/`, in order.
    fn asked(&self) -> Vec<String> {
        let requests = self.rig.standin.requests().into_iter();
        requests.filter_map(|request| request.path.strip_prefix("/urs/api/users/").map(str::to_owned)).collect()
    }
}

#[tokio::test]
async fn an_expired_token_that_is_found_is_revoked_and_no_other() {
    let place = Place::new(PASSWORD).await;
    place.good();
    let expired = place.rig.standin.give_token("ada", -1);
    let foreign = place.rig.standin.give_token("ada", 3600);
    place.ask().await.unwrap();
    assert_eq!(place.asked(), ["find_or_create_token", "revoke_token", "token"]);
    let left = place.rig.standin.tokens_of("ada");
    assert!(left.contains(&foreign) && !left.contains(&expired) && left.len() == 2);
    assert!(place.archive.requests()[0].mentions(&left[1]), "the new one is used");
}

#[tokio::test]
async fn a_token_of_another_programs_is_used_and_never_revoked() {
    let place = Place::new(PASSWORD).await;
    let foreign = [place.rig.standin.give_token("ada", 3600), place.rig.standin.give_token("ada", 3600)];
    // Both tokens are good for Earthdata Login; the archive takes neither.
    place.archive.behave("/tea", Behaviour::status(401));
    let error = place.ask().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert!(error.text().contains("third token") && error.text().contains("/profile"), "{}", error.text());
    assert_eq!(place.asked(), ["find_or_create_token", "find_or_create_token", "token"]);
    assert_eq!(place.rig.standin.tokens_of("ada"), foreign);
    assert_eq!(place.archive.count("/"), 1);
}

#[tokio::test]
async fn one_token_serves_until_its_end() {
    let place = Place::new(PASSWORD).await;
    place.good();
    place.ask().await.unwrap();
    place.rig.clock.advance(1800);
    place.archive.behave("/tea", Behaviour::status(503));
    assert!(place.ask().await.is_ok(), "still valid");
    place.rig.clock.advance(1800);
    assert_eq!(kind(&place.ask().await), Kind::Unavailable);
    assert_eq!(place.asked(), ["find_or_create_token"]);
}

#[tokio::test]
async fn f08_a_wrong_password_is_one_request() {
    let place = Place::new("wrong").await;
    for _ in 0..100 {
        let error = place.ask().await.unwrap_err();
        assert_eq!(error.kind(), Kind::LoginRequired);
        assert!(error.hint().contains("valetkey login earthdata"));
        place.rig.clock.advance(3600);
    }
    assert_eq!(place.asked(), ["find_or_create_token"]);
    assert_eq!((place.rig.standin.failed_attempts("ada"), place.archive.count("/")), (1, 0));
}

#[tokio::test]
async fn the_password_is_seen_by_earthdata_login_alone() {
    let place = Place::new(PASSWORD).await;
    let stranger = Standin::start_by(place.rig.clock.clone()).await.unwrap();
    let encoded = STANDARD.encode(format!("ada:{PASSWORD}"));
    let tea = |location: &str| Behaviour::Status {
        code: 302,
        content_type: "text/plain".to_owned(),
        body: String::new(),
        headers: vec![("location".to_owned(), location.to_owned())],
    };
    let (urs, foreign) = (place.rig.standin.url(""), stranger.url(""));
    let port = urs.rsplit(':').next().unwrap();
    for location in [
        format!("{foreign}/oauth/authorize?client_id=x"),
        format!("http://urs.earthdata.nasa.gov@{}/oauth/authorize?client_id=x", &foreign[7..]),
        format!("http://localhost:{port}/urs/oauth/authorize?client_id=x"),
        "/oauth/authorize?client_id=x".to_owned(),
        format!("{urs}/urs/oauth/authorize?client_id=x"),
    ] {
        place.archive.behave("/tea", tea(&location));
        assert!(place.ask().await.is_err(), "{location}");
        place.rig.clock.advance(3600);
    }
    // Nor does Earthdata Login send it on.
    let away = tea(&format!("{foreign}/api/users/find_or_create_token"));
    place.rig.standin.behave("/urs", away);
    let again = Place { rig: Rig { home: tempfile::tempdir().unwrap(), ..place.rig }, archive: place.archive };
    assert!(again.ask().await.is_err());
    let told = again.rig.standin.requests();
    assert!(told.iter().any(|request| request.mentions(&encoded)), "its own host is told");
    for other in [&again.archive, &stranger] {
        for request in other.requests() {
            assert!(!request.mentions(&encoded) && !request.mentions(PASSWORD) && !request.mentions("Basic"));
        }
    }
    assert_eq!(stranger.count("/"), 0);
    // Its page for signing in is the one other place for it: see the dance.
    let diagnosed = told.iter().filter(|request| request.method == "GET" && request.path != "/urs/oauth/authorize");
    assert!(diagnosed.clone().count() > 0 && diagnosed.clone().all(|request| !request.mentions(&encoded)));
}
