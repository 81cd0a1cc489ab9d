//! Guess budgets: how often a short secret may be tried, exactly.
//!
//! Within one window, which begins with its first failure, no more than the limit are judged wrong; and never
//! more than a number in a row over all windows. See [`Counter`] for how a try is counted.
//!
//! The limit is one sum with two parts. Strangers may spend seven tenths of it, in any span of a window's length and
//! until the secret is replaced; familiar callers may spend whatever is left of the whole ([`CallerStanding`]). A right
//! secret clears the part of familiar callers only, and never so often that more than three limits of their failures
//! are judged in a window.

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
use crate::core::time::{Timestamp, days};
use crate::limit::Limits;
use crate::limit::counted::{Counted, OnSuccess};
use crate::limit::counter::{Counter, Reserve, TryId};
use crate::limit::familiar::CallerStanding;
use crate::trail::rollback::Lost;

mod outlive;
mod strange;

use strange::StrangePart;

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

impl GuessLimits {
    /// These limits, as they bind one caller.
    pub(crate) const fn by(self, by: CallerStanding) -> GuessRules {
        GuessRules {
            limits: self,
            by,
            way_back: WayBack::Recovery,
        }
    }
}

/// What is left to the owner after the last failure in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WayBack {
    /// A recovery, which strangers cannot use up. No guess is judged any more.
    Recovery,
    /// There is nothing to recover with: familiar callers have one guess in [`REST`].
    Familiar,
    /// The same, for everybody: nobody is familiar.
    Anybody,
}

/// Limits as they bind one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GuessRules {
    pub(crate) limits: GuessLimits,
    pub(crate) by: CallerStanding,
    pub(crate) way_back: WayBack,
}

impl GuessRules {
    /// Whether this caller has one guess in [`REST`] after the last failure in a row.
    fn has_rest(&self) -> bool {
        match self.way_back {
            WayBack::Recovery => false,
            WayBack::Familiar => self.by == CallerStanding::Familiar,
            WayBack::Anybody => true,
        }
    }
}

/// The pause between two guesses after the last failure in a row.
const REST: Duration = days(30);
/// How often, in limits, familiar callers may fail within a window, whatever was cleared meanwhile.
const CLEARED: u32 = 3;

/// The state of one subject's budget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuessBudget {
    /// Failures of familiar callers in the running window.
    failed: u32,
    /// The same since their last right answer.
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
    #[serde(rename = "s", default, skip_serializing_if = "StrangePart::is_empty")]
    strange: StrangePart,
    /// Moments of failures of familiar callers, oldest first, whatever was cleared since.
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    cleared: Vec<Timestamp>,
    /// The last failure of anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Flight {
    id: u64,
    at: Timestamp,
    #[serde(rename = "s", default, skip_serializing_if = "std::ops::Not::not")]
    strange: bool,
}

impl Flight {
    fn by(&self) -> CallerStanding {
        if self.strange {
            CallerStanding::Stranger
        } else {
            CallerStanding::Familiar
        }
    }
}

impl Record for GuessBudget {
    const KIND: Kind = "guess_budget";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Limited;
}

impl GuessBudget {
    /// Until when nothing may be checked, if so. Does not look at tries in flight.
    pub(crate) fn exhausted(&self, now: Timestamp, rules: &GuessRules) -> Option<Timestamp> {
        let limits = &rules.limits;
        let closed = rules.by == CallerStanding::Stranger && self.strange.is_closed(limits);
        if closed || self.is_at_the_end(limits) {
            return Some(self.rest_until(rules)).filter(|until| *until > now);
        }
        let own = match rules.by {
            CallerStanding::Stranger => self.strange.full_until(now, limits),
            CallerStanding::Familiar => self.too_often_until(now, limits),
        };
        [self.full_until(now, limits), own]
            .into_iter()
            .flatten()
            .max()
    }

    /// Whether the last failure in a row was judged.
    fn is_at_the_end(&self, limits: &GuessLimits) -> bool {
        limits.in_a_row > 0 && self.failed_in_a_row() >= limits.in_a_row
    }

    /// When the guess is free that is left after the last failure in a row.
    fn rest_until(&self, rules: &GuessRules) -> Timestamp {
        let rested = self.last.filter(|_| rules.has_rest());
        rested.map_or(Timestamp::NEVER, |last| last.plus(REST))
    }

