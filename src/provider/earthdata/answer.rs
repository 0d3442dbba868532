//! What TEA, Cumulus and Earthdata Login mean by their answers: a function of the answer alone.

use super::super::{Answer, Need};
use crate::credentials::{Credentials, read_time};
use crate::error::{Error, printable};
use crate::freshness::clamp_retry_after;
use crate::lease::Issued;
use crate::login;
use crate::ports::Response;
use crate::secret::Secret;
use serde::Deserialize;
use url::Url;

/// What an endpoint's answer means.
#[derive(Debug)]
pub(super) enum Verdict {
    Answer(Answer),
    Error(Error),
    /// A redirect to sign in, with the endpoint's client id: Earthdata Login can say why.
    AskEarthdataLogin {
        client_id: String,
    },
}

/// Judges an endpoint's answer to a bearer.
pub(super) fn judge(response: &Response, endpoint: &Url, urs: &Url) -> Verdict {
    let host = endpoint.host_str().unwrap_or_default();
    let away = |what: String| Verdict::Error(unavailable(response, format!("{host} {what}")));
    match response.status {
        200..=299 if response.is_page() => away(
            "answered with a web page instead of credentials: a login page, or a network that wants a sign-in".into(),
        ),
        200..=299 => match read(response) {
            Ok(credentials) => {
                Verdict::Answer(Answer::Issued(Issued { credentials, endpoint: None, date: response.date() }))
            }
            Err(why) => Verdict::Error(protocol(response, format!("{host} answered {} but {why}", response.status))),
        },
        301 | 302 | 303 | 307 | 308 => redirected(response, endpoint, urs),
        401 => Verdict::Answer(Answer::Rejected(token_refused(host, urs))),
        403 => forbidden(response, host, urs),
        404 => Verdict::Error(Error::configuration(
            format!("{host} has no S3 credentials at {} (404)", endpoint.path()),
            "check endpoint in the config: it usually ends in /s3credentials",
        )),
        503 if response.body.expose().contains("has been disabled") => Verdict::Error(Error::Denied {
            message: format!("{host} has switched its S3 credentials off"),
            url: None,
            hint: "ask the archive; nothing on your side mends it".into(),
        }),
        424 | 429 | 500..=599 => away(format!("answered {}", response.status)),
        status => Verdict::Error(protocol(response, format!("{host} answered {status}: {}", response.excerpt()))),
    }
}

/// Judges Earthdata Login's answer about the token and the application.
pub(super) fn judge_diagnosis(response: &Response, endpoint: &Url, urs: &Url) -> Result<Answer, Error> {
    let (host, login) = (endpoint.host_str().unwrap_or_default(), urs.host_str().unwrap_or_default());
    match response.status {
        // A page is no word about the token.
        200 if response.is_page() => Err(Error::unavailable(format!(
            "{host} wants a sign-in, and {login} answered 200 with a web page when asked why"
        ))),
        200 => {
            let message = format!("{host} takes no bearer tokens ({login} accepts yours): it wants name and password");
            Ok(Answer::Wants(Need::Basic, Error::sign_in(login::earthdata::KIND.name, message)))
        }
        401 => Ok(Answer::Rejected(token_refused(host, urs))),
        403 => match forbidden(response, host, urs) {
            Verdict::Answer(answer) => Ok(answer),
            Verdict::Error(error) => Err(error),
            Verdict::AskEarthdataLogin { .. } => unreachable!("a 403 is never a redirect"),
        },
        404 => Err(Error::configuration(
            format!("{host} wants a sign-in, and {login} does not know its application (404)"),
            "check endpoint and urs in the config: an application is known to one of Earthdata Login's hosts",
        )),
        status @ (429 | 500..=599) => {
            let message = format!("{host} wants a sign-in, and {login} answered {status} when asked why");
            Err(unavailable(response, message))
        }
        status => {
            Err(protocol(response, format!("{host} wants a sign-in, and {login} answered {status} when asked why")))
        }
    }
}

fn redirected(response: &Response, endpoint: &Url, urs: &Url) -> Verdict {
    let host = endpoint.host_str().unwrap_or_default();
    let location = response.header("location").and_then(|text| endpoint.join(text).ok());
    let to_urs =
        location.filter(|location| location.origin() == urs.origin() && location.path().ends_with("/oauth/authorize"));
    let client_id = to_urs.and_then(|location| {
        location.query_pairs().find(|(key, _)| key == "client_id").map(|(_, value)| value.into_owned())
    });
    match client_id {
        Some(client_id) => Verdict::AskEarthdataLogin { client_id },
        None => Verdict::Error(Error::configuration(
            format!("{host} redirects ({}), but not to {}", response.status, urs.host_str().unwrap_or_default()),
            "check endpoint and urs in the config",
        )),
    }
}

