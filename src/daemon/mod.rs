//! The daemon: HTTP/1 on a Unix socket in front of the broker. Its listeners and its end come from outside.

mod client;
mod reply;
mod routes;
mod serve;
mod socket;

pub use client::{Client, ClientError};
pub use routes::{ConfigSource, DaemonStatus};
pub use socket::Socket;

use crate::broker::Broker;
use routes::Routes;
use serve::Server;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How long connections may take to end after the daemon was told to.
const DRAIN: Duration = Duration::from_secs(2);
/// How long a rotation that was sent may take to be stored: the issuer's own limit.
const ROTATION: Duration = Duration::from_secs(45);

/// What the daemon is told from outside, and tells.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Arc<Notify>);

impl Shutdown {
    /// Ends the daemon; may be called before it waits.
    pub fn request(&self) {
        self.0.notify_one();
    }

    async fn requested(&self) {
        self.0.notified().await;
    }
}

/// Serves until `shutdown`, then answers whoever has connected, and ends.
pub async fn run(socket: Socket, broker: Broker, source: ConfigSource, descriptors: u64, shutdown: Shutdown) {
    let routes = Routes::new(broker.clone(), source, shutdown.clone());
    let server = Server::new(routes, descriptors);
    let renewals = tokio::spawn(broker.clone().renew_ahead());
    server.accept_until(&socket, shutdown.requested()).await;
    // From here on nobody new finds us; who already waits in the queue is answered.
    socket.leave();
    server.accept_queued(&socket).await;
    let closed = tokio::time::timeout(ROTATION, broker.close());
    let (_, drained) = tokio::join!(closed, server.drain(DRAIN));
    if !drained {
        tracing::warn!("connections were still open {} s after the end", DRAIN.as_secs());
    }
    renewals.abort();
}
