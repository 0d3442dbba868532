//! HTTP by hand, for what no client would send.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// An answer: status and body. Status 0: closed without a byte, or nobody listens.
pub(crate) fn get(port: u16, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let host = format!("localhost:{port}");
    let host = if headers.iter().any(|(name, _)| *name == "host") { None } else { Some(("host", host.as_str())) };
    let lines = host.iter().chain(headers).map(|(name, value)| format!("{name}: {value}\r\n")).collect::<String>();
    send(port, &format!("GET {path} HTTP/1.1\r\n{lines}\r\n"))
}

pub(crate) fn send(port: u16, request: &str) -> (u16, String) {
    let mut text = String::new();
    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.read_to_string(&mut text);
    }
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, text.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

/// A port on which nobody listens now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