    /// Until when the limit of a window is reached by all failures together.
    fn full_until(&self, now: Timestamp, limits: &GuessLimits) -> Option<Timestamp> {
        let noted = self.exhausted_until.filter(|until| *until > now);
        let full = limits.failures > 0 && self.failed(now, limits) >= limits.failures;
        noted.or_else(|| full.then(|| self.frees_at(now, limits)))
    }

    /// The first moment after `now` at which one failure less counts than the limit.
    fn frees_at(&self, now: Timestamp, limits: &GuessLimits) -> Timestamp {
        let over = (self.failed(now, limits) + 1).saturating_sub(limits.failures);
        let strange = self.strange.leaves(now, limits, over);
        let own = self.window_ends.filter(|_| self.failed > 0);
        let first = [strange, own].into_iter().flatten().min();
        first.unwrap_or_else(|| now.plus(limits.window))
    }

    /// Until when familiar callers have failed too often, whatever was cleared meanwhile.
    fn too_often_until(&self, now: Timestamp, limits: &GuessLimits) -> Option<Timestamp> {
        let most = limits.failures.saturating_mul(CLEARED);
        let live = self.cleared_at(now, limits);
        let over = (live.len() + 1).checked_sub(most as usize)?;
        let at = live.get(over.checked_sub(1)?).filter(|_| most > 0)?;
        Some(at.plus(limits.window))
    }

    fn cleared_at(&self, now: Timestamp, limits: &GuessLimits) -> &[Timestamp] {
        let over = |at: &Timestamp| at.plus(limits.window) <= now;
        let first = self.cleared.iter().take_while(|at| over(at)).count();
        self.cleared.get(first..).unwrap_or_default()
    }

    /// Takes all tries but one, because it is not known how many were failed since: the database is an older
    /// one. Once for each era. A budget that was exhausted, and still is, could not be tried meanwhile.
    pub(crate) fn limit_to_one_try(&mut self, now: Timestamp, limits: &GuessLimits, lost: Lost) {
        if self.limited_in == Some(lost.era) {
            return;
        }
        self.limited_in = Some(lost.era);
        self.in_flight.clear();
        if self
            .exhausted(now, &limits.by(CallerStanding::Familiar))
            .is_some()
        {
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
        let most = limits.in_a_row.saturating_sub(1 + self.strange.in_all());
        if limits.in_a_row > 0 {
            self.in_a_row = self.in_a_row.saturating_add(forgotten).min(most);
        }
    }

    /// Failures that count within the window, for people who look after the server.
    pub fn failed(&self, now: Timestamp, limits: &GuessLimits) -> u32 {
        let own = self.window_ends.is_none_or(|ends| now < ends);
        let own = if own { self.failed } else { 0 };
        own.saturating_add(self.strange.count(now, limits))
    }

    /// Failures in a row of familiar callers, and of strangers since the secret was set.
    pub fn failed_in_a_row(&self) -> u32 {
        self.in_a_row.saturating_add(self.strange.in_all())
    }

    /// Takes over a count from another server: `failed` failures, the first of them at `first`.
    pub fn imported(failed: u32, first: Timestamp, limits: &GuessLimits) -> Self {
        let mut budget = Self::default();
        for _ in 0..failed.min(limits.failures.max(1)) {
            budget.count_failure(first, limits, CallerStanding::Familiar);
        }
        budget
    }

    /// Strangers' failures since the secret was set.
    pub(crate) fn failed_by_strangers(&self) -> u32 {
        self.strange.in_all()
    }

    /// Begins the count of another secret. What strangers failed within their window still counts.
    pub(crate) fn secret_replaced(&mut self) {
        self.clear();
        self.cleared.clear();
        self.strange.secret_replaced();
    }

    fn end_window(&mut self, now: Timestamp) {
        if self.window_ends.is_some_and(|ends| ends <= now) {
            self.failed = 0;
            self.window_ends = None;
        }
        if self.exhausted_until.is_some_and(|until| until <= now) {
            self.exhausted_until = None;
        }
    }

    fn count_failure(&mut self, at: Timestamp, limits: &GuessLimits, by: CallerStanding) {
        self.end_window(at);
        self.last = self.last.max(Some(at));
        match by {
            CallerStanding::Stranger => self.strange.add(at, limits),
            CallerStanding::Familiar => {
                self.window_ends
                    .get_or_insert_with(|| at.plus(limits.window));
                self.failed = self.failed.saturating_add(1);
                self.in_a_row = self.in_a_row.saturating_add(1);
                self.note_cleared(at, limits);
            }
        }
        let full = self.failed(at, limits) >= limits.failures;
        if limits.failures > 0 && (self.last_try || full) {
            self.exhausted_until = Some(if full {
                self.frees_at(at, limits)
            } else {
                at.plus(limits.window)
            });
            self.last_try = false;
        }
    }

    fn note_cleared(&mut self, at: Timestamp, limits: &GuessLimits) {
        self.cleared = self.cleared_at(at, limits).to_vec();
        let later = self.cleared.partition_point(|moment| *moment <= at);
        self.cleared.insert(later, at);
        if limits.failures == 0 {
            self.cleared.clear();
        }
    }

    /// Whether one more try may be in flight beside those that are.
    fn has_room(&self, now: Timestamp, rules: &GuessRules) -> bool {
        let limits = &rules.limits;
        let all = u32::try_from(self.in_flight.len()).unwrap_or(u32::MAX);
        let same = self
            .in_flight
            .iter()
            .filter(|flight| flight.by() == rules.by);
        let same = u32::try_from(same.count()).unwrap_or(u32::MAX);
        if self.is_at_the_end(limits) || (self.last_try && limits.failures > 0) {
            return all == 0;
        }
        let below = |limit: u32, used: u32| limit == 0 || used.saturating_add(all) < limit;
        let own = match rules.by {
            CallerStanding::Stranger if self.strange.is_closed(limits) => all == 0,
            CallerStanding::Stranger => self
                .strange
                .left(now, limits)
                .is_none_or(|left| same < left),
            CallerStanding::Familiar => {
                let most = limits.failures.saturating_mul(CLEARED) as usize;
                most == 0 || self.cleared_at(now, limits).len() + (same as usize) < most
            }
        };
        own && below(limits.failures, self.failed(now, limits))
            && below(limits.in_a_row, self.failed_in_a_row())
    }
}

impl Counter for GuessBudget {
    type Rules = GuessRules;

