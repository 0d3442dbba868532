//! Attempts at one issuer that follow a failure, whichever profiles make them, in whichever process: ten a minute at most.

use super::Inner;
use super::disk::Owner;
use crate::config::Profile;
use crate::freshness::{MOST_RETRIES, RETRY_WINDOW, rest_after_failure};
use crate::ports::Moment;
use crate::seal::random_share;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What one issuer may be asked again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Budget {
    /// Boot-times of the last attempts, oldest first, and the boot they belong to.
    spent: VecDeque<Duration>,
    boot_id: String,
    /// What came of the last attempt, whoever made it. One that follows a success costs nothing: when the issuer is
    /// back, it is back for all.
    failing: bool,
    /// Requests that began and of which no end is known, by profile: under way, or cut off with their process.
    #[serde(default)]
    begun: BTreeMap<String, Begun>,
    /// The disk did not take it: what is there is older.
    #[serde(skip)]
    unwritten: bool,
}

/// So many in a row, the last of them at this boot-time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Begun {
    count: u32,
    at: Duration,
}

/// Why a request does not begin now, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Too many have failed in the last minute.
    Spent(Duration),
    /// The last one was cut off: whoever begins anew after each crash asks as rarely as one who is told no.
    CutOff(Duration),
}

/// How long another process's change is waited for. What is lost without is the exact count.
const TURN: Duration = Duration::from_millis(500);

impl Inner {
    /// Changes what this issuer may be asked again, for every process: else a crash loop, or commands where no daemon
    /// runs, would each begin with a full budget.
    pub(super) async fn budget<T>(&self, issuer: &str, change: impl FnOnce(&mut Budget) -> T) -> T {
        let _turn = self.budget_turn(issuer).await;
        let owner = issuer.to_owned();
        let stored = self.disk.run(move |cache| cache.budget(&owner)).await.ok().flatten();
        let stored = stored.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let (done, changed) = {
            let mut state = self.lock();
            let budget = state.budgets.entry(issuer.to_owned()).or_default();
            if let Some(stored) = stored {
                budget.take_in(stored);
            }
            let before = budget.clone();
            (change(budget), (*budget != before).then(|| budget.clone()))
        };
        if let Some(budget) = changed {
            let owner = issuer.to_owned();
            let bytes = serde_json::to_vec(&budget).unwrap_or_default();
            let written = self.disk.run(move |cache| cache.write_budget(&owner, &bytes)).await;
            if let Some(budget) = self.lock().budgets.get_mut(issuer) {
                budget.unwritten = written.is_err();
            }
            self.note("failures", written.err().map(|error| error.to_string()));
        }
        done
    }

