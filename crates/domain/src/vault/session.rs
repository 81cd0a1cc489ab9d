//! Sessions: what a login gives, and what every later call shows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::VaultAccount;
use super::plan::Plan;
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::limit::quota::Meter;
use crate::proof::bearer::has_form;
use crate::vault::Vaults;

const TOKEN_DIGITS: usize = 64;

/// The record of a session, found by the keyed hash of its token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VaultSession {
    pub(crate) account: [u8; 16],
    pub(crate) generation: u64,
    pub(crate) expires: Timestamp,
}

impl Record for VaultSession {
    const KIND: Kind = "vault_session";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// Somebody with a live session. Only [`Vaults::enter`] makes one.
#[derive(Debug, Clone)]
pub struct VaultMember {
    pub(super) account: RowId,
    pub(super) name: String,
    pub(super) generation: u64,
    pub(super) plan: Plan,
}

impl VaultMember {
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// What a presented token is worth.
#[derive(Debug, Clone)]
pub enum VaultStanding {
    Member(Box<VaultMember>),
    /// Nothing was presented.
    Absent,
    /// Unknown, malformed or over.
    Unknown,
    /// Issued before the password was changed.
    Superseded,
}

/// A call at the door: counted, and recognised.
#[derive(Debug, Clone)]
pub struct Entrance {
    pub meter: Meter,
    pub standing: VaultStanding,
}

impl Vaults {
    /// Looks a token up and counts the call: on the account whose token it is, else on the network.
    pub async fn enter(
        self: &Arc<Self>,
        caller: &Caller,
        token: Option<&str>,
    ) -> Result<Entrance, Error> {
        let now = self.now();
        let Some((session, account)) = self.bearer_account(now, token).await? else {
            let meter = self.count_network(caller, now).await?;
            let standing = if token.is_some() {
                VaultStanding::Unknown
            } else {
                VaultStanding::Absent
            };
            return Ok(Entrance { meter, standing });
        };
        let plan = self.policy.plans.named(account.plan.as_deref());
        let meter = self
            .spend_quota(account.id(), plan.calls_per_hour, now)
            .await?;
        let standing = if session.generation == account.generation {
            let generation = account.generation;
            let name = account.value.name;
            VaultStanding::Member(Box::new(VaultMember {
                account: account.place.id,
                name,
                generation,
                plan,
            }))
        } else {
            VaultStanding::Superseded
        };
        Ok(Entrance { meter, standing })
    }

    /// Counts a call that needs no token.
    pub async fn enter_openly(self: &Arc<Self>, caller: &Caller) -> Result<Meter, Error> {
        self.count_network(caller, self.now()).await
    }

    async fn count_network(
        self: &Arc<Self>,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Meter, Error> {
        let subject = self.rows.id("vault_network", &[caller.network.as_bytes()]);
        self.spend_quota(subject, self.policy.network_calls_per_hour, now)
            .await
    }

    async fn bearer_account(
        &self,
        now: Timestamp,
        token: Option<&str>,
    ) -> Result<Option<(Stored<VaultSession>, Stored<VaultAccount>)>, Error> {
        let Some(token) = token.filter(|token| has_form(token, TOKEN_DIGITS)) else {
            return Ok(None);
        };
        let store = self.store.as_ref();
        let session = self
            .rows
            .read::<VaultSession>(store, self.bearer_row(VaultSession::KIND, token))
            .await?;
        let Some(session) = session.filter(|session| now < session.expires) else {
            return Ok(None);
        };
        let account = self
            .rows
            .read::<VaultAccount>(store, RowId(session.account))
            .await?;
        Ok(account.map(|account| (session, account)))
    }

    /// Issues a session in the running transaction; its token leaves with the answer and nowhere else.
    pub(super) fn issue_session(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        account: &Stored<VaultAccount>,
    ) -> TxResult<String> {
        let token = self.fresh_bearer::<32>();
        let expires = now.plus(self.policy.session_life);
        let place = Place::at(self.bearer_row(VaultSession::KIND, &token))
            .of(account.id())
            .due(expires);
        let session = VaultSession {
            account: account.id().0,
            generation: account.generation,
            expires,
        };
        self.rows.create(tx, account.scope(), place, session)?;
        Ok(token)
    }
}
