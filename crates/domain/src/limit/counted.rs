//! Tries as they lie in the database: the counters that a try is counted by, all of them or none.

use std::time::Duration;

use super::counter::{Counter, Reserve, TryId};
use crate::core::id::Id;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::rows::{Place, Rows, Stored};
use crate::core::time::Timestamp;
use crate::limit::Limits;

/// What a right answer does to the failures before it.
///
/// Where one subject has several things to prove, only the last forgets. Otherwise whoever holds one of
/// them clears the count with it between guesses at the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnSuccess {
    Forget,
    Keep,
}

/// One counter that a try is counted by: its row, its rules, and what success does to it.
#[derive(Debug, Clone)]
pub(crate) struct Counted<C: Counter> {
    id: Id<C>,
    owner: Option<RowId>,
    /// How long after the last change the row is forgotten; `None`: with its subject.
    kept: Option<Duration>,
    rules: C::Rules,
    on_success: OnSuccess,
}

impl<C: Counter> Counted<C> {
    pub(crate) fn new(id: Id<C>, rules: C::Rules, on_success: OnSuccess) -> Self {
        Self {
            id,
            owner: None,
            kept: None,
            rules,
            on_success,
        }
    }

    /// The row is listed and removed with the row `owner`.
    pub(crate) fn of(self, owner: RowId) -> Self {
        Self {
            owner: Some(owner),
            ..self
        }
    }

    /// The row is forgotten when nothing happened for so long.
    pub(crate) fn kept(self, kept: Duration) -> Self {
        Self {
            kept: Some(kept),
            ..self
        }
    }
}

/// What a check found.
pub(crate) enum Finding<T, W> {
    Right(T),
    Wrong(W),
    /// There was nothing to check it against: it counts neither way.
    Unjudged(W),
}

impl<T, W> Finding<T, W> {
    /// The outcome where nothing counts the tries.
    pub(crate) fn uncounted(self) -> AtOnce<T, W> {
        match self {
            Self::Right(right) => AtOnce::Right(right),
            Self::Wrong(why) => AtOnce::Wrong { why, failures: 0 },
            Self::Unjudged(why) => AtOnce::Unjudged(why),
        }
    }
}

/// The outcome of a try that was judged at once.
pub(crate) enum AtOnce<T, W> {
    Right(T),
    Wrong {
        why: W,
        failures: u32,
    },
    Unjudged(W),
    /// Nothing was judged, because nothing is left until then.
    Exhausted {
        until: Timestamp,
    },
    /// Nothing was judged, because what is left is in flight; it is settled by then.
    InFlight {
        until: Timestamp,
    },
}

impl Limits {
    /// A counter, held until the transaction ends; blank when nothing was counted yet.
    fn counter<C: Counter>(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        counted: &Counted<C>,
    ) -> TxResult<Stored<C>> {
        let found = self.rows.get(tx, counted.id)?;
        let mut row = found.unwrap_or_else(|| {
            let mut place = Place::at(counted.id);
            place.owner = counted.owner;
            Rows::blank(self.tenant(), place, C::default())
        });
        // Counted before its owner was there, or by an older version.
        row.place.owner = row.place.owner.or(counted.owner);
        if let Some(kept) = counted.kept {
            row.place.due = Some(now.plus(kept));
        }
        Ok(row)
    }

    /// Takes one try of every counter named, or none. Refuses with the latest moment.
    pub(crate) fn reserve_in_all<C: Counter>(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        all: &[Counted<C>],
        id: TryId,
    ) -> TxResult<Reserve> {
        let mut changed = Vec::with_capacity(all.len());
        let mut answer = Reserve::Granted;
        for counted in all {
            let mut counter = self.counter(tx, now, counted)?;
            let before = counter.value.clone();
            counter.expire(now, &counted.rules);
            let expired = counter.value.clone();
            answer = stricter(answer, counter.reserve(now, &counted.rules, id));
            changed.push((counter, before, expired));
        }
        for (mut counter, before, expired) in changed {
            if answer != Reserve::Granted {
                counter.value = expired;
            }
            if counter.value != before {
                self.rows.put(tx, &mut counter)?;
            }
        }
        Ok(answer)
    }

    /// Changes every counter of a try. Returns the failures that the first of them holds then.
    pub(super) fn change_all<C: Counter>(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        all: &[Counted<C>],
        change: impl Fn(&mut C, &Counted<C>),
    ) -> TxResult<u32> {
        let mut first = None;
        for counted in all {
            let mut counter = self.counter(tx, now, counted)?;
            change(&mut counter, counted);
            first.get_or_insert(counter.failures());
            self.rows.put(tx, &mut counter)?;
        }
        Ok(first.unwrap_or_default())
    }

    /// Judges a try inside the caller's transaction, where nothing is slow. It is counted like any other,
    /// and takes its place beside the tries in flight.
    pub(crate) fn judge_at_once<C: Counter, T, W>(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        counted: &Counted<C>,
        judge: impl FnOnce(&mut dyn Tx) -> TxResult<Finding<T, W>>,
    ) -> TxResult<AtOnce<T, W>> {
        let mut row = self.counter(tx, now, counted)?;
        let id = TryId::AT_ONCE;
        match row.reserve(now, &counted.rules, id) {
            Reserve::Granted => {}
            Reserve::Exhausted { until } => return Ok(AtOnce::Exhausted { until }),
            Reserve::Wait => {
                let until = now.plus(C::LIFE);
                return Ok(AtOnce::InFlight { until });
            }
        }
        let outcome = match judge(tx)? {
            Finding::Right(right) => {
                counted.succeed(&mut row, id);
                AtOnce::Right(right)
            }
            Finding::Wrong(why) => {
                row.fail(now, &counted.rules, id);
                let failures = row.failures();
                AtOnce::Wrong { why, failures }
            }
            Finding::Unjudged(why) => return Ok(AtOnce::Unjudged(why)),
        };
        self.rows.put(tx, &mut row)?;
        Ok(outcome)
    }
}