/// EULA first: EDL sends `invalid_token` in `error` for that too.
fn forbidden(response: &Response, host: &str, urs: &Url) -> Verdict {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Refusal {
        error: Option<String>,
        error_description: Option<String>,
        resolution_url: Option<String>,
    }
    let refusal: Refusal = serde_json::from_str(response.body.expose()).unwrap_or_default();
    let description = refusal.error_description.unwrap_or_default();
    if description.to_ascii_lowercase().contains("eula") || refusal.resolution_url.is_some() {
        let url = refusal
            .resolution_url
            .filter(|text| Url::parse(text).is_ok_and(|url| url.origin() == urs.origin() && url.username().is_empty()));
        return Verdict::Error(Error::Denied {
            message: format!("{host} wants a EULA accepted, or its application approved"),
            url: Some(url.unwrap_or_else(|| login::earthdata::profile_page(urs))),
            hint: "accept it in a browser, then wait a minute (the archive remembers the refusal)".into(),
        });
    }
    // Any other error that is named is about the token as well: only a page speaks of the archive's data.
    if refusal.error.is_some() {
        return Verdict::Answer(Answer::Rejected(token_refused(host, urs)));
    }
    Verdict::Error(Error::Denied {
        message: format!("{host} lets you read none of its data (403)"),
        url: None,
        hint: "ask the archive for access; your login itself is fine".into(),
    })
}

fn token_refused(host: &str, urs: &Url) -> Error {
    let page = login::earthdata::profile_page(urs);
    Error::sign_in(
        login::earthdata::KIND.name,
        format!("{host} does not accept the token: it has expired or was revoked; tokens are made at {page}"),
    )
}

pub(super) fn protocol(response: &Response, message: String) -> Error {
    Error::Protocol { message, request_id: response.header("x-request-id").map(str::to_owned) }
}

/// With the id of the request, by which an archive's support finds it.
pub(super) fn unavailable(response: &Response, mut message: String) -> Error {
    if let Some(id) = response.header("x-request-id") {
        let id: String = printable(id).chars().take(80).collect();
        message.push_str(&format!(" (request id {id})"));
    }
    let retry_after = response.retry_after().map(|wait| clamp_retry_after(wait).as_secs());
    Error::Unavailable { message, retry_after }
}

