//! The list of everything that an account sees in its vault.

use std::sync::Arc;

use super::Vaults;
use super::account::VaultAccount;
use super::entry::Entry;
use super::session::VaultMember;
use super::view::{Sender, Vault};
use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Page, Tx, TxResult};
use crate::core::rows::Stored;

/// A vault while it is put together.
#[derive(Default)]
struct Listing {
    vault: Vault,
    /// Entries with a request that its receiver sees for the first time.
    fresh: Vec<Id<Entry>>,
}

impl Listing {
    /// Adds an entry of one's own, with the requests that were sent for it.
    fn add_own(&mut self, entry: &Entry) {
        let requests = entry.requests.iter();
        let requests = requests.map(|request| entry.request_view(request, None));
        self.vault.requests.extend(requests);
        self.vault.entries.push(entry.owners_view());
    }

    /// Adds what `receiver` sees of somebody else's entry: their slot, and a request if its sender is known.
    fn add_of_another(
        &mut self,
        (id, entry): (Id<Entry>, &Entry),
        receiver: Id<VaultAccount>,
        sender: Option<&Sender>,
    ) {
        if !entry.enabled {
            return;
        }
        self.vault.entries.extend(entry.receivers_view(receiver));
        let (Some(request), Some(sender)) = (entry.request_of(receiver), sender) else {
            return;
        };
        let view = entry.request_view(request, Some(sender.clone()));
        self.vault.requests.push(view);
        if !request.seen {
            self.fresh.push(id);
        }
    }

    /// The vault in the order of numbers, and the entries with new requests in the order of ids.
    fn sorted(mut self) -> (Vault, Vec<Id<Entry>>) {
        self.vault.entries.sort_by_key(|entry| entry.number);
        self.vault.requests.sort_by_key(|request| request.number);
        self.fresh.sort_unstable();
        (self.vault, self.fresh)
    }
}

impl Entry {
    /// Marks the request of `receiver` as seen. Whether there is one.
    fn mark_seen(&mut self, receiver: Id<VaultAccount>) -> bool {
        let mut requests = self.requests.iter_mut();
        let request = requests.find(|request| request.receiver == receiver);
        request.map(|request| request.seen = true).is_some()
    }
}

impl Vaults {
    /// Everything that the member sees. A request is new to its receiver until this has returned it once.
    pub async fn list_vault(self: &Arc<Self>, member: VaultMember) -> Result<Vault, Error> {
        let id = member.account;
        let (vault, fresh) = self.read(move |hub, tx| hub.vault_of(tx, id)).await?;
        if !fresh.is_empty() {
            self.write(move |hub, tx| hub.mark_seen(tx, id, &fresh))
                .await?;
        }
        Ok(vault)
    }

    /// The vault, and the entries with requests that their receiver sees for the first time.
    fn vault_of(&self, tx: &mut dyn Tx, id: Id<VaultAccount>) -> TxResult<(Vault, Vec<Id<Entry>>)> {
        let mut listing = Listing::default();
        for entry in self.rows.children::<Entry>(tx, &id.row(), Page::ALL)? {
            listing.add_own(&entry);
        }
        for entry_id in self.guest_entries(tx, id)? {
            let Some(entry) = self.rows.peek(tx, entry_id)? else {
                continue;
            };
            let sender = self.sender_to(tx, &entry, id)?;
            listing.add_of_another((entry_id, &entry), id, sender.as_ref());
        }
        Ok(listing.sorted())
    }

    /// The owner of `entry`, if it has an open request to `receiver`.
    fn sender_to(
        &self,
        tx: &mut dyn Tx,
        entry: &Stored<Entry>,
        receiver: Id<VaultAccount>,
    ) -> TxResult<Option<Sender>> {
        if !entry.enabled || entry.request_of(receiver).is_none() {
            return Ok(None);
        }
        let owner = self.owner_of(tx, entry)?;
        Ok(owner.as_deref().map(Sender::of))
    }

