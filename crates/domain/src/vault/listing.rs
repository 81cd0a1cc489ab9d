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
