//! Earthdata Login in small: who a token belongs to, whether that user has accepted what must be, and the sign-in page.

use super::Issuer;
use super::answer::Answer;
use super::earthdata::bearer;
use super::user_tokens;
use super::world::Ask;
use serde_json::json;

pub(super) struct Urs;

/// The one application that TEA and Cumulus are here.
pub(super) const CLIENT_ID: &str = "standInClientId";

// === impl Urs ===

impl Issuer for Urs {
    fn answer(&self, ask: &Ask) -> Answer {
        let request = ask.request;
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/urs/oauth/authorize") => self.sign_in(ask),
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
            Some("401") => Answer::new(401, "text/plain", "HTTP Basic: Access denied.\n")
                .with("www-authenticate", "Basic realm=\"Please enter your Earthdata Login credentials.\""),
            _ => login_page(),
        }
    }

    fn trouble(&self, status: u16, code: &str, message: &str) -> Answer {
        Answer::json(status, &json!({"error": code, "error_description": message}))
    }
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
    let page = format!("{}/urs/approve_app?client_id={CLIENT_ID}", ask.world.origin);
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
    use super::super::Standin;
    use super::super::tests::{bearer, body, get, header, json, status};

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
