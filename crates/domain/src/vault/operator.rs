//! What an operator may do with an account: look at its outside, give it a plan, remove it.

use std::sync::Arc;

use serde::Serialize;

use super::account::VaultAccount;
use super::entry::Entry;
use super::plan::Plans;
use super::session::VaultSession;
use super::web_pass::fingerprint;
use super::{LoginName, Vaults};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::{Tx, TxResult};
use crate::core::record::Record as _;
use crate::core::rows::Stored;
use crate::core::verdict::Verdict;
use crate::proof::operator::{Operator, OperatorRight};

/// An account without anything secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VaultAccountState {
    /// The keyed hash by which the audit trail names the account.
    pub alias: String,
    pub name: String,
    pub created: String,
    /// The plan that counts, and whether it is the default.
    pub plan: String,
    pub plan_is_default: bool,
    pub password_generation: u64,
    pub entries: u64,
    pub sessions: u64,
    pub public_key_fingerprint: String,
}

impl VaultAccountState {
    /// The state of `account`, which has so many entries and sessions.
    fn of(
        alias: String,
        account: &VaultAccount,
        plans: &Plans,
        (entries, sessions): (u64, u64),
    ) -> Self {
        Self {
            alias,
            name: account.name.clone(),
            created: account.created.rfc3339_seconds(),
            plan: plans.named(account.plan.as_deref()).name,
            plan_is_default: account.plan.is_none(),
            password_generation: account.generation,
            entries,
            sessions,
            public_key_fingerprint: fingerprint(&account.public_key()),
        }
    }
}

impl Vaults {
    /// Returns the state of the account with this name.
    ///
    /// # Errors
    /// `Forbidden` without the right to read; `UnknownSubject`.
    pub async fn vault_account_state(
        self: &Arc<Self>,
        operator: &Operator,
        name: LoginName,
    ) -> Result<VaultAccountState, Error> {
        operator.may(OperatorRight::Read)?;
        self.find(move |hub, tx| {
            let id = hub.find_account(tx, &name)?;
            let account = match id {
                Some(id) => hub.rows.peek(tx, id)?,
                None => None,
            };
            match account {
                Some(account) => hub.account_state(tx, &account).map(Verdict::Done),
                None => Ok(Refusal::UnknownSubject.into()),
            }
        })
        .await
    }

    /// Gives an account a plan from the configuration; `None` gives the default again. It counts at once.
    ///
    /// # Errors
    /// `Forbidden` without the right to manage; `Invalid` if there is no such plan; `UnknownSubject`.
    pub async fn set_vault_plan(
        self: &Arc<Self>,
        operator: &Operator,
        name: LoginName,
        plan: Option<String>,
    ) -> Result<VaultAccountState, Error> {
        operator.may(OperatorRight::Manage)?;
        self.policy.plans.may_give(plan.as_deref())?;
        let operator = operator.clone();
        let now = self.now();
        let set = self.write(move |hub, tx| {
            let Some(mut account) = hub.held_by_name(tx, &name)? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            account.plan.clone_from(&plan);
            hub.rows.put(tx, &mut account)?;
            let event = operator.event(now, "account.plan", account.id().alias());
            let event = event.fact("by", "operator");
            hub.record(tx, event.fact("plan", plan.clone().unwrap_or_default()))?;
            hub.account_state(tx, &account).map(Verdict::Done)
        });
        set.await?.answer()
    }

    /// Removes an account in the same way as its owner would.
    ///
    /// # Errors
    /// `Forbidden` without the right to manage; `UnknownSubject`.
    pub async fn delete_vault_account(
        self: &Arc<Self>,
        operator: &Operator,
        name: LoginName,
    ) -> Result<(), Error> {
        operator.may(OperatorRight::Manage)?;
        let operator = operator.clone();
        let now = self.now();
        let deleted = self.write(move |hub, tx| {
            let Some(account) = hub.held_by_name(tx, &name)? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            hub.erase_account(tx, &account)?;
            let event = operator.event(now, "account.delete", account.id().alias());
            hub.record(tx, event.fact("by", "operator"))?;
            Ok(Verdict::Done(()))
        });
        deleted.await?.answer()
    }

    fn held_by_name(
        &self,
        tx: &mut dyn Tx,
        name: &LoginName,
    ) -> TxResult<Option<Stored<VaultAccount>>> {
        match self.find_account(tx, name)? {
            Some(id) => self.rows.get(tx, id),
            None => Ok(None),
        }
    }

    fn account_state(
        &self,
        tx: &mut dyn Tx,
        account: &Stored<VaultAccount>,
    ) -> TxResult<VaultAccountState> {
        let id = account.id();
        let entries = tx.count_children(Entry::KIND, &id)?;
        let sessions = tx.count_children(VaultSession::KIND, &id)?;
        let plans = &self.policy.plans;
        let counts = (entries, sessions);
        Ok(VaultAccountState::of(id.alias(), account, plans, counts))
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::account;
    use super::super::plan::Plan;
    use super::*;

    fn state(plan: Option<&str>) -> VaultAccountState {
        let mut account = account("ann@example.org");
        account.generation = 2;
        account.plan = plan.map(str::to_owned);
        let mut plans = Plans::default();
        let large = Plan {
            name: "Large".to_owned(),
            ..Plan::default()
        };
        plans.by_name.insert(large.name.clone(), large);
        VaultAccountState::of("0707".to_owned(), &account, &plans, (4, 3))
    }

    #[test]
    fn an_operator_sees_the_outside_of_an_account() {
        assert_eq!(
            state(None),
            VaultAccountState {
                alias: "0707".to_owned(),
                name: "ann@example.org".to_owned(),
                created: "2023-11-14T22:13:20Z".to_owned(),
                plan: "Default".to_owned(),
                plan_is_default: true,
                password_generation: 2,
                entries: 4,
                sessions: 3,
                public_key_fingerprint: fingerprint("a public key"),
            }
        );
    }

    #[test]
    fn an_operator_sees_the_plan_that_counts() {
        let chosen = state(Some("Large"));
        assert_eq!(
            (chosen.plan.as_str(), chosen.plan_is_default),
            ("Large", false)
        );
        let gone = state(Some("Gone"));
        assert_eq!(
            (gone.plan.as_str(), gone.plan_is_default),
            ("Default", false)
        );
    }
}
