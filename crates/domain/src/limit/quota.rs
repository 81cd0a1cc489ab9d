//! Quotas: so many calls in each hour of the clock, exactly, over all nodes.
//!
//! A counter in the database for every call would cost a flush for every call. So a node takes calls from
//! the counter in small blocks and hands them out from memory. The blocks shrink to single calls towards
//! the end, so the limit is never passed, and reached early by a few calls at most, when another
//! node holds the rest of its last block or lost it in a crash.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::port::store::RowId;
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::limit::Limits;

const HOUR_MILLIS: i64 = 3_600_000;
/// Most calls taken at once.
const BLOCK: u32 = 16;
/// A block is at most this part of what is left.
const PART: u32 = 32;
/// Subjects remembered before those of past hours are forgotten.
const REMEMBERED: usize = 4096;

/// The calls of one subject in one hour.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Used {
    calls: u32,
}

impl Record for Used {
    const KIND: Kind = "quota";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// What a subject may still do in the running hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meter {
    pub limit: u32,
    pub remaining: u32,
    /// The end of the hour.
    pub reset: Timestamp,
    /// Whether this call was within the limit.
    pub admitted: bool,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    limit: u32,
    /// Taken from the counter and not used yet.
    left: u32,
    /// Left in the counter when it was last seen.
    rest: u32,
    reset: Timestamp,
}

/// The blocks that this process holds.
#[derive(Default)]
pub(crate) struct Leases(Mutex<HashMap<RowId, Lease>>);

impl Leases {
    fn lock(&self) -> MutexGuard<'_, HashMap<RowId, Lease>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call out of the block in hand; `None` when the counter must be asked.
    fn take(&self, row: RowId, limit: u32) -> Option<Meter> {
        let mut leases = self.lock();
        let lease = leases.get_mut(&row).filter(|lease| lease.limit == limit)?;
        let over = lease.left == 0 && lease.rest == 0;
        if lease.left == 0 && !over {
            return None;
        }
        lease.left = lease.left.saturating_sub(1);
        let remaining = lease.left + lease.rest;
        Some(Meter {
            limit,
            remaining,
            reset: lease.reset,
            admitted: !over,
        })
    }

    /// Notes a block of `granted` calls, of which one is used now.
    fn refill(&self, row: RowId, now: Timestamp, granted: u32, fresh: Lease) -> Meter {
        let mut leases = self.lock();
        if leases.len() >= REMEMBERED {
            leases.retain(|_, lease| lease.reset > now);
        }
        let lease = leases.entry(row).or_insert(fresh);
        let kept = if lease.limit == fresh.limit {
            lease.left
        } else {
            0
        };
        *lease = Lease {
            left: kept + granted.saturating_sub(1),
            ..fresh
        };
        let Lease {
            limit,
            left,
            rest,
            reset,
        } = *lease;
        Meter {
            limit,
            remaining: left + rest,
            reset,
            admitted: granted > 0,
        }
    }
}

impl Limits {
    /// Counts one call of `subject` against `limit` calls an hour. A limit of zero is off.
    pub(crate) async fn spend_quota(
        self: &Arc<Self>,
        subject: RowId,
        limit: u32,
        now: Timestamp,
    ) -> Result<Meter, Error> {
        let hour = now.millis().div_euclid(HOUR_MILLIS);
        let ends = Timestamp::from_millis((hour + 1) * HOUR_MILLIS);
        if limit == 0 {
            return Ok(Meter {
                limit: u32::MAX,
                remaining: u32::MAX,
                reset: ends,
                admitted: true,
            });
        }
        let row = self.rows.id(Used::KIND, &[&subject.0, &hour.to_be_bytes()]);
        if let Some(meter) = self.leases.take(row, limit) {
            return Ok(meter);
        }
        let (granted, left) = self
            .write(move |hub, tx| {
                let found = hub.rows.get::<Used>(tx, Id::new(row))?;
                let used = found.as_ref().map_or(0, |used| used.calls);
                let left = limit.saturating_sub(used);
                let granted = block(left);
                if granted > 0 {
                    let calls = used + granted;
                    if let Some(mut found) = found {
                        found.calls = calls;
                        hub.rows.put(tx, &mut found)?;
                    } else {
                        let place = Place::at(row).due(ends);
                        hub.rows.create(tx, hub.tenant(), place, Used { calls })?;
                    }
                }
                Ok((granted, left - granted))
            })
            .await?;
        let fresh = Lease {
            limit,
            left: 0,
            rest: left,
            reset: ends,
        };
        Ok(self.leases.refill(row, now, granted, fresh))
    }
}

