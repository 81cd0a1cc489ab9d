//! Keys imported from a server that stored them unencrypted and PINs as scrypt hashes.
//!
//! What is imported is sealed at once. A PIN is hashed anew when it is next correct. Contacts are known only by their
//! hash: they are found by it when they next appear, and rewritten in our form.

use std::sync::Arc;

use super::contact::{Contact, ContactAddress, KeyContact};
use super::envelope::EncryptionKey;
use super::key::{Foreign, GuardedKey, GuardedKeyId};
use super::pin::ForeignPin;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::guarded_key::GuardedKeys;
use crate::limit::budget::GuessBudget;
use crate::limit::hashing::HashQueue;
use crate::proof::operator::{Operator, OperatorRight};
use crate::trail::audit::Event;

/// A key as another server stored it.
pub struct ImportedKey {
    pub id: GuardedKeyId,
    pub content: [u8; 32],
    pub salt: Vec<u8>,
    pub pin_hash: Vec<u8>,
    pub failed: u32,
    pub first_failure: Option<Timestamp>,
}

/// A contact as another server stored it: the hash of its address. It does not name its key.
pub struct ImportedContact {
    pub hash: Vec<u8>,
    pub verified: bool,
    pub failed: u32,
    pub first_failure: Option<Timestamp>,
}

impl GuardedKey {
    /// An imported key. Which contacts belong to it shows only when they appear, so it has its recovery envelope from
    /// the beginning.
    fn imported(now: Timestamp, key: &ImportedKey, recovery_envelope: Vec<u8>) -> Self {
        Self {
            created: now,
            pin_version: 1,
            verifier: None,
            pin_envelope: None,
            recovery_envelope: Some(recovery_envelope),
            foreign: Some(Foreign {
                pin: ForeignPin {
                    salt: key.salt.clone(),
                    hash: key.pin_hash.clone(),
                },
                content: key.content,
            }),
            contact_salt: Some(key.salt.clone()),
        }
    }
}

impl Contact {
    /// An imported contact: neither its address nor its channel is known.
    fn imported(now: Timestamp, verified: bool) -> Self {
        Self {
            channel: None,
            address: None,
            language: "en".to_owned(),
            added: now,
            verified: verified.then_some(now),
            waiting: None,
            lock: None,
        }
    }

    /// The contact appeared: now its address is known.
    fn appeared(self, address: ContactAddress, store_address: bool) -> Self {
        Self {
            channel: Some(address.channel),
            address: store_address.then_some(address.text),
            ..self
        }
    }
}

impl GuardedKeys {
    /// Imports one key. `Conflict`: a key of that id is here already.
    pub async fn import_key(
        self: &Arc<Self>,
        operator: &Operator,
        surface: &'static str,
        key: ImportedKey,
    ) -> Result<(), Error> {
        operator.may(OperatorRight::Manage)?;
        let operator = operator.name().to_owned();
        let now = self.now();
        let row = self.key_row(key.id);
        let recovery_envelope =
            self.seal_for_recovery(row, &EncryptionKey(crypto::Key::new(key.content)))?;
        let verdict = self
            .write(move |hub, tx| {
                if hub.rows.get(tx, row)?.is_some() {
                    return Ok(Verdict::Refused(Refusal::Conflict));
                }
                let guarded = GuardedKey::imported(now, &key, recovery_envelope.clone());
                hub.rows.create(tx, hub.tenant(), Place::at(row), guarded)?;
                let first = key.first_failure.unwrap_or(now);
                hub.import_budget(tx, row.row(), key.failed, first)?;
                let event = Event::new(surface, now, "key.import", row.alias());
                hub.record(tx, event.fact("operator", operator.clone()))?;
                Ok(Verdict::Done(()))
            })
            .await?;
        verdict.answer()
    }

    /// Imports one contact. `Conflict`: it is here already.
    pub async fn import_contact(
        self: &Arc<Self>,
        operator: &Operator,
        surface: &'static str,
        contact: ImportedContact,
    ) -> Result<(), Error> {
        operator.may(OperatorRight::Manage)?;
        let operator = operator.name().to_owned();
        let now = self.now();
        let row = self.hashed_contact_row(&contact.hash);
        let verdict = self
            .write(move |hub, tx| {
                if hub.rows.get(tx, row)?.is_some() {
                    return Ok(Verdict::Refused(Refusal::Conflict));
                }
                let record = Contact::imported(now, contact.verified);
                let place = Place::at(row).ranked(now.millis());
                hub.rows.create(tx, hub.tenant(), place, record)?;
                let first = contact.first_failure.unwrap_or(now);
                hub.import_budget(tx, row.row(), contact.failed, first)?;
                let event = Event::new(surface, now, "contact.import", row.alias());
                hub.record(tx, event.fact("operator", operator.clone()))?;
                Ok(Verdict::Done(()))
            })
            .await?;
        verdict.answer()
    }

