//! Guess budgets: how often a short secret may be tried, exactly.
//!
//! Within one window, which begins with its first failure, no more than the limit are judged wrong; and never
//! more than a number in a row over all windows. See [`Counter`] for how a try is counted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::id::Id;
use crate::core::port::store::Kind;
use crate::core::port::store::RowId;
use crate::core::port::store::Tx;
use crate::core::port::store::TxResult;
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::limit::Limits;
use crate::limit::counted::{Counted, OnSuccess};
use crate::limit::counter::{Counter, Reserve, TryId};
use crate::trail::rollback::Lost;

/// How long a try may stay unsettled before it counts as failed.
///
/// Longer than a hash waits in the pool's bounded queue; a shorter life would fail honest guesses on a
/// loaded machine, a longer one would let a crash hold a subject's last tries for as long.
pub const RESERVATION_LIFE: Duration = Duration::from_secs(15);

/// The numbers of a budget. Zero switches a number off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuessLimits {
    /// Failures judged within one window.
    pub failures: u32,
    /// The window, from the first failure.
    pub window: Duration,
    /// Failures without any success in between, over all windows; then only recovery helps.
    pub in_a_row: u32,
}

/// The state of one subject's budget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuessBudget {
    failed: u32,
    in_a_row: u32,
    /// When the running window ends; set by its first failure.
    window_ends: Option<Timestamp>,
    /// Set when the limit was reached: no later configuration gives a guess back.
    exhausted_until: Option<Timestamp>,
    in_flight: Vec<Flight>,
    /// An older database was put back, and failures with the newer one are forgotten: one try is left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    last_try: bool,
    /// The era whose beginning limited this budget to one try last.
    #[serde(rename = "burned", default, skip_serializing_if = "Option::is_none")]
    limited_in: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Flight {
    id: u64,
    at: Timestamp,
}

impl Record for GuessBudget {
    const KIND: Kind = "guess_budget";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Limited;
}

impl GuessBudget {
    /// Until when nothing may be checked, if so. Does not look at tries in flight.
    pub fn exhausted(&self, now: Timestamp, limits: &GuessLimits) -> Option<Timestamp> {
        if limits.in_a_row > 0 && self.in_a_row >= limits.in_a_row {
            return Some(Timestamp::NEVER);
        }
        self.exhausted_until.filter(|until| *until > now)
    }

    /// Takes all tries but one, because it is not known how many were failed since: the database is an older
    /// one. Once for each era. A budget that was exhausted, and still is, could not be tried meanwhile.
    pub(crate) fn limit_to_one_try(&mut self, now: Timestamp, limits: &GuessLimits, lost: Lost) {
        if self.limited_in == Some(lost.era) {
            return;
        }
        self.limited_in = Some(lost.era);
        self.in_flight.clear();
        if self.exhausted(now, limits).is_some() {
            return;
        }
        self.last_try = true;
        self.failed = 0;
        self.window_ends = None;
        self.exhausted_until = None;
        // The window that ran then, those that passed, and the one that may run now.
        let windows = lost.span.map_or(u64::from(u32::MAX), |span| {
            span.as_secs() / limits.window.as_secs().max(1) + 2
        });
        let windows = u32::try_from(windows).unwrap_or(u32::MAX);
        let forgotten = limits.failures.saturating_mul(windows);
        let most = limits.in_a_row.saturating_sub(1);
        if limits.in_a_row > 0 {
            self.in_a_row = self.in_a_row.saturating_add(forgotten).min(most);
        }
    }

    /// Failures in the running window, for people who look after the server.
    pub fn failed(&self) -> u32 {
        self.failed
    }

    pub fn failed_in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// Takes over a count from another server: `failed` failures, the first of them at `first`.
    pub fn imported(failed: u32, first: Timestamp, limits: &GuessLimits) -> Self {
        let mut budget = Self::default();
        for _ in 0..failed.min(limits.failures.max(1)) {
            budget.count_failure(first, limits);
        }
        budget
    }

    fn end_window(&mut self, now: Timestamp) {
        if self.window_ends.is_some_and(|ends| ends <= now) {
            self.failed = 0;
            self.window_ends = None;
            self.exhausted_until = None;
        }
    }

