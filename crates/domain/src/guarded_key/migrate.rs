//! Keys taken over from a server that kept them in clear and PINs as scrypt hashes.
//!
//! What is taken over is sealed at once. A PIN is hashed anew when it is next right; contacts, known only
//! by their hash, are found by it when they next appear, and rewritten in our form.

use std::sync::Arc;

use super::envelope::EncryptionKey;
use super::key::{Foreign, GuardedKey, GuardedKeyId};
use super::pin::ForeignPin;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::Record;
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::guarded_key::GuardedKeys;
use crate::guarded_key::contact::{Contact, ContactAddress};
use crate::limit::budget::GuessBudget;
use crate::limit::hashing::HashQueue;
use crate::proof::operator::{Operator, Right};
use crate::trail::audit::Event;

/// A key as another server kept it.
pub struct ImportedKey {
    pub id: GuardedKeyId,
    pub content: [u8; 32],
    pub salt: Vec<u8>,
    pub pin_hash: Vec<u8>,
    pub failed: u32,
    pub first_failure: Option<Timestamp>,
}

/// A contact as another server kept it: the hash of its address. It does not name its key.
pub struct ImportedContact {
    pub hash: Vec<u8>,
    pub verified: bool,
    pub failed: u32,
    pub first_failure: Option<Timestamp>,
}

impl GuardedKeys {
    /// Takes over one key. `Conflict` when a key of that id is here already.
    ///
    /// Which contacts belong to it shows only when they appear, so its recovery envelope is made now.
    pub async fn import_key(
        self: &Arc<Self>,
        operator: &Operator,
        surface: &'static str,
        key: ImportedKey,
    ) -> Result<(), Error> {
        operator.may(Right::Manage)?;
        let operator = operator.name().to_owned();
        let now = self.now();
        let row = self.key_row(key.id);
        let recovery_envelope =
            self.seal_for_recovery(row, &EncryptionKey(crypto::Key::new(key.content)))?;
        self.write(move |hub, tx| {
            if hub.rows.get::<GuardedKey>(tx, &row)?.is_some() {
                return Err(Refusal::Conflict.into());
            }
            let guarded = GuardedKey {
                created: now,
                pin_version: 1,
                verifier: None,
                pin_envelope: None,
                recovery_envelope: Some(recovery_envelope.clone()),
                foreign: Some(Foreign {
                    pin: ForeignPin {
                        salt: key.salt.clone(),
                        hash: key.pin_hash.clone(),
                    },
                    content: key.content,
                }),
                contact_salt: Some(key.salt.clone()),
            };
            hub.rows.create(tx, hub.tenant(), Place::at(row), guarded)?;
            hub.import_budget(tx, row, key.failed, key.first_failure.unwrap_or(now))?;
            let event = Event::new(surface, now, "key.import", row.alias());
            hub.record(tx, event.fact("operator", operator.clone()))
        })
        .await
    }

    /// Takes over one contact. `Conflict` when it is here already.
    pub async fn import_contact(
        self: &Arc<Self>,
        operator: &Operator,
        surface: &'static str,
        contact: ImportedContact,
    ) -> Result<(), Error> {
        operator.may(Right::Manage)?;
        let operator = operator.name().to_owned();
        let now = self.now();
        let row = self.hashed_contact_row(&contact.hash);
        self.write(move |hub, tx| {
            if hub.rows.get::<Contact>(tx, &row)?.is_some() {
                return Err(Refusal::Conflict.into());
            }
            let record = Contact {
                channel: None,
                address: None,
                language: "en".to_owned(),
                added: now,
                verified: contact.verified.then_some(now),
                waiting: None,
                lock: None,
            };
            hub.rows.create(
                tx,
                hub.tenant(),
                Place::at(row).ranked(now.millis()),
                record,
            )?;
            hub.import_budget(
                tx,
                row,
                contact.failed,
                contact.first_failure.unwrap_or(now),
            )?;
            let event = Event::new(surface, now, "contact.import", row.alias());
            hub.record(tx, event.fact("operator", operator.clone()))
        })
        .await
    }

    fn import_budget(
        &self,
        tx: &mut dyn Tx,
        subject: RowId,
        failed: u32,
        first: Timestamp,
    ) -> TxResult<()> {
        let budget = GuessBudget::imported(failed, first, &self.policy.guesses);
        self.rows.create(
            tx,
            self.tenant(),
            Place::at(self.budget_row(subject)),
            budget,
        )?;
        Ok(())
    }

    /// Where a contact lies that was taken over as the hash of `address` under `salt`.
    pub(crate) async fn foreign_contact_row(
        self: &Arc<Self>,
        address: &ContactAddress,
        salt: Vec<u8>,
    ) -> Result<RowId, Error> {
        let ticket = self.hashes.admit(HashQueue::Pin)?;
        let text = address.text.clone();
        let hash = ticket
            .run(move |_| crypto::password::scrypt_16384_8_1(text.as_bytes(), &salt))
            .await?;
        Ok(self.hashed_contact_row(hash.expose()))
    }

    /// Rewrites a contact that was taken over, now that its address is known.
    pub(crate) async fn rewrite_contact(
        self: &Arc<Self>,
        key: RowId,
        from: RowId,
        to: RowId,
        address: ContactAddress,
    ) -> Result<(), Error> {
        self.write(move |hub, tx| {
            let Some(taken) = hub.rows.take::<Contact>(tx, &from)? else {
                return Ok(());
            };
            let mut contact = taken.value;
            contact.channel = Some(address.channel);
            contact.address = hub.policy.store_addresses.then(|| address.text.clone());
            let place = Place {
                id: to,
                ..taken.place
            };
            hub.rows.create(tx, hub.tenant(), place.of(key), contact)?;
            if let Some(budget) = hub.rows.take::<GuessBudget>(tx, &hub.budget_row(from))? {
                hub.rows.create(
                    tx,
                    hub.tenant(),
                    Place::at(hub.budget_row(to)),
                    budget.value,
                )?;
            }
            Ok(())
        })
        .await
    }

    fn hashed_contact_row(&self, hash: &[u8]) -> RowId {
        self.rows.id(Contact::KIND, &[b"taken over", hash])
    }
}
