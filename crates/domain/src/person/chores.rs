//! What this room does without a request.

use super::People;
use super::account::Class;
use crate::core::id::Id;
use crate::core::port::store::{Kind, RowId, Tx, TxResult};
use crate::core::record::Record;
use crate::core::time::Timestamp;
use crate::limit::lockout::SubjectLockout;
use crate::proof::account::Account;
use crate::trail::jobs::Chores;
use crate::trail::rollback::Lost;

impl Chores for People {
    /// Limits an account to one try of each lockout, and ends its recovery codes and the codes of its app up to now.
    fn after_rollback(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        lost: Lost,
        (kind, id): (Kind, RowId),
    ) -> TxResult<bool> {
        if kind != Account::KIND {
            return Ok(false);
        }
        let Some(mut account) = self.rows.get(tx, Id::<Account>::new(id))? else {
            return Ok(true);
        };
        let mut lockouts: Vec<SubjectLockout> = Vec::new();
        for way in account.ways() {
            lockouts.push(self.login_lockout_anywhere(way));
        }
        for class in Class::ALL {
            let all = self.class_lockouts(&account, class).into_iter();
            lockouts.extend(all.map(|(_, lockout)| lockout));
        }
        for lockout in lockouts {
            self.limit_lockout_to_one_try(tx, now, lost, lockout)?;
        }
        if let Some(authenticator) = &mut account.authenticator {
            authenticator.end_codes(now);
            self.rows.put(tx, &mut account)?;
        }
        Ok(true)
    }
}
