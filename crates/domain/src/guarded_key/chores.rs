//! What this room does without a request.

use std::sync::Arc;

use async_trait::async_trait;

use super::GuardedKeys;
use super::contact::Contact;
use super::key::GuardedKey;
use super::policy::GuardedKeyPolicy;
use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::port::store::{Kind, Row, RowId, Tx, TxResult};
use crate::core::record::Record;
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::limit::budget::{GuessBudget, GuessLimits};
use crate::trail::jobs::Chores;
use crate::trail::rollback::Lost;

impl Contact {
    /// Ends its code and its recovery lock. Returns whether there was either.
    fn forget_codes(&mut self) -> bool {
        let (code, lock) = (self.waiting.take(), self.lock.take());
        code.is_some() || lock.is_some()
    }
}

/// The numbers of the guess budget that a row of this kind has or is; `None` for a kind without one.
fn limits_of(kind: Kind, policy: &GuardedKeyPolicy) -> Option<GuessLimits> {
    match kind {
        GuardedKey::KIND => Some(policy.guesses),
        // Whose a budget is cannot be told; those with a count in a row were limited with their subjects.
        Contact::KIND | GuessBudget::KIND => Some(policy.code_guesses()),
        _ => None,
    }
}

#[async_trait]
impl Chores for GuardedKeys {
    async fn keep_house(self: Arc<Self>) -> Result<bool, Error> {
        Ok(self.remind().await? > 0)
    }

    /// The budgets of keys and of their contacts' codes keep one try, or begin with one; a contact's code and
    /// recovery lock are ended.
    fn after_rollback(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        lost: Lost,
        (kind, id): (Kind, RowId),
    ) -> TxResult<bool> {
        let Some(limits) = limits_of(kind, &self.policy) else {
            return Ok(false);
        };
        if kind == Contact::KIND
            && let Some(mut contact) = self.rows.get::<Contact>(tx, Id::new(id))?
            && contact.forget_codes()
        {
            self.rows.put(tx, &mut contact)?;
        }
        let budget = match kind {
            GuessBudget::KIND => id,
            _ => self.budget_row(id).row(),
        };
        self.limit_budget_to_one_try(tx, now, lost, Place::at(budget), &limits)?;
        Ok(true)
    }

    fn reseal(&self, tx: &mut dyn Tx, kind: Kind, row: &Row) -> TxResult<Option<bool>> {
        if kind != GuardedKey::KIND {
            return Ok(None);
        }
        self.rewrap_envelope(tx, row).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guarded_key::contact::CodePurpose;
    use crate::guarded_key::contact::tests::{at, contact, running_lock, waiting};

    #[test]
    fn after_a_rollback_a_contact_has_neither_a_code_nor_a_lock() {
        let mut verifying = contact();
        verifying.waiting = Some(waiting(CodePurpose::Verify, at(10)));
        assert!(verifying.forget_codes());
        assert_eq!(verifying, contact());
        let mut recovering = contact();
        recovering.lock = Some(running_lock(at(0)));
        assert!(recovering.forget_codes());
        assert_eq!(recovering, contact());
    }

    #[test]
    fn a_contact_without_either_is_not_written() {
        assert!(!contact().forget_codes());
    }

    #[test]
    fn after_a_rollback_every_code_ends_whatever_it_was_for() {
        for purpose in [CodePurpose::Verify, CodePurpose::Recover] {
            let mut contact = contact();
            contact.waiting = Some(waiting(purpose, at(10)));
            contact.lock = Some(running_lock(at(0)));
            assert!(contact.forget_codes());
            assert_eq!(
                (&contact.lock, &contact.waiting),
                (&None, &None),
                "{purpose:?}"
            );
            assert!(contact.is_verified(), "the contact itself stays");
        }
    }

    #[test]
    fn a_key_is_limited_by_the_numbers_of_pins_and_a_contact_by_those_of_codes() {
        let policy = crate::policy::Policy::default().guarded_key;
        let in_a_row = |kind| limits_of(kind, &policy).map(|limits| limits.in_a_row);
        assert_eq!(in_a_row(GuardedKey::KIND), Some(policy.guesses.in_a_row));
        assert_eq!(in_a_row(Contact::KIND), Some(0));
        assert_eq!(in_a_row(GuessBudget::KIND), Some(0));
        assert_eq!(
            limits_of(Contact::KIND, &policy),
            Some(policy.code_guesses())
        );
    }

    #[test]
    fn a_kind_without_a_guess_budget_is_left_to_other_rooms() {
        let policy = crate::policy::Policy::default().guarded_key;
        for kind in [
            super::super::recovery::OwnerLink::KIND,
            "account",
            "wallet_user",
            "",
        ] {
            assert_eq!(limits_of(kind, &policy), None, "{kind}");
        }
    }
}
