//! How often a user may fail to step up: so many refusals within a span, wherever it starts.

use serde::{Deserialize, Serialize};

use crate::core::id::Id;
use crate::core::port::store::{Kind, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::limit::counted::{Counted, OnSuccess};
use crate::limit::counter::{Counter, Reserve, TryId};
use crate::limit::rate::Rate;
use crate::wallet::Wallets;
use crate::wallet::user::WalletUser;

/// Refused attempts of one user, and those in flight. A success forgets none of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempts {
    refused: Vec<Timestamp>,
    in_flight: Vec<(u64, Timestamp)>,
}

impl Record for Attempts {
    const KIND: Kind = "wallet_attempts";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// Longer than any verifier is waited for.
const ATTEMPT_LIFE: std::time::Duration = std::time::Duration::from_secs(90);

impl Counter for Attempts {
    type Rules = Rate;

    const LIFE: std::time::Duration = ATTEMPT_LIFE;

    fn expire(&mut self, now: Timestamp, limit: &Rate) {
        let (lost, live): (Vec<_>, Vec<_>) = std::mem::take(&mut self.in_flight)
            .into_iter()
            .partition(|(_, at)| at.plus(ATTEMPT_LIFE) <= now);
        self.in_flight = live;
        self.refused.extend(lost.into_iter().map(|(_, at)| at));
        self.refused.retain(|at| at.plus(limit.span) > now);
        self.refused.sort_unstable();
    }

    fn reserve(&mut self, now: Timestamp, limit: &Rate, id: TryId) -> Reserve {
        self.expire(now, limit);
        let count = limit.count as usize;
        if count > 0 && self.refused.len() >= count {
            let first = self.refused[self.refused.len() - count];
            return Reserve::Exhausted {
                until: first.plus(limit.span),
            };
        }
        if count > 0 && self.refused.len() + self.in_flight.len() >= count {
            return Reserve::Wait;
        }
        self.in_flight.push((id.0, now));
        Reserve::Granted
    }

    fn fail(&mut self, now: Timestamp, _limit: &Rate, id: TryId) {
        let open = self.in_flight.len();
        self.withdraw(id);
        if self.in_flight.len() < open {
            self.refused.push(now);
        }
    }

    fn withdraw(&mut self, id: TryId) {
        self.in_flight.retain(|(flight, _)| *flight != id.0);
    }

    fn clear(&mut self) {
        self.refused.clear();
    }

    fn failures(&self) -> u32 {
        u32::try_from(self.refused.len()).unwrap_or(u32::MAX)
    }
}

impl Attempts {
    /// Fills the refusals up to all but one: an older database may have forgotten as many.
    fn limit_to_one_try(&mut self, now: Timestamp, limit: Rate) {
        self.in_flight.clear();
        self.refused = vec![now; limit.count.saturating_sub(1) as usize];
    }
}

impl Wallets {
    fn attempts_row(&self, user: Id<WalletUser>) -> Id<Attempts> {
        self.rows.named(&[user.as_bytes()])
    }

    /// What counts the step-ups of a user.
    pub(crate) fn step_ups(&self, user: Id<WalletUser>) -> Counted<Attempts> {
        let row = self.attempts_row(user);
        Counted::new(row, self.policy.refusals, OnSuccess::Keep).of(user.row())
    }