    fn count_failure(&mut self, at: Timestamp, limits: &GuessLimits) {
        self.end_window(at);
        let ends = *self
            .window_ends
            .get_or_insert_with(|| at.plus(limits.window));
        self.failed = self.failed.saturating_add(1);
        self.in_a_row = self.in_a_row.saturating_add(1);
        if limits.failures > 0 && (self.last_try || self.failed >= limits.failures) {
            self.exhausted_until = Some(ends);
            self.last_try = false;
        }
    }
}

impl Counter for GuessBudget {
    type Rules = GuessLimits;

    const LIFE: Duration = RESERVATION_LIFE;

    fn expire(&mut self, now: Timestamp, limits: &GuessLimits) {
        let (lost, live): (Vec<Flight>, Vec<Flight>) = std::mem::take(&mut self.in_flight)
            .into_iter()
            .partition(|flight| flight.at.plus(RESERVATION_LIFE) <= now);
        self.in_flight = live;
        for flight in lost {
            self.count_failure(flight.at, limits);
        }
        self.end_window(now);
    }

    fn reserve(&mut self, now: Timestamp, limits: &GuessLimits, id: TryId) -> Reserve {
        self.expire(now, limits);
        if let Some(until) = self.exhausted(now, limits) {
            return Reserve::Exhausted { until };
        }
        let in_flight = u32::try_from(self.in_flight.len()).unwrap_or(u32::MAX);
        let full = |limit: u32, used: u32| limit > 0 && used.saturating_add(in_flight) >= limit;
        let last = self.last_try && limits.failures > 0 && in_flight > 0;
        if last || full(limits.failures, self.failed) || full(limits.in_a_row, self.in_a_row) {
            return Reserve::Wait;
        }
        self.in_flight.push(Flight { id: id.0, at: now });
        Reserve::Granted
    }

    fn fail(&mut self, now: Timestamp, limits: &GuessLimits, id: TryId) {
        if let Some(at) = self.in_flight.iter().position(|flight| flight.id == id.0) {
            self.in_flight.remove(at);
            self.count_failure(now, limits);
        }
        self.expire(now, limits);
    }

    fn withdraw(&mut self, id: TryId) {
        self.in_flight.retain(|flight| flight.id != id.0);
    }

    fn clear(&mut self) {
        self.failed = 0;
        self.in_a_row = 0;
        self.window_ends = None;
        self.exhausted_until = None;
        self.last_try = false;
    }

    fn failures(&self) -> u32 {
        self.failed
    }
}

impl Limits {
    pub(crate) fn budget_row(&self, subject: RowId) -> Id<GuessBudget> {
        self.rows.named(&[&subject.0])
    }

    /// The budget of a subject, as that by which a try is counted.
    pub(crate) fn counted_by_budget(
        &self,
        subject: RowId,
        limits: GuessLimits,
    ) -> Counted<GuessBudget> {
        Counted::new(self.budget_row(subject).row(), limits, OnSuccess::Forget)
    }

    /// The budget of a subject, made when it is first needed.
    pub(crate) fn budget(&self, tx: &mut dyn Tx, subject: RowId) -> TxResult<Stored<GuessBudget>> {
        let id = self.budget_row(subject);
        match self.rows.get(tx, id)? {
            Some(budget) => Ok(budget),
            None => self
                .rows
                .create(tx, self.tenant(), Place::at(id), GuessBudget::default()),
        }
    }

    /// Leaves one try at most to the budget at `place`, also when it was not begun yet.
    pub(crate) fn limit_budget_to_one_try(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        lost: Lost,
        place: Place,
        limits: &GuessLimits,
    ) -> TxResult<()> {
        if let Some(mut budget) = self.rows.get::<GuessBudget>(tx, Id::new(place.id))? {
            let before = budget.value.clone();
            budget.limit_to_one_try(now, limits, lost);
            if budget.value != before {
                self.rows.put(tx, &mut budget)?;
            }
            return Ok(());
        }
        let mut budget = GuessBudget::default();
        budget.limit_to_one_try(now, limits, lost);
        self.rows.create(tx, self.tenant(), place, budget)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
