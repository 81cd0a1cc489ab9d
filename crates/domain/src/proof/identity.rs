//! Which account an address belongs to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::core::Core;
use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::port::store::{Kind, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};

use super::Proofs;
use super::account::{Account, Bound};
use super::way::Way;

/// Whose an address is. Its row id is the blind index of the address, so an address has one owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) account: Id<Account>,
}

impl Record for Identity {
    const KIND: Kind = "identity";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

impl Core {
    pub(crate) fn identity_row(&self, way: &Way) -> Id<Identity> {
        self.rows
            .named(&[way.kind.name().as_bytes(), way.norm.as_bytes()])
    }

    /// An id that no account has: read for an address without an owner, so that the work is the same.
    pub(crate) fn nobody(&self, way: &Way) -> Id<Account> {
        Id::new(self.identity_row(way).row())
    }

    /// Returns who owns an address. Their row is not held.
    pub(crate) fn owner_of_address(
        &self,
        tx: &mut dyn Tx,
        way: &Way,
    ) -> TxResult<Option<Id<Account>>> {
        let found = self.rows.peek(tx, self.identity_row(way))?;
        Ok(found.map(|identity| identity.account))
    }

    /// Returns the account that an address leads to, which is not held. An address without an owner costs the same
    /// two reads.
    pub(crate) fn peek_owner(
        &self,
        tx: &mut dyn Tx,
        way: &Way,
    ) -> TxResult<Option<Stored<Account>>> {
        let owner = self.owner_of_address(tx, way)?;
        self.rows
            .peek(tx, owner.unwrap_or_else(|| self.nobody(way)))
    }
}

impl Proofs {
    pub(crate) fn account_row(&self, person: Uuid) -> Id<Account> {
        self.rows.named(&[person.as_bytes()])
    }

    /// Returns the committed account that an address leads to, outside any transaction. An address without an owner
    /// costs the same two reads.
    pub(crate) async fn find_person(
        self: &Arc<Self>,
        way: &Way,
    ) -> Result<Option<Stored<Account>>, Error> {
        let store = self.store.as_ref();
        let identity = self.rows.read(store, self.identity_row(way)).await?;
        let at = identity.map_or_else(|| self.nobody(way), |identity| identity.account);
        self.rows.read(store, at).await
    }

    /// Makes an address an account's. `false`: it already has an owner.
    pub(crate) fn claim_address(
        &self,
        tx: &mut dyn Tx,
        way: &Way,
        account: Id<Account>,
    ) -> TxResult<bool> {
        let row = self.identity_row(way);
        if self.rows.get(tx, row)?.is_some() {
            return Ok(false);
        }
        let place = Place::at(row).of(account);
        self.rows
            .create(tx, self.tenant(), place, Identity { account })?;
        Ok(true)
    }

    /// Gives an address free.
    pub(crate) fn release_address(&self, tx: &mut dyn Tx, way: &Way) -> TxResult<()> {
        self.rows.remove(tx, self.identity_row(way))?;
        Ok(())
    }

    /// Returns the account that a process was begun for, held, if it is as it was then.
    pub(crate) fn bound_account(
        &self,
        tx: &mut dyn Tx,
        bound: Bound,
    ) -> TxResult<Option<Stored<Account>>> {
        let account = self.rows.get(tx, bound.account)?;
        Ok(account.filter(|account| bound.holds(account)))
    }

    /// Returns the account whose password was checked outside the transaction, held, if it is as it was then: a
    /// password that was replaced while it was being hashed opens nothing. An address without an owner costs the same
    /// read.
    pub(crate) fn account_checked(
        &self,
        tx: &mut dyn Tx,
        checked: Option<Bound>,
        way: &Way,
    ) -> TxResult<Option<Stored<Account>>> {
        let nobody = || Bound {
            account: self.nobody(way),
            epoch: 0,
        };
        self.bound_account(tx, checked.unwrap_or_else(nobody))
    }
}
