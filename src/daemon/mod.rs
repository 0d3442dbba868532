//! The daemon: HTTP/1 on a Unix socket, and on the loopback where the config says so, in front of the broker. Its listeners and its end come from outside.

mod client;
mod connection;
mod idle;
mod loopback;
mod reply;
mod routes;
mod serve;
mod socket;

pub use client::{Client, ClientError};
pub use routes::{ConfigSource, DaemonStatus, Refreshed, ServerStatus};
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

/// What the daemon may be told from outside, by a signal or a request. May be told before it listens.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    end: Arc<Notify>,
    reload: Arc<Notify>,
}

impl Orders {
    pub fn end(&self) {
        self.end.notify_one();
    }

    /// Read the config again; a bad one keeps the old.
    pub fn reload(&self) {
        self.reload.notify_one();
    }
}

/// Serves until it is told to end, then answers whoever has connected, and ends.
pub async fn run(socket: Socket, broker: Broker, source: ConfigSource, descriptors: u64, orders: Orders) {
    let end = orders.end.clone();
    broker.look_at_lock().await;
    let routes = Routes::new(broker.clone(), source, orders.clone());
    let room = Server::room(descriptors);
    broker.limit_waiters(room / 2);
    let server = Server::new(routes.clone(), room);
    let renewals = tokio::spawn(broker.clone().renew_ahead());
    let loopback = tokio::spawn(loopback::keep_open(routes.clone()));
    let reloads = tokio::spawn(async move {
        loop {
            orders.reload.notified().await;
            let _ = routes.reload().await;
        }
    });
    server.accept_until(&socket, end.notified()).await;
    loopback.abort();
    // From here on nobody new finds us; who already waits in the queue is answered.
    socket.leave();
    server.accept_queued(&socket);
    let closed = tokio::time::timeout(ROTATION, broker.close());
    let (_, drained) = tokio::join!(closed, server.drain(DRAIN));
    if !drained {
        tracing::warn!("connections were still open {} s after the end", DRAIN.as_secs());
    }
    renewals.abort();
    reloads.abort();
}
