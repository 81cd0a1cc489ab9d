//! Budgets of subjects that are removed and come again: nothing that was used up is given back.

use super::{GuessBudget, GuessLimits, RESERVATION_LIFE};
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::time::Timestamp;
use crate::limit::Limits;

impl GuessBudget {
    /// Adds what `other` counted of the same secret. What either of them closed stays closed.
    fn join(&mut self, other: Self, limits: &GuessLimits) {
        self.failed = self.failed.saturating_add(other.failed);
        self.in_a_row = self.in_a_row.saturating_add(other.in_a_row);
        self.window_ends = self.window_ends.max(other.window_ends);
        self.exhausted_until = self.exhausted_until.max(other.exhausted_until);
        if limits.failures > 0 && self.failed >= limits.failures {
            self.exhausted_until = self.exhausted_until.max(self.window_ends);
        }
        self.in_flight.extend(other.in_flight);
        self.last_try |= other.last_try;
        self.limited_in = self.limited_in.max(other.limited_in);
        self.strange.join(other.strange);
        self.cleared.extend(other.cleared);
        self.cleared.sort_unstable();
        self.last = self.last.max(other.last);
    }
}

impl Limits {
    /// Keeps the budget of a subject that is removed until it limits nobody any more.
    pub(crate) fn budget_outlives(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        subject: RowId,
        limits: &GuessLimits,
    ) -> TxResult<()> {
        let id = self.budget_row(subject);
        let Some(mut budget) = self.rows.get(tx, id)? else {
            return Ok(());
        };
        let closed = budget.exhausted_until.filter(|until| *until > now);
        let window = now.plus(limits.window.max(RESERVATION_LIFE));
        budget.place.due = Some(closed.map_or(window, |until| until.max(window)));
        self.rows.put(tx, &mut budget)
    }

    /// A subject is there again: the budget that outlived it stays as long as it does.
    pub(crate) fn budget_goes_on(&self, tx: &mut dyn Tx, subject: RowId) -> TxResult<()> {
        let budget = self.rows.get(tx, self.budget_row(subject))?;
        let Some(mut budget) = budget.filter(|budget| budget.place.due.is_some()) else {
            return Ok(());
        };
        budget.place.due = None;
        self.rows.put(tx, &mut budget)
    }

    /// Adds the failures of `other` to those that are known of a subject.
    pub(crate) fn join_budgets(
        &self,
        tx: &mut dyn Tx,
        subject: RowId,
        other: GuessBudget,
        limits: &GuessLimits,
    ) -> TxResult<()> {
        let mut budget = self.budget(tx, subject)?;
        budget.place.due = None;
        budget.join(other, limits);
        self.rows.put(tx, &mut budget)
    }
}
