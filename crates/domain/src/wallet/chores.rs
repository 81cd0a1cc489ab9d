//! What this room does without a request.

use super::Wallets;
use super::user::WalletUser;
use crate::core::id::Id;
use crate::core::port::store::{Kind, RowId, Tx, TxResult};
use crate::core::record::Record;
use crate::core::time::Timestamp;
use crate::trail::jobs::Chores;
use crate::trail::rollback::Lost;

impl Chores for Wallets {
    /// Counts as many refused step-ups as the older database may have forgotten.
    fn after_rollback(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        _lost: Lost,
        (kind, id): (Kind, RowId),
    ) -> TxResult<bool> {
        if kind != WalletUser::KIND {
            return Ok(false);
        }
        self.limit_step_ups_to_one_try(tx, now, Id::new(id))?;
        Ok(true)
    }
}
