//! Earthdata Login in small: who a token belongs to, whether that user has accepted what must be, and the sign-in page.

use super::Issuer;
use super::answer::Answer;
use super::earthdata::bearer;
use super::user_tokens;
use super::world::Ask;
use serde_json::json;
use url::Url;

pub(super) struct Urs;

/// The one application that TEA and Cumulus are here.
pub(super) const CLIENT_ID: &str = "standInClientId";

// === impl Urs ===

impl Issuer for Urs {
    fn answer(&self, ask: &Ask) -> Answer {
        let request = ask.request;
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/urs/oauth/authorize") => authorize(ask),
            ("GET", "/urs/api/users/tokens") | ("POST", _) => user_tokens::answer(ask),
            ("GET", path) => match path.strip_prefix("/urs/api/users/") {
                Some(uid) => user(ask, uid),
                None => Answer::not_deployed(),
            },
            _ => Answer::not_deployed(),
        }
    }

    /// With `app_type=401` a challenge for Basic, else a page for a person.
    fn sign_in(&self, ask: &Ask) -> Answer {
        match ask.request.parameter("app_type").as_deref() {
            Some("401") => challenge(),
            _ => login_page(),
        }
    }

    fn trouble(&self, status: u16, code: &str, message: &str) -> Answer {
        Answer::json(status, &json!({"error": code, "error_description": message}))
    }
}

/// Sends who signs in with Basic back to the application, with a code or with why there is none.
fn authorize(ask: &Ask) -> Answer {
    if !ask.request.header("authorization").is_some_and(|value| value.starts_with("Basic ")) {
        return Urs.sign_in(ask);
    }
    let Some(user) = user_tokens::user(ask) else { return challenge() };
    let back = ask.request.parameter("redirect_uri").and_then(|text| Url::parse(&text).ok());
    let Some(mut back) = back else { return Urs.trouble(400, "invalid_request", "No redirect_uri") };
    match ask.world.eula_required(&user) {
        true => back.query_pairs_mut().append_pair("error", "access_denied"),
        false => back.query_pairs_mut().append_pair("code", &ask.world.make_code(&user)),
    };
    if let Some(state) = ask.request.parameter("state") {
        back.query_pairs_mut().append_pair("state", &state);
    }
    Answer::redirect(302, back.as_str())
}

fn challenge() -> Answer {
    Answer::new(401, "text/plain", "HTTP Basic: Access denied.\n")
        .with("www-authenticate", "Basic realm=\"Please enter your Earthdata Login credentials.\"")
}

fn user(ask: &Ask, uid: &str) -> Answer {
    match bearer(ask).and_then(|token| ask.world.user_of(token)) {
        None => invalid_token(),
        Some(user) if user != uid => Urs.trouble(403, "forbidden", "Not authorized to see this user"),
        Some(user) if ask.world.eula_required(&user) => eula(ask, "unaccepted_eula"),
        Some(user) => Answer::json(200, &json!({"uid": user, "first_name": "Stand", "last_name": "In"})),
    }
}

/// As TEA passes it on, too.
pub(super) fn invalid_token() -> Answer {
    Answer::json(401, &json!({"error": "invalid_token", "error_description": "The token is invalid"}))
}

/// What is said of a user who has a EULA or the application to approve, with the page to do it on.
pub(super) fn eula(ask: &Ask, error: &str) -> Answer {
    let page = format!("{}/approve_app?client_id={CLIENT_ID}", ask.world.urs);
    let body = json!({
        "status_code": 403,
        "error": error,
        "error_description": "EULA Acceptance Failure",
        "resolution_url": page,
    });
    Answer::json(403, &body)
}

