//! HPE Cray's STS behind its API gateway: a PUT with a bearer, one hour's keys to the whole store, and where that store is.

use super::{Answer, Kind, Need, Provider};
use crate::access::Access;
use crate::credentials::{Credentials, read_time};
use crate::error::Error;
use crate::freshness::clamp_retry_after;
use crate::jwt;
use crate::lease::Issued;
use crate::ports::{Http, Later, Request, Response, Route};
use crate::secret::Secret;
use crate::settings::{Key, Settings, Shape};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

pub const KIND: Kind = Kind {
    name: "cray",
    summary: "HPE Cray's STS behind Keycloak: keys to the whole store",
    keys: &[
        Key { name: "gateway", shape: Shape::Url, required: true, help: "the API gateway: https://HOST" },
        Key { name: "s3_endpoint", shape: Shape::S3Url, required: false, help: "the S3's URL, if not as the STS says" },
        Key { name: "region", shape: Shape::Text, required: false, help: "us-east-1 if not given" },
        Key::CA_FILE,
        Key::PROXY,
    ],
    logins: &["keycloak", "token"],
    as_its_login: &[],
    region: "us-east-1",
    presets: &[],
    lacks: |_| None,
    build: |settings| Ok(Arc::new(Cray::new(settings)?)),
};

/// The STS asks its store, which may take its time.
const LIMIT: Duration = Duration::from_secs(45);
const PATH: &str = "/apis/sts/token";

#[derive(Debug)]
struct Cray {
    url: Url,
    s3_endpoint: Option<Url>,
    route: Route,
}

impl Cray {
    fn new(settings: &Settings) -> Result<Cray, Error> {
        let gateway =
            settings.url("gateway").ok_or_else(|| settings.refuse("gateway", "it has no gateway", "add one"))?;
        let url =
            gateway.join(PATH).map_err(|_| settings.refuse("gateway", "it is no host's URL", "write https://HOST"))?;
        Ok(Cray { url, s3_endpoint: settings.url("s3_endpoint"), route: settings.route() })
    }

    fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

impl Provider for Cray {
    fn need(&self) -> Need {
        Need::Bearer
    }

    fn asks(&self) -> Option<Url> {
        Some(self.url.clone())
    }

    fn s3_endpoint(&self) -> Option<String> {
        self.s3_endpoint.as_ref().map(|url| url.origin().ascii_serialization())
    }

    fn tells_s3_endpoint(&self) -> bool {
        self.s3_endpoint.is_none()
    }

    fn issue<'a>(&'a self, access: &'a Access, http: &'a Arc<dyn Http>) -> Later<'a, Result<Answer, Error>> {
        Box::pin(async move {
            let Access::Bearer(token) = access else {
                return Err(Error::protocol("a cray profile was given something else than a bearer token"));
            };
            // Exactly so: a scheme in lower case is refused.
            let headers = vec![
                ("authorization".to_owned(), Secret::new(format!("Bearer {}", token.expose()))),
                ("accept".to_owned(), Secret::new("application/json")),
            ];
            let (url, route) = (self.url.clone(), self.route.clone());
            let request = Request { method: "PUT", url, headers, body: None, limit: LIMIT, route };
            let response = http.send(request).await.map_err(|error| error.about(self.host(), &self.route))?;
            let mut answer = judge(&response, self.host(), token)?;
            if let (Answer::Issued(issued), Some(endpoint)) = (&mut answer, self.s3_endpoint()) {
                issued.endpoint = Some(endpoint);
            }
            Ok(answer)
        })
    }
}

/// What the gateway, or the STS behind it, means.
fn judge(response: &Response, host: &str, token: &Secret) -> Result<Answer, Error> {
    match response.status {
        200..=299 if response.is_page() => Err(Error::unavailable(format!(
            "{host} answered {} with a web page: a login page, or a network that wants a sign-in",
            response.status
        ))),
        200..=299 => read(response).map(Answer::Issued).map_err(|why| Error::Protocol {
            message: format!("{host} answered {} but {why}", response.status),
            request_id: None,
        }),
        // Every refusal is a 403 with an empty body: no token, expired, not an admin's, another gateway's.
        401 | 403 => Ok(Answer::Rejected(refused(host, token))),
        status @ 300..=399 => Err(Error::configuration(
            format!("{host} redirects ({status}): it is no gateway to an STS"),
            "check gateway in the config",
        )),
        404 => Err(Error::configuration(
            format!("{host} has no STS at {PATH} (404)"),
            "check gateway in the config: on some systems only one of several gateways routes it",
        )),
        429 | 500..=599 => {
            let retry_after = response.retry_after().map(|wait| clamp_retry_after(wait).as_secs());
            Err(Error::Unavailable {
                message: format!("{host} answered {}{}", response.status, cause(response)),
                retry_after,
            })
        }
        status => Err(Error::protocol(format!("{host} answered {status}{}", cause(response)))),
    }
}

/// The gateway says nothing, so the token speaks for itself.
fn refused(host: &str, token: &Secret) -> Error {
    let said = jwt::claims(token.expose()).map(|claims| claims.described()).unwrap_or_default();
    Error::Denied {
        message: format!("{host} refuses the token{said}"),
        url: None,
        hint: "it takes tokens of its own realm, with role shasta/admin or of client admin-client; or sign in anew"
            .into(),
    }
}

