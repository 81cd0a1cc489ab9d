//! What strangers have spent of a guess budget.

use serde::{Deserialize, Serialize};

use super::GuessLimits;
use crate::core::time::Timestamp;

/// The part of a guess budget that strangers spend. It ends with its own time, whatever the owner does meanwhile:
/// otherwise an owner who shows the right secret every day would give strangers fresh guesses every day.
///
/// Stored under short names: a budget of a name that nobody has must not be a larger row than one of a name in use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StrangePart {
    /// Moments of the last failures, oldest first: as many as count within a window.
    #[serde(rename = "r")]
    recent: Vec<Timestamp>,
    /// Failures since the secret was set, or since a familiar caller opened the budget to strangers again.
    #[serde(rename = "n")]
    in_all: u32,
    /// Strangers have spent their part of the failures in a row.
    #[serde(rename = "c", default, skip_serializing_if = "std::ops::Not::not")]
    closed: bool,
}

/// Seven tenths of a limit, and one at least: what strangers may spend of it.
fn share(limit: u32) -> u32 {
    (limit.saturating_mul(7) / 10).max(limit.min(1))
}

impl StrangePart {
    pub(super) fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.in_all == 0
    }

    pub(super) fn in_all(&self) -> u32 {
        self.in_all
    }

    /// The failures within the window that ends at `now`, oldest first.
    fn live(&self, now: Timestamp, limits: &GuessLimits) -> &[Timestamp] {
        let over = |at: &Timestamp| at.plus(limits.window) <= now;
        let first = self.recent.iter().take_while(|at| over(at)).count();
        self.recent.get(first..).unwrap_or_default()
    }

    /// Failures within the window that ends at `now`.
    pub(super) fn count(&self, now: Timestamp, limits: &GuessLimits) -> u32 {
        u32::try_from(self.live(now, limits).len()).unwrap_or(u32::MAX)
    }

    /// When the `nth` failure of the window, counted from one, stops to count.
    pub(super) fn leaves(
        &self,
        now: Timestamp,
        limits: &GuessLimits,
        nth: u32,
    ) -> Option<Timestamp> {
        let at = self.live(now, limits).get(nth.checked_sub(1)? as usize)?;
        Some(at.plus(limits.window))
    }

    pub(super) fn add(&mut self, at: Timestamp, limits: &GuessLimits) {
        self.recent = self.live(at, limits).to_vec();
        let later = self.recent.partition_point(|moment| *moment <= at);
        self.recent.insert(later, at);
        if limits.failures == 0 {
            self.recent.clear();
        }
        self.in_all = self.in_all.saturating_add(1);
        self.closed = self.is_closed(limits);
    }

    /// Failures that strangers have left; `None`: no limit counts them.
    pub(super) fn left(&self, now: Timestamp, limits: &GuessLimits) -> Option<u32> {
        let window = (limits.failures > 0)
            .then(|| share(limits.failures).saturating_sub(self.count(now, limits)));
        let in_all =
            (limits.in_a_row > 0).then(|| share(limits.in_a_row).saturating_sub(self.in_all));
        window.into_iter().chain(in_all).min()
    }

    /// Until when strangers have nothing left because of the window.
    pub(super) fn full_until(&self, now: Timestamp, limits: &GuessLimits) -> Option<Timestamp> {
        let over = (self.count(now, limits) + 1).checked_sub(share(limits.failures))?;
        if limits.failures == 0 {
            return None;
        }
        self.leaves(now, limits, over)
    }

    /// Whether strangers are shut out until the owner opens the budget again.
    pub(super) fn is_closed(&self, limits: &GuessLimits) -> bool {
        self.closed || (limits.in_a_row > 0 && self.in_all >= share(limits.in_a_row))
    }

    /// A familiar caller showed the right secret: strangers who were shut out may try again, within their window.
    pub(super) fn reopen(&mut self) {
        if self.closed {
            self.secret_replaced();
        }
    }

    /// Failures that are remembered of the last window.
    pub(super) fn remembered(&self) -> u32 {
        u32::try_from(self.recent.len()).unwrap_or(u32::MAX)
    }

    /// Adds what was counted of the same secret elsewhere.
    pub(super) fn join(&mut self, other: Self) {
        self.recent.extend(other.recent);
        self.recent.sort_unstable();
        self.in_all = self.in_all.saturating_add(other.in_all);
        self.closed |= other.closed;
    }

    /// Another secret counts from zero in all; the window goes on.
    pub(super) fn secret_replaced(&mut self) {
        self.in_all = 0;
        self.closed = false;
    }
}
