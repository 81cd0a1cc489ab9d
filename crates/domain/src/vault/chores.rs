//! What happens to vaults without a request.

use super::Vaults;
use super::account::VaultLogin;
use crate::core::port::store::{Kind, RowId, Tx, TxResult};
use crate::core::record::Record;
use crate::core::time::Timestamp;
use crate::trail::jobs::Chores;
use crate::trail::rollback::Lost;

impl Chores for Vaults {
    /// Limits the guess budget of a login name to one try, also if there is no budget yet.
    fn after_rollback(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        lost: Lost,
        (kind, id): (Kind, RowId),
    ) -> TxResult<bool> {
        if kind != VaultLogin::KIND {
            return Ok(false);
        }
        let limits = self.policy.failures_from_anywhere;
        let place = self.login_budget_place(now, &id, &limits);
        self.limit_budget_to_one_try(tx, now, lost, place, &limits)?;
        Ok(true)
    }
}
