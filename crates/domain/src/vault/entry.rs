//! Entries: one ciphertext, its slots, and the requests to share it.
//!
//! Slots and open requests lie in the entry's own row. So every change of them is one row's change, and
//! the limits are exact without a lock beside it. A receiver finds his entries through a `Guest` row.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::VaultAccount;
use super::number::Numbered;
use super::session::VaultMember;
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::port::store::{Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::trail::audit::Event;
use crate::vault::Vaults;

/// Largest text of a slot, in bytes.
pub const SLOT_BYTES: usize = 4096;

/// The record of an entry. Its row id is the blind index of its number, its owner the account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) owner: String,
    pub(crate) meta: String,
    pub(crate) content: String,
    pub(crate) enabled: bool,
    /// The owner's own slot.
    pub(crate) own: String,
    /// By number, ascending.
    pub(crate) slots: Vec<VaultSlot>,
    pub(crate) requests: Vec<Request>,
    pub(crate) last_number: u64,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

impl Record for Entry {
    const KIND: Kind = "vault_entry";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// A copy of the entry's key, wrapped for one reader.
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
    /// Whoever knows the identifier.
    Outside { identifier: String },
    /// An account that accepted a share.
    Account { account: [u8; 16], name: String },
}

/// What the owner wants to know of a slot's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notify {
    Never,
    /// He is told.
    OnUse,
    /// He is asked.
    Approve,
}

/// A request to share that was not answered yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) number: u64,
    pub(crate) receiver: [u8; 16],
    pub(crate) name: String,
    pub(crate) slot: String,
    /// Whether the receiver was shown it.
    pub(crate) seen: bool,
    pub(crate) created: Timestamp,
}

/// A receiver's way to an entry: of an open request, or of an accepted one. One for each pair.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Guest {
    entry: [u8; 16],
}

impl Record for Guest {
    const KIND: Kind = "vault_guest";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// An entry as its owner or a receiver sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryView {
    pub number: u64,
    pub meta: String,
    pub value: String,
    pub enabled: bool,
    /// The owner's name, for a receiver.
    pub from: Option<String>,
    pub slots: Vec<SlotView>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// A slot as its viewer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotView {
    /// `None`: the owner's own.
    pub number: Option<u64>,
    pub value: String,
    pub notify: Notify,
    pub enabled: bool,
    pub identifier: Option<String>,
    /// The other side, of a shared slot.
    pub with: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// A request as its sender or receiver sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestView {
    pub number: u64,
    pub entry: u64,
    /// For the receiver: the sender, and the key under which the slot was wrapped.
    pub from: Option<Sender>,
    pub to: String,
    pub slot: String,
    pub seen: bool,
    pub created: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    pub name: String,
    pub public_key: String,
}

/// What an account sees when it looks at its vault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vault {
    pub entries: Vec<EntryView>,
    pub requests: Vec<RequestView>,
}

/// The texts of a new entry.
#[derive(Debug, Clone)]
pub struct NewEntry {
    pub slot: String,
    pub meta: String,
    pub value: String,
}

/// What changes in an entry; at least one of them.
#[derive(Debug, Clone)]
pub struct EntryEdit {
    pub enabled: Option<bool>,
    pub meta: Option<String>,
    pub value: Option<String>,
}

impl Entry {
    pub(super) fn bytes(&self) -> usize {
        self.meta.len() + self.content.len()
    }

    /// What counts against the plan's slots.
    pub(super) fn places(&self) -> usize {
        self.slots.len() + self.requests.len()
    }

    pub(super) fn owners_view(&self) -> EntryView {
        let own = SlotView {
            number: None,
            value: self.own.clone(),
            notify: Notify::Never,
            enabled: true,
            identifier: None,
            with: None,
            created: self.created,
            updated: self.created,
        };
        let slots = std::iter::once(own)
            .chain(self.slots.iter().map(VaultSlot::owners_view))
            .collect();
        self.view(None, slots)
    }

    /// What `receiver` sees: nothing of a disabled entry, and only his own slot of any other.
    pub(super) fn receivers_view(&self, receiver: &RowId) -> Option<EntryView> {
        let slot = self
            .slots
            .iter()
            .find(|slot| slot.is_of(receiver))
            .filter(|_| self.enabled)?;
        let slot = SlotView {
            with: Some(self.owner.clone()),
            ..slot.owners_view()
        };
        Some(self.view(Some(self.owner.clone()), vec![slot]))
    }

    fn view(&self, from: Option<String>, slots: Vec<SlotView>) -> EntryView {
        EntryView {
            number: self.number,
            meta: self.meta.clone(),
            value: self.content.clone(),
            enabled: self.enabled,
            from,
            slots,
            created: self.created,
            updated: self.updated,
        }
    }

    pub(super) fn request_view(&self, request: &Request, from: Option<Sender>) -> RequestView {
        RequestView {
            number: request.number,
            entry: self.number,
            from,
            to: request.name.clone(),
            slot: request.slot.clone(),
            seen: request.seen,
            created: request.created,
        }
    }
}

