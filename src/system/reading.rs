//! Reads of files: each directory's on a thread of its own, so that a mount that hangs stops its own files and no others.

use crate::worker::{Stuck, Worker};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// While a read hangs, its directory's others are refused at once: one thread hangs for each directory, and no more.
#[derive(Debug)]
pub(super) struct Reading {
    name: &'static str,
    /// Of directories in which something is read, or hangs. Locked to look up, never across an await.
    busy: Mutex<HashMap<PathBuf, Arc<Worker>>>,
}

impl Reading {
    /// `name` is the threads'.
    pub(super) fn new(name: &'static str) -> Reading {
        Reading { name, busy: Mutex::default() }
    }

    /// The result of `job`, which reads `path`, within `limit`.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        path: &Path,
        limit: Duration,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Stuck> {
        let directory = path.parent().unwrap_or(path);
        let new = || Arc::new(Worker::with_room(self.name, 1));
        let worker = self.busy().entry(directory.to_owned()).or_insert_with(new).clone();
        let read = worker.run(limit, job).await;
        let mut busy = self.busy();
        drop(worker);
        if read.is_ok() && busy.get(directory).is_some_and(|worker| Arc::strong_count(worker) == 1) {
            busy.remove(directory);
        }
        read
    }

    fn busy(&self) -> MutexGuard<'_, HashMap<PathBuf, Arc<Worker>>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(30);

    #[tokio::test]
    async fn s22_mounts_that_hang_stop_their_own_files_and_no_others() {
        let reading = Reading::new("test");
        let mut held = Vec::new();
        for mount in ["/a", "/b", "/c", "/d", "/e"] {
            let (let_go, hang) = mpsc::channel::<()>();
            held.push(let_go);
            let file = Path::new(mount).join("token");
            assert_eq!(reading.run(&file, SHORT, move || hang.recv()).await.err(), Some(Stuck::Hung));
            let other = Path::new(mount).join("other");
            let refused = reading.run(&other, LONG, || panic!("another thread was started"));
            assert_eq!(refused.await.err(), Some(Stuck::Hung), "at once: the limit is long");
        }
        assert_eq!(reading.run(Path::new("/home/token"), LONG, || 7).await, Ok(7));
        held.clear();
        while reading.run(Path::new("/a/token"), LONG, || ()).await.is_err() {
            tokio::task::yield_now().await;
        }
        let left: Vec<PathBuf> = reading.busy().keys().cloned().collect();
        assert!(!left.iter().any(|place| place == Path::new("/home") || place == Path::new("/a")), "{left:?}");
    }
}
