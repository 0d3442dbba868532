//! HPE Cray's STS behind its gateway: a PUT with a bearer of the realm's; every refusal is a 403 that says nothing.

use super::answer::Answer;
use super::earthdata::bearer;
use super::world::Ask;
use super::{Issuer, Standin, token};
use serde_json::json;

pub(super) struct Cray;

// === impl Cray ===

impl Issuer for Cray {
    /// Nothing of the request counts but its method, path and bearer.
    fn answer(&self, ask: &Ask) -> Answer {
        let path = ask.request.path.strip_prefix("/cray").unwrap_or(&ask.request.path);
        if path != Standin::CRAY {
            return Answer::not_deployed();
        }
        if !admitted(ask) {
            return refused();
        }
        if ask.request.method != "PUT" {
            return self.trouble(405, "Method Not Allowed", "The method is not allowed for the requested URL.");
        }
        let issued = ask.issue_shaped(3600, "STANDINCRA", 39);
        let mut given = json!({
            "AccessKeyId": issued.access_key_id,
            "EndpointURL": Standin::CRAY_S3,
            "SecretAccessKey": issued.secret_access_key,
            "SessionToken": issued.session_token,
        });
        if let Some(end) = issued.expiration {
            given["Expiration"] = end.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string().into();
        }
        Answer::json(201, &json!({"Credentials": given}))
    }

    fn sign_in(&self, _: &Ask) -> Answer {
        refused()
    }

    fn trouble(&self, status: u16, code: &str, message: &str) -> Answer {
        let problem = json!({"detail": message, "status": status, "title": code, "type": "about:blank"});
        Answer::new(status, "application/problem+json", problem.to_string())
    }
}

/// A token of this realm's that has not expired, with role `shasta/admin` or of the client `admin-client`.
fn admitted(ask: &Ask) -> bool {
    let Some(bearer) = bearer(ask) else { return false };
    let claims = token::claims(bearer).unwrap_or_default();
    let roles = claims["resource_access"]["shasta"]["roles"].as_array().cloned().unwrap_or_default();
    let known = ask.world.state().people.access.get(bearer).is_some_and(|end| *end > ask.now());
    known && (roles.contains(&json!("admin")) || claims["azp"] == "admin-client")
}

fn refused() -> Answer {
    Answer { headers: Vec::new(), ..Answer::new(403, "text/plain", "") }
}

#[cfg(test)]
mod tests {
    use super::super::keycloak::tests::{password, token_of};
    use super::super::tests::{bearer, body, header, json, raw, status};
    use super::super::{Behaviour, Standin};

    async fn put(standin: &Standin, path: &str, headers: &str) -> String {
        let head = format!("host: x\r\nconnection: close\r\ncontent-length: 0\r\n{headers}");
        raw(standin, &format!("PUT {path} HTTP/1.1\r\n{head}\r\n")).await
    }

    #[tokio::test]
    async fn an_admins_bearer_gets_201_and_the_s3s_address_at_both_places() {
        let standin = Standin::start().await.unwrap();
        standin.add_user("ada", "pw");
        let good = bearer(&token_of(&password(&standin, "ada", "pw").await));
        for path in [Standin::CRAY, "/cray/apis/sts/token"] {
            let answer = put(&standin, path, &good).await;
            assert_eq!(status(&answer), 201);
            let given = &json(&answer)["Credentials"];
            let length = |name: &str| given[name].as_str().unwrap().len();
            assert_eq!((length("AccessKeyId"), length("SecretAccessKey")), (19, 39));
            assert_eq!(given["EndpointURL"], Standin::CRAY_S3);
            assert!(given["Expiration"].as_str().unwrap().ends_with("+00:00"));
        }
    }

    #[tokio::test]
    async fn every_refusal_is_an_empty_403() {
        let (standin, other) = (Standin::start().await.unwrap(), Standin::start().await.unwrap());
        for standin in [&standin, &other] {
            standin.add_user("ada", "pw");
        }
        let good = token_of(&password(&standin, "ada", "pw").await);
        standin.set_admin("ada", false);
        let mere = token_of(&password(&standin, "ada", "pw").await);
        let foreign = token_of(&password(&other, "ada", "pw").await);
        standin.set_admin("ada", true);
        standin.set_token_life(-1);
        let expired = token_of(&password(&standin, "ada", "pw").await);
        let lower = format!("authorization: bearer {good}\r\n");
        for headers in ["", &lower, &bearer(&mere), &bearer(&foreign), &bearer(&expired), &bearer("opaque")] {
            let answer = put(&standin, Standin::CRAY, headers).await;
            assert_eq!((status(&answer), body(&answer), header(&answer, "content-type")), (403, "", None));
        }
        assert!(standin.issued().is_empty());
    }

    #[tokio::test]
    async fn its_own_trouble_is_a_problem_in_json() {
        let standin = Standin::start().await.unwrap();
        standin.behave("/apis/", Behaviour::ServerError500);
        let answer = put(&standin, Standin::CRAY, "").await;
        assert_eq!((status(&answer), header(&answer, "content-type")), (500, Some("application/problem+json")));
    }
}
