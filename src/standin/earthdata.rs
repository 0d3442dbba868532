//! TEA and Cumulus: `GET .../s3credentials` for NASA's buckets. Nothing here keeps the 60 s in which TEA remembers an answer.

use super::Issuer;
use super::answer::{Answer, http_date};
use super::token;
use super::urs;
use super::world::{Ask, later};
use serde_json::json;
use url::form_urlencoded::byte_serialize;

/// NASA's Thin Egress App.
pub(super) struct Tea;

/// The endpoint of Cumulus's own distribution API.
pub(super) struct Cumulus;

// === impl Tea ===

impl Issuer for Tea {
    /// A valid cookie wins, even over the bearer of another user.
    fn answer(&self, ask: &Ask) -> Answer {
        let request = ask.request;
        if request.path == "/tea/login" {
            return signed_in(ask, 301, |token| cookie(ask, &uid(token), token));
        }
        if !asks_for_credentials(ask) {
            return Answer::not_deployed();
        }
        let app = request.header("app-name").unwrap_or_default();
        if app.chars().any(|c| !(c.is_alphanumeric() || "_+=,.@-".contains(c))) {
            return self.trouble(500, "InternalServerError", "An internal server error occurred.");
        }
        if let Some(cookie) = request.cookie("asf-urs") {
            let Some(claims) = token::claims(cookie) else {
                return self.trouble(500, "InternalServerError", "An internal server error occurred.");
            };
            let fresh = claims["exp"].as_i64().is_some_and(|end| end > ask.now().as_second());
            if let (true, Some(uid)) = (fresh, claims["urs-user-id"].as_str()) {
                return welcome(ask, uid, claims["urs-access-token"].as_str().unwrap_or_default());
            }
        }
        let Some(authorization) = request.header("authorization") else { return self.sign_in(ask) };
        let Some((scheme, credential)) = authorization.split_once(' ') else {
            let complaint = json!({"status_code": 400, "error_description": "Malformed Authorization header"});
            return Answer::json(400, &complaint);
        };
        if !scheme.eq_ignore_ascii_case("bearer") || !ask.takes_bearers() || token::claims(credential).is_none() {
            return self.sign_in(ask);
        }
        match ask.world.user_of(credential) {
            Some(uid) => welcome(ask, &uid, credential),
            None => urs::invalid_token(),
        }
    }

    fn sign_in(&self, ask: &Ask) -> Answer {
        let (origin, urs, path) = (&ask.world.origin, &ask.world.urs, &ask.request.path);
        let state: String = byte_serialize(path.as_bytes()).collect();
        Answer::redirect(
            302,
            &format!(
                "{urs}/oauth/authorize?client_id={}&response_type=code&redirect_uri={origin}/tea/login\
                 &state={state}&app_type=401",
                urs::CLIENT_ID
            ),
        )
    }

    fn trouble(&self, status: u16, code: &str, message: &str) -> Answer {
        Answer::json(status, &json!({"Code": code, "Message": message}))
    }
}

/// What TEA gives a user it knows, with the cookie that it sets whether it is wanted or not.
fn welcome(ask: &Ask, uid: &str, bearer: &str) -> Answer {
    if ask.world.eula_required(uid) {
        return urs::eula(ask, "invalid_token");
    }
    Answer::json(200, &ask.issue_json())
        .with("set-cookie", cookie(ask, uid, bearer))
        .with("x-request-id", ask.request_id())
}

/// TEA's, in which the user's token can be read.
fn cookie(ask: &Ask, uid: &str, token: &str) -> String {
    let end = later(ask.now(), 7 * 24 * 3600);
    let claims = json!({"urs-user-id": uid, "urs-access-token": token, "exp": end.as_second()});
    let (cookie, expires) = (token::jwt(&claims, &[7; 256]), http_date(end).unwrap_or_default());
    format!("asf-urs={cookie}; Expires={expires}; Path=/")
}

fn uid(token: &str) -> String {
    token::claims(token).and_then(|claims| claims["uid"].as_str().map(str::to_owned)).unwrap_or_default()
}

/// The callback: sets a cookie for a code's token and sends on to `state`, verbatim.
fn signed_in(ask: &Ask, status: u16, cookie: impl Fn(&str) -> String) -> Answer {
    let code = ask.request.parameter("code").unwrap_or_default();
    let token = ask.world.state().codes.remove(&code);
    let Some(token) = token else { return Answer::html(400, "<h1>Could Not Login</h1>") };
    Answer::redirect(status, &ask.request.parameter("state").unwrap_or_default()).with("set-cookie", cookie(&token))
}

