//! S32: connect 5 s, head 64 KiB, body 256 KiB, and an end to every answer. Clocks are moved, not waited for.

use super::ask;
use super::front::listen;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use valetkey::ports::{Response, Route, SendError};
use valetkey::system::http::Network;

const KIB: usize = 1024;

/// What an issuer comes to that answers so, over plain HTTP.
async fn answered<F>(answer: impl FnOnce(TcpStream) -> F + Send + 'static) -> Result<Response, SendError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = listen().await;
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        assert!(!head.contains("accept-encoding") && !head.contains("\r\nte:"), "nothing packed is asked for: {head}");
        answer(stream).await;
    });
    let answer = ask(&Network::default(), &url, &Route::default()).await;
    if peer.is_finished() {
        peer.await.unwrap();
    }
    answer
}

async fn say(mut stream: TcpStream, text: impl AsRef<[u8]>) {
    // The other side may have had enough.
    let _ = stream.write_all(text.as_ref()).await;
    let _ = stream.read(&mut [0; 1]).await;
}

/// Says it again and again.
async fn repeat(mut stream: TcpStream, start: &str, text: String) {
    let mut sent = stream.write_all(start.as_bytes()).await;
    while sent.is_ok() {
        sent = stream.write_all(text.as_bytes()).await;
    }
}

#[tokio::test]
async fn s32_a_head_of_64_kib_is_read_and_a_larger_one_is_no_issuers() {
    let head = |bytes: usize| format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(bytes));
    assert!(answered(move |stream| say(stream, head(64 * KIB - 30))).await.is_ok());
    assert_eq!(answered(move |stream| say(stream, head(64 * KIB))).await.unwrap_err(), SendError::TooLarge);
    let many: String = (0..200).map(|i| format!("x-{i}: y\r\n")).collect();
    let answer = format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n");
    assert_eq!(answered(move |stream| say(stream, answer)).await.unwrap_err(), SendError::TooLarge);
}

#[tokio::test]
async fn s32_a_head_without_an_end_is_no_issuers() {
    let endless = answered(|stream| repeat(stream, "HTTP/1.1 200 OK\r\nx: ", "x".repeat(KIB)));
    assert_eq!(endless.await.unwrap_err(), SendError::TooLarge);
}

#[tokio::test]
async fn s32_a_body_of_256_kib_is_read_and_a_larger_one_is_no_issuers() {
    let body = |bytes: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n{}", "x".repeat(bytes));
    let whole = answered(move |stream| say(stream, body(256 * KIB))).await.unwrap();
    assert_eq!(whole.body.expose().len(), 256 * KIB);
    assert_eq!(answered(move |stream| say(stream, body(256 * KIB + 1))).await.unwrap_err(), SendError::TooLarge);
    let unannounced = |bytes: usize| format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(bytes));
    let closed =
        |text: String| move |mut stream: TcpStream| async move { stream.write_all(text.as_bytes()).await.unwrap() };
    assert!(answered(closed(unannounced(256 * KIB))).await.is_ok());
    assert_eq!(answered(closed(unannounced(256 * KIB + 1))).await.unwrap_err(), SendError::TooLarge);
    // Announced and never sent: nothing is waited for that would be refused.
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n";
    assert_eq!(answered(move |stream| say(stream, announced)).await.unwrap_err(), SendError::TooLarge);
}

#[tokio::test]
async fn s32_a_body_without_an_end_is_no_issuers() {
    let chunk = format!("400\r\n{}\r\n", "x".repeat(KIB));
    let chunked = answered(|stream| repeat(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk));
    assert_eq!(chunked.await.unwrap_err(), SendError::TooLarge);
    let until_closed = answered(|stream| repeat(stream, "HTTP/1.1 200 OK\r\n\r\n", "x".repeat(KIB)));
    assert_eq!(until_closed.await.unwrap_err(), SendError::TooLarge);
}

#[tokio::test]
async fn s32_a_packed_body_is_left_packed() {
    // gzip of nothing.
    let packed = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 20\r\n\r\n".to_vec();
    answer.extend(packed);
    let answer = answered(|stream| say(stream, answer)).await.unwrap();
    assert_eq!(answer.body.expose(), String::from_utf8_lossy(&packed));
}

#[tokio::test]
async fn s32_f03_a_drip_has_an_end_in_head_and_body() {
    for start in ["HTTP/1.1 200 OK\r\nx: ", "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n"] {
        let (tell, told) = tokio::sync::oneshot::channel();
        let dripped = answered(move |mut stream| async move {
            let mut sent = stream.write_all(start.as_bytes()).await;
            // From here on all wait for the clock, or for a byte that it brings.
            tokio::time::pause();
            tell.send(Instant::now()).unwrap();
            while sent.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
                sent = stream.write_all(b"x").await;
            }
        });
        assert_eq!(dripped.await.unwrap_err(), SendError::TimedOut);
        let took = told.await.unwrap().elapsed();
        tokio::time::resume();
        assert!((19..=21).contains(&took.as_secs()), "by the clock that was moved: {took:?}");
    }
}

#[tokio::test]
async fn s32_a_handshake_that_hangs_is_given_up_after_5_s_and_the_proxy_is_named() {
    for scheme in ["", "http", "https", "socks5h"] {
        let listener = listen().await;
        let (address, (tell, told)) = (listener.local_addr().unwrap(), tokio::sync::oneshot::channel());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            tokio::time::pause();
            tell.send(Instant::now()).unwrap();
            std::future::pending::<()>().await;
        });
        let (url, proxy) = match scheme {
            "" => (format!("https://{address}/"), None),
            _ => ("https://issuer.test/".to_owned(), Some(format!("{scheme}://{address}").parse().unwrap())),
        };
        let route = Route { ca_file: None, proxy };
        let error = ask(&Network::default(), &url, &route).await.unwrap_err().about("issuer.test", &route);
        let took = told.await.unwrap().elapsed();
        tokio::time::resume();
        assert!((4..=6).contains(&took.as_secs()), "by the clock that was moved: {took:?}");
        let said = match scheme {
            "" => "issuer.test did not answer in time".to_owned(),
            _ => format!("the proxy {address} (proxy in the config) cannot reach issuer.test: no answer in time"),
        };
        assert_eq!(error.to_string(), said);
    }
}