impl VaultSlot {
    pub(super) fn is_of(&self, receiver: &RowId) -> bool {
        matches!(&self.reader, Reader::Account { account, .. } if *account == receiver.0)
    }

    fn owners_view(&self) -> SlotView {
        let (identifier, with) = match &self.reader {
            Reader::Outside { identifier } => (Some(identifier.clone()), None),
            Reader::Account { name, .. } => (None, Some(name.clone())),
        };
        SlotView {
            number: Some(self.number),
            value: self.value.clone(),
            notify: self.notify,
            enabled: self.enabled,
            identifier,
            with,
            created: self.created,
            updated: self.updated,
        }
    }
}

impl Vaults {
    pub(super) fn entry_row(&self, number: u64) -> RowId {
        self.rows.id(Entry::KIND, &[&number.to_be_bytes()])
    }

    pub(super) fn guest_row(&self, entry: &RowId, receiver: &RowId) -> RowId {
        self.rows.id(Guest::KIND, &[&entry.0, &receiver.0])
    }

    /// Loads and holds an entry of this owner; anybody else's is unknown.
    pub(super) fn own_entry(
        &self,
        tx: &mut dyn Tx,
        member: &VaultMember,
        number: u64,
    ) -> TxResult<Stored<Entry>> {
        let entry = self.rows.get::<Entry>(tx, &self.entry_row(number))?;
        let own = entry.filter(|entry| entry.place.owner == Some(member.account));
        own.ok_or_else(|| Refusal::UnknownSubject.into())
    }

