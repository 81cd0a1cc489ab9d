//! What an operator may see and do with an account. There is no way to read a password or a code.

use std::sync::Arc;

use serde::Serialize;

use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Page, Tx, TxResult};
use crate::core::record::Record as _;
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::limit::lockout::{LockRules, Lockout};
use crate::person::People;
use crate::proof::account::{Account, AccountId, OwnAddress};
use crate::proof::authenticator::Authenticator;
use crate::proof::operator::{Operator, OperatorRight};
use crate::proof::session::{self, Session};

use super::Way;
use super::account::{Class, Secret};

/// The state of an account, without secrets.
#[derive(Debug, Clone, Serialize)]
pub struct AccountState {
    pub id: String,
    /// The keyed hash by which the audit trail may name the account.
    pub alias: String,
    pub created: String,
    pub language: String,
    pub email: Option<AddressState>,
    pub phone: Option<AddressState>,
    pub authenticator: bool,
    pub recovery_codes_left: usize,
    pub anti_phishing_code: bool,
    pub restricted_until: Option<String>,
    pub sessions: u64,
    pub locks: Vec<LockoutState>,
}

/// An address, masked.
#[derive(Debug, Clone, Serialize)]
pub struct AddressState {
    pub address: String,
    pub second_step: bool,
    pub verified: String,
}

/// Wrong codes in a row of a class of operations.
#[derive(Debug, Clone, Serialize)]
pub struct LockoutState {
    pub class: &'static str,
    pub wrong_in_a_row: u32,
    pub locked_until: Option<String>,
}

impl People {
    /// The state of an account.
    pub async fn person_state(
        self: &Arc<Self>,
        operator: &Operator,
        id: AccountId,
    ) -> Result<AccountState, Error> {
        operator.may(OperatorRight::Read)?;
        let now = self.now();
        self.find(move |hub, tx| {
            let account = hub.rows.peek(tx, hub.account_row(id.0))?;
            let account = allowed!(account.ok_or(Refusal::UnknownSubject));
            Ok(Verdict::Done(hub.state_of(tx, now, &account)?))
        })
        .await
    }

    /// The id of the account that an address leads to.
    pub async fn account_at(self: &Arc<Self>, way: Way) -> Result<AccountId, Error> {
        let account = self
            .find_person(&way)
            .await?
            .ok_or(Refusal::UnknownSubject)?;
        Ok(AccountId(account.person))
    }

    /// Forgets the wrong answers of a class, for all secrets; with the login the wrong passwords. The audit trail says
    /// which secrets those are.
    pub async fn unlock_account(
        self: &Arc<Self>,
        operator: &Operator,
        id: AccountId,
        class: Class,
    ) -> Result<(), Error> {
        operator.may(OperatorRight::Support)?;
        let operator = operator.clone();
        let now = self.now();
        let written = self.write(move |hub, tx| {
            let account = allowed!(hub.account_of(tx, id)?);
            let unlocked = hub.unlock_class(tx, &account, class)?;
            let event = operator.event(now, "account.unlock", id.0.to_string());
            let event = event.fact("class", class.name());
            hub.record(tx, event.fact("secrets", unlocked.join(", ")))?;
            Ok(Verdict::Done(()))
        });
        written.await?.answer()
    }

    /// Ends all sessions of an account.
    pub async fn end_account_sessions(
        self: &Arc<Self>,
        operator: &Operator,
        id: AccountId,
    ) -> Result<u64, Error> {
        operator.may(OperatorRight::Support)?;
        let operator = operator.clone();
        let now = self.now();
        let written = self.write(move |hub, tx| {
            let account = allowed!(hub.account_of(tx, id)?);
            let ended = session::end_sessions(tx, account.key(), None)?;
            let event = operator.event(now, "account.end_sessions", id.0.to_string());
            hub.record(tx, event.fact("ended", ended.to_string()))?;
            Ok(Verdict::Done(ended))
        });
        written.await?.answer()
    }

    /// Erases an account with its sessions. Its addresses are free again, and its wrong codes and passwords are
    /// forgotten. What was begun for it is over, because the account is gone. What somebody has on other surfaces, a
    /// wallet above all, is not the account's and stays.
    pub async fn erase_person(
        self: &Arc<Self>,
        operator: &Operator,
        id: AccountId,
    ) -> Result<(), Error> {
        operator.may(OperatorRight::Manage)?;
        let operator = operator.clone();
        let now = self.now();
        let written = self.write(move |hub, tx| {
            let account = allowed!(hub.account_of(tx, id)?);
            for class in Class::ALL {
                hub.unlock_class(tx, &account, class)?;
            }
            for way in account.ways() {
                hub.release_address(tx, way)?;
            }
            let ended = session::end_sessions(tx, account.key(), None)?;
            hub.rows.remove(tx, account.key())?;
            let event = operator.event(now, "account.erase", id.0.to_string());
            hub.record(tx, event.fact("ended", ended.to_string()))?;
            Ok(Verdict::Done(()))
        });
        written.await?.answer()
    }

    /// How many accounts there are.
    pub async fn count_accounts(self: &Arc<Self>, operator: &Operator) -> Result<u64, Error> {
        operator.may(OperatorRight::Read)?;
        self.read(|_, tx| tx.count(Account::KIND)).await
    }

    fn account_of(
        &self,
        tx: &mut dyn Tx,
        id: AccountId,
    ) -> TxResult<Result<Stored<Account>, Refusal>> {
        let account = self.rows.get(tx, self.account_row(id.0))?;
        Ok(account.ok_or(Refusal::UnknownSubject))
    }

