//! Rate budgets: how many times something may happen in a span of time, exactly and over all nodes.
//!
//! A sliding log, not a fixed window: "10 in any hour" holds for every hour, wherever it starts. For
//! large numbers the log is kept in buckets, which count whole until their last moment has passed, so
//! the limit is never exceeded, only reached a little early.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::error::Refusal;
use crate::core::id::Id;
use crate::core::port::store::Kind;
use crate::core::port::store::RowId;
use crate::core::port::store::Tx;
use crate::core::port::store::TxResult;
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::limit::Limits;

/// At most `count` in any `span`. A count of zero switches the limit off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub span: Duration,
}

impl Rate {
    pub const fn per(count: u32, span: Duration) -> Self {
        Self { count, span }
    }
}

/// What happened lately to one subject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLog {
    /// (moment, how many), oldest first.
    events: Vec<(Timestamp, u32)>,
}

impl Record for RateLog {
    const KIND: Kind = "rate";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// How many times the bound of one network the larger networks around it may spend: the /64, the /56 and the /48.
const AROUND: [u32; 3] = [1, 4, 16];

/// Up to this count every event is kept by itself.
const EXACT: u32 = 256;

impl RateLog {
    /// `None` when one more event fits at `now`; else the first moment at which it would.
    pub fn full_until(&self, now: Timestamp, rates: &[Rate]) -> Option<Timestamp> {
        rates
            .iter()
            .filter(|rate| rate.count > 0)
            .filter_map(|rate| self.full(now, *rate))
            .max()
    }

    /// Adds one event and forgets what no rate looks at any more.
    pub fn add(&mut self, now: Timestamp, rates: &[Rate]) {
        let longest = rates.iter().map(|rate| rate.span).max().unwrap_or_default();
        self.events.retain(|(at, _)| at.plus(longest) > now);
        let grain = rates
            .iter()
            .map(|rate| grain(*rate))
            .max()
            .unwrap_or_default();
        // A bucket is dated by its end, so it leaves only when its last possible moment has.
        let at = if grain.is_zero() {
            now
        } else {
            bucket_end(now, grain)
        };
        match self.events.iter_mut().find(|(moment, _)| *moment == at) {
            Some((_, count)) => *count += 1,
            None => self.events.push((at, 1)),
        }
    }

    fn full(&self, now: Timestamp, rate: Rate) -> Option<Timestamp> {
        let live = || {
            self.events
                .iter()
                .filter(|(at, _)| at.plus(rate.span) > now)
        };
        let used: u32 = live().map(|(_, count)| count).sum();
        let mut over = (used + 1)
            .checked_sub(rate.count)
            .filter(|over| *over > 0)?;
        let mut moments: Vec<_> = live().copied().collect();
        moments.sort_unstable();
        for (at, count) in moments {
            if count >= over {
                return Some(at.plus(rate.span));
            }
            over -= count;
        }
        None
    }
}

impl Limits {
    pub(crate) fn rate_row(&self, name: &str, subject: &str) -> RowId {
        self.rows
            .id(RateLog::KIND, &[name.as_bytes(), subject.as_bytes()])
    }

    /// The budgets of the networks around a caller: the caller's own, and the larger ones around an IPv6 network, each
    /// with a bound of its own. Otherwise whoever has a /48, which is given away for nothing, has 65,536 budgets.
    pub(crate) fn network_rates(
        &self,
        name: &str,
        caller: &Caller,
        rate: Rate,
    ) -> Vec<(RowId, [Rate; 1])> {
        let networks = caller.counted_networks().into_iter();
        networks
            .zip(AROUND)
            .map(|(network, times)| {
                let count = rate.count.saturating_mul(times);
                (self.rate_row(name, &network), [Rate { count, ..rate }])
            })
            .collect()
    }

