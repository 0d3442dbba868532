//! Keycloak with one realm: four grants, sessions whose refresh token changes with each use, sign-in on another device.

use super::answer::Answer;
use super::behaviour::Behaviour;
use super::log::Logged;
use super::world::{Ask, State, later, noise, number};
use super::{Issuer, Standin, token};
use serde_json::{Value, json};
use tokio::time::Instant;

pub(super) struct Keycloak;

/// Somebody who is signed in. Whoever shows an older refresh token than the current one ends it.
#[derive(Debug, Clone)]
pub(super) struct Session {
    subject: String,
    client: String,
    offline: bool,
    pub(super) current: String,
}

/// A device that waits for a person elsewhere.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) user_code: String,
    /// None until a person decides; then who allowed it, if anybody did.
    pub(super) decision: Option<Option<String>>,
    code: String,
    client: String,
    offline: bool,
    asked: Instant,
    interval: u64,
}

// === impl Standin ===

impl Standin {
    /// What a sign-in of `name` answers, as JSON, for another program to keep: without a request. Its access token is good
    /// for `life_seconds`, or over already if that is negative.
    pub fn give_session(&self, name: &str, life_seconds: i64) -> Value {
        let nobody = Logged::default();
        let ask = Ask::new(&self.world, &nobody, &Behaviour::Normal);
        let mut state = self.world.state();
        let usual = state.people.token_life.replace(life_seconds);
        let answer = open(&ask, &mut state, name.to_owned(), "shasta".to_owned(), false);
        state.people.token_life = usual;
        serde_json::from_str(&answer.body).unwrap_or_default()
    }
}

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

// === impl Keycloak ===

impl Issuer for Keycloak {
    fn answer(&self, ask: &Ask) -> Answer {
        let request = ask.request;
        let Some(place) = request.path.strip_prefix(Standin::REALM) else {
            return match request.path.starts_with("/keycloak/realms/") {
                true => Answer::json(404, &json!({"error": "Realm does not exist"})),
                false => Answer::not_deployed(),
            };
        };
        match (request.method.as_str(), place) {
            ("GET", "/.well-known/openid-configuration") => discovery(ask),
            ("POST", "/protocol/openid-connect/token") => exchange(ask).unwrap_or_else(|refusal| refusal),
            ("POST", "/protocol/openid-connect/auth/device") => begin(ask).unwrap_or_else(|refusal| refusal),
            _ => Answer::json(404, &json!({"error": "HTTP 404 Not Found"})),
        }
    }

    fn sign_in(&self, ask: &Ask) -> Answer {
        Answer::redirect(302, &format!("{}{}/protocol/openid-connect/auth", ask.world.origin, Standin::REALM))
    }

    fn trouble(&self, status: u16, code: &str, message: &str) -> Answer {
        Answer::json(status, &json!({"error": code, "error_description": message}))
    }
}

fn discovery(ask: &Ask) -> Answer {
    let realm = format!("{}{}", ask.world.origin, Standin::REALM);
    let endpoint = |name: &str| format!("{realm}/protocol/openid-connect/{name}");
    Answer::json(
        200,
        &json!({
            "issuer": realm,
            "token_endpoint": endpoint("token"),
            "device_authorization_endpoint": endpoint("auth/device"),
        }),
    )
}

fn refused(status: u16, error: &str, description: &str) -> Answer {
    Keycloak.trouble(status, error, description)
}

/// The client's id, if it is known and shows its secret where it has one.
fn client(ask: &Ask, state: &State) -> Result<String, Answer> {
    let id = ask.request.field("client_id").unwrap_or_default();
    let why = "Invalid client or Invalid client credentials";
    match state.people.clients.get(&id) {
        Some(secret) if ask.request.field("client_secret").as_ref() == Some(secret) => Ok(id),
        Some(_) => Err(refused(401, "unauthorized_client", why)),
        None if id == "shasta" => Ok(id),
        None => Err(refused(401, "invalid_client", why)),
    }
}

