//! Work of this process's own, where no daemon does it: whatever ends it, an exchange that was sent is stored first.

use crate::broker::Broker;
use crate::error::Error;
use crate::system::signals;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The result of `work`, which asks `broker`. Told to end, it is broken off; only what would be lost is awaited, and
/// whoever cannot wait says so a second time.
pub(super) async fn to_its_end<T>(broker: &Broker, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut told = Told::new();
    let (done, mut times) = tokio::select! {
        done = work => (done, 0),
        () = told.heard() => (Err(Error::unavailable("told to end before the answer came")), 1),
    };
    let mut close = std::pin::pin!(broker.close());
    while times < 2 {
        tokio::select! {
            () = &mut close => break,
            () = told.heard() => times += 1,
        }
    }
    done
}

/// The signals that would end us. Where one cannot be caught it does; one that is ignored for us (`nohup`) stays so, for a
/// program that we become as well.
pub(super) struct Told([Option<Signal>; 3]);

impl Told {
    pub(super) fn new() -> Told {
        let ignored = signals::ignored();
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        Told(kinds.map(|kind| if ignored.contains(&kind.as_raw_value()) { None } else { signal(kind).ok() }))
    }

    pub(super) async fn heard(&mut self) {
        async fn one(signal: &mut Option<Signal>) {
            match signal {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        }
        let [terminate, interrupt, hangup] = &mut self.0;
        tokio::select! { () = one(terminate) => {}, () = one(interrupt) => {}, () = one(hangup) => {} }
    }
}