    fn import_budget(
        &self,
        tx: &mut dyn Tx,
        subject: RowId,
        failed: u32,
        first: Timestamp,
    ) -> TxResult<()> {
        let budget = GuessBudget::imported(failed, first, &self.policy.guesses);
        self.join_budgets(tx, subject, budget, &self.policy.guesses)
    }

    /// The row of a contact that was imported as the hash of `address` with `salt`. Slow: it computes scrypt.
    pub(super) async fn imported_contact_row(
        self: &Arc<Self>,
        address: &ContactAddress,
        salt: Vec<u8>,
    ) -> Result<Id<Contact>, Error> {
        let ticket = self.hashes.admit(HashQueue::Pin)?;
        let text = address.text.clone();
        let hash = ticket
            .run(move |_| crypto::password::scrypt_16384_8_1(text.as_bytes(), &salt))
            .await?;
        Ok(self.hashed_contact_row(hash.expose()))
    }

    /// Moves an imported contact, whose address is now known, to the row that it has in our form.
    pub(super) async fn rewrite_contact(
        self: &Arc<Self>,
        from: Id<Contact>,
        to: KeyContact,
        address: ContactAddress,
    ) -> Result<(), Error> {
        self.write(move |hub, tx| {
            let Some(taken) = hub.rows.take(tx, from)? else {
                return Ok(());
            };
            let contact = taken
                .value
                .appeared(address.clone(), hub.policy.store_addresses);
            let place = Place {
                id: to.contact.row(),
                ..taken.place
            };
            hub.rows
                .create(tx, hub.tenant(), place.of(to.key), contact)?;
            let budget = hub.budget_row(from.row());
            if let Some(budget) = hub.rows.take::<GuessBudget>(tx, budget)? {
                let limits = hub.policy.code_guesses();
                hub.join_budgets(tx, to.contact.row(), budget.value, &limits)?;
            }
            Ok(())
        })
        .await
    }

    fn hashed_contact_row(&self, hash: &[u8]) -> Id<Contact> {
        self.rows.named(&[b"taken over", hash])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::Channel;
    use crate::guarded_key::contact::tests::at;
    use uuid::Uuid;

    fn imported() -> GuardedKey {
        let key = ImportedKey {
            id: GuardedKeyId(Uuid::nil()),
            content: [4; 32],
            salt: vec![2],
            pin_hash: vec![3],
            failed: 0,
            first_failure: None,
        };
        GuardedKey::imported(at(5), &key, vec![6])
    }

    fn address() -> ContactAddress {
        ContactAddress {
            channel: Channel::Sms,
            text: "+491".to_owned(),
        }
    }

    #[test]
    fn an_imported_key_has_the_pin_of_the_other_server_and_can_be_recovered_at_once() {
        let key = imported();
        assert_eq!((key.created, key.pin_version), (at(5), 1));
        assert_eq!((key.verifier, key.pin_envelope), (None, None));
        assert_eq!(key.recovery_envelope, Some(vec![6]));
        let pin = ForeignPin {
            salt: vec![2],
            hash: vec![3],
        };
        let content = [4; 32];
        assert_eq!(key.foreign, Some(Foreign { pin, content }));
    }

    #[test]
    fn contacts_of_an_imported_key_are_found_with_the_salt_of_its_pin() {
        assert_eq!(imported().contact_salt, Some(vec![2]));
    }

    #[test]
    fn an_imported_contact_is_verified_only_if_it_was() {
        assert_eq!(Contact::imported(at(5), true).verified, Some(at(5)));
        let unverified = Contact::imported(at(5), false);
        assert_eq!(unverified.verified, None);
        assert_eq!((unverified.channel, unverified.address), (None, None));
    }

    #[test]
    fn a_contact_that_appears_gets_its_address_and_stays_verified() {
        let contact = Contact::imported(at(5), true).appeared(address(), true);
        assert_eq!(contact.channel, Some(Channel::Sms));
        assert_eq!(contact.address.as_deref(), Some("+491"));
        assert_eq!(contact.verified, Some(at(5)));
    }

    #[test]
    fn its_address_is_not_stored_where_the_operator_stores_none() {
        let contact = Contact::imported(at(5), true).appeared(address(), false);
        assert_eq!(contact.channel, Some(Channel::Sms));
        assert_eq!(contact.address, None);
    }
}
