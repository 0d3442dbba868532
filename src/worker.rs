//! A thread of its own for what may block: a keyring, a file lock, an fsync on a disk that does not answer.
//!
//! Not tokio's blocking pool: that one waits for its threads at the end, and grows with every call that hangs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tokio::sync::{Mutex, oneshot};
use tokio::time::{Instant, timeout_at};

/// One thread, started at the first job and kept between jobs; one job at a time.
///
/// A job that outlives its limit takes the thread with it: the thread ends when the job does, the next job gets
/// another. Three such threads may be alive (or as many as there is room for); beyond that nothing is started any more.
#[derive(Debug)]
pub struct Worker {
    name: &'static str,
    room: usize,
    /// Locked by the caller whose turn it is, for as long as its job takes.
    threads: Mutex<Threads>,
}

/// Why a job has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// The limit is over, or too many jobs hang already. A job that had started goes on; one that had not never will.
    #[error("no answer in time")]
    Hung,
    #[error("a bug: the job panicked")]
    Panicked,
}

#[derive(Debug, Default)]
struct Threads {
    current: Option<Thread>,
    abandoned: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Thread {
    jobs: mpsc::Sender<Job>,
    handle: JoinHandle<()>,
}

type Job = Box<dyn FnOnce() + Send>;

/// Threads that hang. More would tell nothing new about what they hang on.
const MOST_ABANDONED: usize = 3;

// === impl Worker ===

impl Worker {
    pub fn new(name: &'static str) -> Worker {
        Worker::with_room(name, MOST_ABANDONED)
    }

    /// One of which `room` threads may hang.
    pub fn with_room(name: &'static str, room: usize) -> Worker {
        Worker { name, room, threads: Mutex::default() }
    }

    /// The result of `job`, which waits for its turn and runs within `limit` in all.
    ///
    /// When this future is dropped, a job that has started goes on, and one that has not never runs.
    pub async fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Stuck> {
        let deadline = Instant::now() + limit;
        let mut threads = timeout_at(deadline, self.threads.lock()).await.map_err(|_| Stuck::Hung)?;
        let thread = threads.ready(self.name, self.room).ok_or(Stuck::Hung)?;
        let (answer, result) = oneshot::channel();
        let queued = thread.jobs.send(Box::new(move || {
            // The caller may have left while the job of one that left before was still running.
            if !answer.is_closed() {
                let _ = answer.send(job());
            }
        }));
        queued.map_err(|_| Stuck::Panicked)?;
        match timeout_at(deadline, result).await {
            Ok(Ok(value)) => Ok(value),
            // A job that panics drops its end of the channel.
            Ok(Err(_)) => Err(Stuck::Panicked),
            Err(_) => {
                threads.abandon();
                Err(Stuck::Hung)
            }
        }
    }
}

// === impl Threads ===

impl Threads {
    /// The thread for the next job; None where too many hang, or the system gives us none.
    fn ready(&mut self, name: &str, room: usize) -> Option<&Thread> {
        self.abandoned.retain(|handle| !handle.is_finished());
        if self.current.is_none() && self.abandoned.len() < room {
            let (jobs, inbox) = mpsc::channel::<Job>();
            let run = move || {
                for job in inbox {
                    let _ = catch_unwind(AssertUnwindSafe(job));
                }
            };
            let handle = Builder::new().name(name.to_owned()).spawn(run).ok()?;
            self.current = Some(Thread { jobs, handle });
        }
        self.current.as_ref()
    }

    /// Dropping the sender lets the thread end after its job.
    fn abandon(&mut self) {
        self.abandoned.extend(self.current.take().map(|thread| thread.handle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(30);

    fn on_tokio<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn an_idle_worker_has_no_thread_and_a_busy_one_keeps_its_own() {
        on_tokio(async {
            let worker = Worker::new("test");
            assert!(worker.threads.lock().await.current.is_none());
            let first = worker.run(LONG, || std::thread::current().id()).await.unwrap();
            let second = worker.run(LONG, || std::thread::current().id()).await.unwrap();
            assert_eq!(first, second);
            assert_ne!(first, std::thread::current().id());
        });
    }

    #[test]
    fn s22_a_job_that_hangs_costs_its_caller_the_limit_and_the_next_one_nothing() {
        on_tokio(async {
            let worker = Worker::new("test");
            let (let_go, hang) = mpsc::channel::<()>();
            assert_eq!(worker.run(SHORT, move || hang.recv()).await.err(), Some(Stuck::Hung));
            assert_eq!(worker.run(LONG, || 7).await, Ok(7));
            drop(let_go);
        });
    }

    #[test]
    fn s22_three_threads_hang_at_most_and_room_comes_back_when_one_ends() {
        on_tokio(async {
            let worker = Worker::new("test");
            let mut held = Vec::new();
            for _ in 0..MOST_ABANDONED {
                let (let_go, hang) = mpsc::channel::<()>();
                held.push(let_go);
                assert_eq!(worker.run(SHORT, move || hang.recv()).await.err(), Some(Stuck::Hung));
            }
            let refused = worker.run(LONG, || panic!("a fourth thread was started"));
            assert_eq!(refused.await.err(), Some(Stuck::Hung), "at once: the limit is long");
            held.pop();
            while worker.run(LONG, || ()).await.is_err() {
                tokio::task::yield_now().await;
            }
        });
    }

    #[test]
    fn a_job_that_panics_is_an_error_and_the_thread_lives_on() {
        on_tokio(async {
            let worker = Worker::new("test");
            let before = worker.run(LONG, || std::thread::current().id()).await;
            assert_eq!(worker.run(LONG, || panic!("on purpose")).await, Err::<(), _>(Stuck::Panicked));
            assert_eq!(worker.run(LONG, || std::thread::current().id()).await, before);
        });
    }

    #[test]
    fn a_job_whose_caller_left_before_its_turn_never_runs() {
        on_tokio(async {
            let worker = Arc::new(Worker::new("test"));
            let (let_go, hang) = mpsc::channel::<()>();
            let first = tokio::time::timeout(SHORT, worker.run(LONG, move || hang.recv())).await;
            assert!(first.is_err(), "its caller left, the job hangs on");
            let (tell, told) = mpsc::channel();
            assert!(worker.run(SHORT, move || tell.send(())).await.is_err());
            let_go.send(()).unwrap();
            assert!(told.recv().is_err(), "dropped unrun");
        });
    }
}
