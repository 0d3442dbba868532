//! The accept loop: a permit, a connection, a look at the peer's uid. Whatever a client does costs only itself.

use super::connection::Connection;
use super::idle::Idle;
use super::routes::Routes;
use super::socket::Socket;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, watch};

/// Serves connections, as many at once as there are permits.
#[derive(Debug)]
pub(super) struct Server {
    routes: Arc<Routes>,
    permits: Arc<Semaphore>,
    idle: Arc<Idle>,
    /// Tells connections to end. Each holds a receiver: when all are gone, so are the connections.
    end: watch::Sender<bool>,
}

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
        Server { routes, permits, idle: Arc::default(), end: watch::Sender::new(false) }
    }

    pub(super) async fn accept_until(&self, socket: &Socket, end: impl Future<Output = ()>) {
        tokio::pin!(end);
        // Told once as a warning, until it works again.
        let mut refused = false;
        loop {
            // The permit comes first: at the limit nothing is accepted, and nobody is turned away or spins.
            let next = async {
                let permit = self.permit().await;
                (permit, socket.listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                () = &mut end => return,
                next = next => next,
            };
            match (permit, accepted) {
                (Ok(permit), Ok((stream, _))) => {
                    if std::mem::take(&mut refused) {
                        self.idle.has_room();
                    }
                    self.serve(stream, permit);
                }
                (_, Err(error)) => {
                    // Descriptors may be short though there are permits: who only rests makes room.
                    let made = self.idle.make_room();
                    match std::mem::replace(&mut refused, true) {
                        false => tracing::warn!(made, "accept: {error}"),
                        true => tracing::debug!(made, "accept: {error}"),
                    }
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
        self.end.send_replace(true);
        tokio::time::timeout(limit, self.end.closed()).await.is_ok()
    }

    /// At the limit the connection that is idle for longest gives its place, one at a time: so there is always one for
    /// who comes next, unless all are being answered.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        self.idle.make_room();
        let permit = self.permits.clone().acquire_owned().await;
        self.idle.has_room();
        permit
    }

    fn serve(&self, stream: UnixStream, permit: OwnedSemaphorePermit) {
        let own = rustix::process::getuid().as_raw();
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == own => {}
            // Closed with no byte: a stranger learns nothing.
            _ => return,
        }
        let routes = self.routes.clone();
        let answer = move |request| {
            let routes = routes.clone();
            async move { routes.answer(request).await }
        };
        let connection = Connection { answer, idle: self.idle.clone(), end: self.end.subscribe() };
        tokio::spawn(async move {
            connection.serve(stream).await;
            drop(permit);
        });
    }
}
