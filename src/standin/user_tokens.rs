//! Earthdata Login's interface for user tokens: by Basic alone, two for each user.

use super::answer::Answer;
use super::world::Ask;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const LIFE: i64 = 60 * 24 * 3600;
const MOST: usize = 2;

/// What is answered below `/urs/api/users/` to whom a password names.
pub(super) fn answer(ask: &Ask) -> Answer {
    let Some(user) = user(ask) else {
        let refusal = json!({"error": "invalid_credentials", "error_description": "Invalid user credentials"});
        return Answer::json(401, &refusal);
    };
    match ask.request.path.strip_prefix("/urs/api/users/") {
        Some("find_or_create_token") => match tokens(ask, &user).first() {
            // Whether it has expired is not looked at, there as here.
            Some(token) => Answer::json(200, &described(token)),
            None => create(ask, &user),
        },
        Some("token") if tokens(ask, &user).len() >= MOST => {
            let refusal = json!({"error": "max_token_limit", "error_description": "Max token limit reached"});
            Answer::json(403, &refusal)
        }
        Some("token") => create(ask, &user),
        Some("revoke_token") => revoke(ask, &user),
        Some("tokens") => Answer::json(200, &tokens(ask, &user).iter().map(|token| described(token)).collect()),
        _ => Answer::not_deployed(),
    }
}

/// Whose name and password stand in the request.
pub(super) fn user(ask: &Ask) -> Option<String> {
    let basic = ask.request.header("authorization")?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
    let (name, password) = pair.split_once(':')?;
    let mut state = ask.world.state();
    state.people.persons.get_mut(name)?.admits(password).then(|| name.to_owned())
}

fn tokens(ask: &Ask, user: &str) -> Vec<String> {
    ask.world.state().people.persons.get(user).map(|person| person.tokens.clone()).unwrap_or_default()
}

fn create(ask: &Ask, user: &str) -> Answer {
    let token = ask.world.mint_token(user, LIFE);
    if let Some(person) = ask.world.state().people.persons.get_mut(user) {
        person.tokens.push(token.clone());
    }
    Answer::json(200, &described(&token))
}

fn revoke(ask: &Ask, user: &str) -> Answer {
    let token = ask.request.parameter("token").or_else(|| ask.request.field("token")).unwrap_or_default();
    let mut state = ask.world.state();
    let tokens = state.people.persons.get_mut(user).map(|person| &mut person.tokens);
    let Some(place) = tokens.and_then(|tokens| {
        let place = tokens.iter().position(|known| *known == token)?;
        Some(tokens.remove(place))
    }) else {
        return Answer::json(404, &json!({"error": "not_found", "error_description": "No such token"}));
    };
    state.tokens.remove(&place);
    Answer::json(200, &json!({}))
}

fn described(token: &str) -> Value {
    let end = super::token::claims(token).and_then(|claims| claims["exp"].as_i64()).unwrap_or_default();
    let end = jiff::Timestamp::from_second(end).unwrap_or_default().strftime("%m/%d/%Y").to_string();
    json!({"access_token": token, "token_type": "Bearer", "expiration_date": end})
}

#[cfg(test)]
mod tests {
    use super::super::Standin;
    use super::super::tests::{json, raw, status};
    use super::*;

    async fn post(standin: &Standin, what: &str, password: &str) -> String {
        let basic = STANDARD.encode(format!("ada:{password}"));
        let head = format!("host: x\r\nconnection: close\r\ncontent-length: 0\r\nauthorization: Basic {basic}\r\n");
        raw(standin, &format!("POST /urs/api/users/{what} HTTP/1.1\r\n{head}\r\n")).await
    }

    #[tokio::test]
    async fn a_user_has_two_tokens_and_finds_the_first_even_when_it_is_over() {
        let standin = Standin::start().await.unwrap();
        standin.add_user("ada", "p w:x");
        let old = standin.give_token("ada", -1);
        assert_eq!(json(&post(&standin, "find_or_create_token", "p w:x").await)["access_token"], old);
        assert_eq!(status(&post(&standin, "token", "p w:x").await), 200);
        let third = post(&standin, "token", "p w:x").await;
        assert_eq!((status(&third), json(&third)["error"].as_str()), (403, Some("max_token_limit")));
        assert_eq!(status(&post(&standin, &format!("revoke_token?token={old}"), "p w:x").await), 200);
        assert_eq!(standin.tokens_of("ada").len(), 1);
    }

    #[tokio::test]
    async fn a_wrong_password_is_told_and_two_lock_the_account() {
        let standin = Standin::start().await.unwrap();
        standin.add_user("ada", "pw");
        for password in ["x", "y", "pw"] {
            let refused = post(&standin, "token", password).await;
            assert_eq!((status(&refused), json(&refused)["error"].as_str()), (401, Some("invalid_credentials")));
        }
        assert_eq!((standin.failed_attempts("ada"), standin.is_locked("ada")), (3, true));
    }
}
