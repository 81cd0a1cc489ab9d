//! Lockouts: failures in a row lock a subject for a while, longer each time, and at last for good.
//!
//! Unlike a guess budget a lockout has no window that begins with its first failure: only a success, or another
//! proof, forgets the failures. See [`Counter`] for how a try is counted: failures and tries in flight together
//! never pass the next lock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Rows, Stored};
use crate::core::time::{Timestamp, days};
use crate::limit::Limits;
use crate::limit::budget::RESERVATION_LIFE;
use crate::limit::counted::{Counted, OnSuccess};
use crate::limit::counter::{Counter, Reserve, TryId};
use crate::trail::jobs::Chores;
use crate::trail::rollback::Lost;

/// How long the locks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    Flat,
    /// Each lock is twice as long as the one before, at most so long.
    Doubling {
        longest: Duration,
    },
}

/// The numbers of a lockout. Zero switches a number off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockRules {
    /// The first lock comes with so many failures in a row,
    pub first: u32,
    /// and another one with each so many more.
    pub every: u32,
    pub lock: Duration,
    pub growth: Growth,
    /// Failures in a row after which only another proof helps.
    pub hard_stop: u32,
    /// So many failures within the span lock too, in a row or not.
    pub within: Option<(u32, Duration)>,
}

impl LockRules {
    fn locks_at_all(&self) -> bool {
        self.first > 0 || self.hard_stop > 0 || self.within.is_some_and(|(count, _)| count > 0)
    }
}

/// What happened lately to one subject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lockout {
    in_a_row: u32,
    /// Moments of failures, oldest first; only those that a rule looks at.
    recent: Vec<Timestamp>,
    locked_until: Option<Timestamp>,
    in_flight: Vec<(u64, Timestamp)>,
    /// An older database was put back, and failures with the newer one are forgotten: one try is left before
    /// the next lock.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    last_try: bool,
    /// The era whose beginning limited this lockout to one try last.
    #[serde(rename = "burned", default, skip_serializing_if = "Option::is_none")]
    limited_in: Option<u64>,
}

impl Record for Lockout {
    const KIND: Kind = "lockout";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Limited;
}

impl Lockout {
    /// Until when nothing may be checked.
    pub fn locked(&self, now: Timestamp, rules: &LockRules) -> Option<Timestamp> {
        if rules.hard_stop > 0 && self.in_a_row >= rules.hard_stop {
            return Some(Timestamp::NEVER);
        }
        self.locked_until.filter(|until| *until > now)
    }

