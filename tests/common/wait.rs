//! Waiting for what happens, never for a time; and always with an end.

use std::path::Path;
use std::time::{Duration, Instant};

/// Polls until `done`, for as long as a test may take.
#[track_caller]
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(30), "waiting for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What `work` returns, which must be within `limit`: a test fails where it would hang.
#[track_caller]
pub(crate) fn within<T: Send + 'static>(limit: Duration, what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    result.recv_timeout(limit).unwrap_or_else(|_| panic!("{what}: not done within {limit:?}"))
}

/// Whether `pid` has begun a flight of its own: the thread for the cache is there.
pub(crate) fn has_a_flight(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut names = threads.map(|thread| std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default());
    names.any(|name| name.trim_end() == "cache")
}

/// Connections that the listener at `socket` has taken, or has waiting: the kernel names its ends after it.
pub(crate) fn connections(socket: &Path) -> usize {
    let table = std::fs::read_to_string("/proc/net/unix").unwrap();
    let ours = table.lines().filter(|line| line.ends_with(socket.to_str().unwrap()));
    // The flags of a listening socket.
    ours.filter(|line| line.split_whitespace().nth(3) != Some("00010000")).count()
}
