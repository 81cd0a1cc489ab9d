//! Lockouts: failures in a row lock a subject for a while, longer each time, and at last for good.
//!
//! Unlike a guess budget a lockout has no window that begins with its first failure: only a success, or another
//! proof, forgets the failures. See [`Counter`] for how a try is counted: failures and tries in flight together
//! never pass the next lock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::id::Id;
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

/// The lockout of a subject: its row, and the rules by which it locks.
pub(crate) type SubjectLockout = (Id<Lockout>, LockRules);

/// A lockout is forgotten when nothing happened for so long.
const KEPT: Duration = days(400);

/// The lockout of a subject, as a counter of tries.
pub(crate) fn counted((row, rules): SubjectLockout, on_success: OnSuccess) -> Counted<Lockout> {
    Counted::new(row, rules, on_success).kept(KEPT)
}

impl Limits {
    /// The lockout of a subject, held; blank when nothing happened yet. Forgotten when nothing happened for
    /// long.
    pub(crate) fn lockout(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: Id<Lockout>,
    ) -> TxResult<Stored<Lockout>> {
        let found = self.rows.get(tx, id)?;
        let mut lockout =
            found.unwrap_or_else(|| Rows::blank(self.tenant(), Place::at(id), Lockout::default()));
        lockout.place.due = Some(now.plus(KEPT));
        Ok(lockout)
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
        (row, rules): SubjectLockout,
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
        if let Some(mut lockout) = self.rows.get::<Lockout>(tx, Id::new(id))? {
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
mod tests;