/// What a problem+json, a JSON string or a text says of the cause; HTML says nothing.
fn cause(response: &Response) -> String {
    #[derive(Deserialize)]
    struct Problem {
        title: Option<String>,
        detail: Option<String>,
    }
    if let Ok(problem) = serde_json::from_str::<Problem>(response.body.expose()) {
        let words: Vec<String> = [problem.title, problem.detail].into_iter().flatten().collect();
        return if words.is_empty() {
            String::new()
        } else {
            format!(": {}", crate::error::printable(&words.join(", ")))
        };
    }
    let excerpt = response.excerpt();
    let excerpt = excerpt.trim().trim_matches('"');
    if excerpt.is_empty() || excerpt.starts_with('<') { String::new() } else { format!(": {excerpt}") }
}

fn read(response: &Response) -> Result<Issued, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body {
        credentials: Given,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Given {
        access_key_id: String,
        secret_access_key: Secret,
        session_token: Secret,
        expiration: String,
        #[serde(rename = "EndpointURL")]
        endpoint: Option<String>,
    }
    let body: Body = serde_json::from_str(response.body.expose())
        .map_err(|error| format!("not with credentials ({:?} error at column {})", error.classify(), error.column()))?;
    let given = body.credentials;
    let expiration = read_time(&given.expiration).ok_or("its expiration is no time")?;
    // Never the text itself: the URL's reader drops newlines, which whoever writes the endpoint into a file does not.
    let endpoint = given.endpoint.and_then(|text| Url::parse(&text).ok());
    let endpoint = endpoint.filter(|url| matches!(url.scheme(), "http" | "https"));
    let endpoint = endpoint.map(|url| url.origin().ascii_serialization());
    Ok(Issued {
        credentials: Credentials {
            access_key_id: given.access_key_id,
            secret_access_key: given.secret_access_key,
            session_token: given.session_token,
            expiration,
        },
        endpoint,
        date: response.date(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::tests::token;

    fn judged(status: u16, body: &str, token: &str) -> Result<Answer, Error> {
        let response = Response { status, headers: Vec::new(), body: Secret::new(body) };
        judge(&response, "api-gw.local", &Secret::new(token))
    }

    const GOOD: &str = r#"{"Credentials":{"AccessKeyId":"K","EndpointURL":"http://rgw-vip.nmn","Expiration":"2027-01-15T09:00:00+00:00","SecretAccessKey":"S","SessionToken":"T"}}"#;

    #[test]
    fn any_2xx_with_credentials_is_good_and_the_endpoint_is_kept() {
        for status in [200, 201] {
            let Ok(Answer::Issued(issued)) = judged(status, GOOD, "") else { panic!("{status}") };
            assert_eq!(issued.endpoint.as_deref(), Some("http://rgw-vip.nmn"));
        }
        let fraction = GOOD.replace("09:00:00+", "09:00:00.123456+");
        assert!(matches!(judged(201, &fraction, ""), Ok(Answer::Issued(_))));
    }

    #[test]
    fn an_endpoint_is_kept_as_an_origin_and_never_as_it_was_written() {
        for (written, kept) in [
            (r"http://rgw\ncredential_process = sh -c id\n.nmn", None),
            (r"http://rgw.nmn:80/\n[default]\ncredential_process = x", Some("http://rgw.nmn")),
            (r"http://rgw\n.nmn:8080/path?q", Some("http://rgw.nmn:8080")),
            ("ftp://rgw.nmn", None),
        ] {
            let body = GOOD.replace("http://rgw-vip.nmn", written);
            let Ok(Answer::Issued(issued)) = judged(201, &body, "") else { panic!("{written}") };
            assert_eq!(issued.endpoint.as_deref(), kept, "{written}");
        }
    }

    #[test]
    fn an_empty_403_is_explained_by_the_tokens_own_claims() {
        let token = token(
            r#"{"iss":"https://gw/keycloak/realms/shasta","aud":["shasta"],"exp":1800000000,"resource_access":{"shasta":{"roles":["user"]}}}"#,
        );
        let Ok(Answer::Rejected(error)) = judged(403, "", &token) else { panic!("a 403 is a rejection") };
        let text = error.text();
        for part in ["realms/shasta", "shasta/user", "2027-01-15", "shasta/admin"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn trouble_behind_the_gateway_passes_and_a_wrong_gateway_does_not() {
        use crate::wire::Kind;
        let problem = r#"{"type":"about:blank","title":"Internal Server Error","status":500}"#;
        for (status, body, kind, said) in [
            (500, problem, Kind::Unavailable, "Internal Server Error"),
            (500, "\"Error\"", Kind::Unavailable, "Error"),
            (503, "<html>upstream</html>", Kind::Unavailable, "503"),
            (502, "", Kind::Unavailable, "502"),
            (404, "", Kind::Configuration, "gateway"),
            (405, problem, Kind::Protocol, "405"),
            (200, "\n<!DOCTYPE html><title>Sign in</title>", Kind::Unavailable, "web page"),
            (201, "{}", Kind::Protocol, "not with credentials"),
        ] {
            let error = judged(status, body, "x").unwrap_err();
            assert_eq!(error.kind(), kind, "{status} {body}");
            assert!(error.text().contains(said) && !error.text().contains("<html"), "{}", error.text());
        }
    }
}