pub(super) fn login_page() -> Answer {
    let form = "<form action=\"/login\" method=\"post\"><input name=\"username\"><input name=\"password\"></form>";
    Answer::html(200, &format!("<h1>Earthdata Login</h1>{form}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bearer, body, get, header, json, status};
    use super::super::{Behaviour, Standin};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    /// The path and query of where an answer sends to.
    fn next(standin: &Standin, answer: &str) -> String {
        header(answer, "location").unwrap().strip_prefix(&standin.url("")).unwrap().to_owned()
    }

    #[tokio::test]
    async fn who_signs_in_with_a_password_comes_back_with_a_cookie_that_is_good() {
        let standin = Standin::start().await.unwrap();
        let archive = standin.start_beside().await.unwrap();
        standin.add_user("ada", "p w:x");
        let basic = |password| format!("authorization: Basic {}\r\n", STANDARD.encode(format!("ada:{password}")));
        for (path, cookie) in [(Standin::TEA, "asf-urs="), (Standin::CUMULUS, "accessToken=")] {
            archive.behave(path, Behaviour::TakesNoBearer);
            let page = next(&standin, &get(&archive, path, &bearer(&standin.mint_token("ada", 60))).await);
            assert_eq!(status(&get(&standin, &page, &basic("wrong")).await), 401);
            let callback = next(&archive, &get(&standin, &page, &basic("p w:x")).await);
            let answer = get(&archive, &callback, "").await;
            assert_eq!(header(&answer, "location"), Some(path), "{callback}");
            let set = header(&answer, "set-cookie").unwrap().split(';').next().unwrap();
            assert!(set.starts_with(cookie), "{set}");
            assert_eq!(status(&get(&archive, path, &format!("cookie: {set}\r\n")).await), 200);
            assert_eq!(status(&get(&archive, &callback, "").await), 400, "a code is good once");
            standin.require_eula("ada", true);
            let refused = next(&archive, &get(&standin, &page, &basic("p w:x")).await);
            assert!(refused.contains("error=access_denied"), "{refused}");
            standin.require_eula("ada", false);
            // Else two wrong passwords within a second would lock it.
            standin.add_user("ada", "p w:x");
        }
    }

    #[tokio::test]
    async fn teas_callback_sends_on_to_wherever_it_is_told() {
        let standin = Standin::start().await.unwrap();
        standin.add_user("ada", "pw");
        let back = standin.url("/tea/login");
        let page = format!("/urs/oauth/authorize?client_id=x&redirect_uri={back}&state=https%3A%2F%2Felsewhere%2F");
        let basic = format!("authorization: Basic {}\r\n", STANDARD.encode("ada:pw"));
        let callback = next(&standin, &get(&standin, &page, &basic).await);
        assert_eq!(header(&get(&standin, &callback, "").await, "location"), Some("https://elsewhere/"));
    }

    #[tokio::test]
    async fn one_call_tells_what_is_wrong_with_a_token() {
        let standin = Standin::start().await.unwrap();
        let path = "/urs/api/users/ada?client_id=x";
        let (good, bad) = (standin.mint_token("ada", 60), standin.mint_token("ada", -1));
        assert_eq!(json(&get(&standin, path, &bearer(&good)).await)["uid"], "ada");
        assert_eq!(status(&get(&standin, path, &bearer(&bad)).await), 401);
        assert_eq!(status(&get(&standin, path, "").await), 401);
        assert_eq!(status(&get(&standin, "/urs/api/users/bob", &bearer(&good)).await), 403);
        standin.require_eula("ada", true);
        let refused = get(&standin, path, &bearer(&good)).await;
        assert_eq!(status(&refused), 403);
        assert!(json(&refused)["error_description"].as_str().unwrap().contains("EULA"));
        assert_eq!(standin.requests()[0].parameter("client_id").as_deref(), Some("x"));
    }

    #[tokio::test]
    async fn who_follows_a_redirect_comes_to_the_sign_in() {
        let standin = Standin::start().await.unwrap();
        for (path, expected) in [(Standin::TEA, 401), (Standin::CUMULUS, 200)] {
            let answer = get(&standin, path, "").await;
            let location = header(&answer, "location").unwrap().strip_prefix(&standin.url("")).unwrap().to_owned();
            let page = get(&standin, &location, "").await;
            assert_eq!(status(&page), expected);
            assert!(!body(&page).starts_with('{'));
        }
    }
}