    /// Refuses early, before something slow is done for nothing; [`Limits::spend_rates`] decides.
    pub(crate) async fn read_rate(
        &self,
        row: RowId,
        now: Timestamp,
        rates: &[Rate],
    ) -> Result<(), Error> {
        let log = self
            .rows
            .read::<RateLog>(self.store.as_ref(), Id::new(row))
            .await?;
        match log.and_then(|log| log.full_until(now, rates)) {
            Some(until) => Err(Refusal::Limited { until }.into()),
            None => Ok(()),
        }
    }

    /// Takes one event of every budget; or refuses, takes none, and names the first moment when all have room.
    pub(crate) fn spend_rates(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        wanted: &[(RowId, &[Rate])],
    ) -> TxResult<Result<(), Refusal>> {
        let mut logs = Vec::new();
        let mut latest = None;
        for (row, rates) in wanted
            .iter()
            .filter(|(_, rates)| rates.iter().any(|rate| rate.count > 0))
        {
            let log = self.rows.get::<RateLog>(tx, Id::new(*row))?;
            let until = log.as_ref().and_then(|log| log.full_until(now, rates));
            latest = latest.max(until);
            logs.push((*row, *rates, log));
        }
        if let Some(until) = latest {
            return Ok(Err(Refusal::Limited { until }));
        }
        for (row, rates, log) in logs {
            let longest = rates.iter().map(|rate| rate.span).max().unwrap_or_default();
            let due = now.plus(longest.saturating_mul(2));
            if let Some(mut log) = log {
                log.add(now, rates);
                log.place.due = Some(due);
                self.rows.put(tx, &mut log)?;
            } else {
                let mut log = RateLog::default();
                log.add(now, rates);
                self.rows
                    .create(tx, self.tenant(), Place::at(row).due(due), log)?;
            }
        }
        Ok(Ok(()))
    }
}

fn grain(rate: Rate) -> Duration {
    if rate.count > EXACT {
        rate.span / 256
    } else {
        Duration::ZERO
    }
}

fn bucket_end(now: Timestamp, grain: Duration) -> Timestamp {
    let grain = i64::try_from(grain.as_millis()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_millis((now.millis().div_euclid(grain) + 1) * grain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::time::hours;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)
    }

    #[test]
    fn the_limit_holds_in_every_span_and_names_the_first_free_moment() {
        let rates = [Rate::per(2, hours(1)), Rate::per(3, hours(24))];
        let mut log = RateLog::default();
        for moment in [at(0), at(1800)] {
            assert_eq!(log.full_until(moment, &rates), None);
            log.add(moment, &rates);
        }
        assert_eq!(log.full_until(at(1801), &rates), Some(at(3600)));
        assert_eq!(log.full_until(at(3600), &rates), None);
        log.add(at(3600), &rates);
        // Now both spans are full; the later of the two moments counts.
        assert_eq!(log.full_until(at(3601), &rates), Some(at(86_400)));
        assert_eq!(log.full_until(at(86_400), &rates), None);
    }

    #[test]
    fn zero_is_off() {
        let rates = [Rate::per(0, hours(1))];
        let mut log = RateLog::default();
        for second in 0..100 {
            log.add(at(second), &rates);
        }
        assert_eq!(log.full_until(at(100), &rates), None);
    }

    #[test]
    fn large_counts_use_few_buckets_and_never_pass_the_limit() {
        let rates = [Rate::per(1000, hours(24))];
        let mut log = RateLog::default();
        let mut admitted = 0;
        for second in 0..5000 {
            if log.full_until(at(second), &rates).is_none() {
                log.add(at(second), &rates);
                admitted += 1;
            }
        }
        assert_eq!(admitted, 1000);
        assert!(log.events.len() < 300);
        let free = log.full_until(at(5000), &rates).unwrap();
        assert!(free > at(86_400) && free <= at(86_400 + 400));
    }

    #[test]
    fn an_event_leaves_its_span_exactly_at_its_end() {
        let rates = [Rate::per(1, hours(1))];
        let mut log = RateLog::default();
        assert_eq!(log.full_until(at(0), &rates), None);
        log.add(at(0), &rates);
        let end = at(3600);
        let just_before = Timestamp::from_millis(end.millis() - 1);
        assert_eq!(log.full_until(just_before, &rates), Some(end));
        assert_eq!(log.full_until(end, &rates), None);
    }

    #[test]
    fn events_that_no_rate_counts_any_more_are_forgotten() {
        let rates = [Rate::per(5, hours(1)), Rate::per(9, hours(24))];
        let mut log = RateLog::default();
        log.add(at(0), &rates);
        log.add(at(86_399), &rates);
        assert_eq!(
            log.events.len(),
            2,
            "the longer rate still counts the first"
        );
        log.add(at(86_400), &rates);
        assert_eq!(log.events.len(), 2);
    }

    #[test]
    fn events_of_one_moment_share_an_entry_and_count_each() {
        let rates = [Rate::per(3, hours(1))];
        let mut log = RateLog::default();
        for _ in 0..3 {
            assert_eq!(log.full_until(at(0), &rates), None);
            log.add(at(0), &rates);
        }
        assert_eq!(log.events, [(at(0), 3)]);
        assert_eq!(log.full_until(at(1), &rates), Some(at(3600)));
    }

    #[test]
    fn a_lower_limit_waits_for_as_many_events_as_are_too_many() {
        let mut log = RateLog::default();
        for second in 0..5 {
            log.add(at(second), &[Rate::per(5, hours(1))]);
        }
        // Four of five must leave before one more fits into two.
        let lower = [Rate::per(2, hours(1))];
        assert_eq!(log.full_until(at(10), &lower), Some(at(3603)));
    }

    #[test]
    fn only_counts_above_the_exact_ones_are_kept_in_buckets() {
        assert_eq!(grain(Rate::per(EXACT, hours(1))), Duration::ZERO);
        assert_eq!(grain(Rate::per(EXACT + 1, hours(1))), hours(1) / 256);
    }

    proptest! {
        #[test]
        fn a_bucket_ends_after_its_events_and_at_most_a_grain_later(
            now in 0_i64..4_000_000_000_000,
            grain in 1_u64..10_000_000,
        ) {
            let (now, grain) = (Timestamp::from_millis(now), Duration::from_millis(grain));
            let end = bucket_end(now, grain);
            prop_assert!(now < end && end <= now.plus(grain));
        }

        #[test]
        fn no_span_holds_more_events_than_its_rate_allows(
            pauses in proptest::collection::vec(0_i64..2_000, 1..400),
            count in 1_u32..6,
            second in prop_oneof![Just(None), (300_u32..320).prop_map(Some)],
        ) {
            let rates = [Rate::per(count, hours(1)), Rate::per(second.unwrap_or(9), hours(24))];
            let (mut log, mut now, mut admitted) = (RateLog::default(), 0, Vec::new());
            for pause in pauses {
                now += pause;
                if log.full_until(at(now), &rates).is_none() {
                    log.add(at(now), &rates);
                    admitted.push(at(now));
                }
            }
            for rate in rates {
                for (number, first) in admitted.iter().enumerate() {
                    let held = admitted[number..].iter().filter(|at| **at < first.plus(rate.span));
                    prop_assert!(held.count() <= rate.count as usize);
                }
            }
        }

        #[test]
        fn the_moment_that_a_refusal_names_is_the_first_with_room(
            pauses in proptest::collection::vec(0_i64..900, 1..60),
            count in 1_u32..8,
        ) {
            let rates = [Rate::per(count, hours(1))];
            let (mut log, mut now) = (RateLog::default(), 0);
            for pause in pauses {
                now += pause;
                match log.full_until(at(now), &rates) {
                    None => log.add(at(now), &rates),
                    Some(free) => {
                        prop_assert_eq!(log.full_until(free, &rates), None);
                        let before = Timestamp::from_millis(free.millis() - 1);
                        prop_assert_eq!(log.full_until(before, &rates), Some(free));
                    }
                }
            }
        }
    }
}