fn exchange(ask: &Ask) -> Result<Answer, Answer> {
    let field = |name| ask.request.field(name).unwrap_or_default();
    let mut state = ask.world.state();
    let state = &mut *state;
    let client = client(ask, state)?;
    let offline = wants_offline(ask);
    match field("grant_type").as_str() {
        "password" => {
            let name = field("username");
            // Never a word of why: a wrong name, a wrong password, a locked account.
            let person = state.people.persons.get_mut(&name);
            match person.is_some_and(|person| person.admits(&field("password"))) {
                true => Ok(open(ask, state, name, client, offline)),
                false => Err(refused(401, "invalid_grant", "Invalid user credentials")),
            }
        }
        "client_credentials" if client == "shasta" => {
            Err(refused(401, "unauthorized_client", "Public client not allowed to retrieve service account"))
        }
        "client_credentials" => {
            let (access, life) = access(ask, state, &format!("service-account-{client}"), &client);
            Ok(Answer::json(200, &json!({"access_token": access, "expires_in": life, "token_type": "Bearer"})))
        }
        "refresh_token" => {
            let shown = field("refresh_token");
            let Some(number) = state.people.refresh.get(&shown).copied() else {
                return Err(refused(400, "invalid_grant", "Invalid refresh token"));
            };
            match state.people.sessions.get(&number).cloned() {
                None => Err(refused(400, "invalid_grant", "Session not active")),
                Some(session) if session.current != shown => {
                    state.people.sessions.remove(&number);
                    Err(refused(400, "invalid_grant", "Maximum allowed refresh token reuse exceeded"))
                }
                Some(session) => Ok(renew(ask, state, number, session)),
            }
        }
        DEVICE_GRANT => poll(ask, state, &field("device_code")),
        "" => Err(refused(400, "invalid_request", "Missing form parameter: grant_type")),
        _ => Err(refused(400, "unsupported_grant_type", "Unsupported grant_type")),
    }
}

fn begin(ask: &Ask) -> Result<Answer, Answer> {
    let mut state = ask.world.state();
    let client = client(ask, &state)?;
    let n = number();
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let (code, whole) = (hex(noise("device", n, 16)), hex(noise("user code", n, 4)));
    let (user_code, interval) = (format!("{}-{}", &whole[..4], &whole[4..]), state.people.device_interval.unwrap_or(5));
    let page = format!("{}{}/device", ask.world.origin, Standin::REALM);
    let body = json!({
        "device_code": code, "user_code": user_code, "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"), "expires_in": 600, "interval": interval,
    });
    let (offline, asked) = (wants_offline(ask), Instant::now());
    state.people.devices.push(Device { user_code, decision: None, code, client, offline, asked, interval });
    Ok(Answer::json(200, &body))
}

fn poll(ask: &Ask, state: &mut State, code: &str) -> Result<Answer, Answer> {
    let Some(place) = state.people.devices.iter().position(|device| device.code == code) else {
        return Err(refused(400, "invalid_grant", "Device code not valid"));
    };
    let device = &mut state.people.devices[place];
    // A little early is forgiven: the device's clock is not this one.
    let early = device.asked.elapsed().as_millis() + 50 < u128::from(device.interval) * 1000;
    device.asked = Instant::now();
    if early {
        return Err(refused(400, "slow_down", "Slow down"));
    }
    match device.decision.clone() {
        None => Err(refused(400, "authorization_pending", "The authorization request is still pending")),
        Some(None) => Err(refused(400, "access_denied", "The end user denied the authorization request")),
        Some(Some(name)) => {
            let device = state.people.devices.remove(place);
            Ok(open(ask, state, name, device.client, device.offline))
        }
    }
}

fn wants_offline(ask: &Ask) -> bool {
    ask.request.field("scope").is_some_and(|scope| scope.split(' ').any(|word| word == "offline_access"))
}

/// Tokens of a new session.
fn open(ask: &Ask, state: &mut State, subject: String, client: String, offline: bool) -> Answer {
    renew(ask, state, number(), Session { subject, client, offline, current: String::new() })
}

/// Tokens of a session; its refresh token is new.
fn renew(ask: &Ask, state: &mut State, number: u64, mut session: Session) -> Answer {
    let (access, life) = access(ask, state, &session.subject, &session.client);
    let kind = if session.offline { "Offline" } else { "Refresh" };
    let claims = json!({"typ": kind, "sid": number, "sub": session.subject, "azp": session.client});
    session.current = token::jwt(&claims, &noise("refresh", super::world::number(), 32));
    let ends = if session.offline { 0 } else { 1800 };
    let body = json!({
        "access_token": access, "expires_in": life, "refresh_token": session.current, "refresh_expires_in": ends,
        "token_type": "Bearer", "not-before-policy": 0,
    });
    state.people.refresh.insert(session.current.clone(), number);
    state.people.sessions.insert(number, session);
    Answer::json(200, &body)
}