    async fn budget_turn(&self, issuer: &str) -> Option<crate::lock::Guard> {
        let end = tokio::time::Instant::now() + TURN;
        loop {
            match self.disk.try_lock(Owner::Issuer(issuer.to_owned())).await {
                Ok(Some(guard)) => return Some(guard),
                Ok(None) if tokio::time::Instant::now() < end => {
                    tokio::time::sleep(Duration::from_secs_f64(0.002 + 0.01 * random_share())).await;
                }
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Budget {
    /// Lets a request for `profile` begin, whose lock is held: one of which no end is known has none. `again`: it follows a
    /// failure.
    pub(super) fn begin(&mut self, profile: &str, again: bool, now: &Moment, jitter: f64) -> Result<(), Hold> {
        self.of_boot(now);
        let cut_off = self.begun.get(profile).copied();
        if let Some(begun) = cut_off {
            let rest = rest_after_failure(begun.count, 0, true, jitter);
            let left = rest.saturating_sub(now.boot.saturating_sub(begun.at));
            if left > Duration::ZERO {
                return Err(Hold::CutOff(left));
            }
            self.failing = true;
        }
        if again || cut_off.is_some() {
            self.spend(now).map_err(Hold::Spent)?;
        }
        let count = cut_off.map_or(1, |begun| begun.count.saturating_add(1));
        self.begun.insert(profile.to_owned(), Begun { count, at: now.boot });
        Ok(())
    }

    /// It has ended; `failed` where the issuer was asked.
    pub(super) fn end(&mut self, profile: &str, failed: Option<bool>) {
        self.begun.remove(profile);
        self.failing = failed.unwrap_or(self.failing);
    }

    fn of_boot(&mut self, now: &Moment) {
        if self.boot_id != now.boot_id {
            self.spent.clear();
            self.begun.clear();
            self.boot_id.clone_from(&now.boot_id);
        }
    }

    /// Takes an attempt out of it; where there is none left, how long until there is.
    pub(super) fn spend(&mut self, now: &Moment) -> Result<(), Duration> {
        self.of_boot(now);
        // Later than now: of another boot, on a host that does not say which it is in.
        self.spent.retain(|at| *at <= now.boot && now.boot - *at < RETRY_WINDOW);
        match self.spent.front() {
            _ if !self.failing => Ok(()),
            Some(oldest) if self.spent.len() >= MOST_RETRIES => Err((*oldest + RETRY_WINDOW).saturating_sub(now.boot)),
            _ => {
                self.spent.push_back(now.boot);
                Ok(())
            }
        }
    }

    /// Takes in what other processes made of it.
    fn take_in(&mut self, stored: Budget) {
        let mut spent = stored.spent;
        if self.unwritten && self.boot_id == stored.boot_id {
            spent.extend(&self.spent);
            spent.make_contiguous().sort_unstable();
        }
        let (failing, begun) = match self.unwritten {
            true => (self.failing, std::mem::take(&mut self.begun)),
            false => (stored.failing, stored.begun),
        };
        *self = Budget { spent, boot_id: stored.boot_id, failing, begun, unwritten: self.unwritten };
    }
}

/// Tells issuers apart: by the address that is asked, or what stands for it where the kind knows its own.
pub(super) fn issuer(profile: &Profile) -> String {
    let address = ["endpoint", "gateway"].iter().find_map(|key| profile.settings.url(key));
    address.map_or_else(
        || format!("{} {}", profile.kind.name, profile.region()),
        |address| address.origin().ascii_serialization(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::lease::tests::moment;
    use proptest::prelude::*;
    use std::path::Path;

    #[test]
    fn ten_are_given_at_once_and_the_next_a_minute_after_the_first() {
        let mut budget = Budget { failing: true, ..Budget::default() };
        for second in 0..10 {
            assert_eq!(budget.spend(&moment(second)), Ok(()));
        }
        assert_eq!(budget.spend(&moment(20)), Err(Duration::from_secs(40)));
        assert_eq!(budget.spend(&moment(60)), Ok(()));
        assert_eq!(budget.spend(&moment(60)), Err(Duration::from_secs(1)));
        budget.end("a", Some(false));
        assert_eq!([budget.spend(&moment(60)); 20], [Ok(()); 20], "the issuer is back");
    }

    #[test]
    fn what_was_cut_off_is_begun_again_after_the_rest_of_a_failure_and_rests_longer_each_time() {
        let mut budget = Budget::default();
        let begin = |budget: &mut Budget, second| budget.begin("a", false, &moment(second), 0.0);
        assert_eq!(begin(&mut budget, 0), Ok(()));
        assert_eq!(budget.begin("b", false, &moment(0), 0.0), Ok(()), "another profile's lock is another's");
        assert_eq!(begin(&mut budget, 0), Err(Hold::CutOff(Duration::from_secs(1))));
        assert_eq!(begin(&mut budget, 60), Ok(()), "after a while at once");
        let mut at = 60;
        let rests: Vec<i64> = (0..5)
            .map(|_| {
                let began = at;
                while begin(&mut budget, at).is_err() {
                    at += 1;
                }
                at - began
            })
            .collect();
        assert_eq!(rests, [1, 2, 4, 8, 8], "as after failures in a row");
        budget.end("a", Some(false));
        assert_eq!(begin(&mut budget, at), Ok(()), "its end is known");
        budget.end("a", None);
        assert!(!budget.failing, "nobody was asked, and nothing learnt");
        let rebooted = Moment { boot_id: "next".into(), ..moment(0) };
        assert_eq!(budget.begin("b", false, &rebooted, 0.0), Ok(()));
    }

    #[test]
    fn what_is_cut_off_again_and_again_spends_what_failures_spend() {
        let mut budget = Budget::default();
        for second in 0..1000 {
            let _ = budget.begin(&format!("p{}", second % 50), false, &moment(second / 20), 0.0);
        }
        assert!(budget.spent.len() <= MOST_RETRIES && budget.failing);
        assert!(matches!(budget.begin("p1", false, &moment(51), 0.0), Err(Hold::Spent(_))));
    }

    #[test]
    fn profiles_of_one_host_have_one_issuer() {
        let config = "[logins.e]\nkind = \"earthdata\"\n\
            [profiles.a]\nprovider = \"earthdata\"\nlogin = \"e\"\nendpoint = \"https://x.org/a/s3credentials\"\n\
            [profiles.b]\nprovider = \"earthdata\"\nlogin = \"e\"\nendpoint = \"https://x.org/b/s3credentials\"\n\
            [profiles.c]\nprovider = \"earthdata\"\nlogin = \"e\"\nendpoint = \"https://y.org/b/s3credentials\"\n";
        let config = Config::parse(config, Path::new("/c"), Path::new("/h")).unwrap();
        let of = |name: &str| issuer(config.profile(name).unwrap());
        assert_eq!((of("a"), of("a") == of("b"), of("b") == of("c")), ("https://x.org".to_owned(), true, false));
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_ten(gaps in prop::collection::vec(0..30_i64, 200)) {
            let (mut budget, mut at, mut given) = (Budget { failing: true, ..Budget::default() }, 0, Vec::new());
            for gap in gaps {
                at += gap;
                match budget.spend(&moment(at)) {
                    Ok(()) => given.push(at),
                    Err(wait) => prop_assert!((1..=60).contains(&wait.as_secs())),
                }
            }
            prop_assert!(given.windows(11).all(|window| window[10] - window[0] >= 60));
        }
    }
}
