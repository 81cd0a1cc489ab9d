//! What operators may do with guarded keys: see the state of one, remove one, count them.

use std::sync::Arc;

use serde::Serialize;

use super::contact::Contact;
use super::key::{GuardedKey, GuardedKeyId};
use super::lock::Alerts;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::message::Channel;
use crate::core::port::store::{Page, Tx, TxResult};
use crate::core::record::Record;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::guarded_key::GuardedKeys;
use crate::limit::budget::{GuessBudget, GuessLimits};
use crate::limit::familiar::CallerStanding;
use crate::proof::operator::{Operator, OperatorRight};

/// What an operator may see of a key: no secrets, no addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyState {
    /// The keyed hash that the audit trail calls the key by.
    pub alias: String,
    pub created: String,
    pub failed_guesses: u32,
    pub failed_in_a_row: u32,
    pub exhausted_until: Option<String>,
    pub recoverable: bool,
    pub imported: bool,
    pub contacts: Vec<ContactState>,
}

/// What an operator may see of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContactState {
    pub alias: String,
    pub channel: Option<Channel>,
    pub verified: bool,
    pub code_outstanding: bool,
    pub locked_until: Option<String>,
}

impl KeyState {
    fn of(
        (alias, key): (String, &GuardedKey),
        (budget, limits): (&GuessBudget, &GuessLimits),
        contacts: Vec<ContactState>,
        now: Timestamp,
    ) -> Self {
        Self {
            alias,
            created: key.created.rfc3339(),
            failed_guesses: budget.failed(now, limits),
            failed_in_a_row: budget.failed_in_a_row(),
            exhausted_until: budget
                .exhausted(now, &limits.by(CallerStanding::Familiar))
                .map(Timestamp::rfc3339),
            recoverable: key.recovery_envelope.is_some(),
            imported: key.foreign.is_some(),
            contacts,
        }
    }
}

impl ContactState {
    fn of(alias: String, contact: &Contact, now: Timestamp, alerts: Alerts) -> Self {
        let code = contact.waiting.as_ref();
        let lock = contact.lock.as_ref().filter(|lock| lock.is_live(now));
        Self {
            alias,
            channel: contact.channel,
            verified: contact.is_verified(),
            code_outstanding: code.is_some_and(|waiting| now < waiting.code.expires),
            locked_until: lock.map(|lock| lock.opens_at(now, alerts).rfc3339()),
        }
    }
}

impl GuardedKeys {
    /// What an operator may know of a key. `UnknownSubject`: no such key.
    pub async fn key_state(
        self: &Arc<Self>,
        operator: &Operator,
        id: GuardedKeyId,
    ) -> Result<KeyState, Error> {
        operator.may(OperatorRight::Read)?;
        let row = self.key_row(id);
        let now = self.now();
        self.find(move |hub, tx| {
            let Some(key) = hub.rows.peek(tx, row)? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            let budget = hub
                .rows
                .peek::<GuessBudget>(tx, hub.budget_row(row.row()))?;
            let budget = budget.map(|budget| budget.value).unwrap_or_default();
            let contacts = hub.contact_states(tx, row, now)?;
            let budget = (&budget, &hub.policy.guesses);
            let state = KeyState::of((row.alias(), &key), budget, contacts, now);
            Ok(Verdict::Done(state))
        })
        .await
    }

    fn contact_states(
        &self,
        tx: &mut dyn Tx,
        key: Id<GuardedKey>,
        now: Timestamp,
    ) -> TxResult<Vec<ContactState>> {
        let alerts = self.alerts();
        let contacts = self.contacts(tx, key)?;
        Ok(contacts
            .iter()
            .map(|contact| ContactState::of(contact.id().alias(), contact, now, alerts))
            .collect())
    }

