//! What all stand-in issuers share, and how their tests ask them: by bytes, without the product's client.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Sends one request as it stands; the whole answer as text, cut short where the server did so.
pub(super) async fn raw(standin: &Standin, request: &str) -> String {
    let mut stream = TcpStream::connect(standin.url("").trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// `GET path` with header lines, each ended by `\r\n`.
pub(super) async fn get(standin: &Standin, path: &str, headers: &str) -> String {
    raw(standin, &format!("GET {path} HTTP/1.1\r\nhost: issuer\r\nconnection: close\r\n{headers}\r\n")).await
}

pub(super) fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

pub(super) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).expect("an answer").parse().unwrap()
}

pub(super) fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let lines = answer.split("\r\n\r\n").next()?.lines();
    lines.filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name).map(|(_, value)| value)
}

pub(super) fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("a whole head").1
}

pub(super) fn json(answer: &str) -> serde_json::Value {
    serde_json::from_str(body(answer)).unwrap()
}

#[tokio::test]
async fn every_request_is_logged_whole() {
    let standin = Standin::start().await.unwrap();
    raw(
        &standin,
        "PUT /nowhere?a=b%20c HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic c2VjcmV0\r\n\
         Content-Length: 4\r\n\r\nbody",
    )
    .await;
    get(&standin, "/tea/s3credentials", "").await;
    let logged = standin.requests();
    assert_eq!((logged[0].method.as_str(), logged[0].path.as_str()), ("PUT", "/nowhere"));
    assert_eq!((logged[0].query.as_str(), logged[0].body.as_str()), ("a=b%20c", "body"));
    assert_eq!(logged[0].header("authorization"), Some("Basic c2VjcmV0"));
    assert!(logged[0].mentions("c2VjcmV0") && !logged[1].mentions("c2VjcmV0"));
    assert_eq!((standin.count("/tea"), standin.count("/sts"), standin.count("/")), (1, 0, 2));
}

#[tokio::test]
async fn an_unknown_path_is_404_in_html() {
    let standin = Standin::start().await.unwrap();
    standin.behave("/told", Behaviour::status(204));
    assert_eq!(status(&get(&standin, "/told", "").await), 204);
    for path in ["/", "/tea/other", "/cumulus/", "/urs/api", "/stsx"] {
        let answer = get(&standin, path, "").await;
        assert_eq!((status(&answer), header(&answer, "content-type")), (404, Some("text/html")), "{path}");
        assert!(header(&answer, "date").is_some());
    }
}

#[tokio::test]
async fn a_stopped_standin_refuses_connections_and_keeps_its_log() {
    let standin = Standin::start().await.unwrap();
    get(&standin, "/", "").await;
    standin.clone().stop().await;
    assert!(TcpStream::connect(standin.url("").trim_start_matches("http://")).await.is_err());
    assert_eq!(standin.count("/"), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn waiting_ends_when_the_requests_are_there() {
    let standin = Standin::start().await.unwrap();
    tokio::join!(standin.wait_for("/a", 2), get(&standin, "/a", ""), get(&standin, "/ab", ""));
    standin.wait_for("/a", 1).await;
    assert_eq!(standin.count("/a"), 2);
}
