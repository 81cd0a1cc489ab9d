//! Outside readers: a slot is read by its identifier, at once or after its owner approved.
//!
//! 1. [`Vaults::read_slot`] returns the slot and tells the owner if they want to be told, or asks the owner first.
//! 2. [`Vaults::check_approval`] returns it once the owner approved, until the time for that is over.

use std::sync::Arc;

use super::Vaults;
use super::approval::Approval;
use super::entry::{Entry, Notify, Reader, VaultSlot};
use super::owner_message::{Facts, MessageTemplate, shown};
use super::slot::Identified;
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal, chain};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::proof::bearer::has_form;

/// Hex digits of identifiers and references.
const TEXT_DIGITS: usize = 32;

/// What an outside reader gets: encrypted texts. The reader knows the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub slot: String,
    pub meta: String,
    pub value: String,
}

/// The answer to an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotAnswer {
    Now(Reading),
    /// The owner was asked: ask again with this reference.
    Asked {
        reference: String,
        seconds: u64,
    },
}

/// The answer to a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approved {
    Yes(Reading),
    NotYet,
}

/// The use of a slot by an outside reader.
#[derive(Clone, Copy)]
pub(super) struct Use<'a> {
    pub(super) now: Timestamp,
    pub(super) caller: &'a Caller,
    pub(super) entry: &'a Stored<Entry>,
    pub(super) slot: u64,
}

impl Use<'_> {
    /// What a message says about the use: no text of the slot, no identifier, no reference.
    pub(super) fn facts(&self) -> Facts {
        vec![
            ("entry", self.entry.number.to_string()),
            ("slot", self.slot.to_string()),
            ("at", self.now.rfc3339()),
            ("network", shown(&self.caller.network)),
        ]
    }
}

impl Entry {
    /// The slot of that number, for a reader who knows `identifier`.
    ///
    /// # Errors
    /// `UnknownSubject` if entry or slot is disabled, or the identifier is not that of the slot.
    fn open_slot(&self, number: u64, identifier: &str) -> Result<&VaultSlot, Refusal> {
        let mut slots = self.slots.iter();
        let slot = slots.find(|slot| slot.number == number);
        let slot = slot.filter(|slot| slot.enabled && self.enabled);
        let slot = slot.filter(|slot| match &slot.reader {
            Reader::Outside { identifier: known } => known == identifier,
            Reader::Account { .. } => false,
        });
        slot.ok_or(Refusal::UnknownSubject)
    }

    fn reading(&self, slot: &VaultSlot) -> Reading {
        Reading {
            slot: slot.value.clone(),
            meta: self.meta.clone(),
            value: self.content.clone(),
        }
    }
}

impl Vaults {
    /// Step 1. `used` and `asked` are the templates of the messages to the owner.
    ///
    /// # Errors
    /// `UnknownSubject` if the identifier opens nothing; `Limited` if too many readers wait for the owner.
    pub async fn read_slot(
        self: &Arc<Self>,
        caller: Caller,
        identifier: String,
        (used, asked): (&'static MessageTemplate, &'static MessageTemplate),
    ) -> Result<SlotAnswer, Error> {
        let unknown = || Error::Refused(Refusal::UnknownSubject);
        if !has_form(&identifier, TEXT_DIGITS) {
            return Err(unknown());
        }
        let store = self.store.as_ref();
        let id = self.bearer::<Identified>(&identifier);
        let pointer = self.rows.read(store, id).await?.ok_or_else(unknown)?;
        let entry = self.rows.read(store, pointer.entry).await?;
        let entry = entry.ok_or_else(unknown)?;
        let slot = entry.open_slot(pointer.slot, &identifier)?;
        let found = (entry.key(), slot.number);
        match slot.notify {
            Notify::Never => {}
            Notify::OnUse => {
                if let Err(error) = self.tell_owner(caller, found, used).await {
                    // The reader gets the slot even if the message cannot be queued.
                    tracing::error!(
                        code = error.code(),
                        error = chain(&error),
                        "the owner of a slot was not told that it was used"
                    );
                }
            }
            Notify::Approve => return self.ask_owner(caller, found, identifier, asked).await,
        }
        Ok(SlotAnswer::Now(entry.reading(slot)))
    }

    /// Step 2.
    ///
    /// # Errors
    /// `UnknownSubject` if the reference is unknown or too old, the owner denied, or the slot was changed or closed.
    pub async fn check_approval(self: &Arc<Self>, reference: String) -> Result<Approved, Error> {
        let unknown = || Error::Refused(Refusal::UnknownSubject);
        if !has_form(&reference, TEXT_DIGITS) {
            return Err(unknown());
        }
        let now = self.now();
        let store = self.store.as_ref();
        let id = self.bearer::<Approval>(&reference);
        let approval = self.rows.read(store, id).await?.ok_or_else(unknown)?;
        let granted = approval.granted(now)?;
        let entry = self.rows.read(store, approval.entry).await?;
        let entry = entry.ok_or_else(unknown)?;
        let slot = entry.open_slot(approval.slot, &approval.identifier)?;
        Ok(if granted {
            Approved::Yes(entry.reading(slot))
        } else {
            Approved::NotYet
        })
    }
}
