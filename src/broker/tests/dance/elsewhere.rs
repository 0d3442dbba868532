//! Redirects to elsewhere, at each step: whoever is there learns nothing.

use super::*;

#[tokio::test]
async fn s29_a_redirect_to_elsewhere_is_followed_by_nobody_at_no_step() {
    // The page or the callback of this one, at others that look like it.
    fn elsewhere(place: &Place, right: &Standin, path: &str) -> Vec<String> {
        let (port, foreign) = (right.url("").rsplit(':').next().unwrap_or_default().to_owned(), place.stranger.url(""));
        let tail = format!("{path}?client_id=x&code=y&state=z");
        vec![
            format!("{foreign}{tail}"),
            format!("http://urs.earthdata.nasa.gov@{}{tail}", &foreign[7..]),
            format!("http://127.0.0.1:{port}@{}{tail}", &foreign[7..]),
            format!("http://ada@127.0.0.1:{port}{tail}"),
            format!("http://localhost:{port}{tail}"),
            format!("http://127.0.0.2:{port}{tail}"),
            format!("https://127.0.0.1:{port}{tail}"),
            format!("//{}{tail}", &foreign[7..]),
            format!("{}\\@127.0.0.1:{port}{tail}", foreign),
            tail,
            String::new(),
        ]
    }
    let place = Place::new().await;
    for location in elsewhere(&place, &place.rig.standin, PAGE) {
        place.nth(2, to(302, &location, &[]));
        assert_eq!(kind(&place.ask("p").await), Kind::Configuration, "step 1: {location}");
        place.rig.clock.advance(3600);
    }
    assert_eq!(place.rig.standin.count(PAGE), 0);
    place.nothing_leaked("step 1");
    for location in elsewhere(&place, &place.archive, "/tea/login") {
        place.rig.standin.behave_once(PAGE, to(302, &location, &[]));
        assert_eq!(kind(&place.ask("p").await), Kind::Protocol, "step 2: {location}");
        place.rig.clock.advance(3600);
    }
    assert_eq!(place.archive.count("/tea/login"), 0);
    place.nothing_leaked("step 2");
    // TEA's callback is an open redirect: its cookie is good, wherever it sends.
    for location in elsewhere(&place, &place.archive, "/tea/p/s3credentials") {
        let (dances, cookie) = (place.archive.count("/"), "asf-urs=e30.e30.x; Domain=127.0.0.1; Path=/");
        place.archive.behave_once("/tea/login", to(301, &location, &[("set-cookie", cookie)]));
        place.nth(3, Behaviour::json(200, place.keys()));
        place.ask("p").await.unwrap_or_else(|error| panic!("step 3: {location}: {error}"));
        assert_eq!(place.archive.count("/"), dances + 4);
        place.rig.clock.advance(7200);
    }
    place.nothing_leaked("step 3");
    for location in elsewhere(&place, &place.archive, "/tea/p/s3credentials") {
        let before = place.archive.count("/");
        place.nth(3, to(302, &location, &[]));
        assert!(place.ask("p").await.is_err(), "step 4: {location}");
        assert_eq!(place.archive.count("/"), before + 4, "step 4: {location}");
        place.rig.clock.advance(7200);
    }
    place.nothing_leaked("step 4");
}

#[tokio::test]
async fn s29_a_password_of_one_earthdata_login_is_not_sent_to_another() {
    let place = Place::new().await;
    // A profile for another Earthdata Login, which is the archive's here, with the login of the first.
    let urs = place.rig.standin.url(Standin::URS);
    let own = place.archive.url(Standin::URS);
    let text = format!(
        "[logins.earthdata]\nkind = \"earthdata\"\nurs = \"{urs}\"\n[profiles.p]\nprovider = \"earthdata\"\n\
         login = \"earthdata\"\nendpoint = \"{}\"\nurs = \"{own}\"\n",
        place.archive.url("/tea/p/s3credentials")
    );
    place.archive.behave("/tea/p/", to(302, &format!("{own}/oauth/authorize?client_id=x"), &[]));
    let broker = place.rig.with(place.rig.config_of(&text), Manner::Daemon);
    let error = broker.credentials("p", 0).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Configuration, "{}", error.text());
    assert!(error.text().contains("the same urs"), "{}", error.text());
    assert_eq!(place.archive.count(PAGE), 0);
    place.nothing_leaked("another Earthdata Login");
}
