//! PIN-guarded keys: made, opened, given another PIN.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::pin::{ForeignPin, PinVerifier};
use super::{EncryptionKey, Pin};
use crate::core::error::{Error, Refusal};
use crate::core::keeper::{Caller, Keeper};
use crate::core::port::random::uuid;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::rows::{Place, Record, Stored};
use crate::core::time::Timestamp;
use crate::limit::budget::GuessBudget;
use crate::limit::hashing::Share;
use crate::limit::rate::RateLog;
use crate::trail::audit::Event;

/// Names a guarded key. 122 random bits that its owner keeps secret; never logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyId(pub Uuid);

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
    const KIND: &'static str = "guarded_key";
}

/// A key given back to its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedKey {
    pub id: KeyId,
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
    pub channel: Option<crate::letter::message::Channel>,
    pub verified: bool,
    pub code_outstanding: bool,
    pub locked_until: Option<String>,
}

impl Keeper {
    pub(crate) fn key_row(&self, key: KeyId) -> RowId {
        self.rows.id(GuardedKey::KIND, &[key.0.as_bytes()])
    }

    pub(crate) fn budget_row(&self, subject: RowId) -> RowId {
        self.rows.id(GuessBudget::KIND, &[&subject.0])
    }

    /// Makes a key behind `pin`. The content is not given out here.
    pub async fn create_key(self: &Arc<Self>, caller: Caller, pin: Pin) -> Result<KeyId, Error> {
        let now = self.now();
        let id = KeyId(uuid(self.random.as_ref()));
        let row = self.key_row(id);
        let ticket = self.hashes.admit(Share::Pin)?;
        let limited = self.rate_row("new keys", &caller.network);
        self.read_rate(
            limited,
            now,
            &[self.policy.guarded_key.new_keys_per_network],
        )
        .await?;
        let recipe = self.pin_recipe(row);
        let roots = Arc::clone(&self.roots);
        let hashed = ticket
            .run(move |memory| recipe.hash(roots.as_ref(), &pin, memory))
            .await??;
        drop(ticket);
        let content = self.new_encryption_key();
        let envelope = self.seal_with_pin(&hashed.envelope, row, &content);
        self.write(move |keeper, tx| {
            let rates = [keeper.policy.guarded_key.new_keys_per_network];
            keeper.spend_rates(tx, now, &[(limited, &rates)])?;
            let key = GuardedKey {
                created: now,
                pin_version: 1,
                verifier: Some(hashed.verifier.clone()),
                pin_envelope: Some(envelope.clone()),
                recovery_envelope: None,
                foreign: None,
                contact_salt: None,
            };
            keeper
                .rows
                .create(tx, keeper.tenant(), Place::at(row), key)?;
            let budget = Place::at(keeper.budget_row(row));
            keeper
                .rows
                .create(tx, keeper.tenant(), budget, GuessBudget::default())?;
            keeper.record(
                tx,
                Event::new(caller.surface, now, "key.create", Self::alias(&row)).by(&caller),
            )
        })
        .await?;
        Ok(id)
    }

    /// Gives the content to who knows the PIN.
    pub async fn open_key(
        self: &Arc<Self>,
        caller: Caller,
        id: KeyId,
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
        id: KeyId,
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
            move |keeper, tx, key, proven| {
                let Some(hashed) = &proven.new_pin else {
                    return Ok(Err(Refusal::WrongState));
                };
                keeper.replace_pin(key, hashed, row, &proven.content);
                keeper.stop_recoveries(tx, row)?;
                keeper.notify_contacts(
                    tx,
                    now,
                    surface,
                    row,
                    &crate::guarded_key::contact::News::told("pin_changed"),
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
    pub async fn key_state(self: &Arc<Self>, id: KeyId) -> Result<KeyState, Error> {
        let row = self.key_row(id);
        let now = self.now();
        self.read(move |keeper, tx| {
            let Some(key) = keeper.rows.peek::<GuardedKey>(tx, &row)? else {
                return Err(Refusal::UnknownSubject.into());
            };
            let budget = keeper
                .rows
                .peek::<GuessBudget>(tx, &keeper.budget_row(row))?;
            let budget = budget.map(|budget| budget.value).unwrap_or_default();
            let exhausted = budget.exhausted(now, &keeper.policy.guarded_key.guesses);
            Ok(KeyState {
                alias: Self::alias(&row),
                created: key.created.rfc3339(),
                failed_guesses: budget.failed(),
                failed_in_a_row: budget.failed_in_a_row(),
                exhausted_until: exhausted.map(Timestamp::rfc3339),
                recoverable: key.recovery_envelope.is_some(),
                imported: key.foreign.is_some(),
                contacts: keeper.contact_states(tx, row, now)?,
            })
        })
        .await
    }

    /// Removes a key with its contacts and counters. For operators; audited.
    pub async fn delete_key(
        self: &Arc<Self>,
        surface: &'static str,
        id: KeyId,
    ) -> Result<(), Error> {
        let row = self.key_row(id);
        let now = self.now();
        self.write(move |keeper, tx| {
            if keeper.rows.take::<GuardedKey>(tx, &row)?.is_none() {
                return Err(Refusal::UnknownSubject.into());
            }
            tx.remove(GuessBudget::KIND, &keeper.budget_row(row))?;
            keeper.remove_contacts(tx, row)?;
            keeper.record(
                tx,
                Event::new(surface, now, "key.delete", Self::alias(&row)).fact("by", "operator"),
            )
        })
        .await
    }

    /// How many keys there are.
    pub async fn count_keys(self: &Arc<Self>) -> Result<u64, Error> {
        self.read(|_, tx| tx.count(GuardedKey::KIND)).await
    }

    pub(crate) fn rate_row(&self, name: &str, subject: &str) -> RowId {
        self.rows
            .id(RateLog::KIND, &[name.as_bytes(), subject.as_bytes()])
    }

    /// Refuses early, before something slow is done for nothing; [`Keeper::spend_rates`] decides.
    pub(crate) async fn read_rate(
        &self,
        row: RowId,
        now: Timestamp,
        rates: &[crate::limit::rate::Rate],
    ) -> Result<(), Error> {
        let log = self.rows.read::<RateLog>(self.store.as_ref(), row).await?;
        match log.and_then(|log| log.full_until(now, rates)) {
            Some(until) => Err(Refusal::Limited { until }.into()),
            None => Ok(()),
        }
    }

    /// Takes one event of every budget, or refuses with the latest moment and takes none.
    pub(crate) fn spend_rates(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        wanted: &[(RowId, &[crate::limit::rate::Rate])],
    ) -> TxResult<()> {
        let mut logs = Vec::new();
        let mut latest = None;
        for (row, rates) in wanted
            .iter()
            .filter(|(_, rates)| rates.iter().any(|rate| rate.count > 0))
        {
            let log = self.rows.get::<RateLog>(tx, row)?;
            let until = log.as_ref().and_then(|log| log.full_until(now, rates));
            latest = latest.max(until);
            logs.push((*row, *rates, log));
        }
        if let Some(until) = latest {
            return Err(Refusal::Limited { until }.into());
        }
        for (row, rates, log) in logs {
            let longest = rates.iter().map(|rate| rate.span).max().unwrap_or_default();
            let due = now.plus(longest.saturating_mul(2));
            if let Some(mut log) = log {
                log.add(now, rates);
                log.place.due = Some(due);
                self.rows.put(tx, &mut log)?;
            } else {
                let mut log = RateLog::default();
                log.add(now, rates);
                self.rows
                    .create(tx, self.tenant(), Place::at(row).due(due), log)?;
            }
        }
        Ok(())
    }
}
