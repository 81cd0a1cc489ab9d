//! Entries: one encrypted text, its slots, and the open requests to share it.
//!
//! Slots and open requests are stored in the row of the entry. So each of their changes is a change of one row,
//! and the limits on them are exact without a further lock. The decisions are methods of [`Entry`] in the file of
//! each verb; none of them reads or writes a row.

use serde::{Deserialize, Serialize};

use super::Vaults;
use super::account::VaultAccount;
use super::plan::Plan;
use super::session::VaultMember;
use crate::core::caller::Caller;
use crate::core::error::Refusal;
use crate::core::id::Id;
use crate::core::port::store::{Kind, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::trail::audit::Event;

/// The largest text of a slot, in bytes.
pub const SLOT_BYTES: usize = 4096;

/// The record of an entry. Its row id is the blind index of its number, its owner the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    /// The login name of the owner.
    pub(crate) owner: String,
    pub(crate) meta: String,
    pub(crate) content: String,
    pub(crate) enabled: bool,
    /// The owner's own slot.
    pub(crate) own: String,
    /// Ascending by number.
    pub(crate) slots: Vec<VaultSlot>,
    pub(crate) requests: Vec<ShareRequest>,
    /// The last number that a slot or request of this entry was given.
    pub(crate) last_number: u64,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

impl Record for Entry {
    const KIND: Kind = "vault_entry";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// The entry's key, encrypted for one reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VaultSlot {
    pub(crate) number: u64,
    pub(crate) value: String,
    pub(crate) notify: Notify,
    pub(crate) enabled: bool,
    pub(crate) reader: Reader,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

/// Who opens a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reader {
    /// Anybody who knows the identifier.
    Outside { identifier: String },
    /// An account that accepted a share. `name` is its login name.
    Account {
        account: Id<VaultAccount>,
        name: String,
    },
}

/// What happens at the owner when an outside reader uses a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notify {
    Never,
    /// The owner gets a notice.
    OnUse,
    /// The owner must approve first.
    Approve,
}

/// A request to share that was not answered yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShareRequest {
    pub(crate) number: u64,
    pub(crate) receiver: Id<VaultAccount>,
    /// The login name of the receiver.
    pub(crate) name: String,
    pub(crate) slot: String,
    /// Whether a list of the receiver has shown it.
    pub(crate) seen: bool,
    pub(crate) created: Timestamp,
}

/// The texts of a new entry.
#[derive(Debug, Clone)]
pub struct NewEntry {
    pub slot: String,
    pub meta: String,
    pub value: String,
}

/// What changes in an entry; `None` stays as it is.
#[derive(Debug, Clone)]
pub struct EntryEdit {
    pub enabled: Option<bool>,
    pub meta: Option<String>,
    pub value: Option<String>,
}

/// Who acts on an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Viewer {
    Owner,
    /// Another account, whether it has a slot or not.
    Other(Id<VaultAccount>),
}

impl Viewer {
    /// The role of `account` at an entry that belongs to the row `owner`.
    pub(super) fn of(account: Id<VaultAccount>, owner: Option<RowId>) -> Self {
        if owner == Some(account.row()) {
            Self::Owner
        } else {
            Self::Other(account)
        }
    }
}

impl Entry {
    /// A new entry without slots. It is enabled.
    pub(super) fn new(number: u64, owner: &str, texts: NewEntry, now: Timestamp) -> Self {
        Self {
            number,
            owner: owner.to_owned(),
            meta: texts.meta,
            content: texts.value,
            enabled: true,
            own: texts.slot,
            slots: Vec::new(),
            requests: Vec::new(),
            last_number: number,
            created: now,
            updated: now,
        }
    }

    /// What counts against the bytes of a plan.
    pub(super) fn bytes(&self) -> usize {
        self.meta.len() + self.content.len()
    }

    /// What counts against the slots of a plan.
    pub(super) fn used_slots(&self) -> usize {
        self.slots.len() + self.requests.len()
    }

    /// Changes texts, or switches the entry on or off.
    ///
    /// An entry that is larger than a smaller plan allows may stay as large as it is, and may shrink.
    pub(super) fn edit(
        &mut self,
        now: Timestamp,
        edit: EntryEdit,
        plan: &Plan,
    ) -> Result<(), Refusal> {
        let before = self.bytes();
        let EntryEdit {
            enabled,
            meta,
            value,
        } = edit;
        self.enabled = enabled.unwrap_or(self.enabled);
        if let Some(meta) = meta {
            self.meta = meta;
        }
        if let Some(value) = value {
            self.content = value;
        }
        self.updated = now;
        if self.bytes() > before {
            plan.allows_bytes(self.bytes())?;
        }
        Ok(())
    }
}

impl VaultSlot {
    pub(super) fn is_of(&self, receiver: Id<VaultAccount>) -> bool {
        matches!(&self.reader, Reader::Account { account, .. } if *account == receiver)
    }
}

impl Vaults {
    pub(super) fn entry_id(&self, number: u64) -> Id<Entry> {
        self.rows.named(&[&number.to_be_bytes()])
    }

    /// Loads and holds an entry of this owner. `None` for the entries of others.
    pub(super) fn own_entry(
        &self,
        tx: &mut dyn Tx,
        member: &VaultMember,
        number: u64,
    ) -> TxResult<Option<Stored<Entry>>> {
        let entry = self.rows.get(tx, self.entry_id(number))?;
        let viewer = |entry: &Stored<Entry>| Viewer::of(member.account, entry.place.owner);
        Ok(entry.filter(|entry| viewer(entry) == Viewer::Owner))
    }

    pub(super) fn record_entry(
        &self,
        tx: &mut dyn Tx,
        (now, caller, action): (Timestamp, &Caller, &str),
        number: u64,
    ) -> TxResult<()> {
        let event = Event::new(caller.surface, now, action, number.to_string());
        self.record(tx, event.by(caller))
    }
}
