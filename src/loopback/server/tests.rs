//! The server against clients of every kind, by raw bytes.

use super::*;
use crate::loopback::container_error;
use crate::system::peer;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Says the path, and counts how often it was asked.
#[derive(Default)]
struct Echo(AtomicUsize);

impl Answers for Echo {
    fn answer<'a>(&'a self, target: &'a str) -> Later<'a, Answer> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(Answer { status: 200, body: format!("\"{target}\"") }))
    }

    fn refuse(&self, refused: Refused) -> Answer {
        container_error(refused.status(), "refused", refused.reason())
    }
}

fn start(token: Option<&str>, uid_of: UidOf) -> (SocketAddr, Arc<Echo>) {
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), token.map(Token::of), uid_of).unwrap();
    let (address, echo) = (server.address(), Arc::new(Echo::default()));
    tokio::spawn(server.serve(echo.clone()));
    (address, echo)
}

/// What comes back until the server closes.
async fn said(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}

fn get(address: SocketAddr, more: &str) -> Vec<u8> {
    format!("GET /a?b HTTP/1.1\r\nhost: localhost:{}\r\n{more}\r\n", address.port()).into_bytes()
}

#[tokio::test]
async fn s39_our_own_uid_is_answered_and_another_gets_no_byte() {
    let (ours, echo) = start(None, peer::uid_of);
    let answer = said(ours, &get(ours, "")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n\"/a?b\""), "{answer}");
    assert!(answer.contains("content-length: 6\r\n") && answer.contains("connection: close\r\n"), "{answer}");
    assert_eq!(echo.0.load(Ordering::Relaxed), 1);
    let strangers: [UidOf; 2] = [|_, _| Ok(Some(rustix::process::getuid().as_raw() + 1)), |_, _| Ok(None)];
    for stranger in strangers {
        let (address, echo) = start(Some("token"), stranger);
        assert_eq!(said(address, &get(address, "authorization: token\r\n")).await, "");
        assert_eq!(echo.0.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test]
async fn s39_where_the_uid_cannot_be_told_a_token_is_demanded() {
    let untold: UidOf = |_, _| Err(io::ErrorKind::PermissionDenied.into());
    let (without, echo) = start(None, untold);
    assert!(said(without, &get(without, "")).await.starts_with("HTTP/1.1 403 "));
    assert_eq!(echo.0.load(Ordering::Relaxed), 0);
    let (with, _) = start(Some("token"), untold);
    assert!(said(with, &get(with, "authorization: token\r\n")).await.starts_with("HTTP/1.1 200 "));
    assert!(said(with, &get(with, "")).await.starts_with("HTTP/1.1 401 "));
}

#[tokio::test]
async fn s36_s37_s41_what_is_refused_is_refused_before_anything_is_looked_up() {
    let (address, echo) = start(None, peer::uid_of);
    for (bytes, status) in [
        (get(address, "origin: http://evil.org\r\n"), "403"),
        (b"GET / HTTP/1.1\r\nhost: evil.org\r\n\r\n".to_vec(), "403"),
        (get(address, "content-length: 3\r\n"), "413"),
        (get(address, "transfer-encoding: chunked\r\n"), "413"),
        (format!("OPTIONS / HTTP/1.1\r\nhost: localhost:{}\r\n\r\n", address.port()).into_bytes(), "405"),
    ] {
        let answer = said(address, &bytes).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("cache-control: no-store") && !answer.to_lowercase().contains("access-control"));
    }
    assert_eq!(echo.0.load(Ordering::Relaxed), 0);
    let head = format!("HEAD / HTTP/1.1\r\nhost: localhost:{}\r\n\r\n", address.port());
    assert!(said(address, head.as_bytes()).await.ends_with("\r\n\r\n"), "a head without a body");
}

#[tokio::test]
async fn s42_heads_are_bounded_in_size_count_and_time() {
    let (address, echo) = start(None, peer::uid_of);
    let long = format!("x: {}\r\n", "y".repeat(9000));
    let many = (0..40).map(|index| format!("x-{index}: y\r\n")).collect::<String>();
    for more in [long, many] {
        let answer = said(address, &get(address, &more)).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(echo.0.load(Ordering::Relaxed), 0);
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    said(address, b"GET / HTTP").await;
    // Time that stands may run on while the kernel is asked on another thread.
    let took = started.elapsed();
    assert!((HEAD..=HEAD + LOOK).contains(&took), "half a head: {took:?}");
}

#[tokio::test]
async fn s42_silent_clients_hold_up_nobody_for_longer_than_a_head_may_take() {
    let (address, _) = start(None, peer::uid_of);
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let started = tokio::time::Instant::now();
    assert!(said(address, &get(address, "")).await.starts_with("HTTP/1.1 200 "));
    assert!(started.elapsed() < 2 * HEAD + HEAD / 2, "two turns of silent ones: {:?}", started.elapsed());
}
