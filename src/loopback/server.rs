//! The accept loop on a TCP address: a place, a connection, a look at whose it is, one request, one answer.

use super::guard::{Guard, Refused};
use super::reply::{Reply, container_error, reply};
use super::token::Token;
use crate::ports::Later;
use crate::worker::Worker;
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// What is said to whoever got in.
pub trait Answers: Send + Sync {
    /// `target` is the path with its query, as it was sent.
    fn answer<'a>(&'a self, target: &'a str) -> Later<'a, Answer>;

    /// As an SDK reads it.
    fn refuse(&self, refused: Refused) -> Answer {
        container_error(refused.status(), "refused", refused.reason())
    }

    /// A request was answered with this status.
    fn answered(&self, _request: &str, _status: u16) {}
}

/// A status and JSON, which may hold keys.
#[allow(missing_debug_implementations)] // Its body holds keys.
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// The uid of a client's process: see [`crate::system::peer`].
pub type UidOf = fn(client: SocketAddr, server: SocketAddr) -> io::Result<Option<u32>>;

/// A listening server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    door: Arc<Door>,
}

/// Who gets in.
#[derive(Debug)]
struct Door {
    guard: Guard,
    uid_of: UidOf,
    /// The kernel may take its time, and nobody else waits for it.
    look: Worker,
}

/// To send a request's head. (Without a timer hyper's limit is inactive.)
const HEAD: Duration = Duration::from_secs(2);
/// For a connection as a whole: a head, the longest wait for an issuer, a slow reader.
const CONNECTION: Duration = Duration::from_secs(30);
/// For the kernel to say whose a connection is.
const LOOK: Duration = Duration::from_secs(1);
const MAX_HEAD: usize = 8 * 1024;
const MAX_HEADERS: usize = 32;
const MAX_CONNECTIONS: usize = 64;
/// After a failed accept: descriptors may be out, and a loop without this would spin.
const BREATHER: Duration = Duration::from_millis(50);

impl Server {
    /// Listens. Without a token the client's uid alone decides, which only a loopback address can tell.
    pub fn bind(address: SocketAddr, token: Option<Token>, uid_of: UidOf) -> io::Result<Server> {
        let listener = StdListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let guard = Guard { own: address, any_host: !address.ip().to_canonical().is_loopback(), token };
        Ok(Server { listener, address, door: Arc::new(Door { guard, uid_of, look: Worker::new("peers") }) })
    }

    /// Where it listens, with the port that was chosen where none was named.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is dropped.
    pub async fn serve(self, answers: Arc<dyn Answers>) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        // Told once as a warning, until it works again.
        let mut failing = false;
        loop {
            // The place comes first: at the limit nothing is accepted, and nobody is turned away or spins.
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let (stream, client) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(address = %self.address, "accept: {error}");
                    }
                    tokio::time::sleep(BREATHER).await;
                    continue;
                }
            };
            failing = false;
            let (door, answers) = (self.door.clone(), answers.clone());
            tokio::spawn(async move {
                if let Some(told) = door.lets_in(&stream, client).await {
                    let served = connection(stream, &door.guard, told, &*answers);
                    let _ = tokio::time::timeout(CONNECTION, served).await;
                }
                drop(place);
            });
        }
    }
}

impl Door {
    /// None for a stranger, who is closed on with no byte: he learns nothing. Else whether it is known to be one of us.
    async fn lets_in(&self, stream: &TcpStream, client: SocketAddr) -> Option<bool> {
        // Who comes from elsewhere has no uid here: the token stands for it.
        if self.guard.any_host {
            return Some(true);
        }
        let (server, uid_of) = (stream.local_addr().ok()?, self.uid_of);
        match self.look.run(LOOK, move || uid_of(client, server)).await {
            Ok(Ok(uid)) => (uid == Some(rustix::process::getuid().as_raw())).then_some(true),
            Ok(Err(_)) | Err(_) => Some(false),
        }
    }
}

async fn connection(stream: TcpStream, guard: &Guard, told: bool, answers: &dyn Answers) {
    let service = service_fn(|request: Request<Incoming>| async move {
        Ok::<Reply, Infallible>(answer(&request, guard, told, answers).await)
    });
    // An error is a client that left or talked nonsense, and has no one to be told to.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(request: &Request<Incoming>, guard: &Guard, told: bool, answers: &dyn Answers) -> Reply {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let judged = match guard.judge(request.method(), request.headers(), !request.body().is_end_stream()) {
        Ok(()) if !told && guard.token.is_none() => Err(Refused::Untold),
        judged => judged,
    };
    let answer = match judged {
        Ok(()) => answers.answer(target).await,
        Err(refused) => answers.refuse(refused),
    };
    answers.answered(&format!("{} {target} {:?}", request.method(), request.version()), answer.status);
    reply(answer)
}

#[cfg(test)]
mod tests;
