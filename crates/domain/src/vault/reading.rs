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

#[cfg(test)]
mod tests {
    use super::super::account::tests::NOW;
    use super::super::entry::tests::{account_slot, entry, outside_slot};
    use super::*;
    use crate::core::port::store::RowId;
    use crate::core::rows::{Place, Rows, Scope};

    const UNKNOWN: Option<Refusal> = Some(Refusal::UnknownSubject);

    fn shared() -> Entry {
        let mut entry = entry();
        entry.slots = vec![outside_slot(101), account_slot(102, 2), outside_slot(103)];
        entry
    }

    #[test]
    fn whoever_knows_the_identifier_reads_the_slot() {
        let entry = shared();
        let slot = entry.open_slot(103, "identifier 103").unwrap();
        assert_eq!(
            entry.reading(slot),
            Reading {
                slot: "slot 103".to_owned(),
                meta: "meta".to_owned(),
                value: "value".to_owned(),
            }
        );
    }

    #[test]
    fn an_identifier_opens_only_its_own_slot() {
        let entry = shared();
        for (number, identifier) in [
            (101, "identifier 103"),
            (103, "identifier 101"),
            (101, "identifier 10"),
            (101, ""),
            (104, "identifier 101"),
        ] {
            let refused = entry.open_slot(number, identifier).err();
            assert_eq!(refused, UNKNOWN, "{number} {identifier}");
        }
    }

    #[test]
    fn a_slot_of_an_account_has_no_identifier() {
        assert_eq!(shared().open_slot(102, "identifier 102").err(), UNKNOWN);
        assert_eq!(shared().open_slot(102, "").err(), UNKNOWN);
    }

    #[test]
    fn a_disabled_slot_opens_nothing_and_the_others_stay_open() {
        let mut entry = shared();
        entry.slots[0].enabled = false;
        assert_eq!(entry.open_slot(101, "identifier 101").err(), UNKNOWN);
        assert!(entry.open_slot(103, "identifier 103").is_ok());
    }

    #[test]
    fn no_slot_of_a_disabled_entry_opens() {
        let mut entry = shared();
        entry.enabled = false;
        for number in [101, 103] {
            let refused = entry.open_slot(number, &format!("identifier {number}"));
            assert_eq!(refused.err(), UNKNOWN);
        }
    }

    #[test]
    fn a_message_about_a_use_contains_nothing_to_read_with() {
        let id = RowId([5; 16]);
        let entry = Rows::blank(Scope(id), Place::at(id), shared());
        let caller = Caller {
            surface: "test",
            network: "192.0.2.1/32".to_owned(),
            language: "en".to_owned(),
        };
        let slot_use = Use {
            now: NOW,
            caller: &caller,
            entry: &entry,
            slot: 101,
        };
        let expected = [
            ("entry", "100".to_owned()),
            ("slot", "101".to_owned()),
            ("at", NOW.rfc3339()),
            ("network", "192.0.2.1".to_owned()),
        ];
        assert_eq!(slot_use.facts(), expected);
    }
}