impl<C: Counter> Counted<C> {
    pub(super) fn fail(&self, counter: &mut C, now: Timestamp, id: TryId) {
        counter.fail(now, &self.rules, id);
    }

    pub(super) fn succeed(&self, counter: &mut C, id: TryId) {
        match self.on_success {
            OnSuccess::Forget => counter.succeed(id),
            OnSuccess::Keep => counter.withdraw(id),
        }
    }
}

/// The answer of two counters: an exhausted one outlasts one whose tries are in flight.
fn stricter(one: Reserve, other: Reserve) -> Reserve {
    match (one, other) {
        (Reserve::Exhausted { until }, Reserve::Exhausted { until: other }) => Reserve::Exhausted {
            until: until.max(other),
        },
        (exhausted @ Reserve::Exhausted { .. }, _) | (_, exhausted @ Reserve::Exhausted { .. }) => {
            exhausted
        }
        (Reserve::Wait, _) | (_, Reserve::Wait) => Reserve::Wait,
        (Reserve::Granted, Reserve::Granted) => Reserve::Granted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::hours;
    use crate::limit::budget::{GuessBudget, GuessLimits, GuessRules};
    use crate::limit::familiar::CallerStanding;

    #[test]
    fn of_two_answers_the_stricter_one_counts() {
        let soon = Reserve::Exhausted {
            until: Timestamp::from_millis(1),
        };
        let late = Reserve::Exhausted {
            until: Timestamp::from_millis(2),
        };
        for (one, other, both) in [
            (Reserve::Granted, Reserve::Granted, Reserve::Granted),
            (Reserve::Granted, Reserve::Wait, Reserve::Wait),
            (Reserve::Granted, soon, soon),
            (Reserve::Wait, soon, soon),
            (soon, late, late),
        ] {
            assert_eq!(stricter(one, other), both);
            assert_eq!(stricter(other, one), both);
        }
    }

    const RULES: GuessRules = LIMITS.by(CallerStanding::Familiar);
    const LIMITS: GuessLimits = GuessLimits {
        failures: 3,
        window: hours(1),
        in_a_row: 0,
    };
    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const ROW: RowId = RowId([1; 16]);

    fn counted(on_success: OnSuccess) -> Counted<GuessBudget> {
        Counted::new(Id::new(ROW), RULES, on_success)
    }

    /// A budget with one failure, and a try in flight.
    fn tried(counted: &Counted<GuessBudget>) -> (GuessBudget, TryId) {
        let mut budget = GuessBudget::default();
        for id in [TryId(1), TryId(2)] {
            assert_eq!(budget.reserve(NOW, &RULES, id), Reserve::Granted);
        }
        counted.fail(&mut budget, NOW, TryId(1));
        (budget, TryId(2))
    }

    #[test]
    fn a_success_forgets_the_failures_before_it_only_where_it_is_the_last_proof() {
        for (on_success, failures) in [(OnSuccess::Forget, 0), (OnSuccess::Keep, 1)] {
            let counted = counted(on_success);
            let (mut budget, id) = tried(&counted);
            counted.succeed(&mut budget, id);
            assert_eq!(budget.failures(), failures, "{on_success:?}");
            // Nothing of it is in flight: the rest of the limit can be reserved.
            for id in 0..u64::from(LIMITS.failures - failures) {
                let reserve = budget.reserve(NOW, &RULES, TryId(10 + id));
                assert_eq!(reserve, Reserve::Granted, "{on_success:?} {id}");
            }
        }
    }

    #[test]
    fn a_failure_counts_by_the_rules_of_its_counter() {
        let counted = counted(OnSuccess::Keep);
        let (mut budget, id) = tried(&counted);
        counted.fail(&mut budget, NOW, id);
        assert_eq!(budget.failures(), 2);
        assert_eq!(budget.exhausted(NOW, &RULES), None);
    }

    #[test]
    fn a_row_lies_with_its_owner_and_is_kept_for_as_long_as_it_was_told() {
        let plain = counted(OnSuccess::Keep);
        assert_eq!((plain.owner, plain.kept), (None, None));
        let owned = plain.of(RowId([2; 16])).kept(hours(2));
        assert_eq!(owned.owner, Some(RowId([2; 16])));
        assert_eq!((owned.id.row(), owned.kept), (ROW, Some(hours(2))));
    }

    #[test]
    fn where_nothing_counts_the_tries_a_wrong_one_has_no_failures_before_it() {
        let outcome = Finding::<(), _>::Wrong("why").uncounted();
        assert!(matches!(
            outcome,
            AtOnce::Wrong {
                why: "why",
                failures: 0
            }
        ));
        let outcome = Finding::<_, ()>::Right(7).uncounted();
        assert!(matches!(outcome, AtOnce::Right(7)));
        let outcome = Finding::<(), _>::Unjudged("why").uncounted();
        assert!(matches!(outcome, AtOnce::Unjudged("why")));
    }
}
