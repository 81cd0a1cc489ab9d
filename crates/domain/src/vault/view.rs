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

#[cfg(test)]
mod tests {
    use super::super::account::tests::{account, account_id};
    use super::super::entry::tests::{LATER, account_slot, entry, outside_slot, request};
    use super::*;

    fn shared() -> Entry {
        let mut entry = entry();
        entry.slots = vec![
            outside_slot(101),
            account_slot(102, 2),
            account_slot(103, 3),
        ];
        entry.updated = LATER;
        entry
    }

    #[test]
    fn the_owner_sees_their_own_slot_first_and_then_all_others() {
        let view = shared().owners_view();
        let numbers: Vec<Option<u64>> = view.slots.iter().map(|slot| slot.number).collect();
        assert_eq!(numbers, [None, Some(101), Some(102), Some(103)]);
        assert_eq!((view.number, view.from), (100, None));
        assert_eq!(view.slots[0].value, "own");
        assert_eq!(view.slots[0].notify, Notify::Never);
        assert!(view.slots[0].enabled);
    }

    #[test]
    fn the_owners_own_slot_is_never_updated() {
        let view = shared().owners_view();
        assert_eq!(view.updated, LATER);
        assert_eq!(view.slots[0].updated, view.created);
    }

    #[test]
    fn an_outside_slot_shows_its_identifier_and_a_shared_one_its_receiver() {
        let slots = shared().owners_view().slots;
        assert_eq!(slots[1].identifier.as_deref(), Some("identifier 101"));
        assert_eq!(slots[1].with, None);
        assert_eq!(slots[2].identifier, None);
        assert_eq!(slots[2].with.as_deref(), Some("2@example.org"));
    }

    #[test]
    fn a_receiver_sees_the_owner_and_only_their_own_slot() {
        let view = shared().receivers_view(account_id(3)).unwrap();
        assert_eq!(view.from.as_deref(), Some("ann@example.org"));
        assert_eq!((view.meta.as_str(), view.value.as_str()), ("meta", "value"));
        assert_eq!(view.slots.len(), 1);
        assert_eq!(view.slots[0].number, Some(103));
        assert_eq!(view.slots[0].with.as_deref(), Some("ann@example.org"));
        assert_eq!(view.slots[0].identifier, None);
    }

    #[test]
    fn nobody_else_sees_anything_not_even_with_an_open_request() {
        let mut entry = shared();
        entry.requests = vec![request(104, 4)];
        assert_eq!(entry.receivers_view(account_id(4)), None);
        assert_eq!(entry.receivers_view(account_id(9)), None);
    }

    #[test]
    fn a_disabled_entry_is_hidden_from_receivers_but_not_from_its_owner() {
        let mut entry = shared();
        entry.enabled = false;
        assert_eq!(entry.receivers_view(account_id(2)), None);
        assert!(!entry.owners_view().enabled);
        assert_eq!(entry.owners_view().slots.len(), 4);
    }

    #[test]
    fn a_request_shows_its_receiver_and_to_the_receiver_its_sender() {
        let entry = entry();
        let mut asked = request(104, 4);
        asked.seen = true;
        let sent = entry.request_view(&asked, None);
        assert_eq!((sent.number, sent.entry, sent.seen), (104, 100, true));
        assert_eq!(
            (sent.to.as_str(), sent.slot.as_str()),
            ("4@example.org", "wrapped 104")
        );
        assert_eq!(sent.from, None);
        let sender = Sender::of(&account("ann@example.org"));
        assert_eq!(
            (sender.name.as_str(), sender.public_key.as_str()),
            ("ann@example.org", "a public key")
        );
        let received = entry.request_view(&asked, Some(sender.clone()));
        assert_eq!(received.from, Some(sender));
    }
}