/// How many of the calls that the counter has left a node takes at once: fewer towards the end, and the last one by one.
fn block(left: u32) -> u32 {
    (left / PART).clamp(1, BLOCK).min(left)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROW: RowId = RowId([7; 16]);
    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn lease(limit: u32, unused: u32) -> Lease {
        Lease {
            limit,
            left: 0,
            rest: unused,
            reset: NOW.plus(crate::core::time::hours(1)),
        }
    }

    #[test]
    fn a_block_is_handed_out_and_then_the_counter_is_asked() {
        let leases = Leases::default();
        assert_eq!(leases.take(ROW, 100), None);
        let meter = leases.refill(ROW, NOW, 3, lease(100, 97));
        assert_eq!((meter.remaining, meter.admitted), (99, true));
        assert_eq!(leases.take(ROW, 100).map(|meter| meter.remaining), Some(98));
        assert_eq!(leases.take(ROW, 100).map(|meter| meter.remaining), Some(97));
        assert_eq!(leases.take(ROW, 100), None);
    }

    #[test]
    fn an_empty_counter_is_not_asked_again_until_the_limit_changes() {
        let leases = Leases::default();
        let meter = leases.refill(ROW, NOW, 0, lease(5, 0));
        assert!(!meter.admitted);
        assert!(
            leases
                .take(ROW, 5)
                .is_some_and(|meter| !meter.admitted && meter.remaining == 0)
        );
        assert_eq!(leases.take(ROW, 6), None);
    }

    #[test]
    fn blocks_shrink_to_single_calls_and_to_none() {
        for (left, taken) in [
            (0, 0),
            (1, 1),
            (63, 1),
            (64, 2),
            (511, 15),
            (512, 16),
            (u32::MAX, 16),
        ] {
            assert_eq!(block(left), taken, "{left}");
        }
    }

    #[test]
    fn what_two_calls_of_one_node_fetched_at_once_is_kept() {
        let leases = Leases::default();
        leases.refill(ROW, NOW, 3, lease(100, 97));
        let meter = leases.refill(ROW, NOW, 3, lease(100, 94));
        assert_eq!((meter.remaining, meter.admitted), (98, true));
        let later = std::iter::from_fn(|| leases.take(ROW, 100)).count();
        assert_eq!(later, 4, "six were fetched, and two of them are used");
    }

    #[test]
    fn calls_that_were_fetched_under_another_limit_are_given_up() {
        let leases = Leases::default();
        leases.refill(ROW, NOW, 3, lease(100, 97));
        let meter = leases.refill(ROW, NOW, 1, lease(50, 46));
        assert_eq!((meter.limit, meter.remaining), (50, 46));
        assert_eq!(leases.take(ROW, 50), None);
        assert_eq!(leases.take(ROW, 100), None);
    }

    #[test]
    fn subjects_of_past_hours_are_forgotten_when_there_are_many() {
        let leases = Leases::default();
        for number in 0..u128::try_from(REMEMBERED).unwrap() {
            let row = RowId(number.to_be_bytes());
            leases.refill(row, NOW, 1, lease(10, 9));
        }
        let next = NOW.plus(crate::core::time::hours(1));
        let fresh = Lease {
            reset: next.plus(crate::core::time::hours(1)),
            ..lease(10, 9)
        };
        leases.refill(ROW, next, 1, fresh);
        assert_eq!(leases.lock().len(), 1);
    }

    proptest! {
        #[test]
        fn nodes_together_admit_exactly_the_limit(
            limit in 1_u32..2_000,
            callers in proptest::collection::vec(0_usize..3, 10_000),
        ) {
            let nodes = [Leases::default(), Leases::default(), Leases::default()];
            let (mut used, mut admitted) = (0, 0);
            for node in callers {
                let meter = nodes[node].take(ROW, limit).unwrap_or_else(|| {
                    let left = limit - used;
                    let granted = block(left);
                    used += granted;
                    nodes[node].refill(ROW, NOW, granted, lease(limit, left - granted))
                });
                admitted += u32::from(meter.admitted);
                prop_assert!(admitted <= limit);
            }
            // Ten thousand calls are more than enough to use up every block of three nodes.
            prop_assert_eq!(admitted, limit);
        }
    }
}
