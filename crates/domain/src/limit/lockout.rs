//! Lockouts: failures in a row lock a subject for a while, longer each time, and at last for good.
//!
//! Unlike a guess budget a lockout has no window from its first failure: only a success, or another
//! proof, forgets the failures. Slow checks reserve a try first, as there: failures and tries in flight
//! together never pass the next lock, on however many nodes.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Rows, Stored};
use crate::core::time::{Timestamp, days};
use crate::limit::Limits;
use crate::limit::budget::RESERVATION_LIFE;
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
    /// The era whose beginning burned this lockout last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    burned: Option<u64>,
}

impl Record for Lockout {
    const KIND: Kind = "lockout";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Limited;
}

/// The answer to the wish to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Try {
    Granted,
    Locked {
        until: Timestamp,
    },
    /// What is left before the next lock is in flight with others.
    Wait,
}

impl Lockout {
    /// Until when nothing may be checked.
    pub fn locked(&self, now: Timestamp, rules: &LockRules) -> Option<Timestamp> {
        if rules.hard_stop > 0 && self.in_a_row >= rules.hard_stop {
            return Some(Timestamp::NEVER);
        }
        self.locked_until.filter(|until| *until > now)
    }

    /// Takes one try under the name `id`.
    pub fn reserve(&mut self, now: Timestamp, rules: &LockRules, id: u64) -> Try {
        self.expire(now, rules);
        if let Some(until) = self.locked(now, rules) {
            return Try::Locked { until };
        }
        let in_flight = u32::try_from(self.in_flight.len()).unwrap_or(u32::MAX);
        if self.left(now, rules).is_some_and(|left| in_flight >= left) {
            return Try::Wait;
        }
        self.in_flight.push((id, now));
        Try::Granted
    }

    /// The try `id` was wrong. One that expired was counted then.
    pub fn fail(&mut self, now: Timestamp, rules: &LockRules, id: u64) {
        if let Some(at) = self.in_flight.iter().position(|(flight, _)| *flight == id) {
            self.in_flight.remove(at);
            self.count(now, rules);
        }
    }

    /// The try `id` was right: the failures are forgotten.
    pub fn succeed(&mut self, id: u64) {
        self.give_back(id);
        self.clear();
    }

    /// The try `id` was right, and there is more to prove: it costs nothing and forgets nothing.
    pub fn give_back(&mut self, id: u64) {
        self.in_flight.retain(|(flight, _)| *flight != id);
    }

    /// Counts a failure that was judged at once, without a reservation.
    pub fn count(&mut self, at: Timestamp, rules: &LockRules) {
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

    /// Forgets the failures, after another proof. Tries in flight stay.
    pub fn clear(&mut self) {
        self.in_a_row = 0;
        self.recent.clear();
        self.locked_until = None;
        self.last_try = false;
    }

    /// Takes all tries but one before the next lock, and counts the failures in a row that may be forgotten,
    /// up to the last. Once for each era.
    pub(crate) fn burn(&mut self, rules: &LockRules, lost: Lost) {
        if self.burned == Some(lost.era) {
            return;
        }
        self.burned = Some(lost.era);
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

    fn expire(&mut self, now: Timestamp, rules: &LockRules) {
        let over = |(_, at): &(u64, Timestamp)| at.plus(RESERVATION_LIFE) <= now;
        let lost: Vec<_> = self
            .in_flight
            .iter()
            .copied()
            .filter(|flight| over(flight))
            .collect();
        self.in_flight.retain(|flight| !over(flight));
        for (_, at) in lost {
            self.count(at, rules);
        }
    }
}

/// A lockout and its rules: what a try draws on.
pub(crate) type Drawn = (RowId, LockRules);

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
        lockout.place.due = Some(now.plus(days(400)));
        Ok(lockout)
    }

