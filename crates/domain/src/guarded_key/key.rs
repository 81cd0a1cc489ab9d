//! PIN-guarded keys: made, opened, given another PIN.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::pin::{ForeignPin, PinVerifier};
use super::{EncryptionKey, Pin};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::random::uuid;
use crate::core::port::store::Kind;
use crate::core::port::store::RowId;
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::core::verdict::undo;
use crate::guarded_key::GuardedKeys;
use crate::limit::budget::GuessBudget;
use crate::limit::hashing::HashQueue;
use crate::proof::operator::{Operator, Right};
use crate::trail::audit::Event;

/// Names a guarded key. 122 random bits that its owner keeps secret; never logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardedKeyId(pub Uuid);

/// The record of a guarded key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GuardedKey {
    pub(crate) created: Timestamp,
    /// Grows with every new PIN: a check that began under an older PIN is not believed.
    pub(crate) pin_version: u64,
    pub(crate) verifier: Option<PinVerifier>,
    pub(crate) pin_envelope: Option<Vec<u8>>,
    pub(crate) recovery_envelope: Option<Vec<u8>>,
    /// Taken over from another server, and not opened here yet.
    pub(crate) foreign: Option<Foreign>,
    /// The salt under which contacts that were taken over are found.
    pub(crate) contact_salt: Option<Vec<u8>>,
}

/// A key taken over from a server that kept it in clear; sealed here like every row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Foreign {
    pub(crate) pin: ForeignPin,
    pub(crate) content: [u8; 32],
}

impl Record for GuardedKey {
    const KIND: Kind = "guarded_key";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Limited;
}

/// A key given back to its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedKey {
    pub id: GuardedKeyId,
    pub content: EncryptionKey,
}

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
    pub channel: Option<crate::core::message::Channel>,
    pub verified: bool,
    pub code_outstanding: bool,
    pub locked_until: Option<String>,
}

impl GuardedKeys {
    pub(crate) fn key_row(&self, key: GuardedKeyId) -> RowId {
        self.rows.id(GuardedKey::KIND, &[key.0.as_bytes()])
    }

    /// Makes a key behind `pin`. The content is not given out here.
    pub async fn create_key(
        self: &Arc<Self>,
        caller: Caller,
        pin: Pin,
    ) -> Result<GuardedKeyId, Error> {
        let now = self.now();
        let id = GuardedKeyId(uuid(self.random.as_ref()));
        let row = self.key_row(id);
        let ticket = self.hashes.admit(HashQueue::Pin)?;
        let limited = self.rate_row("new keys", &caller.network);
        self.read_rate(limited, now, &[self.policy.new_keys_per_network])
            .await?;
        let recipe = self.pin_recipe(row);
        let roots = Arc::clone(&self.roots);
        let hashed = ticket
            .run(move |memory| recipe.hash(roots.as_ref(), &pin, memory))
            .await??;
        drop(ticket);
        let content = self.new_encryption_key();
        let envelope = self.seal_with_pin(&hashed.envelope, row, &content);
        self.write(move |hub, tx| {
            let rates = [hub.policy.new_keys_per_network];
            hub.spend_rates(tx, now, &[(limited, &rates)])?
                .map_err(undo)?;
            let key = GuardedKey {
                created: now,
                pin_version: 1,
                verifier: Some(hashed.verifier.clone()),
                pin_envelope: Some(envelope.clone()),
                recovery_envelope: None,
                foreign: None,
                contact_salt: None,
            };
            hub.rows.create(tx, hub.tenant(), Place::at(row), key)?;
            let budget = Place::at(hub.budget_row(row));
            hub.rows
                .create(tx, hub.tenant(), budget, GuessBudget::default())?;
            hub.record(
                tx,
                Event::new(caller.surface, now, "key.create", row.alias()).by(&caller),
            )
        })
        .await?;
        Ok(id)
    }

    /// Gives the content to who knows the PIN.
    pub async fn open_key(
        self: &Arc<Self>,
        caller: Caller,
        id: GuardedKeyId,
        pin: Pin,
    ) -> Result<OpenedKey, Error> {
        let content = self
            .with_pin(caller, id, pin, "key.open", |_, _, _, proven| {
                Ok(Ok(proven.content.clone()))
            })
            .await?;
        Ok(OpenedKey { id, content })
    }