    /// Leaves one step-up to a user, after an older database was put back.
    pub(crate) fn limit_step_ups_to_one_try(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        user: Id<WalletUser>,
    ) -> TxResult<()> {
        let row = self.attempts_row(user);
        let limit = self.policy.refusals;
        match self.rows.get(tx, row)? {
            Some(mut attempts) => {
                attempts.limit_to_one_try(now, limit);
                self.rows.put(tx, &mut attempts)
            }
            None => {
                let mut attempts = Attempts::default();
                attempts.limit_to_one_try(now, limit);
                let place = Place::at(row).of(user);
                self.rows.create(tx, self.tenant(), place, attempts)?;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::limit::counter::laws::{self, Promise};

    const LIMIT: Rate = Rate::per(5, Duration::from_mins(15));

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)
    }

    #[test]
    fn five_refusals_close_until_the_window_has_passed() {
        let mut attempts = Attempts::default();
        for second in 0..5 {
            let granted = attempts.reserve(at(second), &LIMIT, TryId(7));
            assert_eq!(granted, Reserve::Granted);
            attempts.fail(at(second), &LIMIT, TryId(7));
        }
        let until = at(900);
        let early = attempts.reserve(at(899), &LIMIT, TryId(8));
        assert_eq!(early, Reserve::Exhausted { until });
        let late = attempts.reserve(at(900), &LIMIT, TryId(8));
        assert_eq!(late, Reserve::Granted);
    }

    #[test]
    fn an_attempt_in_flight_counts_until_it_is_given_back() {
        let mut attempts = Attempts::default();
        for id in 0..5 {
            let granted = attempts.reserve(at(0), &LIMIT, TryId(id));
            assert_eq!(granted, Reserve::Granted);
        }
        assert_eq!(attempts.reserve(at(0), &LIMIT, TryId(5)), Reserve::Wait);
        attempts.withdraw(TryId(3));
        assert_eq!(attempts.reserve(at(1), &LIMIT, TryId(5)), Reserve::Granted);
    }

    #[test]
    fn an_attempt_that_is_never_settled_counts_as_refused_after_ninety_seconds() {
        let mut attempts = Attempts::default();
        for id in 0..5 {
            attempts.reserve(at(0), &LIMIT, TryId(id));
        }
        assert_eq!(attempts.reserve(at(89), &LIMIT, TryId(9)), Reserve::Wait);
        let until = at(900);
        let lost = attempts.reserve(at(90), &LIMIT, TryId(9));
        assert_eq!(lost, Reserve::Exhausted { until });
    }

    #[test]
    fn an_attempt_that_was_lost_is_not_counted_again_when_it_is_settled_late() {
        let mut attempts = Attempts::default();
        attempts.reserve(at(0), &LIMIT, TryId(1));
        attempts.expire(at(90), &LIMIT);
        attempts.fail(at(91), &LIMIT, TryId(1));
        assert_eq!(attempts.failures(), 1);
    }

    #[test]
    fn an_older_database_leaves_one_attempt() {
        let mut attempts = Attempts::default();
        attempts.reserve(at(0), &LIMIT, TryId(1));
        attempts.limit_to_one_try(at(5), LIMIT);
        assert_eq!(attempts.reserve(at(5), &LIMIT, TryId(2)), Reserve::Granted);
        attempts.fail(at(6), &LIMIT, TryId(2));
        let until = at(905);
        let next = attempts.reserve(at(7), &LIMIT, TryId(3));
        assert_eq!(next, Reserve::Exhausted { until });
    }

    #[test]
    fn a_limit_of_zero_is_off() {
        let off = Rate::per(0, Duration::from_mins(15));
        let mut attempts = Attempts::default();
        for id in 0..50 {
            let granted = attempts.reserve(at(0), &off, TryId(id));
            assert_eq!(granted, Reserve::Granted);
            attempts.fail(at(0), &off, TryId(id));
        }
    }

    /// Until when nothing is left, worked out from the whole history.
    fn model(refused: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
        let live: Vec<_> = refused
            .iter()
            .filter(|moment| moment.plus(LIMIT.span) > now)
            .collect();
        let first = live.len().checked_sub(5)?;
        Some(live[first].plus(LIMIT.span))
    }

    proptest! {
        #[test]
        fn attempts_agree_with_a_replay_of_their_history(answers in laws::answers(600)) {
            laws::agrees_with::<Attempts>(&LIMIT, model, &answers)?;
        }

        #[test]
        fn no_schedule_is_refused_more_often_than_the_limit(schedule in laws::schedule(1_200)) {
            let promise = Promise { failures: 5, span: LIMIT.span };
            laws::keeps::<Attempts>(&LIMIT, &[promise], &schedule)?;
        }

        #[test]
        fn an_attempt_that_is_given_back_leaves_no_trace(schedule in laws::schedule(1_200)) {
            laws::withdrawing_leaves_no_trace::<Attempts>(&LIMIT, &schedule)?;
        }
    }
}
