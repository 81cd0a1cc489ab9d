//! What an operator may do with an account: look at its outside, give it a plan, remove it.

use std::sync::Arc;

use serde::Serialize;

use super::LoginName;
use super::account::VaultAccount;
use super::entry::Entry;
use super::session::VaultSession;
use super::web_pass::fingerprint;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Stored;
use crate::proof::operator::{Operator, Right};
use crate::vault::Vaults;

/// An account without anything secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VaultAccountState {
    /// The keyed hash that the audit trail calls the account by.
    pub alias: String,
    pub name: String,
    pub created: String,
    /// The plan that counts, and whether an operator chose it.
    pub plan: String,
    pub plan_is_default: bool,
    pub password_generation: u64,
    pub entries: u64,
    pub sessions: u64,
    pub public_key_fingerprint: String,
}

impl Vaults {
    pub async fn vault_account_state(
        self: &Arc<Self>,
        operator: &Operator,
        name: LoginName,
    ) -> Result<VaultAccountState, Error> {
        operator.may(Right::Read)?;
        self.read(move |hub, tx| {
            let id = hub.find_account(tx, &name)?;
            let account = match id {
                Some(id) => hub.rows.peek::<VaultAccount>(tx, &id)?,
                None => None,
            };
            let Some(account) = account else {
                return Err(Refusal::UnknownSubject.into());
            };
            hub.account_state(tx, &account)
        })
        .await
    }

    /// Gives an account a plan of the configuration, or the default again. Counts at once.
    pub async fn set_vault_plan(
        self: &Arc<Self>,
        operator: &Operator,
        name: LoginName,
        plan: Option<String>,
    ) -> Result<VaultAccountState, Error> {
        operator.may(Right::Manage)?;
        let operator = operator.clone();
        if plan
            .as_ref()
            .is_some_and(|plan| !self.policy.plans.by_name.contains_key(plan))
        {
            return Err(Refusal::Invalid {
                field: "plan",
                why: "is not in the configuration",
            }
            .into());
        }
        let now = self.now();
        self.write(move |hub, tx| {
            let mut account = hub.held_by_name(tx, &name)?;
            account.plan.clone_from(&plan);
            hub.rows.put(tx, &mut account)?;
            let event = operator
                .event(now, "account.plan", account.id().alias())
                .fact("by", "operator");
            hub.record(tx, event.fact("plan", plan.clone().unwrap_or_default()))?;
            hub.account_state(tx, &account)
        })
        .await
    }

    /// Removes an account as its owner would.
    pub async fn delete_vault_account(
        self: &Arc<Self>,
        operator: &Operator,
        name: LoginName,
    ) -> Result<(), Error> {
        operator.may(Right::Manage)?;
        let operator = operator.clone();
        let now = self.now();
        self.write(move |hub, tx| {
            let account = hub.held_by_name(tx, &name)?;
            hub.erase_account(tx, &account)?;
            let event = operator.event(now, "account.delete", account.id().alias());
            hub.record(tx, event.fact("by", "operator"))
        })
        .await
    }

    fn held_by_name(&self, tx: &mut dyn Tx, name: &LoginName) -> TxResult<Stored<VaultAccount>> {
        let Some(id) = self.find_account(tx, name)? else {
            return Err(Refusal::UnknownSubject.into());
        };
        self.rows
            .get::<VaultAccount>(tx, &id)?
            .ok_or_else(|| Refusal::UnknownSubject.into())
    }

    fn account_state(
        &self,
        tx: &mut dyn Tx,
        account: &Stored<VaultAccount>,
    ) -> TxResult<VaultAccountState> {
        let id = account.id();
        Ok(VaultAccountState {
            alias: id.alias(),
            name: account.name.clone(),
            created: account.created.rfc3339_seconds(),
            plan: self.policy.plans.named(account.plan.as_deref()).name,
            plan_is_default: account.plan.is_none(),
            password_generation: account.generation,
            entries: tx.count_children(<Entry as crate::core::record::Record>::KIND, &id)?,
            sessions: tx
                .count_children(<VaultSession as crate::core::record::Record>::KIND, &id)?,
            public_key_fingerprint: fingerprint(&account.public_key()),
        })
    }
}