// === impl Cumulus ===

impl Issuer for Cumulus {
    /// A bearer wins over a cookie; every trouble with either looks alike.
    fn answer(&self, ask: &Ask) -> Answer {
        if ask.request.path == "/cumulus/redirect" {
            return signed_in(ask, 307, |token| format!("accessToken={token}; Path=/; Secure; HttpOnly"));
        }
        if !asks_for_credentials(ask) {
            return Answer::not_deployed();
        }
        let token = bearer(ask).filter(|_| ask.takes_bearers()).or(ask.request.cookie("accessToken"));
        match token.and_then(|token| ask.world.user_of(token)) {
            Some(uid) if !ask.world.eula_required(&uid) => {
                Answer::json(200, &ask.issue_json()).with("x-request-id", ask.request_id())
            }
            _ => self.sign_in(ask),
        }
    }

    fn sign_in(&self, ask: &Ask) -> Answer {
        let (origin, urs, path) = (&ask.world.origin, &ask.world.urs, &ask.request.path);
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        Answer::redirect(
            307,
            &format!(
                "{urs}/oauth/authorize?client_id={}&redirect_uri={}&response_type=code&state={}",
                urs::CLIENT_ID,
                encoded(&format!("{origin}/cumulus/redirect")),
                encoded(path)
            ),
        )
    }

    fn trouble(&self, status: u16, code: &str, message: &str) -> Answer {
        Answer::json(status, &json!({"statusCode": status, "error": code, "message": message}))
    }
}

fn asks_for_credentials(ask: &Ask) -> bool {
    ask.request.method == "GET" && ask.request.path.ends_with("/s3credentials")
}

/// The token in an Authorization header, if it is a bearer's.
pub(super) fn bearer<'a>(ask: &'a Ask) -> Option<&'a str> {
    ask.request.header("authorization")?.strip_prefix("Bearer ")
}

#[cfg(test)]
mod tests {
    use super::super::Standin;
    use super::super::tests::{bearer, body, get, header, json, status};
    use super::*;

    const BOTH: [&str; 2] = [Standin::TEA, Standin::CUMULUS];

    #[tokio::test]
    async fn a_good_bearer_gets_four_keys_new_each_time() {
        let standin = Standin::start().await.unwrap();
        let good = bearer(&standin.mint_token("ada", 60));
        for path in BOTH.into_iter().chain(BOTH).chain(["/tea/nsidc/s3credentials"]) {
            let answer = get(&standin, path, &good).await;
            assert_eq!(status(&answer), 200, "{path}");
            let keys = json(&answer);
            let issued = standin.issued().pop().unwrap();
            assert_eq!(keys["accessKeyId"], issued.access_key_id.as_str());
            assert_eq!(keys["secretAccessKey"].as_str().unwrap().len(), 40);
            assert_eq!(keys["sessionToken"].as_str().unwrap().len(), 704);
            let expiration = issued.expiration.unwrap().to_string();
            assert_eq!(keys["expiration"], expiration.replace('T', " ").replace('Z', "+00:00"));
            assert_eq!(header(&answer, "set-cookie").is_some(), path.starts_with("/tea"));
        }
        let distinct = |part: fn(&super::super::Issued) -> &String| {
            let issued = standin.issued();
            issued.iter().map(part).collect::<std::collections::HashSet<_>>().len()
        };
        assert_eq!([distinct(|i| &i.access_key_id), distinct(|i| &i.secret_access_key)], [5, 5]);
        assert_eq!(distinct(|i| &i.session_token), 5);
    }

    #[tokio::test]
    async fn credentials_live_an_hour_or_as_long_as_told() {
        let standin = Standin::start_at(|| jiff::Timestamp::from_second(1_000_000_000).unwrap()).await.unwrap();
        let good = bearer(&standin.mint_token("ada", 60));
        assert_eq!(json(&get(&standin, Standin::TEA, &good).await)["expiration"], "2001-09-09 02:46:40+00:00");
        standin.set_life(20);
        let answer = get(&standin, Standin::CUMULUS, &good).await;
        assert_eq!(json(&answer)["expiration"], "2001-09-09 01:47:00+00:00");
        assert_eq!(header(&answer, "date"), Some("Sun, 09 Sep 2001 01:46:40 GMT"));
    }