    fn count(&mut self, at: Timestamp, rules: &LockRules) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        let mut locks = self.last_try && rules.locks_at_all();
        self.last_try = false;
        if rules.first > 0 && self.in_a_row >= rules.first {
            let beyond = self.in_a_row - rules.first;
            locks |= beyond.is_multiple_of(rules.every.max(1));
        }
        if let Some((count, span)) = rules.within.filter(|(count, _)| *count > 0) {
            self.recent.retain(|moment| moment.plus(span) > at);
            self.recent.push(at);
            if self.recent.len() >= count as usize {
                self.recent.clear();
                locks = true;
            }
        }
        if locks {
            let until = at.plus(self.length(rules));
            self.locked_until = Some(self.locked_until.map_or(until, |known| known.max(until)));
        }
    }

    /// Takes all tries but one before the next lock, and counts the failures in a row that may be forgotten,
    /// up to the last. Once for each era.
    pub(crate) fn limit_to_one_try(&mut self, rules: &LockRules, lost: Lost) {
        if self.limited_in == Some(lost.era) {
            return;
        }
        self.limited_in = Some(lost.era);
        self.in_flight.clear();
        self.last_try = true;
        let most = rules.hard_stop.saturating_sub(1);
        if self.in_a_row >= most {
            return;
        }
        // As fast as the locks let anybody fail.
        let mut left = lost.span.unwrap_or(Duration::MAX);
        self.in_a_row = self.in_a_row.max(rules.first);
        while self.in_a_row < most {
            let (pause, failures) = match rules.within {
                Some((count, span)) => (span, count),
                None => (self.length(rules), rules.every),
            };
            self.in_a_row = self.in_a_row.saturating_add(failures.max(1)).min(most);
            match left.checked_sub(pause) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    }

    pub fn in_a_row(&self) -> u32 {
        self.in_a_row
    }

    fn length(&self, rules: &LockRules) -> Duration {
        let Growth::Doubling { longest } = rules.growth else {
            return rules.lock;
        };
        let beyond = self.in_a_row.saturating_sub(rules.first) / rules.every.max(1);
        let factor = 1_u32.checked_shl(beyond).unwrap_or(u32::MAX);
        rules.lock.saturating_mul(factor).min(longest)
    }

    /// Failures left before the next lock, if any rule counts them.
    fn left(&self, now: Timestamp, rules: &LockRules) -> Option<u32> {
        let mut left = (self.last_try && rules.locks_at_all()).then_some(1);
        let mut at_most =
            |count: u32| left = Some(left.map_or(count, |known: u32| known.min(count)));
        if rules.first > 0 {
            let beyond = self.in_a_row.saturating_sub(rules.first);
            at_most(match self.in_a_row.checked_sub(rules.first) {
                None => rules.first - self.in_a_row,
                Some(_) => rules.every.max(1) - beyond % rules.every.max(1),
            });
        }
        if rules.hard_stop > 0 {
            at_most(rules.hard_stop.saturating_sub(self.in_a_row));
        }
        if let Some((count, span)) = rules.within.filter(|(count, _)| *count > 0) {
            let live = self
                .recent
                .iter()
                .filter(|moment| moment.plus(span) > now)
                .count();
            at_most(count.saturating_sub(u32::try_from(live).unwrap_or(u32::MAX)));
        }
        left
    }
}

impl Counter for Lockout {
    type Rules = LockRules;

    const LIFE: Duration = RESERVATION_LIFE;

    fn expire(&mut self, now: Timestamp, rules: &LockRules) {
        let (lost, live): (Vec<_>, Vec<_>) = std::mem::take(&mut self.in_flight)
            .into_iter()
            .partition(|(_, at)| at.plus(RESERVATION_LIFE) <= now);
        self.in_flight = live;
        for (_, at) in lost {
            self.count(at, rules);
        }
    }

    fn reserve(&mut self, now: Timestamp, rules: &LockRules, id: TryId) -> Reserve {
        self.expire(now, rules);
        if let Some(until) = self.locked(now, rules) {
            return Reserve::Exhausted { until };
        }
        let in_flight = u32::try_from(self.in_flight.len()).unwrap_or(u32::MAX);
        if self.left(now, rules).is_some_and(|left| in_flight >= left) {
            return Reserve::Wait;
        }
        self.in_flight.push((id.0, now));
        Reserve::Granted
    }

    fn fail(&mut self, now: Timestamp, rules: &LockRules, id: TryId) {
        if let Some(at) = self
            .in_flight
            .iter()
            .position(|(flight, _)| *flight == id.0)
        {
            self.in_flight.remove(at);
            self.count(now, rules);
        }
    }

    fn withdraw(&mut self, id: TryId) {
        self.in_flight.retain(|(flight, _)| *flight != id.0);
    }

    fn clear(&mut self) {
        self.in_a_row = 0;
        self.recent.clear();
        self.locked_until = None;
        self.last_try = false;
    }

    /// Those in a row.
    fn failures(&self) -> u32 {
        self.in_a_row
    }
}

/// A lockout and its rules: what a try draws on.
pub(crate) type Drawn = (RowId, LockRules);

/// A lockout is forgotten when nothing happened for so long.
const KEPT: Duration = days(400);

/// The lockout `drawn`, as that by which a try is counted.
pub(crate) fn counted((row, rules): Drawn, on_success: OnSuccess) -> Counted<Lockout> {
    Counted::new(row, rules, on_success).kept(KEPT)
}

impl Limits {
    /// The lockout of a subject, held; blank when nothing happened yet. Forgotten when nothing happened for
    /// long.
    pub(crate) fn lockout(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: RowId,
    ) -> TxResult<Stored<Lockout>> {
        let found = self.rows.get::<Lockout>(tx, &id)?;
        let mut lockout =
            found.unwrap_or_else(|| Rows::blank(self.tenant(), Place::at(id), Lockout::default()));
        lockout.place.due = Some(now.plus(KEPT));
        Ok(lockout)
    }