    /// Adds an entry to the member's vault.
    pub async fn create_entry(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        new: NewEntry,
    ) -> Result<EntryView, Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let mut account = hub.hold_account(tx, &member)?;
            let number = hub.draw_number(now, account.last_number);
            let NewEntry { slot, meta, value } = new.clone();
            let entry = Entry {
                number,
                owner: member.name.clone(),
                meta,
                content: value,
                enabled: true,
                own: slot,
                slots: Vec::new(),
                requests: Vec::new(),
                last_number: number,
                created: now,
                updated: now,
            };
            fits(&entry, &member)?;
            if tx.count_children(Entry::KIND, &member.account)? >= member.plan.entries {
                return Err(Refusal::Forbidden { need: "total_keys" }.into());
            }
            account.last_number = number;
            hub.rows.put(tx, &mut account)?;
            let row = hub.entry_row(number);
            hub.register_number(tx, account.scope(), number, row)?;
            let rank = i64::try_from(number).unwrap_or(i64::MAX);
            let place = Place::at(row).of(member.account).ranked(rank);
            let view = entry.owners_view();
            hub.rows.create(tx, account.scope(), place, entry)?;
            hub.record_entry(tx, (now, &caller, "entry.create"), number)?;
            Ok(view)
        })
        .await
    }

    /// Changes the texts of an entry, or switches it on and off.
    pub async fn edit_entry(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        number: u64,
        edit: EntryEdit,
    ) -> Result<EntryView, Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let mut entry = hub.own_entry(tx, &member, number)?;
            let before = entry.bytes();
            let EntryEdit {
                enabled,
                meta,
                value,
            } = edit.clone();
            entry.enabled = enabled.unwrap_or(entry.enabled);
            entry.meta = meta.unwrap_or_else(|| entry.meta.clone());
            entry.content = value.unwrap_or_else(|| entry.content.clone());
            entry.updated = now;
            // An entry that a smaller plan found larger may stay, and shrink.
            if entry.bytes() > before {
                fits(&entry, &member)?;
            }
            hub.rows.put(tx, &mut entry)?;
            hub.record_entry(tx, (now, &caller, "entry.edit"), number)?;
            Ok(entry.owners_view())
        })
        .await
    }

    /// Removes an entry, its slots at all receivers, and its open requests.
    pub async fn delete_entry(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        number: u64,
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let entry = hub.own_entry(tx, &member, number)?;
            hub.erase_entry(tx, &entry)?;
            hub.record_entry(tx, (now, &caller, "entry.delete"), number)
        })
        .await
    }

    /// Everything the member sees. A request is new to its receiver until this has shown it once.
    pub async fn list_vault(self: &Arc<Self>, member: VaultMember) -> Result<Vault, Error> {
        let id = member.account;
        let (vault, fresh) = self.read(move |hub, tx| hub.vault_of(tx, &id)).await?;
        if !fresh.is_empty() {
            self.write(move |hub, tx| hub.mark_seen(tx, &id, &fresh))
                .await?;
        }
        Ok(vault)
    }

    /// The vault, and the entries with requests that their receiver sees for the first time.
    fn vault_of(&self, tx: &mut dyn Tx, id: &RowId) -> TxResult<(Vault, Vec<RowId>)> {
        let mut vault = Vault::default();
        let mut fresh = Vec::new();
        for entry in self.rows.children::<Entry>(tx, id, Page::ALL)? {
            vault.requests.extend(
                entry
                    .requests
                    .iter()
                    .map(|request| entry.request_view(request, None)),
            );
            vault.entries.push(entry.owners_view());
        }
        for row in self.guest_entries(tx, id)? {
            let Some(entry) = self
                .rows
                .peek::<Entry>(tx, &row)?
                .filter(|entry| entry.enabled)
            else {
                continue;
            };
            vault.entries.extend(entry.receivers_view(id));
            for request in entry
                .requests
                .iter()
                .filter(|request| request.receiver == id.0)
            {
                let Some(sender) = self.sender_of(tx, &entry)? else {
                    continue;
                };
                vault
                    .requests
                    .push(entry.request_view(request, Some(sender)));
                if !request.seen {
                    fresh.push(row);
                }
            }
        }
        vault.entries.sort_by_key(|entry| entry.number);
        vault.requests.sort_by_key(|request| request.number);
        fresh.sort_unstable();
        Ok((vault, fresh))
    }

    fn mark_seen(&self, tx: &mut dyn Tx, receiver: &RowId, entries: &[RowId]) -> TxResult<()> {
        for row in entries {
            let Some(mut entry) = self.rows.get::<Entry>(tx, row)? else {
                continue;
            };
            let request = entry
                .requests
                .iter_mut()
                .find(|request| request.receiver == receiver.0);
            if let Some(request) = request {
                request.seen = true;
                self.rows.put(tx, &mut entry)?;
            }
        }
        Ok(())
    }

    fn sender_of(&self, tx: &mut dyn Tx, entry: &Stored<Entry>) -> TxResult<Option<Sender>> {
        let owner = entry.place.owner.unwrap_or(entry.id());
        let account = self.rows.peek::<VaultAccount>(tx, &owner)?;
        Ok(account.map(|account| Sender {
            name: account.name.clone(),
            public_key: account.public_key(),
        }))
    }

    /// The rows of entries where `receiver` has a slot or a request.
    pub(super) fn guest_entries(&self, tx: &mut dyn Tx, receiver: &RowId) -> TxResult<Vec<RowId>> {
        let guests = self.rows.children::<Guest>(tx, receiver, Page::ALL)?;
        Ok(guests.iter().map(|guest| RowId(guest.entry)).collect())
    }

    pub(super) fn add_guest(
        &self,
        tx: &mut dyn Tx,
        entry: &Stored<Entry>,
        receiver: &RowId,
    ) -> TxResult<()> {
        let place = Place::at(self.guest_row(&entry.id(), receiver)).of(*receiver);
        self.rows.create(
            tx,
            entry.scope(),
            place,
            Guest {
                entry: entry.id().0,
            },
        )?;
        Ok(())
    }

    pub(super) fn erase_entry(&self, tx: &mut dyn Tx, entry: &Stored<Entry>) -> TxResult<()> {
        let id = entry.id();
        for slot in &entry.slots {
            self.close_slot(tx, &id, slot)?;
        }
        for request in &entry.requests {
            let guest = self.guest_row(&id, &RowId(request.receiver));
            self.rows.remove::<Guest>(tx, &guest)?;
        }
        tx.remove_children(Numbered::KIND, &id)?;
        self.rows.remove::<Entry>(tx, &id)?;
        Ok(())
    }

    /// Ends `receiver`'s slot and request in somebody else's entry.
    pub(super) fn leave_entry(
        &self,
        tx: &mut dyn Tx,
        mut entry: Stored<Entry>,
        receiver: &RowId,
    ) -> TxResult<()> {
        let mut gone = Vec::new();
        entry.slots.retain(|slot| {
            let stays = !slot.is_of(receiver);
            gone.extend((!stays).then_some(slot.number));
            stays
        });
        entry.requests.retain(|request| {
            let stays = request.receiver != receiver.0;
            gone.extend((!stays).then_some(request.number));
            stays
        });
        for number in gone {
            self.rows.remove::<Numbered>(tx, &self.number_row(number))?;
        }
        let guest = self.guest_row(&entry.id(), receiver);
        self.rows.remove::<Guest>(tx, &guest)?;
        self.rows.put(tx, &mut entry)
    }

    pub(super) fn record_entry(
        &self,
        tx: &mut dyn Tx,
        (now, caller, action): (Timestamp, &Caller, &str),
        number: u64,
    ) -> TxResult<()> {
        self.record(
            tx,
            Event::new(caller.surface, now, action, number.to_string()).by(caller),
        )
    }
}

fn fits(entry: &Entry, member: &VaultMember) -> Result<(), Refusal> {
    if entry.bytes() > member.plan.entry_bytes {
        return Err(Refusal::Forbidden {
            need: "key_size_bytes",
        });
    }
    Ok(())
}
