//! What may come of a dance, what the user is told of it, and how much was asked.

use super::*;

#[tokio::test]
async fn tea_and_cumulus_are_danced_with_in_four_steps() {
    for profile in ["p", "cumulus"] {
        let place = Place::new().await;
        let served = place.ask(profile).await.unwrap();
        assert_eq!(served.lease.credentials.access_key_id, place.rig.standin.issued()[0].access_key_id);
        // With the bearer, then to nobody, the callback, with the cookie. The diagnosis, then the page.
        assert_eq!(place.asked(), (4, 2), "{profile}");
        place.nothing_leaked(profile);
        let seen = place.archive.requests();
        let headers = |name| seen.iter().map(|request| request.header(name).is_some()).collect::<Vec<_>>();
        assert_eq!(headers("authorization"), [true, false, false, false]);
        assert_eq!(headers("cookie"), [false, false, false, true]);
        place.ask(profile).await.unwrap();
        assert_eq!(place.asked(), (4, 2), "from the cache");
    }
}

#[tokio::test]
async fn each_outcome_of_the_dance_is_told_and_costs_no_more_than_it_must() {
    type Given = fn(&Place);
    let approve = "/urs/approve_app?client_id=standInClientId";
    #[rustfmt::skip] // a table
    let cases: &[(&str, Given, Option<Kind>, &str, (usize, usize))] = &[
        ("the password was changed", |p| p.rig.standin.add_user("ada", "new"), Some(Kind::LoginRequired), "valetkey login earthdata", (2, 2)),
        ("the form is shown", |p| p.rig.standin.behave(PAGE, Behaviour::Html200), Some(Kind::LoginRequired), "form", (2, 2)),
        ("not approved", |p| { p.rig.standin.require_eula("ada", true); p.rig.standin.behave("/urs/api/users/ada", Behaviour::json(200, "{}")) }, Some(Kind::Denied), approve, (2, 2)),
        ("refused", |p| p.rig.standin.behave(PAGE, Behaviour::status(403)), Some(Kind::Denied), approve, (2, 2)),
        ("Earthdata Login is ill", |p| p.rig.standin.behave(PAGE, Behaviour::status(503)), Some(Kind::Unavailable), "asked again in", (2, 2)),
        ("Earthdata Login is silent", |p| p.rig.standin.behave(PAGE, Behaviour::Close), Some(Kind::Unavailable), "asked again in", (2, 2)),
        ("Earthdata Login is busy", |p| p.rig.standin.behave(PAGE, Behaviour::TooManyRequests { retry_after: 40 }), Some(Kind::Unavailable), "asked again in 40 s", (2, 2)),
        ("the archive falls ill", |p| p.nth(2, Behaviour::status(500)), Some(Kind::Unavailable), "asked again in", (2, 1)),
        ("a portal's page comes between", |p| p.nth(2, Behaviour::Html200), Some(Kind::Unavailable), "web page", (2, 1)),
        ("the callback sets no cookie", |p| p.archive.behave("/tea/login", Behaviour::status(301)), Some(Kind::Protocol), "sets no cookie", (3, 2)),
        ("the callback refuses", |p| p.archive.behave("/tea/login", Behaviour::status(403)), Some(Kind::Denied), approve, (3, 2)),
        ("the callback falls ill", |p| p.archive.behave("/tea/login", Behaviour::status(502)), Some(Kind::Unavailable), "asked again in", (3, 2)),
        ("the cookie is not taken", |p| p.nth(3, Behaviour::Redirect302), Some(Kind::Protocol), "does not accept the cookie", (4, 2)),
        ("the cookie is called invalid", |p| p.nth(3, Behaviour::json(401, r#"{"error":"invalid_token"}"#)), Some(Kind::Protocol), "does not accept the cookie", (4, 2)),
        ("the user may read no bucket", |p| p.nth(3, Behaviour::NoBucket), Some(Kind::Denied), "ask the archive", (4, 2)),
        ("PascalCase", |p| p.nth(3, Behaviour::Pascal), None, "", (4, 2)),
        ("over already", |p| p.nth(3, Behaviour::PastExpiration), Some(Kind::Protocol), "cannot be used", (4, 2)),
    ];
    for (title, given, kind, says, asked) in cases {
        let place = Place::new().await;
        given(&place);
        for asker in ["the first", "another"] {
            let answer = place.ask("p").await;
            let told = answer.as_ref().err().map(Error::text).unwrap_or_default();
            assert_eq!(answer.err().map(|error| error.kind()), *kind, "{title} ({asker}): {told}");
            assert!(told.contains(says), "{title} ({asker}): {told}");
            assert_eq!(place.asked(), *asked, "{title} ({asker})");
        }
        place.nothing_leaked(title);
    }
}

#[tokio::test]
async fn a_token_alone_is_told_so_and_goes_on_opening_what_it_opens() {
    let place = Place::with_token().await;
    place.archive.behave("/tea/open/", Behaviour::Normal);
    let broker = place.daemon(&["p", "open"]);
    let error = broker.credentials("p", 0).await.unwrap_err();
    assert_eq!(error.hint(), "run: valetkey login earthdata");
    assert!(error.text().contains("takes no bearer tokens") && error.text().contains("name and password"));
    assert_eq!(kind(&place.ask("p").await), Kind::LoginRequired);
    assert_eq!(place.asked(), (1, 1));
    broker.credentials("open", 0).await.expect("the login was not refused");
    place.nothing_leaked("a token alone");
    // What was judged while Earthdata Login was unwell is judged again.
    place.archive.behave("/tea/p/", Behaviour::Normal);
    place.rig.clock.advance(60);
    broker.credentials("p", 0).await.unwrap();
}
