//! An issuer's front door: speaks TLS, and keeps what it hears inside.

use super::ca::Identity;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    pub(crate) connections: usize,
    /// What came through TLS.
    pub(crate) inside: Vec<u8>,
}

/// Whatever bytes go both ways on.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

pub(crate) const FINE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

impl Front {
    /// Answers every request with `FINE`, in plain text without an identity.
    pub(crate) async fn start(identity: Option<Identity>) -> Front {
        Front::start_before(identity, None).await
    }

    /// Hands on to `inner` what it hears.
    pub(crate) async fn start_before(identity: Option<Identity>, inner: Option<SocketAddr>) -> Front {
        let (listener, heard) = (listen().await, Arc::new(Mutex::new(Heard::default())));
        let (address, kept) = (listener.local_addr().unwrap(), heard.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let acceptor = identity.map(|identity| identity.acceptor());
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                kept.lock().unwrap().connections += 1;
                let (acceptor, kept) = (acceptor.clone(), kept.clone());
                connections.spawn(async move {
                    let wire: Box<dyn Wire> = match acceptor {
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => return,
                        },
                        None => Box::new(stream),
                    };
                    converse(wire, inner, |bytes| kept.lock().unwrap().inside.extend(bytes)).await;
                });
            }
        });
        Front { address, heard, _tasks: tasks }
    }

    pub(crate) fn heard(&self) -> Heard {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/issue", self.address.port())
    }
}

pub(crate) async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn converse(mut wire: Box<dyn Wire>, inner: Option<SocketAddr>, keep: impl Fn(&[u8])) {
    if let Some(inner) = inner {
        let mut inner = TcpStream::connect(inner).await.unwrap();
        let _ = pass(&mut wire, &mut inner, keep).await;
        return;
    }
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = wire.read(&mut buffer).await {
        keep(&buffer[..length]);
        head.extend_from_slice(&buffer[..length]);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            let _ = wire.write_all(FINE).await;
        }
    }
}

/// Both ways until either ends; what comes from `a` is kept as well.
pub(crate) async fn pass(
    a: &mut (impl AsyncRead + AsyncWrite + Unpin),
    b: &mut (impl AsyncRead + AsyncWrite + Unpin),
    keep: impl Fn(&[u8]),
) -> std::io::Result<()> {
    let (mut to, mut from) = ([0; 4096], [0; 4096]);
    loop {
        tokio::select! {
            length = a.read(&mut to) => match length? {
                0 => return Ok(()),
                length => {
                    keep(&to[..length]);
                    b.write_all(&to[..length]).await?;
                }
            },
            length = b.read(&mut from) => match length? {
                0 => return Ok(()),
                length => a.write_all(&from[..length]).await?,
            },
        }
    }
}
