//! The accept loop: a permit, a connection, a look at the peer's uid, hyper. Whatever a client does costs only itself.

use super::routes::Routes;
use super::socket::Socket;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Serves connections, as many at once as there are permits.
#[derive(Debug)]
pub(super) struct Server {
    routes: Arc<Routes>,
    permits: Arc<Semaphore>,
    connections: GracefulShutdown,
}

/// To send a request's head. (Without a timer hyper's limit is inactive.)
const HEAD: Duration = Duration::from_secs(2);
const MAX_HEAD: usize = 8 * 1024;
const MAX_HEADERS: usize = 32;
/// For one connection, its wait for a flight included.
const CONNECTION: Duration = Duration::from_secs(120);
/// After a failed accept: descriptors may be out, and a loop without this would spin.
const BREATHER: Duration = Duration::from_millis(50);
/// Descriptors that are not connections: files, keyring, issuers.
const RESERVED: u64 = 64;
const MOST_CONNECTIONS: u64 = 20_000;

impl Server {
    /// How many connections there is room for.
    pub(super) fn room(descriptors: u64) -> usize {
        usize::try_from(descriptors.saturating_sub(RESERVED).clamp(16, MOST_CONNECTIONS)).unwrap_or(16)
    }

    pub(super) fn new(routes: Arc<Routes>, room: usize) -> Server {
        let permits = Arc::new(Semaphore::new(room));
        Server { routes, permits, connections: GracefulShutdown::new() }
    }

    pub(super) async fn accept_until(&self, socket: &Socket, end: impl Future<Output = ()>) {
        tokio::pin!(end);
        loop {
            // The permit comes first: at the limit nothing is accepted, and nobody is turned away or spins.
            let next = async {
                let permit = self.permits.clone().acquire_owned().await;
                (permit, socket.listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                () = &mut end => return,
                next = next => next,
            };
            match (permit, accepted) {
                (Ok(permit), Ok((stream, _))) => self.serve(stream, permit),
                (_, Err(error)) => {
                    tracing::warn!("accept: {error}");
                    tokio::time::sleep(BREATHER).await;
                }
                (Err(_), _) => return,
            }
        }
    }

    /// Takes in who had connected before we left the socket.
    pub(super) fn accept_queued(&self, socket: &Socket) {
        while let Ok(permit) = self.permits.clone().try_acquire_owned() {
            let Ok(Some(stream)) = socket.accept_waiting() else { return };
            self.serve(stream, permit);
        }
    }

    /// Lets connections finish; false if some were still open after `limit`.
    pub(super) async fn drain(self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.connections.shutdown()).await.is_ok()
    }

    fn serve(&self, stream: UnixStream, permit: OwnedSemaphorePermit) {
        let own = rustix::process::getuid().as_raw();
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == own => {}
            // Closed with no byte: a stranger learns nothing.
            _ => return,
        }
        let routes = self.routes.clone();
        let service = service_fn(move |request| {
            let routes = routes.clone();
            async move { routes.answer(request).await }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        let watched = self.connections.watch(connection);
        tokio::spawn(async move {
            // An error is a client that left or talked nonsense: it has no one to be told to.
            let _ = tokio::time::timeout(CONNECTION, watched).await;
            drop(permit);
        });
    }
}