    /// Forgets the failures of a subject that has proved all it had to.
    pub(crate) fn forget_failures(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        (row, _): Drawn,
    ) -> TxResult<()> {
        let mut lockout = self.lockout(tx, now, row)?;
        lockout.clear();
        self.rows.put(tx, &mut lockout)
    }
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    Yes,
    No,
}

/// Of a lockout whose subject cannot be told; those of accounts were limited with their accounts.
const UNKNOWN_RULES: LockRules = LockRules {
    first: 0,
    every: 0,
    lock: Duration::ZERO,
    growth: Growth::Flat,
    hard_stop: 0,
    within: None,
};

impl Limits {
    /// Leaves one try before the next lock of the lockout at `row`.
    pub(crate) fn limit_lockout_to_one_try(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        lost: Lost,
        (row, rules): Drawn,
    ) -> TxResult<()> {
        let mut lockout = self.lockout(tx, now, row)?;
        let before = lockout.value.clone();
        lockout.limit_to_one_try(&rules, lost);
        if lockout.value != before {
            self.rows.put(tx, &mut lockout)?;
        }
        Ok(())
    }
}

impl Chores for Limits {
    fn after_rollback(
        &self,
        tx: &mut dyn Tx,
        _now: Timestamp,
        lost: Lost,
        (kind, id): (Kind, RowId),
    ) -> TxResult<bool> {
        if kind != Lockout::KIND {
            return Ok(false);
        }
        if let Some(mut lockout) = self.rows.get::<Lockout>(tx, &id)? {
            let before = lockout.value.clone();
            lockout.limit_to_one_try(&UNKNOWN_RULES, lost);
            if lockout.value != before {
                self.rows.put(tx, &mut lockout)?;
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limit::counter::laws::{self, Promise};

    const MINUTE: u64 = 60_000;
    const CODES: LockRules = LockRules {
        first: 10,
        every: 5,
        lock: Duration::from_secs(900),
        growth: Growth::Doubling {
            longest: Duration::from_secs(86_400),
        },
        hard_stop: 100,
        within: None,
    };

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_millis(i64::try_from(minutes * MINUTE).unwrap())
    }

    fn failed(count: u32, rules: &LockRules) -> Lockout {
        let mut lockout = Lockout::default();
        for _ in 0..count {
            lockout.count(at(0), rules);
        }
        lockout
    }

    #[test]
    fn after_a_rollback_a_lockout_has_one_try_before_its_next_lock_once_for_each_era() {
        let lost = |era: u64, hours: u64| Lost {
            era,
            span: Some(Duration::from_secs(hours * 3_600)),
        };
        let mut lockout = Lockout::default();
        lockout.limit_to_one_try(&CODES, lost(1, 0));
        assert_eq!(lockout.reserve(at(0), &CODES, TryId(1)), Reserve::Granted);
        assert_eq!(lockout.reserve(at(0), &CODES, TryId(2)), Reserve::Wait);
        lockout.fail(at(0), &CODES, TryId(1));
        assert!(lockout.locked(at(0), &CODES).is_some());
        let spent = lockout.clone();
        lockout.limit_to_one_try(&CODES, lost(1, 0));
        assert_eq!(lockout, spent);
        let mut lockout = Lockout::default();
        lockout.limit_to_one_try(&CODES, lost(1, 0));
        assert_eq!(lockout.reserve(at(0), &CODES, TryId(1)), Reserve::Granted);
        lockout.succeed(TryId(1));
        assert_eq!(lockout.left(at(0), &CODES), Some(10));
        // What the locks let anybody fail in a day, and never the last.
        let mut day = Lockout::default();
        day.limit_to_one_try(&CODES, lost(1, 24));
        assert!((30..60).contains(&day.in_a_row()), "{}", day.in_a_row());
        let mut years = Lockout::default();
        years.limit_to_one_try(&CODES, lost(1, 24 * 1_000));
        assert_eq!(years.in_a_row(), 99);
        let mut untold = Lockout::default();
        untold.limit_to_one_try(&CODES, Lost { era: 1, span: None });
        assert_eq!(untold.in_a_row(), 99);
    }

    #[test]
    fn locks_double_from_the_tenth_failure_to_a_day_and_the_hundredth_is_the_last() {
        assert_eq!(failed(9, &CODES).locked(at(0), &CODES), None);
        for (failures, minutes) in [
            (10, 15),
            (14, 15),
            (15, 30),
            (20, 60),
            (45, 1440),
            (99, 1440),
        ] {
            let lockout = failed(failures, &CODES);
            assert_eq!(
                lockout.locked(at(0), &CODES),
                Some(at(minutes)),
                "{failures}"
            );
            assert_eq!(lockout.locked(at(minutes), &CODES), None);
        }
        assert_eq!(
            failed(100, &CODES).locked(at(9999), &CODES),
            Some(Timestamp::NEVER)
        );
    }

    #[test]
    fn a_success_forgets_and_a_lost_try_counts() {
        let mut lockout = failed(8, &CODES);
        assert_eq!(lockout.reserve(at(0), &CODES, TryId(1)), Reserve::Granted);
        assert_eq!(lockout.reserve(at(0), &CODES, TryId(2)), Reserve::Granted);
        assert_eq!(lockout.reserve(at(0), &CODES, TryId(3)), Reserve::Wait);
        assert_eq!(
            lockout.reserve(at(1), &CODES, TryId(4)),
            Reserve::Exhausted { until: at(15) }
        );
        lockout.succeed(TryId(2));
        assert_eq!(lockout.in_a_row(), 0);
        assert_eq!(lockout.locked(at(1), &CODES), None);
    }

    #[test]
    fn fifty_within_an_hour_lock_in_a_row_or_not() {
        let rules = LockRules {
            first: 0,
            every: 0,
            growth: Growth::Flat,
            within: Some((50, Duration::from_secs(3600))),
            ..CODES
        };
        let mut lockout = failed(49, &rules);
        assert_eq!(lockout.locked(at(0), &rules), None);
        lockout.count(at(60), &rules);
        assert_eq!(lockout.locked(at(60), &rules), None);
        assert_eq!(failed(50, &rules).locked(at(0), &rules), Some(at(15)));
    }

    /// Tries that were lost count from the moment when they were reserved, and so does the lock that they bring.
    fn promises(rules: &LockRules) -> [Promise; 2] {
        [
            Promise {
                failures: rules.first.max(rules.every) as usize,
                span: rules.lock.saturating_sub(RESERVATION_LIFE),
            },
            Promise {
                failures: rules.hard_stop as usize,
                span: days(36_500),
            },
        ]
    }

    /// Until when nothing may be checked, worked out from the whole history.
    fn model(wrong: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
        if wrong.len() >= 100 {
            return Some(Timestamp::NEVER);
        }
        let locks = wrong.iter().skip(9).step_by(5).zip(0..);
        locks
            .map(|(moment, earlier)| {
                let length = CODES.lock * 2_u32.pow(std::cmp::min(earlier, 10));
                moment.plus(length.min(Duration::from_hours(24)))
            })
            .filter(|until| *until > now)
            .max()
    }

    proptest! {
        #[test]
        fn the_lockout_agrees_with_a_replay_of_its_history(answers in laws::answers(20_000)) {
            laws::agrees_with::<Lockout>(&CODES, model, &answers)?;
        }

        #[test]
        fn no_schedule_judges_more_than_lead_to_the_next_lock(schedule in laws::schedule(4_000)) {
            laws::keeps::<Lockout>(&CODES, &promises(&CODES), &schedule)?;
        }

        #[test]
        fn a_try_that_is_given_back_leaves_no_trace(schedule in laws::schedule(4_000)) {
            laws::withdrawing_leaves_no_trace::<Lockout>(&CODES, &schedule)?;
        }

        #[test]
        fn a_right_try_forgets_the_wrong_ones(schedule in laws::schedule(4_000)) {
            laws::a_success_forgets::<Lockout>(&CODES, &schedule)?;
        }
    }
}