/// Both spellings: TEA's and Cumulus' camelCase, and the PascalCase of TEA 1.2 and Harmony.
fn read(response: &Response) -> Result<Credentials, String> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(alias = "accessKeyId", rename = "AccessKeyId")]
        access_key_id: String,
        #[serde(alias = "secretAccessKey", rename = "SecretAccessKey")]
        secret_access_key: Secret,
        #[serde(alias = "sessionToken", rename = "SessionToken")]
        session_token: Secret,
        #[serde(alias = "expiration", rename = "Expiration")]
        expiration: String,
    }
    // serde's own text repeats what it read.
    let body: Body = serde_json::from_str(response.body.expose())
        .map_err(|error| format!("not with credentials ({:?} error at column {})", error.classify(), error.column()))?;
    let expiration = read_time(&body.expiration).ok_or("its expiration is no time")?;
    Ok(Credentials {
        access_key_id: body.access_key_id,
        secret_access_key: body.secret_access_key,
        session_token: body.session_token,
        expiration,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Response { status, headers, body: Secret::new(body) }
    }

    fn urls() -> (Url, Url) {
        ("https://data.example.org/s3credentials".parse().unwrap(), "https://urs.example.org".parse().unwrap())
    }

    fn judged(status: u16, headers: &[(&str, &str)], body: &str) -> Verdict {
        let (endpoint, urs) = urls();
        judge(&response(status, headers, body), &endpoint, &urs)
    }

    const GOOD: &str =
        r#"{"accessKeyId":"A","secretAccessKey":"B","sessionToken":"C","expiration":"2027-01-15 09:00:00+00:00"}"#;

    #[test]
    fn both_spellings_are_credentials_whatever_the_content_type() {
        let pascal = GOOD
            .replace("accessK", "AccessK")
            .replace("secretA", "SecretA")
            .replace("sessionT", "SessionT")
            .replace("expir", "Expir");
        for body in [GOOD, &pascal] {
            let verdict = judged(200, &[("content-type", "text/html")], body);
            let Verdict::Answer(Answer::Issued(issued)) = verdict else { panic!("{verdict:?}") };
            assert_eq!(issued.credentials.session_token.expose(), "C");
        }
    }

    #[test]
    fn each_refusal_has_its_kind() {
        let eula = r#"{"error":"invalid_token","error_description":"EULA Acceptance Failure","resolution_url":"https://urs.example.org/accept?x=1"}"#;
        let foreign = eula.replace("https://urs.example.org/accept?x=1", "https://evil.example.org/x");
        let internal = r#"{"Code":"InternalServerError","Message":"An internal server error occurred."}"#;
        for (status, body, kind, hint) in [
            (403, eula, Kind::Denied, "https://urs.example.org/accept?x=1"),
            (403, &foreign, Kind::Denied, "https://urs.example.org/profile"),
            (403, "<html>You do not have permission to access any data.</html>", Kind::Denied, "ask the archive"),
            (
                400,
                r#"{"status_code":400,"error_description":"Malformed Authorization header"}"#,
                Kind::Protocol,
                "report",
            ),
            (404, "<html>", Kind::Configuration, "s3credentials"),
            (424, "{}", Kind::Unavailable, "try again"),
            (500, internal, Kind::Unavailable, "try again"),
            (502, "{}", Kind::Unavailable, "try again"),
            (503, r#"{"message":"S3 Credentials Endpoint has been disabled"}"#, Kind::Denied, "ask the archive"),
            (200, "<!DOCTYPE html><title>Earthdata Login</title>", Kind::Unavailable, "try again"),
            (200, "{}", Kind::Protocol, "report"),
            (200, "", Kind::Protocol, "report"),
            (200, &GOOD.replace("2027-01-15 09:00:00+00:00", "tomorrow"), Kind::Protocol, "report"),
            (418, "", Kind::Protocol, "report"),
        ] {
            match judged(status, &[], body) {
                Verdict::Error(error) => {
                    assert_eq!(error.kind(), kind, "{status} {body}");
                    assert!(error.hint().contains(hint), "{status} {body}: {}", error.hint());
                }
                other => panic!("{status} {body}: {other:?}"),
            }
        }
        for (status, body) in [
            (401, r#"{"error":"invalid_token"}"#),
            (403, r#"{"error":"invalid_token","error_description":"The token is invalid"}"#),
            (403, r#"{"error":"access_denied","error_description":"m"}"#),
        ] {
            let verdict = judged(status, &[], body);
            let Verdict::Answer(Answer::Rejected(error)) = verdict else { panic!("{status}: {verdict:?}") };
            assert!(error.text().contains("https://urs.example.org/profile"), "{status}: {}", error.text());
        }
    }

    #[test]
    fn s29_a_redirect_is_diagnosed_only_when_it_goes_to_earthdata_login() {
        let to = |location: &str| judged(307, &[("location", location)], "");
        let good = to("https://urs.example.org/oauth/authorize?client_id=abc&response_type=code");
        assert!(matches!(good, Verdict::AskEarthdataLogin { client_id } if client_id == "abc"));
        for bad in [
            "http://urs.example.org/oauth/authorize?client_id=abc",
            "https://urs.example.org:444/oauth/authorize?client_id=abc",
            "https://urs.example.org.evil.org/oauth/authorize?client_id=abc",
            "https://urs.example.org@evil.org/oauth/authorize?client_id=abc",
            "/oauth/authorize?client_id=abc",
            "https://urs.example.org/oauth/authorize",
            "::",
        ] {
            assert!(matches!(to(bad), Verdict::Error(error) if error.kind() == Kind::Configuration), "{bad}");
        }
        assert!(matches!(judged(302, &[], ""), Verdict::Error(_)), "no Location");
    }

    #[test]
    fn the_diagnosis_tells_its_outcomes_apart() {
        let (endpoint, urs) = urls();
        let kind = |status, body| match judge_diagnosis(&response(status, &[], body), &endpoint, &urs) {
            Ok(Answer::Rejected(error)) | Err(error) => error.kind(),
            other => panic!("{other:?}"),
        };
        let wants = judge_diagnosis(&response(200, &[], "{}"), &endpoint, &urs);
        assert!(matches!(wants, Ok(Answer::Wants(Need::Basic, error)) if error.kind() == Kind::LoginRequired));
        assert_eq!(kind(200, "<!DOCTYPE html>"), Kind::Unavailable, "a portal's");
        assert_eq!(kind(401, "{}"), Kind::LoginRequired);
        assert_eq!(kind(403, r#"{"error_description":"EULA Acceptance Failure"}"#), Kind::Denied);
        for (status, expected) in [
            (503, Kind::Unavailable),
            (429, Kind::Unavailable),
            (404, Kind::Configuration),
            (400, Kind::Protocol),
            (302, Kind::Protocol),
        ] {
            assert_eq!(kind(status, ""), expected, "{status}");
        }
    }
}
