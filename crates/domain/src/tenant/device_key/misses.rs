//! How many wrong signatures a key may have in a minute.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::error::Refusal;
use crate::core::time::Timestamp;

/// The wrong signatures of one minute, which begins with the first of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Misses {
    since: Option<Timestamp>,
    count: u32,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Misses {
    pub(super) const NONE: Self = Self {
        since: None,
        count: 0,
    };

    pub(super) fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// The end of the running minute if it has seen `limit` wrong signatures. A limit of 0 is no limit.
    fn full_until(self, now: Timestamp, limit: u32) -> Option<Timestamp> {
        let end = self.since?.plus(MINUTE);
        (limit > 0 && self.count >= limit && now < end).then_some(end)
    }

    /// `Limited` if the running minute has seen `limit` wrong signatures.
    pub(super) fn check(self, now: Timestamp, limit: u32) -> Result<(), Refusal> {
        match self.full_until(now, limit) {
            Some(until) => Err(Refusal::Limited { until }),
            None => Ok(()),
        }
    }

    /// Counts one wrong signature. One after the end of the minute begins the next minute.
    pub(super) fn one_more(self, now: Timestamp) -> Self {
        match self.since {
            Some(since) if now < since.plus(MINUTE) => Self {
                count: self.count + 1,
                ..self
            },
            _ => Self {
                since: Some(now),
                count: 1,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)
    }

    #[test]
    fn the_minute_begins_with_the_first_miss_and_ends_sixty_seconds_later() {
        let mut misses = Misses::NONE;
        for second in 0..3 {
            assert_eq!(misses.full_until(at(second), 3), None);
            misses = misses.one_more(at(second));
        }
        assert_eq!(misses.full_until(at(3), 3), Some(at(60)));
        assert_eq!(misses.full_until(at(59), 3), Some(at(60)));
        assert_eq!(misses.full_until(at(60), 3), None);
        assert_eq!(misses.full_until(at(3), 0), None);
        assert_eq!(
            misses.one_more(at(60)),
            Misses {
                since: Some(at(60)),
                count: 1
            }
        );
    }

    #[test]
    fn a_full_minute_refuses_until_it_is_over() {
        let misses = Misses::NONE.one_more(at(0));
        assert_eq!(
            misses.check(at(30), 1),
            Err(Refusal::Limited { until: at(60) })
        );
        assert_eq!(misses.check(at(60), 1), Ok(()));
        assert_eq!(misses.check(at(30), 2), Ok(()));
        assert_eq!(Misses::NONE.check(at(0), 1), Ok(()));
    }

    #[test]
    fn only_a_key_without_wrong_signatures_has_none() {
        assert!(Misses::NONE.is_none());
        assert!(!Misses::NONE.one_more(at(0)).is_none());
    }

    proptest! {
        #[test]
        fn no_sixty_seconds_see_more_than_twice_the_limit(
            pauses in proptest::collection::vec(0_i64..40, 1..200),
            limit in 1_u32..6,
        ) {
            let (mut misses, mut now, mut counted) = (Misses::NONE, 0, Vec::new());
            for pause in pauses {
                now += pause;
                if misses.check(at(now), limit).is_ok() {
                    misses = misses.one_more(at(now));
                    counted.push(now);
                }
            }
            for begin in &counted {
                let minute = counted.iter().filter(|at| (*begin..begin + 60).contains(*at));
                prop_assert!(minute.count() <= 2 * limit as usize, "{:?}", counted);
            }
        }

        #[test]
        fn a_refusal_names_the_first_moment_at_which_a_check_is_made_again(
            pauses in proptest::collection::vec(0_i64..40, 1..60),
            limit in 1_u32..6,
        ) {
            let (mut misses, mut now) = (Misses::NONE, 0);
            for pause in pauses {
                now += pause;
                match misses.full_until(at(now), limit) {
                    None => misses = misses.one_more(at(now)),
                    Some(until) => {
                        let before = Timestamp::from_millis(until.millis() - 1);
                        prop_assert_eq!(misses.full_until(until, limit), None);
                        prop_assert_eq!(misses.full_until(before, limit), Some(until));
                    }
                }
            }
        }
    }
}