    /// Removes a key with its contacts, and records that in the audit trail. `UnknownSubject`: no such
    /// key.
    pub async fn delete_key(
        self: &Arc<Self>,
        operator: &Operator,
        id: GuardedKeyId,
    ) -> Result<(), Error> {
        operator.may(OperatorRight::Manage)?;
        let operator = operator.clone();
        let row = self.key_row(id);
        let now = self.now();
        let verdict = self
            .write(move |hub, tx| {
                if hub.rows.take(tx, row)?.is_none() {
                    return Ok(Verdict::Refused(Refusal::UnknownSubject));
                }
                hub.budget_outlives(tx, now, row.row(), &hub.policy.guesses)?;
                hub.forget_familiar(tx, row.row())?;
                hub.remove_contacts(tx, now, row)?;
                let event = operator.event(now, "key.delete", row.alias());
                hub.record(tx, event.fact("by", "operator"))?;
                Ok(Verdict::Done(()))
            })
            .await?;
        verdict.answer()
    }

    /// Removes all contacts of a key. Their counters stay until they limit nobody: the key may be imported again.
    fn remove_contacts(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        key: Id<GuardedKey>,
    ) -> TxResult<()> {
        for contact in tx.children(Contact::KIND, &key.row(), Page::ALL)? {
            self.budget_outlives(tx, now, contact.id, &self.policy.code_guesses())?;
        }
        tx.remove_children(Contact::KIND, &key.row())?;
        Ok(())
    }

    /// How many keys there are.
    pub async fn count_keys(self: &Arc<Self>, operator: &Operator) -> Result<u64, Error> {
        operator.may(OperatorRight::Read)?;
        self.read(|_, tx| tx.count(GuardedKey::KIND)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::days;
    use crate::guarded_key::contact::CodePurpose;
    use crate::guarded_key::contact::tests::{at, contact, running_lock, waiting};
    use crate::guarded_key::key::tests::key;

    const LIMITS: GuessLimits = GuessLimits {
        failures: 2,
        window: days(7),
        in_a_row: 100,
    };

    fn state(contact: &Contact, now: Timestamp) -> ContactState {
        ContactState::of("alias".to_owned(), contact, now, Alerts::Needed)
    }

    fn key_state(key: &GuardedKey, failed: u32) -> KeyState {
        let budget = GuessBudget::imported(failed, at(0), &LIMITS);
        let alias = "alias".to_owned();
        KeyState::of((alias, key), (&budget, &LIMITS), Vec::new(), at(1))
    }

    #[test]
    fn an_operator_sees_the_channel_of_a_contact_and_never_its_address() {
        let mut contact = contact();
        contact.address = Some("a@example.com".to_owned());
        let shown = serde_json::to_string(&state(&contact, at(1))).unwrap();
        assert!(!shown.contains("a@example.com"), "{shown}");
        assert_eq!(state(&contact, at(1)).channel, Some(Channel::Email));
    }

    #[test]
    fn a_code_is_shown_as_outstanding_until_it_expires() {
        let mut contact = contact();
        assert!(!state(&contact, at(0)).code_outstanding);
        contact.waiting = Some(waiting(CodePurpose::Recover, at(10)));
        assert!(state(&contact, at(9)).code_outstanding);
        assert!(!state(&contact, at(10)).code_outstanding);
    }

    #[test]
    fn a_running_recovery_lock_is_shown_with_the_moment_it_opens() {
        let mut contact = contact();
        contact.lock = Some(running_lock(at(0)));
        let opens = at(0).plus(days(30)).rfc3339();
        assert_eq!(state(&contact, at(0)).locked_until, Some(opens));
        let void = at(0).plus(days(60));
        assert_eq!(state(&contact, void).locked_until, None);
    }

    #[test]
    fn wrong_pins_are_shown_and_so_is_an_exhausted_budget() {
        let one = key_state(&key(), 1);
        assert_eq!((one.failed_guesses, one.failed_in_a_row), (1, 1));
        assert_eq!(one.exhausted_until, None);
        let two = key_state(&key(), 2);
        assert_eq!(two.exhausted_until, Some(at(0).plus(days(7)).rfc3339()));
    }

    #[test]
    fn a_key_is_recoverable_only_with_a_recovery_envelope() {
        let mut key = key();
        assert!(!key_state(&key, 0).recoverable);
        key.recovery_envelope = Some(vec![1]);
        assert!(key_state(&key, 0).recoverable);
        assert!(!key_state(&key, 0).imported);
    }
}