    const LIFE: Duration = RESERVATION_LIFE;

    fn expire(&mut self, now: Timestamp, rules: &GuessRules) {
        let (lost, live): (Vec<Flight>, Vec<Flight>) = std::mem::take(&mut self.in_flight)
            .into_iter()
            .partition(|flight| flight.at.plus(RESERVATION_LIFE) <= now);
        self.in_flight = live;
        for flight in lost {
            self.count_failure(flight.at, &rules.limits, flight.by());
        }
        self.end_window(now);
    }

    fn reserve(&mut self, now: Timestamp, rules: &GuessRules, id: TryId) -> Reserve {
        self.expire(now, rules);
        if let Some(until) = self.exhausted(now, rules) {
            return Reserve::Exhausted { until };
        }
        if !self.has_room(now, rules) {
            return Reserve::Wait;
        }
        self.in_flight.push(Flight {
            id: id.0,
            at: now,
            strange: rules.by == CallerStanding::Stranger,
        });
        Reserve::Granted
    }

    fn fail(&mut self, now: Timestamp, rules: &GuessRules, id: TryId) {
        if let Some(at) = self.in_flight.iter().position(|flight| flight.id == id.0) {
            let flight = self.in_flight.remove(at);
            self.count_failure(now, &rules.limits, flight.by());
        }
        self.expire(now, rules);
    }

    fn withdraw(&mut self, id: TryId) {
        self.in_flight.retain(|flight| flight.id != id.0);
    }

    /// Only the part of familiar callers: see [`StrangePart`].
    fn clear(&mut self) {
        self.failed = 0;
        self.in_a_row = 0;
        self.window_ends = None;
        self.exhausted_until = None;
        self.last_try = false;
        self.strange.reopen();
    }

    fn failures(&self) -> u32 {
        self.failed.saturating_add(self.strange.remembered())
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
        rules: GuessRules,
    ) -> Counted<GuessBudget> {
        Counted::new(self.budget_row(subject), rules, OnSuccess::Forget)
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
