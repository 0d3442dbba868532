//! Attempts at one issuer that follow a failure, whichever profiles make them: ten a minute at most.

use crate::config::Profile;
use crate::freshness::{MOST_RETRIES, RETRY_WINDOW};
use crate::ports::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// What one issuer may be asked again.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// Boot-times of the last attempts, oldest first.
    spent: VecDeque<Duration>,
    /// What came of the last attempt, whoever made it. One that follows a success costs nothing: when the issuer is
    /// back, it is back for all.
    failing: bool,
}

impl Budget {
    /// Takes an attempt out of it; where there is none left, how long until there is.
    pub(super) fn spend(&mut self, now: &Moment) -> Result<(), Duration> {
        while self.spent.front().is_some_and(|at| now.boot.saturating_sub(*at) >= RETRY_WINDOW) {
            self.spent.pop_front();
        }
        match self.spent.front() {
            _ if !self.failing => Ok(()),
            Some(oldest) if self.spent.len() >= MOST_RETRIES => Err((*oldest + RETRY_WINDOW).saturating_sub(now.boot)),
            _ => {
                self.spent.push_back(now.boot);
                Ok(())
            }
        }
    }

    pub(super) fn note(&mut self, failed: bool) {
        self.failing = failed;
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
        budget.note(false);
        assert_eq!([budget.spend(&moment(60)); 20], [Ok(()); 20], "the issuer is back");
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