    /// Takes one try of every lockout named, or none; waits while what is left is in flight elsewhere.
    pub(crate) async fn reserve_try(self: &Arc<Self>, drawn: &[Drawn]) -> Result<u64, Error> {
        let mut waited = Duration::ZERO;
        loop {
            let (now, id) = (self.now(), self.random_u64());
            let all = drawn.to_vec();
            let taken = self
                .write(move |hub, tx| hub.reserve_all(tx, now, &all, id))
                .await?;
            match taken {
                Try::Granted => return Ok(id),
                Try::Locked { until } => return Err(Refusal::Exhausted { until }.into()),
                Try::Wait if waited > self.shared.wait => {
                    return Err(Error::Busy { seconds: 1 });
                }
                Try::Wait => {
                    let pause = Duration::from_millis(5 + id % 20);
                    waited += pause;
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "waits for a try in flight on another node"
                    )]
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    fn reserve_all(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        wanted: &[Drawn],
        id: u64,
    ) -> TxResult<Try> {
        let mut taken = Vec::with_capacity(wanted.len());
        let mut answer = Try::Granted;
        for (row, rules) in wanted {
            let mut lockout = self.lockout(tx, now, *row)?;
            match (lockout.reserve(now, rules, id), answer) {
                (Try::Locked { until }, Try::Locked { until: known }) => {
                    answer = Try::Locked {
                        until: until.max(known),
                    };
                }
                (locked @ Try::Locked { .. }, _) => answer = locked,
                (Try::Wait, Try::Granted) => answer = Try::Wait,
                (Try::Granted | Try::Wait, _) => {}
            }
            taken.push(lockout);
        }
        if answer == Try::Granted {
            for lockout in &mut taken {
                self.rows.put(tx, lockout)?;
            }
        }
        Ok(answer)
    }

    /// Gives a reserved try back that was not judged.
    pub(crate) async fn give_try_back(
        self: &Arc<Self>,
        drawn: Vec<Drawn>,
        id: u64,
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            for (row, _) in &drawn {
                let mut lockout = hub.lockout(tx, now, *row)?;
                lockout.give_back(id);
                hub.rows.put(tx, &mut lockout)?;
            }
            Ok(())
        })
        .await
    }

    /// Settles a reserved try.
    pub(crate) fn settle_try(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        drawn: &[Drawn],
        id: u64,
        right: Right,
        then: Then,
    ) -> TxResult<()> {
        for (row, rules) in drawn {
            let mut lockout = self.lockout(tx, now, *row)?;
            match (right, then) {
                (Right::Yes, Then::Forget) => lockout.succeed(id),
                (Right::Yes, Then::Keep) => lockout.give_back(id),
                (Right::No, _) => lockout.fail(now, rules, id),
            }
            self.rows.put(tx, &mut lockout)?;
        }
        Ok(())
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

/// What a right answer does to the failures before it.
///
/// Where one subject has several things to prove, only the last forgets. Otherwise whoever holds one of
/// them clears the count with it between guesses at the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Forget,
    Keep,
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
    pub(crate) fn burn_lockout(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        lost: Lost,
        (row, rules): Drawn,
    ) -> TxResult<()> {
        let mut lockout = self.lockout(tx, now, row)?;
        let before = lockout.value.clone();
        lockout.burn(&rules, lost);
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
            lockout.burn(&UNKNOWN_RULES, lost);
            if lockout.value != before {
                self.rows.put(tx, &mut lockout)?;
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_burned_lockout_has_one_try_before_its_next_lock_once_for_each_era() {
        let lost = |era: u64, hours: u64| Lost {
            era,
            span: Some(Duration::from_secs(hours * 3_600)),
        };
        let mut lockout = Lockout::default();
        lockout.burn(&CODES, lost(1, 0));
        assert_eq!(lockout.reserve(at(0), &CODES, 1), Try::Granted);
        assert_eq!(lockout.reserve(at(0), &CODES, 2), Try::Wait);
        lockout.fail(at(0), &CODES, 1);
        assert!(lockout.locked(at(0), &CODES).is_some());
        let spent = lockout.clone();
        lockout.burn(&CODES, lost(1, 0));
        assert_eq!(lockout, spent);
        let mut lockout = Lockout::default();
        lockout.burn(&CODES, lost(1, 0));
        assert_eq!(lockout.reserve(at(0), &CODES, 1), Try::Granted);
        lockout.succeed(1);
        assert_eq!(lockout.left(at(0), &CODES), Some(10));
        // What the locks let anybody fail in a day, and never the last.
        let mut day = Lockout::default();
        day.burn(&CODES, lost(1, 24));
        assert!((30..60).contains(&day.in_a_row()), "{}", day.in_a_row());
        let mut years = Lockout::default();
        years.burn(&CODES, lost(1, 24 * 1_000));
        assert_eq!(years.in_a_row(), 99);
        let mut untold = Lockout::default();
        untold.burn(&CODES, Lost { era: 1, span: None });
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
        assert_eq!(lockout.reserve(at(0), &CODES, 1), Try::Granted);
        assert_eq!(lockout.reserve(at(0), &CODES, 2), Try::Granted);
        assert_eq!(lockout.reserve(at(0), &CODES, 3), Try::Wait);
        assert_eq!(
            lockout.reserve(at(1), &CODES, 4),
            Try::Locked { until: at(15) }
        );
        lockout.succeed(2);
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
}