    fn mark_seen(
        &self,
        tx: &mut dyn Tx,
        receiver: Id<VaultAccount>,
        entries: &[Id<Entry>],
    ) -> TxResult<()> {
        for id in entries {
            let entry = self.rows.get(tx, id)?;
            if let Some(mut entry) = entry
                && entry.mark_seen(receiver)
            {
                self.rows.put(tx, &mut entry)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::{account, account_id};
    use super::super::entry::tests::{account_slot, entry, outside_slot, request};
    use super::*;
    use crate::core::port::store::RowId;

    fn entry_id(byte: u8) -> Id<Entry> {
        Id::new(RowId([byte; 16]))
    }

    fn sender() -> Sender {
        Sender::of(&account("ann@example.org"))
    }

    /// What account 2 sees of one entry of Ann.
    fn seen_by_two(entry: &Entry) -> (Vault, Vec<Id<Entry>>) {
        let mut listing = Listing::default();
        listing.add_of_another((entry_id(5), entry), account_id(2), Some(&sender()));
        listing.sorted()
    }

    #[test]
    fn an_owner_sees_their_entry_and_the_requests_that_they_sent() {
        let mut own = entry();
        own.slots = vec![outside_slot(101)];
        own.requests = vec![request(103, 3), request(102, 2)];
        let mut listing = Listing::default();
        listing.add_own(&own);
        let (vault, fresh) = listing.sorted();
        assert_eq!(vault.entries, [own.owners_view()]);
        let requests: Vec<u64> = vault.requests.iter().map(|asked| asked.number).collect();
        assert_eq!(requests, [102, 103]);
        assert!(vault.requests.iter().all(|asked| asked.from.is_none()));
        assert!(fresh.is_empty(), "what one sent oneself is not new");
    }

    #[test]
    fn a_receiver_with_a_slot_sees_the_entry() {
        let mut shared = entry();
        shared.slots = vec![account_slot(101, 2)];
        let (vault, fresh) = seen_by_two(&shared);
        assert_eq!(vault.entries.len(), 1);
        assert_eq!((vault.requests.len(), fresh.len()), (0, 0));
    }

    #[test]
    fn a_receiver_with_a_request_sees_its_sender_and_not_the_entry() {
        let mut offered = entry();
        offered.requests = vec![request(101, 3), request(102, 2)];
        let (vault, fresh) = seen_by_two(&offered);
        assert_eq!(vault.entries, []);
        assert_eq!(vault.requests.len(), 1);
        assert_eq!(vault.requests[0].number, 102);
        assert_eq!(vault.requests[0].from, Some(sender()));
        assert_eq!(fresh, [entry_id(5)]);
    }

    #[test]
    fn a_request_that_was_seen_is_listed_and_not_new() {
        let mut offered = entry();
        offered.requests = vec![request(102, 2)];
        offered.requests[0].seen = true;
        let (vault, fresh) = seen_by_two(&offered);
        assert_eq!((vault.requests.len(), fresh.len()), (1, 0));
    }

    #[test]
    fn nothing_of_a_disabled_entry_is_listed_for_others() {
        let mut disabled = entry();
        disabled.slots = vec![account_slot(101, 2)];
        disabled.requests = vec![request(102, 2)];
        disabled.enabled = false;
        assert_eq!(seen_by_two(&disabled), (Vault::default(), Vec::new()));
    }

    #[test]
    fn a_request_without_a_sender_is_not_listed() {
        let mut offered = entry();
        offered.requests = vec![request(102, 2)];
        let mut listing = Listing::default();
        listing.add_of_another((entry_id(5), &offered), account_id(2), None);
        assert_eq!(listing.sorted(), (Vault::default(), Vec::new()));
    }

    #[test]
    fn entries_come_in_the_order_of_numbers_and_new_requests_in_that_of_ids() {
        let numbered = |number: u64| Entry {
            number,
            requests: vec![request(1000 - number, 2)],
            slots: vec![account_slot(number + 1, 2)],
            ..entry()
        };
        let mut listing = Listing::default();
        for (id, number) in [(9, 300), (2, 500), (4, 100)] {
            let found = (entry_id(id), &numbered(number));
            listing.add_of_another(found, account_id(2), Some(&sender()));
        }
        let (vault, fresh) = listing.sorted();
        let entries: Vec<u64> = vault.entries.iter().map(|entry| entry.number).collect();
        let requests: Vec<u64> = vault.requests.iter().map(|asked| asked.number).collect();
        assert_eq!(entries, [100, 300, 500]);
        assert_eq!(requests, [500, 700, 900]);
        assert_eq!(fresh, [entry_id(2), entry_id(4), entry_id(9)]);
    }

    #[test]
    fn only_the_request_of_the_receiver_is_marked_as_seen() {
        let mut offered = entry();
        offered.requests = vec![request(101, 3), request(102, 2)];
        assert!(offered.mark_seen(account_id(2)));
        let seen: Vec<bool> = offered.requests.iter().map(|asked| asked.seen).collect();
        assert_eq!(seen, [false, true]);
        assert!(!offered.mark_seen(account_id(9)));
    }
}
