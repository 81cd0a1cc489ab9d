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

#[cfg(test)]
pub(super) mod tests {
    use super::super::account::tests::{NOW, account_id};
    use super::*;

    pub(crate) const LATER: Timestamp = Timestamp::from_millis(1_700_000_060_000);

    /// An entry of Ann, with the number 100.
    pub(crate) fn entry() -> Entry {
        let texts = NewEntry {
            slot: "own".to_owned(),
            meta: "meta".to_owned(),
            value: "value".to_owned(),
        };
        Entry::new(100, "ann@example.org", texts, NOW)
    }

    pub(crate) fn outside_slot(number: u64) -> VaultSlot {
        VaultSlot {
            number,
            value: format!("slot {number}"),
            notify: Notify::Never,
            enabled: true,
            reader: Reader::Outside {
                identifier: format!("identifier {number}"),
            },
            created: NOW,
            updated: NOW,
        }
    }

    pub(crate) fn account_slot(number: u64, account: u8) -> VaultSlot {
        VaultSlot {
            reader: Reader::Account {
                account: account_id(account),
                name: format!("{account}@example.org"),
            },
            ..outside_slot(number)
        }
    }

    pub(crate) fn request(number: u64, receiver: u8) -> ShareRequest {
        ShareRequest {
            number,
            receiver: account_id(receiver),
            name: format!("{receiver}@example.org"),
            slot: format!("wrapped {number}"),
            seen: false,
            created: NOW,
        }
    }

    const NOTHING: EntryEdit = EntryEdit {
        enabled: None,
        meta: None,
        value: None,
    };

    fn plan(entry_bytes: usize) -> Plan {
        Plan {
            entry_bytes,
            ..Plan::default()
        }
    }

    #[test]
    fn a_new_entry_is_enabled_and_has_only_the_owners_slot() {
        let entry = entry();
        assert!(entry.enabled);
        assert_eq!((entry.own.as_str(), entry.used_slots()), ("own", 0));
        assert_eq!((entry.number, entry.last_number), (100, 100));
        assert_eq!((entry.created, entry.updated), (NOW, NOW));
        assert_eq!(entry.bytes(), "metavalue".len());
    }

    #[test]
    fn each_part_is_changed_alone() {
        let cases: [(EntryEdit, (&str, &str, bool)); 4] = [
            (NOTHING, ("meta", "value", true)),
            (
                EntryEdit {
                    enabled: Some(false),
                    ..NOTHING
                },
                ("meta", "value", false),
            ),
            (
                EntryEdit {
                    meta: Some("new".to_owned()),
                    ..NOTHING
                },
                ("new", "value", true),
            ),
            (
                EntryEdit {
                    value: Some("new".to_owned()),
                    ..NOTHING
                },
                ("meta", "new", true),
            ),
        ];
        for (edit, expected) in cases {
            let mut entry = entry();
            assert_eq!(entry.edit(LATER, edit, &Plan::default()), Ok(()));
            let now = (entry.meta.as_str(), entry.content.as_str(), entry.enabled);
            assert_eq!(now, expected);
            assert_eq!((entry.created, entry.updated), (NOW, LATER));
        }
    }

    #[test]
    fn an_entry_may_grow_to_the_limit_and_not_above() {
        let longer = |value: &str| EntryEdit {
            value: Some(value.to_owned()),
            ..NOTHING
        };
        let mut entry = entry();
        assert_eq!(entry.edit(LATER, longer("value1"), &plan(10)), Ok(()));
        assert_eq!(
            entry.edit(LATER, longer("value12"), &plan(10)),
            Err(Refusal::Forbidden {
                need: "entry_bytes"
            })
        );
    }

    #[test]
    fn an_entry_above_a_smaller_plan_may_stay_and_shrink() {
        let small = plan(1);
        let mut entry = entry();
        let off = EntryEdit {
            enabled: Some(false),
            ..NOTHING
        };
        assert_eq!(entry.edit(LATER, off, &small), Ok(()));
        let same_size = EntryEdit {
            value: Some("VALUE".to_owned()),
            ..NOTHING
        };
        assert_eq!(entry.edit(LATER, same_size, &small), Ok(()));
        let smaller = EntryEdit {
            meta: Some(String::new()),
            ..NOTHING
        };
        assert_eq!(entry.edit(LATER, smaller, &small), Ok(()));
        let larger = EntryEdit {
            meta: Some("m".to_owned()),
            ..NOTHING
        };
        assert!(entry.edit(LATER, larger, &small).is_err());
    }

    #[test]
    fn slots_of_all_readers_and_open_requests_count_together() {
        let mut entry = entry();
        entry.slots = vec![outside_slot(101), account_slot(102, 2)];
        entry.requests = vec![request(103, 3)];
        assert_eq!(entry.used_slots(), 3);
    }

    #[test]
    fn a_slot_belongs_to_the_account_that_accepted_the_share() {
        assert!(account_slot(1, 2).is_of(account_id(2)));
        assert!(!account_slot(1, 2).is_of(account_id(3)));
        assert!(!outside_slot(1).is_of(account_id(2)));
    }

    #[test]
    fn the_owner_of_the_row_is_the_owner_and_everybody_else_is_another() {
        let ann = account_id(1);
        assert_eq!(Viewer::of(ann, Some(ann.row())), Viewer::Owner);
        let other = account_id(2).row();
        assert_eq!(Viewer::of(ann, Some(other)), Viewer::Other(ann));
        assert_eq!(Viewer::of(ann, None), Viewer::Other(ann));
    }

    #[test]
    fn the_stored_form_of_a_reader_holds_the_bytes_of_the_account() {
        let seven = serde_json::to_value([7_u8; 16]).unwrap();
        assert_eq!(
            serde_json::to_value(account_slot(1, 7).reader).unwrap(),
            serde_json::json!({"Account": {"account": seven, "name": "7@example.org"}})
        );
    }
}
