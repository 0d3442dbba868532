//! The connections that wait for their next request, in order: where places are short, the one that waits longest leaves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct Idle(Mutex<State>);

/// Held for look-ups, never across an await.
#[derive(Debug, Default)]
struct State {
    next: u64,
    waiting: BTreeMap<u64, Arc<Notify>>,
    /// So many places are wanted of those who come to be idle next.
    wanted: usize,
}

/// One that waits, until it is dropped.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    idle: &'a Idle,
    number: u64,
    leave: Arc<Notify>,
}

impl Idle {
    pub(super) fn enter(&self) -> Waiting<'_> {
        let (mut state, leave) = (self.lock(), Arc::new(Notify::new()));
        let number = state.next;
        state.next += 1;
        if state.wanted > 0 {
            state.wanted -= 1;
            leave.notify_one();
        } else {
            state.waiting.insert(number, leave.clone());
        }
        Waiting { idle: self, number, leave }
    }

    /// Tells the one that waits longest to leave; if none waits, the next that would. False if none waits.
    pub(super) fn make_room(&self) -> bool {
        let mut state = self.lock();
        match state.waiting.pop_first() {
            Some((_, leave)) => {
                leave.notify_one();
                true
            }
            None => {
                state.wanted = 1;
                false
            }
        }
    }

    /// A place came free by itself.
    pub(super) fn has_room(&self) {
        self.lock().wanted = 0;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting<'_> {
    pub(super) async fn place_is_wanted(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.idle.lock().waiting.remove(&self.number);
    }
}
