//! The record of an account, and how it is found by its addresses.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::core::Core;
use crate::core::error::{Condition, Error, Refusal};
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;

use super::Proofs;
use super::authenticator::Authenticator;
use super::password::PasswordVerifier;
use super::way::{Factor, Way, WayKind};

/// Names an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountId(pub Uuid);

/// An address that was proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnAddress {
    pub(crate) way: Way,
    pub(crate) second_step: bool,
    pub(crate) verified: Timestamp,
}

/// The record of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) person: Uuid,
    pub(crate) created: Timestamp,
    pub(crate) language: String,
    pub(crate) password: PasswordVerifier,
    pub(crate) email: Option<OwnAddress>,
    pub(crate) phone: Option<OwnAddress>,
    pub(crate) authenticator: Option<Authenticator>,
    /// The anti-phishing code: shown in letters, so it is sealed and not hashed.
    pub(crate) phrase: Option<String>,
    pub(crate) restricted_until: Option<Timestamp>,
    /// Changes with password and addresses: processes begun before are over.
    pub(crate) epoch: u64,
}

impl Record for Account {
    const KIND: Kind = "account";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Limited;
}

/// Whose an address is. Its row id is the blind index of the address, so an address has one owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) account: [u8; 16],
}

impl Record for Identity {
    const KIND: Kind = "identity";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// An account as it was when a process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bound {
    pub(crate) account: [u8; 16],
    pub(crate) epoch: u64,
}

impl Bound {
    pub(crate) fn of(account: &Stored<Account>) -> Self {
        Self {
            account: account.id().0,
            epoch: account.epoch,
        }
    }

    pub(crate) fn row(self) -> RowId {
        RowId(self.account)
    }
}

impl Account {
    pub(crate) fn own(&self, kind: WayKind) -> Option<&OwnAddress> {
        match kind {
            WayKind::Email => self.email.as_ref(),
            WayKind::Phone => self.phone.as_ref(),
        }
    }

    pub(crate) fn own_mut(&mut self, kind: WayKind) -> &mut Option<OwnAddress> {
        match kind {
            WayKind::Email => &mut self.email,
            WayKind::Phone => &mut self.phone,
        }
    }

    /// The address of that kind; a refusal when there is none.
    pub(crate) fn way(&self, kind: WayKind) -> Result<Way, Refusal> {
        self.own(kind)
            .map(|own| own.way.clone())
            .ok_or(Refusal::Unmet(Condition::HasAddress))
    }

    /// All addresses, e-mail first.
    pub(crate) fn ways(&self) -> impl Iterator<Item = &Way> {
        [&self.email, &self.phone]
            .into_iter()
            .flatten()
            .map(|own| &own.way)
    }

    /// What a password must not contain.
    pub(crate) fn names(&self) -> Vec<String> {
        self.ways().map(|way| way.norm.clone()).collect()
    }

    pub(crate) fn second_steps(&self) -> Vec<Factor> {
        let on = |own: &Option<OwnAddress>| own.as_ref().is_some_and(|own| own.second_step);
        let mut steps = Vec::new();
        if on(&self.email) {
            steps.push(Factor::Email);
        }
        if on(&self.phone) {
            steps.push(Factor::Phone);
        }
        if self
            .authenticator
            .as_ref()
            .is_some_and(Authenticator::is_on)
        {
            steps.push(Factor::Authenticator);
        }
        steps
    }

    /// Processes and tokens of the account as it was are over.
    pub(crate) fn has_changed(&mut self) {
        self.epoch += 1;
    }

    /// Begins a cool-down; the later end wins.
    pub(crate) fn restrict(&mut self, now: Timestamp, span: Duration) {
        if !span.is_zero() {
            self.restricted_until = self.restricted_until.max(Some(now.plus(span)));
        }
    }

    pub(crate) fn restriction(&self, now: Timestamp) -> Option<Timestamp> {
        self.restricted_until.filter(|until| *until > now)
    }

    pub(crate) fn unrestricted(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.restriction(now) {
            Some(until) => Err(Refusal::Unmet(Condition::CooledDown { until })),
            None => Ok(()),
        }
    }
}

impl Core {
    pub(crate) fn identity_row(&self, way: &Way) -> RowId {
        self.rows.id(
            Identity::KIND,
            &[way.kind.name().as_bytes(), way.norm.as_bytes()],
        )
    }

    /// Who owns an address; not held.
    pub(crate) fn owner_of_address(&self, tx: &mut dyn Tx, way: &Way) -> TxResult<Option<RowId>> {
        let row = self.identity_row(way);
        let found = self.rows.peek::<Identity>(tx, &row)?;
        Ok(found.map(|identity| RowId(identity.account)))
    }
}

impl Proofs {
    pub(crate) fn account_row(&self, person: Uuid) -> RowId {
        self.rows.id(Account::KIND, &[person.as_bytes()])
    }

    /// The account that an address leads to, committed, outside any transaction. One read more for an
    /// unknown address keeps the work the same.
    pub(crate) async fn find_person(
        self: &Arc<Self>,
        way: &Way,
    ) -> Result<Option<Stored<Account>>, Error> {
        let store = self.store.as_ref();
        let row = self.identity_row(way);
        let identity = self.rows.read::<Identity>(store, row).await?;
        let at = identity
            .as_ref()
            .map_or(row, |identity| RowId(identity.account));
        self.rows.read::<Account>(store, at).await
    }

    /// Makes an address an account's. `false`: it is somebody's already.
    pub(crate) fn claim_address(
        &self,
        tx: &mut dyn Tx,
        way: &Way,
        account: RowId,
    ) -> TxResult<bool> {
        let row = self.identity_row(way);
        if self.rows.get::<Identity>(tx, &row)?.is_some() {
            return Ok(false);
        }
        let place = Place::at(row).of(account);
        self.rows
            .create(tx, self.tenant(), place, Identity { account: account.0 })?;
        Ok(true)
    }

    pub(crate) fn release_address(&self, tx: &mut dyn Tx, way: &Way) -> TxResult<()> {
        let row = self.identity_row(way);
        self.rows.remove::<Identity>(tx, &row)?;
        Ok(())
    }

    /// The account that a process was begun for, held, if it is as it was then.
    pub(crate) fn bound_account(
        &self,
        tx: &mut dyn Tx,
        bound: Bound,
    ) -> TxResult<Option<Stored<Account>>> {
        let account = self.rows.get::<Account>(tx, &bound.row())?;
        Ok(account.filter(|account| account.epoch == bound.epoch))
    }

    /// The account whose password was checked outside the transaction, held, if it is as it was then: a
    /// password that was replaced while it was being hashed opens nothing. The same look for an address
    /// that is nobody's.
    pub(crate) fn account_checked(
        &self,
        tx: &mut dyn Tx,
        checked: Option<Bound>,
        way: &Way,
    ) -> TxResult<Option<Stored<Account>>> {
        let nobody = Bound {
            account: self.identity_row(way).0,
            epoch: 0,
        };
        self.bound_account(tx, checked.unwrap_or(nobody))
    }
}