    /// Replaces the PIN. Stops every recovery of the key and tells all its contacts.
    pub async fn change_pin(
        self: &Arc<Self>,
        caller: Caller,
        id: GuardedKeyId,
        pin: Pin,
        new: Pin,
    ) -> Result<(), Error> {
        let now = self.now();
        let row = self.key_row(id);
        let surface = caller.surface;
        self.with_pin_and_new(
            caller,
            id,
            pin,
            new,
            "key.change_pin",
            move |hub, tx, key, proven| {
                let Some(hashed) = &proven.new_pin else {
                    return Ok(Err(Refusal::WrongState));
                };
                hub.replace_pin(key, hashed, row, &proven.content);
                hub.stop_recoveries(tx, row)?;
                hub.notify_contacts(
                    tx,
                    now,
                    surface,
                    row,
                    &crate::guarded_key::contact::ContactNotice::of("pin_changed"),
                )?;
                Ok(Ok(()))
            },
        )
        .await
    }

    /// Puts `hashed` in place of the PIN of a loaded key.
    pub(crate) fn replace_pin(
        &self,
        key: &mut Stored<GuardedKey>,
        hashed: &super::pin::HashedPin,
        row: RowId,
        content: &EncryptionKey,
    ) {
        key.pin_version += 1;
        self.set_pin(key, hashed, row, content);
    }

    /// Keeps the PIN in the form of `hashed`; a check of the same PIN under the older form still counts.
    pub(crate) fn set_pin(
        &self,
        key: &mut Stored<GuardedKey>,
        hashed: &super::pin::HashedPin,
        row: RowId,
        content: &EncryptionKey,
    ) {
        key.verifier = Some(hashed.verifier.clone());
        key.pin_envelope = Some(self.seal_with_pin(&hashed.envelope, row, content));
        key.foreign = None;
    }

    /// What an operator may know of a key.
    pub async fn key_state(
        self: &Arc<Self>,
        operator: &Operator,
        id: GuardedKeyId,
    ) -> Result<KeyState, Error> {
        operator.may(Right::Read)?;
        let row = self.key_row(id);
        let now = self.now();
        self.read(move |hub, tx| {
            let Some(key) = hub.rows.peek::<GuardedKey>(tx, &row)? else {
                return Err(Refusal::UnknownSubject.into());
            };
            let budget = hub.rows.peek::<GuessBudget>(tx, &hub.budget_row(row))?;
            let budget = budget.map(|budget| budget.value).unwrap_or_default();
            let exhausted = budget.exhausted(now, &hub.policy.guesses);
            Ok(KeyState {
                alias: row.alias(),
                created: key.created.rfc3339(),
                failed_guesses: budget.failed(),
                failed_in_a_row: budget.failed_in_a_row(),
                exhausted_until: exhausted.map(Timestamp::rfc3339),
                recoverable: key.recovery_envelope.is_some(),
                imported: key.foreign.is_some(),
                contacts: hub.contact_states(tx, row, now)?,
            })
        })
        .await
    }

    /// Removes a key with its contacts and counters. For operators; audited.
    pub async fn delete_key(
        self: &Arc<Self>,
        operator: &Operator,
        id: GuardedKeyId,
    ) -> Result<(), Error> {
        operator.may(Right::Manage)?;
        let operator = operator.clone();
        let row = self.key_row(id);
        let now = self.now();
        self.write(move |hub, tx| {
            if hub.rows.take::<GuardedKey>(tx, &row)?.is_none() {
                return Err(Refusal::UnknownSubject.into());
            }
            tx.remove(GuessBudget::KIND, &hub.budget_row(row))?;
            hub.remove_contacts(tx, row)?;
            hub.record(
                tx,
                operator
                    .event(now, "key.delete", row.alias())
                    .fact("by", "operator"),
            )
        })
        .await
    }

    /// How many keys there are.
    pub async fn count_keys(self: &Arc<Self>, operator: &Operator) -> Result<u64, Error> {
        operator.may(Right::Read)?;
        self.read(|_, tx| tx.count(GuardedKey::KIND)).await
    }
}
