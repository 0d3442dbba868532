//! What came of each request, and when: whether two were in hand at once, and which came after a failure.

use jiff::Timestamp;
use std::sync::{Mutex, MutexGuard};

/// A request, from its last byte to its answer's first, by the stand-in's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub path: String,
    pub began: Timestamp,
    /// None while it is in hand.
    pub ended: Option<Timestamp>,
    pub fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Not answered yet; or, if it ended, not any more: whoever asked has left.
    Unanswered,
    /// As in good health, and with status 200.
    Well,
    /// In any other way, a closed connection among them.
    Badly,
}

#[derive(Debug, Default)]
pub(super) struct Traffic(Mutex<Vec<Exchange>>);

/// An exchange that is in hand; dropped, it has ended.
pub(super) struct InHand<'a> {
    traffic: &'a Traffic,
    number: usize,
    now: &'a (dyn Fn() -> Timestamp + Send + Sync),
    pub(super) fate: Fate,
}

// === impl Traffic ===

impl Traffic {
    pub(super) fn all(&self) -> Vec<Exchange> {
        self.lock().clone()
    }

    pub(super) fn begin<'a>(&'a self, path: &str, now: &'a (dyn Fn() -> Timestamp + Send + Sync)) -> InHand<'a> {
        let mut all = self.lock();
        all.push(Exchange { path: path.to_owned(), began: now(), ended: None, fate: Fate::Unanswered });
        InHand { traffic: self, number: all.len() - 1, now, fate: Fate::Unanswered }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

// === impl InHand ===

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        if let Some(exchange) = self.traffic.lock().get_mut(self.number) {
            exchange.ended = Some((self.now)());
            exchange.fate = self.fate;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bearer, get};
    use super::super::{Behaviour, Standin};
    use super::*;

    #[tokio::test]
    async fn the_fate_of_each_exchange_is_known() {
        let standin = Standin::start().await.unwrap();
        let token = bearer(&standin.mint_token("ada", 60));
        for behaviour in [Behaviour::Normal, Behaviour::ServerError500, Behaviour::Close, Behaviour::Html200] {
            standin.behave(Standin::TEA, behaviour);
            get(&standin, Standin::TEA, &token).await;
        }
        standin.behave(Standin::TEA, Behaviour::Hang);
        tokio::select! {
            _ = get(&standin, Standin::TEA, &token) => panic!("an answer"),
            () = standin.wait_for(Standin::TEA, 5) => {}
        }
        let traffic = standin.traffic();
        let fates: Vec<Fate> = traffic.iter().map(|exchange| exchange.fate).collect();
        assert_eq!(fates, [Fate::Well, Fate::Badly, Fate::Badly, Fate::Badly, Fate::Unanswered]);
        assert!(traffic[..4].iter().all(|exchange| exchange.ended.is_some_and(|ended| ended >= exchange.began)));
    }
}