    #[tokio::test]
    async fn tea_redirects_whom_it_does_not_know() {
        let standin = Standin::start().await.unwrap();
        for headers in ["", "authorization: Basic YTpi\r\n", "authorization: Bearer opaque\r\n"] {
            let answer = get(&standin, Standin::TEA, headers).await;
            let expected = standin.url(&format!(
                "/urs/oauth/authorize?client_id={}&response_type=code&redirect_uri={}&state=%2Ftea%2Fs3credentials\
                 &app_type=401",
                urs::CLIENT_ID,
                standin.url("/tea/login")
            ));
            assert_eq!((status(&answer), header(&answer, "location")), (302, Some(expected.as_str())), "{headers}");
        }
    }

    #[tokio::test]
    async fn tea_passes_on_what_earthdata_login_says_of_a_bad_token() {
        let standin = Standin::start().await.unwrap();
        let revoked = standin.mint_token("ada", 60);
        standin.revoke(&revoked);
        let unknown = token::jwt(&json!({"uid": "ada"}), b"");
        for bad in [revoked, standin.mint_token("ada", -1), unknown] {
            let answer = get(&standin, Standin::TEA, &bearer(&bad)).await;
            let expected = json!({"error": "invalid_token", "error_description": "The token is invalid"});
            assert_eq!((status(&answer), json(&answer)), (401, expected));
        }
    }

    #[tokio::test]
    async fn tea_is_particular_about_headers() {
        let standin = Standin::start().await.unwrap();
        let answer = get(&standin, Standin::TEA, "authorization: lonely\r\n").await;
        assert_eq!((status(&answer), json(&answer)["status_code"].as_i64()), (400, Some(400)));
        let good = bearer(&standin.mint_token("ada", 60));
        assert_eq!(status(&get(&standin, Standin::TEA, &format!("{good}app-name: a b\r\n")).await), 500);
        assert_eq!(status(&get(&standin, Standin::TEA, &format!("{good}app-name: a+b_1\r\n")).await), 200);
        assert_eq!(status(&get(&standin, Standin::TEA, &format!("{good}cookie: asf-urs=junk\r\n")).await), 500);
    }

    #[tokio::test]
    async fn teas_cookie_beats_the_bearer_of_another_user() {
        let standin = Standin::start().await.unwrap();
        let (ada, bob) = (bearer(&standin.mint_token("ada", 60)), bearer(&standin.mint_token("bob", 60)));
        let answer = get(&standin, Standin::TEA, &ada).await;
        let cookie = header(&answer, "set-cookie").unwrap().split(';').next().unwrap().to_owned();
        standin.require_eula("ada", true);
        assert_eq!(status(&get(&standin, Standin::TEA, &bob).await), 200);
        assert_eq!(status(&get(&standin, Standin::TEA, &format!("{bob}cookie: {cookie}\r\n")).await), 403);
    }

    #[tokio::test]
    async fn cumulus_redirects_for_every_trouble() {
        let standin = Standin::start().await.unwrap();
        standin.require_eula("eve", true);
        let troubled = bearer(&standin.mint_token("eve", 60));
        let expired = bearer(&standin.mint_token("ada", -1));
        for headers in ["", "authorization: Basic YTpi\r\n", "cookie: accessToken=junk\r\n", &troubled, &expired] {
            let answer = get(&standin, Standin::CUMULUS, headers).await;
            let location = header(&answer, "location").unwrap();
            assert_eq!(status(&answer), 307, "{headers}");
            assert!(body(&answer).contains("Redirecting"));
            assert!(location.starts_with(&standin.url("/urs/oauth/authorize?client_id=")), "{location}");
            assert!(location.contains("redirect_uri=http%3A%2F%2F127.0.0.1%3A"), "{location}");
            assert!(!location.contains("app_type"), "{location}");
        }
    }

    #[tokio::test]
    async fn a_eula_accepted_opens_both() {
        let standin = Standin::start().await.unwrap();
        let token = bearer(&standin.mint_token("ada", 60));
        standin.require_eula("ada", true);
        let refused = get(&standin, Standin::TEA, &token).await;
        assert_eq!((status(&refused), json(&refused)["error"].as_str()), (403, Some("invalid_token")));
        standin.require_eula("ada", false);
        for path in BOTH {
            assert_eq!(status(&get(&standin, path, &token).await), 200);
        }
    }
}
