//! One contract for all kinds of issuer: each situation, what the user is told of it, and how much was asked, no more.

use super::*;

/// A situation.
struct Case {
    at: At,
    /// The situation, as a sentence.
    when: &'static str,
    given: fn(&Rig),
    /// None is success.
    kind: Option<Kind>,
    /// Stands in what the user reads.
    says: &'static str,
    /// Requests to the issuer of credentials, and to that of the login.
    asked: (usize, usize),
}

/// An issuer, and the login that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// With a token; below the second with a password.
    Tea,
    TeaByPassword,
    Cumulus,
    Cray,
    Sts,
    /// The key's own user, for a session or narrowed.
    Session,
    Federation,
    /// A role that a token of Keycloak's opens.
    Web,
}

impl At {
    /// Where credentials are asked for, and where access to them is.
    fn paths(self) -> (&'static str, &'static str) {
        match self {
            At::Tea | At::TeaByPassword => ("/tea/", "/urs"),
            At::Cumulus => ("/cumulus/", "/urs"),
            At::Cray => ("/apis/", "/keycloak"),
            At::Sts | At::Session | At::Federation | At::Web => ("/sts", "/keycloak"),
        }
    }

    fn config(self, rig: &Rig) -> Config {
        let url = |path| rig.standin.url(path);
        let (urs, token_url) = (url(Standin::URS), url(Standin::TOKEN));
        let earthdata = format!("[logins.l]\nkind = \"earthdata\"\nurs = \"{urs}\"\n");
        let keycloak = format!("[logins.l]\nkind = \"keycloak\"\nusername = \"ada\"\ntoken_url = \"{token_url}\"\n");
        let archive = |path| {
            format!(
                "{earthdata}[profiles.p]\nprovider = \"earthdata\"\nurs = \"{urs}\"\nendpoint = \"{}\"\n",
                url(path)
            )
        };
        let role = "role_arn = \"arn:aws:iam:::role/reader\"\nbucket = \"my-bucket\"\nprefix = \"a b+c/\"";
        let place = format!("[profiles.p]\nprovider = \"sts\"\nendpoint = \"{}\"\n", url(Standin::STS));
        let (sts, aws) = (format!("{place}{role}\n"), "[logins.l]\nkind = \"aws\"\n");
        let text = match self {
            At::Tea | At::TeaByPassword => archive(Standin::TEA),
            At::Cumulus => archive(Standin::CUMULUS),
            At::Cray => format!("{keycloak}[profiles.p]\nprovider = \"cray\"\ngateway = \"{}\"\n", url("")),
            At::Sts => format!("{aws}{sts}"),
            At::Session => format!("{aws}{place}operation = \"session-token\"\nduration = \"1h\"\n"),
            At::Federation => format!("{aws}{place}operation = \"federation-token\"\nbucket = \"my-bucket\"\n"),
            At::Web => format!("{keycloak}{sts}operation = \"web-identity\"\n"),
        };
        rig.config_of(&(text + "login = \"l\"\n"))
    }

    async fn sign_in(self, rig: &Rig) {
        rig.standin.add_user("ada", "pw");
        rig.standin.accept_key_id("AKIDEXAMPLE");
        let token = rig.standin.mint_token("ada", 30 * 86_400);
        let keys = r#"{"AccessKeyId":"AKIDEXAMPLE","SecretAccessKey":"s"}"#;
        let variables = [("EARTHDATA_USERNAME", "ada"), ("EARTHDATA_PASSWORD", "pw")];
        let (text, variables) = match self {
            At::Tea | At::Cumulus => (token.as_str(), &[][..]),
            At::TeaByPassword => ("", &variables[..]),
            At::Sts | At::Session | At::Federation => (keys, &[][..]),
            At::Cray | At::Web => ("pw", &[][..]),
        };
        rig.sign_in(&self.config(rig), "l", text, variables).await;
    }
}

