//! Starting a recovery, step 1: a code is sent to a verified contact. Whoever asks for it has proved nothing.

use std::sync::Arc;

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::guarded_key::GuardedKeys;
use crate::guarded_key::contact::code::binding;
use crate::guarded_key::contact::{CodePurpose, Contact, ContactAddress, ContactCode, KeyContact};
use crate::guarded_key::guess::may_try;
use crate::guarded_key::key::{GuardedKey, GuardedKeyId};
use crate::letter::Decides as _;
use crate::limit::budget::GuessBudget;
use crate::limit::rate::RateLog;
use crate::proof::challenge::Code;
use crate::trail::audit::Event;

/// The caller as the message to a contact is written for: its owner reads it, so it is in the owner's language.
fn reader(caller: &Caller, contact: &Contact) -> Caller {
    Caller {
        language: contact.language.clone(),
        ..caller.clone()
    }
}

impl Contact {
    /// Waits for a code that starts or finishes a recovery. It replaces the code that was sent before.
    fn await_recovery(&mut self, code: Code) {
        self.waiting = Some(ContactCode {
            purpose: CodePurpose::Recover,
            code,
            pending: None,
        });
    }
}

impl GuardedKeys {
    /// Step 1: sends a code to a verified contact.
    ///
    /// `UnknownSubject`: the key has no such verified contact. `Limited`: too many codes were sent, or the key was
    /// asked about too many contacts that it does not have. `Exhausted`: too many wrong codes were entered.
    pub async fn start_recovery(
        self: &Arc<Self>,
        caller: Caller,
        key: GuardedKeyId,
        address: ContactAddress,
    ) -> Result<(), Error> {
        let ids = self.locate_contact(self.key_row(key), &address).await?;
        let now = self.now();
        self.decide(now, move |hub, tx| {
            hub.start_recovery_in(tx, (now, &caller), ids, &address)
        })
        .await
    }

    fn start_recovery_in(
        &self,
        tx: &mut dyn Tx,
        (now, caller): (Timestamp, &Caller),
        ids: KeyContact,
        address: &ContactAddress,
    ) -> TxResult<Verdict<()>> {
        if self.rows.get(tx, ids.key)?.is_none() {
            return Ok(Refusal::UnknownSubject.into());
        }
        let found = self.rows.get(tx, ids.contact)?;
        let Some(mut found) = found.filter(|contact| contact.is_verified()) else {
            return Ok(self.count_probe(tx, now, ids.key)?.into());
        };
        let budget = self.budget_row(ids.contact.row());
        let budget = self.rows.get::<GuessBudget>(tx, budget)?;
        let rules = self.code_rules(tx, now, Some(ids.key.row()), caller)?;
        if let Err(refusal) = may_try(budget.as_deref(), now, &rules) {
            return Ok(refusal.into());
        }
        if let Err(refusal) = self.spend_sends(tx, now, caller, ids.contact, address)? {
            return Ok(refusal.into());
        }
        let text = self.issue_recovery_code(tx, now, &mut found)?;
        let reader = reader(caller, &found);
        let to = (ids.contact, address);
        self.post_code(tx, (now, &reader), to, CodePurpose::Recover, &text)?;
        let event = Event::new(caller.surface, now, "recovery.start", ids.key.alias()).by(caller);
        self.record(tx, event.fact("contact", ids.contact.alias()))?;
        Ok(Verdict::Done(()))
    }

    fn issue_recovery_code(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        contact: &mut Stored<Contact>,
    ) -> TxResult<SecretText> {
        let bound = contact.key();
        let bound = binding(&bound, CodePurpose::Recover);
        let (code, text) = self.issue_code(now, self.policy.code_life, &bound)?;
        contact.await_recovery(code);
        self.rows.put(tx, contact)?;
        Ok(text)
    }

    /// Limits how often somebody may ask a key about contacts that it does not have. Returns the refusal to answer.
    fn count_probe(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        key: Id<GuardedKey>,
    ) -> TxResult<Refusal> {
        let rates = [self.policy.unknown_contacts_per_key];
        let row = self
            .rows
            .named::<RateLog>(&[b"unknown contacts", key.as_bytes()]);
        let spent = self.spend_rates(tx, now, &[(row.row(), &rates)])?;
        Ok(spent.err().unwrap_or(Refusal::UnknownSubject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guarded_key::contact::tests::{at, contact, running_lock, waiting};
    #[test]
    fn the_code_is_written_in_the_language_of_the_owner_and_not_of_the_caller() {
        let caller = Caller {
            surface: "test",
            network: "127.0.0.1/32".to_owned(),
            language: "de".to_owned(),
        };
        let reader = reader(&caller, &contact());
        assert_eq!(reader.language, "en");
        assert_eq!(reader.network, caller.network);
    }

    #[test]
    fn a_new_code_replaces_the_old_one_and_leaves_the_lock() {
        let mut contact = contact();
        contact.lock = Some(running_lock(at(0)));
        contact.waiting = Some(waiting(CodePurpose::Verify, at(10)));
        contact.await_recovery(waiting(CodePurpose::Recover, at(20)).code);
        let code = contact.waiting.unwrap();
        assert_eq!(code.purpose, CodePurpose::Recover);
        assert_eq!(code.code.expires, at(20));
        assert!(contact.lock.is_some());
    }
}
