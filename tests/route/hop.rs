//! A proxy that speaks HTTP and SOCKS5, takes every name for one place, and keeps all that it sees.

use super::ca::Identity;
use super::front::{Wire, listen, pass};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

pub(crate) struct Hop {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// `CONNECT issuer.test:443`, `name issuer.test:443` and `address 127.0.0.1:443` (SOCKS5), or a request's first line.
    pub(crate) asked: Vec<String>,
    /// All that the client sent, the tunnel's inside with it.
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    /// To this place, whatever was asked for.
    Pass(SocketAddr),
    /// This status line, or this SOCKS5 reply.
    Refuse(&'static str, u8),
    /// No way of signing in to SOCKS5 is good enough.
    WantsPassword,
    /// Not what a proxy says.
    Babble,
}

impl Hop {
    pub(crate) async fn start(manner: Manner) -> Hop {
        Hop::start_as(manner, None).await
    }

    /// One that is itself spoken to through TLS.
    pub(crate) async fn start_as(manner: Manner, identity: Option<Identity>) -> Hop {
        let (listener, seen) = (listen().await, Arc::new(Mutex::new(Seen::default())));
        let (address, kept) = (listener.local_addr().unwrap(), seen.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let acceptor = identity.map(|identity| identity.acceptor());
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, kept) = (acceptor.clone(), kept.clone());
                connections.spawn(async move {
                    let wire: Box<dyn Wire> = match acceptor {
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => return,
                        },
                        None => Box::new(stream),
                    };
                    let _ = converse(wire, manner, &kept).await;
                });
            }
        });
        Hop { address, seen, _tasks: tasks }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }
}

impl Seen {
    /// Whether the client sent these bytes for it to read.
    pub(crate) fn read(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.bytes).to_lowercase().contains(&text.to_lowercase())
    }
}

async fn converse(mut wire: Box<dyn Wire>, manner: Manner, seen: &Mutex<Seen>) -> std::io::Result<()> {
    let first = wire.read_u8().await?;
    let keep = |bytes: &[u8]| seen.lock().unwrap().bytes.extend(bytes);
    let ask = |what: String| seen.lock().unwrap().asked.push(what);
    keep(&[first]);
    if let Manner::Babble = manner {
        return wire.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await;
    }
    if first != 5 {
        let mut head = vec![first];
        while !head.ends_with(b"\r\n\r\n") {
            head.push(wire.read_u8().await?);
        }
        keep(&head[1..]);
        let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
        ask(line.trim_end_matches(" HTTP/1.1").to_owned());
        let Manner::Pass(to) = manner else {
            let Manner::Refuse(status, _) = manner else { unreachable!("SOCKS5 was wanted") };
            return wire.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
        };
        let mut inner = TcpStream::connect(to).await?;
        match line.starts_with("CONNECT ") {
            true => wire.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?,
            false => inner.write_all(&head).await?,
        }
        return pass(&mut wire, &mut inner, keep).await;
    }
    let mut methods = vec![0; wire.read_u8().await?.into()];
    wire.read_exact(&mut methods).await?;
    if let Manner::WantsPassword = manner {
        return wire.write_all(&[5, 0xff]).await;
    }
    wire.write_all(&[5, 0]).await?;
    let mut command = [0; 4];
    wire.read_exact(&mut command).await?;
    let host = if command[3] == 3 {
        let mut name = vec![0; wire.read_u8().await?.into()];
        wire.read_exact(&mut name).await?;
        format!("name {}", String::from_utf8_lossy(&name))
    } else {
        format!("address {}", Ipv4Addr::from(wire.read_u32().await?))
    };
    ask(format!("{host}:{}", wire.read_u16().await?));
    let reply = if let Manner::Refuse(_, reply) = manner { reply } else { 0 };
    wire.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    let Manner::Pass(to) = manner else { return Ok(()) };
    pass(&mut wire, &mut TcpStream::connect(to).await?, keep).await
}