/// An access token and its life in seconds.
fn access(ask: &Ask, state: &mut State, subject: &str, client: &str) -> (String, i64) {
    let life = state.people.token_life.unwrap_or(300);
    let end = later(ask.now(), life);
    let admin = state.people.persons.get(subject).is_some_and(|person| person.admin);
    let roles: Value = if admin { json!(["admin", "user"]) } else { json!(["user"]) };
    let claims = json!({
        "exp": end.as_second(), "iat": ask.now().as_second(), "iss": format!("{}{}", ask.world.origin, Standin::REALM),
        "aud": ["shasta", "gatekeeper"], "sub": subject, "azp": client, "preferred_username": subject,
        "resource_access": {"shasta": {"roles": roles}},
    });
    let access = token::jwt(&claims, &noise("access", number(), 256));
    state.people.access.insert(access.clone(), end);
    (access, life)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::{get, json, raw, status};
    use super::*;

    pub(in super::super) async fn form(standin: &Standin, path: &str, form: &str) -> String {
        let head = format!("host: x\r\nconnection: close\r\ncontent-length: {}\r\n", form.len());
        raw(standin, &format!("POST {path} HTTP/1.1\r\n{head}\r\n{form}")).await
    }

    pub(in super::super) async fn password(standin: &Standin, name: &str, password: &str) -> String {
        let text = format!("grant_type=password&client_id=shasta&username={name}&password={password}");
        form(standin, Standin::TOKEN, &text).await
    }

    pub(in super::super) fn token_of(answer: &str) -> String {
        json(answer)["access_token"].as_str().unwrap_or_else(|| panic!("no token in {answer}")).to_owned()
    }

    fn error(answer: &str) -> (u16, String) {
        (status(answer), json(answer)["error"].as_str().unwrap_or_default().to_owned())
    }

    async fn refresh(standin: &Standin, token: &str) -> String {
        let text = format!("grant_type=refresh_token&client_id=shasta&refresh_token={token}");
        form(standin, Standin::TOKEN, &text).await
    }

    async fn started() -> Standin {
        let standin = Standin::start().await.unwrap();
        standin.add_user("ada", "p&w");
        standin
    }

    #[tokio::test]
    async fn passwords_and_clients_are_known_or_refused() {
        let standin = started().await;
        assert_eq!(json(&password(&standin, "ada", "p%26w").await)["expires_in"], 300);
        assert_eq!(error(&password(&standin, "eve", "x").await), (401, "invalid_grant".into()));
        standin.add_client("admin-client", "s&+%");
        let client =
            |secret: &str| format!("grant_type=client_credentials&client_id=admin-client&client_secret={secret}");
        let good = form(&standin, Standin::TOKEN, &client("s%26%2B%25")).await;
        assert!(status(&good) == 200 && json(&good).get("refresh_token").is_none());
        let bad = form(&standin, Standin::TOKEN, &client("s&+%")).await;
        assert_eq!(error(&bad), (401, "unauthorized_client".into()));
        let unknown = form(&standin, Standin::TOKEN, "grant_type=password&client_id=nobody").await;
        assert_eq!(error(&unknown), (401, "invalid_client".into()));
        let wrong = form(&standin, "/keycloak/realms/other/protocol/openid-connect/token", "").await;
        assert_eq!(error(&wrong), (404, "Realm does not exist".into()));
        let found = json(&get(&standin, "/keycloak/realms/shasta/.well-known/openid-configuration", "").await);
        assert_eq!(found["token_endpoint"], standin.url(Standin::TOKEN));
    }

    #[tokio::test]
    async fn an_old_refresh_token_ends_the_session() {
        let standin = started().await;
        let first = json(&password(&standin, "ada", "p%26w").await)["refresh_token"].as_str().unwrap().to_owned();
        let second = json(&refresh(&standin, &first).await)["refresh_token"].as_str().unwrap().to_owned();
        let third = json(&refresh(&standin, &second).await)["refresh_token"].as_str().unwrap().to_owned();
        assert_eq!(error(&refresh(&standin, &first).await), (400, "invalid_grant".into()));
        assert_eq!(error(&refresh(&standin, &third).await), (400, "invalid_grant".into()), "the session is gone");
    }

    #[tokio::test]
    async fn a_device_waits_its_time_and_for_a_person() {
        let standin = started().await;
        standin.set_device_interval(0);
        let begun = form(&standin, "/keycloak/realms/shasta/protocol/openid-connect/auth/device", "client_id=shasta");
        let code = json(&begun.await)["device_code"].as_str().unwrap().to_owned();
        let poll = || async {
            let text = format!("grant_type={DEVICE_GRANT}&client_id=shasta&device_code={code}");
            form(&standin, Standin::TOKEN, &text).await
        };
        assert_eq!(error(&poll().await).1, "authorization_pending");
        standin.world.state().people.devices[0].interval = 5;
        assert_eq!(error(&poll().await).1, "slow_down");
        standin.world.state().people.devices[0].interval = 0;
        standin.decide_device(&standin.user_code().unwrap(), Some("ada"));
        assert!(!token_of(&poll().await).is_empty());
        assert_eq!(error(&poll().await).1, "invalid_grant", "a code is spent once");
    }
}
