//! Entries, slots and requests as their owners and receivers see them.

use super::account::VaultAccount;
use super::entry::{Entry, Notify, Reader, ShareRequest, VaultSlot};
use crate::core::id::Id;
use crate::core::time::Timestamp;

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
    /// `None`: the owner's own slot.
    pub number: Option<u64>,
    pub value: String,
    pub notify: Notify,
    pub enabled: bool,
    pub identifier: Option<String>,
    /// The name of the other side, for a shared slot.
    pub with: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// A request to share as its sender or receiver sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestView {
    pub number: u64,
    pub entry: u64,
    /// Only for the receiver.
    pub from: Option<Sender>,
    pub to: String,
    pub slot: String,
    pub seen: bool,
    pub created: Timestamp,
}

/// Who sent a request, and the key under which its slot was wrapped.
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

impl Sender {
    pub(super) fn of(account: &VaultAccount) -> Self {
        Self {
            name: account.name.clone(),
            public_key: account.public_key(),
        }
    }
}

impl Entry {
    /// Everything, the owner's own slot first.
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
        let slots = self.slots.iter().map(VaultSlot::owners_view);
        self.view(None, std::iter::once(own).chain(slots).collect())
    }

    /// What `receiver` sees: of a disabled entry nothing, of any other only their own slot.
    pub(super) fn receivers_view(&self, receiver: Id<VaultAccount>) -> Option<EntryView> {
        let mut slots = self.slots.iter();
        let slot = slots.find(|slot| slot.is_of(receiver));
        let slot = SlotView {
            with: Some(self.owner.clone()),
            ..slot.filter(|_| self.enabled)?.owners_view()
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

    pub(super) fn request_view(&self, request: &ShareRequest, from: Option<Sender>) -> RequestView {
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
