//! What this room does without a request.

use std::sync::Arc;

use async_trait::async_trait;

use super::GuardedKeys;
use super::contact::Contact;
use super::key::GuardedKey;
use crate::core::error::Error;
use crate::core::port::store::{Kind, Row, RowId, Tx, TxResult};
use crate::core::record::Record;
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::limit::budget::GuessBudget;
use crate::trail::jobs::Chores;
use crate::trail::rollback::Lost;

impl Contact {
    /// Ends its code and its recovery lock. Returns whether there was either.
    fn forget_codes(&mut self) -> bool {
        let (code, lock) = (self.waiting.take(), self.lock.take());
        code.is_some() || lock.is_some()
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
        let (place, limits) = match kind {
            Contact::KIND => {
                if let Some(mut contact) = self.rows.get::<Contact>(tx, id)?
                    && contact.forget_codes()
                {
                    self.rows.put(tx, &mut contact)?;
                }
                (Place::at(self.budget_row(id)), self.policy.code_guesses())
            }
            GuardedKey::KIND => (Place::at(self.budget_row(id)), self.policy.guesses),
            // Whose it is cannot be told; those with a count in a row were limited with their subjects.
            GuessBudget::KIND => (Place::at(id), self.policy.code_guesses()),
            _ => return Ok(false),
        };
        self.limit_budget_to_one_try(tx, now, lost, place, &limits)?;
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
}
