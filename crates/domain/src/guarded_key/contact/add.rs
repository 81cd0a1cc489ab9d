//! Adding a contact: step 1.

use std::sync::Arc;

use super::code::binding;
use super::{CodePurpose, Contact, ContactAddress, ContactCode, KeyContact};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::port::store::{Tx, TxResult};
use crate::core::record::Record;
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::guarded_key::GuardedKeys;
use crate::guarded_key::Proven;
use crate::guarded_key::guess::may_try;
use crate::guarded_key::key::GuardedKeyId;
use crate::guarded_key::pin::Pin;

/// Whether an address may be added to a key. `found`: its contact, if there is one. `others`: how many contacts the
/// key has, which matters only for a new one.
fn may_add(found: Option<&Contact>, others: u64, most: u64) -> Result<(), Refusal> {
    match found {
        Some(known) if known.is_verified() => Err(Refusal::Conflict),
        None if others >= most => Err(Refusal::TooLarge {
            limit: usize::try_from(most).unwrap_or(usize::MAX),
        }),
        Some(_) | None => Ok(()),
    }
}

impl Contact {
    /// A contact whose owner must still return `code`.
    fn unverified(
        now: Timestamp,
        caller: &Caller,
        address: &ContactAddress,
        store_address: bool,
        code: ContactCode,
    ) -> Self {
        Self {
            channel: Some(address.channel),
            address: store_address.then(|| address.text.clone()),
            language: caller.language.clone(),
            added: now,
            verified: None,
            waiting: Some(code),
            lock: None,
        }
    }
}

impl GuardedKeys {
    /// Adds `address` as a contact if the PIN is correct, and sends it a code.
    ///
    /// Beside the errors of [`GuardedKeys::open_key`]: `Conflict` if the address is a verified contact already,
    /// `TooLarge` if the key has too many contacts, `Limited` if too many codes were sent, `Exhausted` if too many wrong
    /// codes of this address were entered at this key.
    pub async fn add_contact(
        self: &Arc<Self>,
        caller: Caller,
        key: GuardedKeyId,
        pin: Pin,
        address: ContactAddress,
    ) -> Result<(), Error> {
        let row = self.key_row(key);
        if self.rows.read(self.store.as_ref(), row).await?.is_none() {
            return Err(Refusal::UnknownSubject.into());
        }
        let ids = self.locate_contact(row, &address).await?;
        let now = self.now();
        let who = caller.clone();
        self.with_pin(
            caller,
            key,
            pin,
            "contact.add",
            move |hub, tx, _, proven| hub.add_contact_in(tx, (now, &who), ids, &address, proven),
        )
        .await
    }

    fn add_contact_in(
        &self,
        tx: &mut dyn Tx,
        (now, caller): (Timestamp, &Caller),
        ids: KeyContact,
        address: &ContactAddress,
        proven: &Proven,
    ) -> TxResult<Result<(), Refusal>> {
        let KeyContact { key, contact: row } = ids;
        let policy = &self.policy;
        let found = self.rows.get(tx, row)?;
        let others = match &found {
            Some(_) => 0,
            None => tx.count_children(Contact::KIND, &key.row())?,
        };
        if let Err(refusal) = may_add(found.as_deref(), others, policy.contacts_per_key) {
            return Ok(Err(refusal));
        }
        // The count belongs to the address at this key, whatever code is out. A code that cannot be used is not sent.
        let rules = self.code_rules(tx, now, Some(key.row()), caller)?;
        let budget = self.rows.get(tx, self.budget_row(row.row()))?;
        if let Err(refusal) = may_try(budget.as_deref(), now, &rules) {
            return Ok(Err(refusal));
        }
        if let Err(refusal) = self.spend_sends(tx, now, caller, row, address)? {
            return Ok(Err(refusal));
        }
        let (code, text) =
            self.issue_code(now, policy.code_life, &binding(&row, CodePurpose::Verify))?;
        let pending = self.seal_until_proved(row, &text, &proven.content)?;
        let code = ContactCode {
            purpose: CodePurpose::Verify,
            code,
            pending: Some(pending),
        };
        let contact = Contact::unverified(now, caller, address, policy.store_addresses, code);
        if let Some(mut known) = found {
            known.value = contact;
            self.rows.put(tx, &mut known)?;
        } else {
            let place = Place::at(row).of(key).ranked(now.millis());
            self.rows.create(tx, self.tenant(), place, contact)?;
        }
        self.budget_goes_on(tx, row.row())?;
        let to = (row, address);
        self.post_code(tx, (now, caller), to, CodePurpose::Verify, &text)?;
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::Channel;
    use crate::guarded_key::contact::tests::{at, contact, waiting};

    fn unverified() -> Contact {
        Contact {
            verified: None,
            ..contact()
        }
    }

    #[test]
    fn a_new_address_may_be_added_while_there_is_room() {
        assert_eq!(may_add(None, 0, 2), Ok(()));
        assert_eq!(may_add(None, 1, 2), Ok(()));
        let full = Err(Refusal::TooLarge { limit: 2 });
        assert_eq!(may_add(None, 2, 2), full);
        assert_eq!(may_add(None, 3, 2), full);
    }

    #[test]
    fn an_unverified_contact_may_be_added_again_whatever_the_number() {
        assert_eq!(may_add(Some(&unverified()), 0, 0), Ok(()));
        assert_eq!(may_add(Some(&unverified()), 20, 20), Ok(()));
    }

    #[test]
    fn a_verified_contact_may_not_be_added_again() {
        assert_eq!(may_add(Some(&contact()), 0, 20), Err(Refusal::Conflict));
    }

    fn added(store_address: bool) -> Contact {
        let caller = Caller {
            surface: "test",
            network: "127.0.0.1/32".to_owned(),
            language: "de".to_owned(),
        };
        let address = ContactAddress {
            channel: Channel::Sms,
            text: "+491".to_owned(),
        };
        let code = waiting(CodePurpose::Verify, at(3600));
        Contact::unverified(at(0), &caller, &address, store_address, code)
    }

    #[test]
    fn a_new_contact_is_unverified_and_gets_messages_in_the_language_of_its_caller() {
        let contact = added(true);
        assert!(!contact.is_verified());
        assert!(contact.awaits(CodePurpose::Verify));
        assert_eq!(contact.channel, Some(Channel::Sms));
        assert_eq!(contact.address.as_deref(), Some("+491"));
        assert_eq!(contact.language, "de");
    }

    #[test]
    fn an_address_is_not_stored_where_the_operator_stores_none() {
        assert_eq!(added(false).address, None);
    }
}
