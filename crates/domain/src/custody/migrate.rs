//! Keys taken over from a server that kept them in clear and PINs as scrypt hashes.
//!
//! What is taken over is sealed at once. A PIN is hashed anew when it is next right; contacts, known only
//! by their hash, are found by it when they next appear, and rewritten in our form.

use std::sync::Arc;

use super::envelope::EncryptionKey;
use super::key::{Foreign, GuardedKey, KeyId};
use super::pin::ForeignPin;
use crate::audit::Event;
use crate::budget::GuessBudget;
use crate::contact::{Address, Contact};
use crate::error::{Error, Refusal};
use crate::hashing::Share;
use crate::keeper::Keeper;
use crate::port::store::RowId;
use crate::rows::{Place, Record};
use crate::time::Timestamp;

/// A key as another server kept it.
pub struct ImportedKey {
    pub id: KeyId,
    pub content: [u8; 32],
    pub salt: Vec<u8>,
    pub pin_hash: Vec<u8>,
    pub failed: u32,
    pub first_failure: Option<Timestamp>,
    pub contacts: Vec<ImportedContact>,
}

/// A contact as another server kept it: the hash of its address.
pub struct ImportedContact {
    pub hash: Vec<u8>,
    pub verified: bool,
    pub failed: u32,
    pub first_failure: Option<Timestamp>,
}

impl Keeper {
    /// Takes over one key. `Conflict` when a key of that id is here already.
    pub async fn import_key(self: &Arc<Self>, surface: &'static str, key: ImportedKey) -> Result<(), Error> {
        let now = self.now();
        let row = self.key_row(key.id);
        let content = EncryptionKey(crypto::Key::new(key.content));
        let recoverable = key.contacts.iter().any(|contact| contact.verified);
        let recovery_envelope = recoverable.then(|| self.seal_for_recovery(row, &content)).transpose()?;
        self.write(move |keeper, tx| {
            if keeper.rows.get::<GuardedKey>(tx, &row)?.is_some() {
                return Err(Refusal::Conflict.into());
            }
            let guarded = GuardedKey {
                created: now,
                pin_version: 1,
                verifier: None,
                pin_envelope: None,
                recovery_envelope: recovery_envelope.clone(),
                foreign: Some(Foreign {
                    pin: ForeignPin { salt: key.salt.clone(), hash: key.pin_hash.clone() },
                    content: key.content,
                }),
                contact_salt: Some(key.salt.clone()),
            };
            keeper.rows.create(tx, keeper.tenant(), Place::at(row), guarded)?;
            let limits = keeper.policy.guarded_key.guesses;
            let mut put_budget = |subject: RowId, failed: u32, first: Option<Timestamp>| {
                let budget = GuessBudget::imported(failed, first.unwrap_or(now), &limits);
                keeper.rows.create(tx, keeper.tenant(), Place::at(keeper.budget_row(subject)), budget).map(|_| ())
            };
            put_budget(row, key.failed, key.first_failure)?;
            for contact in &key.contacts {
                put_budget(keeper.hashed_contact_row(row, &contact.hash), contact.failed, contact.first_failure)?;
            }
            for contact in &key.contacts {
                let place = Place::at(keeper.hashed_contact_row(row, &contact.hash)).of(row).ranked(now.millis());
                let record = Contact {
                    channel: None,
                    address: None,
                    language: "en".to_owned(),
                    added: now,
                    verified: contact.verified.then_some(now),
                    waiting: None,
                    lock: None,
                };
                keeper.rows.create(tx, keeper.tenant(), place, record)?;
            }
            keeper.record(tx, Event::new(surface, now, "key.import", Self::alias(&row)))
        })
        .await
    }

    /// Where a contact lies that was taken over as the hash of `address` under `salt`.
    pub(crate) async fn foreign_contact_row(
        self: &Arc<Self>,
        key: RowId,
        address: &Address,
        salt: Vec<u8>,
    ) -> Result<RowId, Error> {
        let ticket = self.hashes.admit(Share::Pin)?;
        let text = address.text.clone();
        let hash = ticket.run(move |_| crypto::password::scrypt_16384_8_1(text.as_bytes(), &salt)).await?;
        Ok(self.hashed_contact_row(key, hash.expose()))
    }

    /// Rewrites a contact that was taken over, now that its address is known.
    pub(crate) async fn rewrite_contact(
        self: &Arc<Self>,
        key: RowId,
        from: RowId,
        to: RowId,
        address: Address,
    ) -> Result<(), Error> {
        self.write(move |keeper, tx| {
            let Some(taken) = keeper.rows.take::<Contact>(tx, &from)? else { return Ok(()) };
            let mut contact = taken.value;
            contact.channel = Some(address.channel);
            contact.address = keeper.policy.guarded_key.store_addresses.then(|| address.text.clone());
            let place = Place { id: to, ..taken.place };
            keeper.rows.create(tx, keeper.tenant(), place.of(key), contact)?;
            if let Some(budget) = keeper.rows.take::<GuessBudget>(tx, &keeper.budget_row(from))? {
                keeper.rows.create(tx, keeper.tenant(), Place::at(keeper.budget_row(to)), budget.value)?;
            }
            Ok(())
        })
        .await
    }

    fn hashed_contact_row(&self, key: RowId, hash: &[u8]) -> RowId {
        self.rows.id(Contact::KIND, &[&key.0, b"taken over", hash])
    }
}