/// The path that starts so answers with this status and body.
fn answers(rig: &Rig, path: &str, code: u16, content_type: &str, body: &str) {
    let (content_type, body) = (content_type.to_owned(), body.to_owned());
    rig.standin.behave(path, Behaviour::Status { code, content_type, body, headers: Vec::new() });
}

fn json(rig: &Rig, path: &str, code: u16, body: &str) {
    answers(rig, path, code, "application/json", body);
}

fn revoke(rig: &Rig) {
    rig.standin.revoke(rig.keyring.stored("l").unwrap().secret.expose());
}

fn password(rig: &Rig, password: &str) {
    rig.standin.add_user("ada", password);
}

const SIGN_IN: Option<Kind> = Some(Kind::LoginRequired);
const DENIED: Option<Kind> = Some(Kind::Denied);
const AWAY: Option<Kind> = Some(Kind::Unavailable);
const EDIT: Option<Kind> = Some(Kind::Configuration);
const BUG: Option<Kind> = Some(Kind::Protocol);

const fn case(
    at: At,
    when: &'static str,
    given: fn(&Rig),
    kind: Option<Kind>,
    says: &'static str,
    asked: (usize, usize),
) -> Case {
    Case { at, when, given, kind, says, asked }
}

#[rustfmt::skip] // a table
const CASES: &[Case] = &[
    // TEA
    case(At::Tea, "a good bearer", |_| (), None, "", (1, 0)),
    case(At::Tea, "TEA 1.2 and Harmony write PascalCase", |r| r.behave(Behaviour::Pascal), None, "", (1, 0)),
    case(At::Tea, "a redirect, though Earthdata Login knows the token", |r| r.behave(Behaviour::Redirect302), SIGN_IN, "takes no bearer tokens", (1, 1)),
    case(At::Tea, "a redirect to elsewhere", |r| r.standin.behave("/tea", Behaviour::Status { code: 302, content_type: String::new(), body: String::new(), headers: vec![("location".into(), "https://elsewhere.example.org/oauth/authorize?client_id=x".into())] }), EDIT, "check endpoint", (1, 0)),
    case(At::Tea, "the header was mangled on the way", |r| json(r, "/tea", 400, r#"{"status_code":400,"error_description":"Malformed Authorization header"}"#), BUG, "Malformed", (1, 0)),
    case(At::Tea, "a revoked token", revoke, SIGN_IN, "valetkey login l", (1, 0)),
    case(At::Tea, "Earthdata Login's 403 for a bad token", |r| json(r, "/tea", 403, r#"{"error":"invalid_token","error_description":"The token is invalid"}"#), SIGN_IN, "valetkey login l", (1, 0)),
    case(At::Tea, "a EULA, though `error` says invalid_token", |r| r.standin.require_eula("ada", true), DENIED, "/urs/approve_app?client_id=", (1, 0)),
    case(At::Tea, "a EULA whose page is on another host", |r| json(r, "/tea", 403, r#"{"error_description":"EULA Acceptance Failure","resolution_url":"https://elsewhere.example.org/"}"#), DENIED, "/urs/profile", (1, 0)),
    case(At::Tea, "a user who may read no bucket", |r| r.behave(Behaviour::NoBucket), DENIED, "ask the archive", (1, 0)),
    case(At::Tea, "Earthdata Login is ill behind it", |r| json(r, "/tea", 502, "{}"), AWAY, "asked again in", (1, 0)),
    case(At::Tea, "its own trouble", |r| r.behave(Behaviour::ServerError500), AWAY, "asked again in", (1, 0)),
    case(At::Tea, "it wants to be left alone", |r| r.behave(Behaviour::TooManyRequests { retry_after: 30 }), AWAY, "asked again in 30 s", (1, 0)),
    case(At::Tea, "it is not deployed there", |r| answers(r, "/tea", 404, "text/html", "<html>Not Found</html>"), EDIT, "usually ends in /s3credentials", (1, 0)),
    case(At::Tea, "a login page with 200", |r| r.behave(Behaviour::Html200), AWAY, "web page", (1, 0)),
    case(At::Tea, "an empty object", |r| r.behave(Behaviour::EmptyJson), BUG, "not with credentials", (1, 0)),
    case(At::Tea, "no expiration", |r| r.behave(Behaviour::MissingExpiration), BUG, "not with credentials", (1, 0)),
    case(At::Tea, "credentials that are over already", |r| r.behave(Behaviour::PastExpiration), BUG, "cannot be used", (1, 0)),
    case(At::Tea, "the connection closes", |r| r.behave(Behaviour::Close), AWAY, "asked again in", (1, 0)),
    case(At::Tea, "the answer breaks off", |r| r.behave(Behaviour::Cut { bytes: 20 }), AWAY, "asked again in", (1, 0)),
    // Cumulus: every trouble is a redirect, and Earthdata Login is asked which.
    case(At::Cumulus, "a good bearer", |_| (), None, "", (1, 0)),
    case(At::Cumulus, "a revoked token", revoke, SIGN_IN, "valetkey login l", (1, 1)),
    case(At::Cumulus, "a EULA", |r| r.standin.require_eula("ada", true), DENIED, "/urs/approve_app?client_id=", (1, 1)),
    case(At::Cumulus, "an endpoint that takes no bearer", |r| r.standin.behave("/cumulus", Behaviour::Redirect307), SIGN_IN, "takes no bearer tokens", (1, 1)),
    case(At::Cumulus, "Earthdata Login is ill", |r| { revoke(r); json(r, "/urs", 503, "") }, AWAY, "wants a sign-in", (1, 1)),
    case(At::Cumulus, "Earthdata Login is silent", |r| { revoke(r); r.standin.behave("/urs", Behaviour::Close) }, AWAY, "asked again in", (1, 1)),
    case(At::Cumulus, "its lambda failed", |r| json(r, "/cumulus", 424, r#"{"statusCode":424,"error":"Failed Dependency","message":"x"}"#), AWAY, "424", (1, 0)),
    case(At::Cumulus, "it is switched off", |r| json(r, "/cumulus", 503, r#"{"message":"S3 Credentials Endpoint has been disabled"}"#), DENIED, "ask the archive", (1, 0)),
    // Earthdata Login's user tokens
    case(At::TeaByPassword, "a good password", |_| (), None, "", (1, 1)),
    case(At::TeaByPassword, "the password was changed", |r| password(r, "new"), SIGN_IN, "valetkey login l", (0, 1)),
    case(At::TeaByPassword, "Earthdata Login is ill", |r| json(r, "/urs", 500, ""), AWAY, "asked again in", (0, 1)),
    case(At::TeaByPassword, "Earthdata Login answers with a page", |r| r.standin.behave("/urs", Behaviour::Html200), BUG, "not with a token", (0, 1)),
    case(At::TeaByPassword, "a token is found that has expired", |r| { r.standin.give_token("ada", -1); }, None, "", (1, 3)),
    case(At::TeaByPassword, "a found token is not taken, a new one is", |r| r.standin.behave_once("/tea", Behaviour::status(401)), None, "", (2, 3)),
    // HPE Cray's gateway and what is behind it
    case(At::Cray, "an admin", |_| (), None, "", (1, 1)),
    case(At::Cray, "a user without the role", |r| r.standin.set_admin("ada", false), DENIED, "shasta/admin", (2, 2)),
    case(At::Cray, "the gateway does not route it", |r| answers(r, "/apis", 404, "text/html", "<html>"), EDIT, "check gateway", (1, 1)),
    case(At::Cray, "the method is not allowed", |r| answers(r, "/apis", 405, "application/problem+json", r#"{"title":"Method Not Allowed","status":405}"#), BUG, "Method Not Allowed", (1, 1)),
    case(At::Cray, "a problem without a cause", |r| r.standin.behave("/apis", Behaviour::ServerError500), AWAY, "500: InternalServerError", (1, 1)),
    case(At::Cray, "a JSON string", |r| json(r, "/apis", 500, "\"Error\"\n"), AWAY, "500: Error", (1, 1)),
    case(At::Cray, "a page of a proxy's", |r| answers(r, "/apis", 502, "text/html", "<html>upstream</html>"), AWAY, "502", (1, 1)),
    case(At::Cray, "a portal's page with 200", |r| r.standin.behave("/apis", Behaviour::Html200), AWAY, "web page", (1, 1)),
    case(At::Cray, "text of a proxy's", |r| answers(r, "/apis", 503, "text/plain", "no healthy upstream"), AWAY, "no healthy upstream", (1, 1)),
    case(At::Cray, "nothing with a 504", |r| r.standin.behave("/apis", Behaviour::status(504)), AWAY, "504", (1, 1)),
    case(At::Cray, "no expiration", |r| r.standin.behave("/apis", Behaviour::MissingExpiration), BUG, "not with credentials", (1, 1)),
    // Keycloak
    case(At::Cray, "a wrong password", |r| password(r, "new"), SIGN_IN, "a locked account", (0, 1)),
    case(At::Cray, "an account not fully set up", |r| json(r, "/keycloak", 400, r#"{"error":"invalid_grant","error_description":"Account is not fully set up"}"#), SIGN_IN, "in a browser", (0, 1)),
    case(At::Cray, "a client that may not", |r| json(r, "/keycloak", 400, r#"{"error":"unauthorized_client","error_description":"Client not allowed for direct access grants"}"#), EDIT, "check client_id and grant", (0, 1)),
    case(At::Cray, "a wrong realm", |r| json(r, "/keycloak", 404, r#"{"error":"Realm does not exist"}"#), EDIT, "check token_url", (0, 1)),
    case(At::Cray, "a wrong prefix", |r| answers(r, "/keycloak", 404, "text/html", "<html>"), EDIT, "check token_url", (0, 1)),
    case(At::Cray, "an empty 403 of a foreign server", |r| r.standin.behave("/keycloak", Behaviour::status(403)), SIGN_IN, "says no more", (0, 1)),
    case(At::Cray, "Keycloak is away", |r| answers(r, "/keycloak", 503, "text/html", "<html>"), AWAY, "asked again in", (0, 1)),
    case(At::Cray, "Keycloak wants to be left alone", |r| r.standin.behave("/keycloak", Behaviour::TooManyRequests { retry_after: 40 }), AWAY, "asked again in 40 s", (0, 1)),
    case(At::Cray, "a page instead of a token", |r| r.standin.behave("/keycloak", Behaviour::Html200), AWAY, "web page", (0, 1)),
    // STS as AWS and MinIO speak it
    case(At::Sts, "a known key", |_| (), None, "", (1, 0)),
    case(At::Session, "a session of one's own", |_| (), None, "", (1, 0)),
    case(At::Federation, "one's own rights, narrowed", |_| (), None, "", (1, 0)),
    case(At::Sts, "this machine's clock is an hour late", |r| r.standin.behave("/sts", Behaviour::SkewedDate { seconds: 3600 }), EDIT, "timedatectl", (1, 0)),
    case(At::Sts, "a key that was deleted", |r| r.sts(403, "InvalidClientTokenId"), SIGN_IN, "valetkey login l", (1, 0)),
    case(At::Sts, "a role that trusts somebody else", |r| r.sts(403, "AccessDenied"), DENIED, "trust policy", (1, 0)),
    case(At::Sts, "clocks that differ", |r| r.sts(403, "RequestTimeTooSkewed"), EDIT, "timedatectl", (1, 0)),
    case(At::Sts, "MinIO is starting", |r| r.sts(503, "STSNotInitialized"), AWAY, "asked again in", (1, 0)),
    case(At::Sts, "too many", |r| r.sts(400, "Throttling"), AWAY, "asked again in", (1, 0)),
    case(At::Sts, "a duration beyond the role's", |r| r.sts(400, "ValidationError"), EDIT, "duration", (1, 0)),
    case(At::Sts, "no STS at all", |r| answers(r, "/sts", 404, "text/html", "<html>"), BUG, "is it an STS", (1, 0)),
    // As Ceph speaks it
    case(At::Sts, "Ceph, no namespace, nine digits", |r| r.ceph(), None, "", (1, 0)),
    case(At::Sts, "Ceph's no such role", |r| r.ceph_says(404, "NoSuchEntity"), EDIT, "check role_arn", (1, 0)),
    case(At::Sts, "Ceph's bad duration", |r| r.ceph_says(400, "InvalidArgument"), EDIT, "duration", (1, 0)),
    case(At::Sts, "Ceph's wrong key", |r| r.ceph_says(403, "AccessDenied"), DENIED, "Ceph says the same of a wrong key", (1, 0)),
    // With a web identity
    case(At::Web, "a good token", |_| (), None, "", (1, 1)),
    case(At::Web, "Ceph, a good token", |r| r.ceph(), None, "", (1, 1)),
    case(At::Web, "a token that died early", |r| r.standin.behave_once("/sts", Behaviour::Status { code: 400, content_type: String::new(), body: "<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>".into(), headers: Vec::new() }), None, "", (2, 2)),
    case(At::Web, "an issuer that the role does not trust", |r| r.sts(400, "InvalidIdentityToken"), SIGN_IN, "valetkey login l", (2, 2)),
    case(At::Web, "Ceph does not say what it dislikes", |r| r.ceph_says(403, "AccessDenied"), DENIED, "trust policy", (2, 2)),
];

impl Rig {
    /// STS refuses with this code, as AWS words it.
    fn sts(&self, status: u16, code: &str) {
        let body = format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>m</Message></Error><RequestId>r</RequestId></ErrorResponse>"
        );
        answers(self, "/sts", status, "text/xml", &body);
    }

    fn ceph(&self) {
        self.standin.behave("/sts", Behaviour::Ceph);
    }

    /// The same as Ceph words it.
    fn ceph_says(&self, status: u16, code: &str) {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><RequestId>tx1</RequestId></Error>");
        answers(self, "/sts", status, "application/xml", &body);
    }
}

/// Asked by one process and then, at once, by another: which learns the same and sends nothing.
#[tokio::test]
async fn every_kind_of_issuer_keeps_the_contract() {
    for case in CASES {
        let mut rig = Rig::new().await;
        if matches!(case.at, At::Sts | At::Session | At::Federation) {
            // The SDK signs by the machine's clock.
            rig.standin = Standin::start().await.unwrap();
        }
        case.at.sign_in(&rig).await;
        (case.given)(&rig);
        let before = rig.standin.count("/");
        let (credentials, login) = case.at.paths();
        for (asker, manner) in [("the first", Manner::Daemon), ("another", Manner::OneShot)] {
            let broker = rig.with(case.at.config(&rig), manner);
            let answer = broker.credentials("p", 0).await;
            broker.settle(LONGEST_WAIT).await;
            let title = format!("{:?}, {} ({asker})", case.at, case.when);
            match (&answer, case.kind) {
                (Ok(_), None) => {}
                (Err(error), Some(kind)) => {
                    assert_eq!(error.kind(), kind, "{title}: {}", error.text());
                    assert!(error.text().contains(case.says), "{title}: {}", error.text());
                }
                _ => panic!("{title}: {answer:?}"),
            }
            let asked = (rig.standin.count(credentials), rig.standin.count(login));
            assert_eq!(asked, case.asked, "{title}");
            assert_eq!(rig.standin.count("/") - before, asked.0 + asked.1, "{title}: something else was asked");
        }
        let requests = rig.standin.requests();
        let sent = |what: &str| requests.iter().filter(|request| request.mentions(what)).count();
        assert_eq!(sent("cookie"), 0, "{}: no cookie is kept", case.when);
        let agents = requests.iter().map(|request| request.header("user-agent").unwrap_or_default());
        assert!(agents.into_iter().all(|agent| !agent.is_empty() && !agent.starts_with("Mozilla")), "{}", case.when);
    }
}