    /// Forgets what was counted for a class. Returns the names of the secrets.
    fn unlock_class(
        &self,
        tx: &mut dyn Tx,
        account: &Stored<Account>,
        class: Class,
    ) -> TxResult<Vec<&'static str>> {
        let mut names = Vec::new();
        for (name, (row, _)) in self.class_lockouts(account, class) {
            self.rows.remove(tx, row)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if class == Class::Login {
            self.forget_passwords(tx, account)?;
        }
        Ok(names)
    }

    /// The wrong passwords of logins: from anywhere, and from each network that is locked.
    fn password_locks(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        account: &Stored<Account>,
    ) -> TxResult<Vec<LockoutState>> {
        let anywhere: Vec<Id<Lockout>> = account
            .ways()
            .map(|way| self.login_lockout_anywhere(way).0)
            .collect();
        let (own, _) = self.secret_lockout(Class::SignedIn, account.id(), Secret::Password);
        let mut locks = Vec::new();
        for lockout in self
            .rows
            .children::<Lockout>(tx, &account.id(), Page::ALL)?
        {
            let rules = if anywhere.contains(&lockout.key()) {
                self.policy.anywhere()
            } else {
                self.policy.near()
            };
            if lockout.key() != own && lockout.locked(now, &rules).is_some() {
                locks.push(LockoutState::of(Class::Login, &lockout, now, &rules));
            }
        }
        Ok(locks)
    }

    fn state_of(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        account: &Stored<Account>,
    ) -> TxResult<AccountState> {
        let mut locks = Vec::new();
        for class in Class::ALL {
            for (_, (row, rules)) in self.class_lockouts(account, class) {
                let lockout = self.rows.peek(tx, row)?;
                let counted = lockout.filter(|lockout| lockout.in_a_row() > 0);
                locks.extend(counted.map(|lockout| LockoutState::of(class, &lockout, now, &rules)));
            }
        }
        locks.extend(self.password_locks(tx, now, account)?);
        let sessions = tx.count_children(Session::KIND, &account.id())?;
        Ok(AccountState {
            alias: account.id().alias(),
            sessions,
            locks,
            ..AccountState::of(account, now)
        })
    }
}

impl AddressState {
    fn of(own: &OwnAddress) -> Self {
        Self {
            address: own.way.masked(),
            second_step: own.second_step,
            verified: own.verified.rfc3339(),
        }
    }
}

impl LockoutState {
    fn of(class: Class, lockout: &Lockout, now: Timestamp, rules: &LockRules) -> Self {
        let until = lockout.locked(now, rules);
        Self {
            class: class.name(),
            wrong_in_a_row: lockout.in_a_row(),
            locked_until: until.map(Timestamp::rfc3339),
        }
    }
}

impl AccountState {
    /// What the account itself tells; not its alias, sessions and locks.
    fn of(account: &Account, now: Timestamp) -> Self {
        let authenticator = account.authenticator.as_ref().filter(|known| known.is_on());
        Self {
            id: account.person.to_string(),
            alias: String::new(),
            created: account.created.rfc3339(),
            language: account.language.clone(),
            email: account.email.as_ref().map(AddressState::of),
            phone: account.phone.as_ref().map(AddressState::of),
            authenticator: authenticator.is_some(),
            recovery_codes_left: authenticator.map_or(0, Authenticator::recovery_codes_left),
            anti_phishing_code: account.phrase.is_some(),
            restricted_until: account.restriction(now).map(Timestamp::rfc3339),
            sessions: 0,
            locks: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::policy::PersonPolicy;
    use crate::proof::account::tests::{EMAIL, PHONE, anna_with_phone, at, authenticator};

    #[test]
    fn an_operator_sees_masked_addresses_and_no_secret() {
        let mut account = anna_with_phone();
        account.phrase = Some("blue".to_owned());
        account.restricted_until = Some(at(60));
        let state = AccountState::of(&account, at(0));
        assert_eq!(state.email.as_ref().unwrap().address, "a***@example.com");
        assert_eq!(state.phone.as_ref().unwrap().address, "+***78");
        assert!(state.anti_phishing_code);
        assert_eq!(
            state.restricted_until.as_deref(),
            Some("1970-01-01T00:01:00.000Z")
        );
        let shown = serde_json::to_string(&state).unwrap();
        for secret in [EMAIL, PHONE, "blue"] {
            assert!(!shown.contains(secret), "{secret}");
        }
    }

    #[test]
    fn an_authenticator_counts_once_it_is_on() {
        let mut account = anna_with_phone();
        let mut known = authenticator(None);
        known.recovery = vec![[1; 32], [2; 32]];
        account.authenticator = Some(known.clone());
        let state = AccountState::of(&account, at(0));
        assert_eq!((state.authenticator, state.recovery_codes_left), (false, 0));
        known.on_since = Some(at(0));
        account.authenticator = Some(known);
        let state = AccountState::of(&account, at(60));
        assert_eq!((state.authenticator, state.recovery_codes_left), (true, 2));
        assert_eq!(state.restricted_until, None);
    }

    #[test]
    fn a_lock_is_shown_with_its_class_and_its_end() {
        let stored = serde_json::json!({
            "in_a_row": 10, "recent": [], "locked_until": at(900), "in_flight": [],
        });
        let lockout: Lockout = serde_json::from_value(stored).unwrap();
        let state = LockoutState::of(Class::Login, &lockout, at(0), &PersonPolicy::CODES);
        assert_eq!((state.class, state.wrong_in_a_row), ("login", 10));
        assert_eq!(
            state.locked_until.as_deref(),
            Some("1970-01-01T00:15:00.000Z")
        );
        let later = LockoutState::of(Class::Login, &lockout, at(900), &PersonPolicy::CODES);
        assert_eq!((later.wrong_in_a_row, later.locked_until), (10, None));
    }
}
