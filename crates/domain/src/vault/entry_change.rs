//! New entries, and changes and removal of one's own.

use std::sync::Arc;

use super::Vaults;
use super::entry::{Entry, EntryEdit, NewEntry};
use super::number::Numbered;
use super::session::VaultMember;
use super::view::EntryView;
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::{Tx, TxResult};
use crate::core::record::Record as _;
use crate::core::rows::{Place, Stored};
use crate::core::verdict::Verdict;

impl Vaults {
    /// Adds an entry to the member's vault.
    ///
    /// # Errors
    /// `Forbidden` if the plan allows no more entries, or none that large.
    pub async fn create_entry(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        new: NewEntry,
    ) -> Result<EntryView, Error> {
        let now = self.now();
        let created = self.write(move |hub, tx| {
            let mut account = match hub.hold_account(tx, &member)? {
                Ok(account) => account,
                Err(refusal) => return Ok(refusal.into()),
            };
            let number = hub.draw_number(tx, now, account.last_number)?;
            let entry = Entry::new(number, &member.name, new.clone(), now);
            let existing = tx.count_children(Entry::KIND, &member.account.row())?;
            let allowed = member.plan.allows_bytes(entry.bytes());
            let allowed = allowed.and_then(|()| member.plan.allows_entry_beside(existing));
            if let Err(refusal) = allowed {
                return Ok(refusal.into());
            }
            account.last_number = number;
            hub.rows.put(tx, &mut account)?;
            let id = hub.entry_id(number);
            hub.register_number(tx, account.scope(), number, id)?;
            let rank = i64::try_from(number).unwrap_or(i64::MAX);
            let place = Place::at(id).of(member.account).ranked(rank);
            let view = entry.owners_view();
            hub.rows.create(tx, account.scope(), place, entry)?;
            hub.record_entry(tx, (now, &caller, "entry.create"), number)?;
            Ok(Verdict::Done(view))
        });
        created.await?.answer()
    }

    /// Changes the texts of an entry, or switches it on or off.
    ///
    /// # Errors
    /// `UnknownSubject` if the entry is not the member's own; `Forbidden` if it grows above the plan.
    pub async fn edit_entry(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        number: u64,
        edit: EntryEdit,
    ) -> Result<EntryView, Error> {
        let now = self.now();
        let edited = self.write(move |hub, tx| {
            let Some(mut entry) = hub.own_entry(tx, &member, number)? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            if let Err(refusal) = entry.edit(now, edit.clone(), &member.plan) {
                return Ok(refusal.into());
            }
            hub.rows.put(tx, &mut entry)?;
            hub.record_entry(tx, (now, &caller, "entry.edit"), number)?;
            Ok(Verdict::Done(entry.owners_view()))
        });
        edited.await?.answer()
    }

    /// Removes an entry, its slots at all receivers, and its open requests.
    ///
    /// # Errors
    /// `UnknownSubject` if the entry is not the member's own.
    pub async fn delete_entry(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        number: u64,
    ) -> Result<(), Error> {
        let now = self.now();
        let deleted = self.write(move |hub, tx| {
            let Some(entry) = hub.own_entry(tx, &member, number)? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            hub.erase_entry(tx, &entry)?;
            hub.record_entry(tx, (now, &caller, "entry.delete"), number)?;
            Ok(Verdict::Done(()))
        });
        deleted.await?.answer()
    }

    /// Removes an entry with everything beside it: numbers, identifiers, guests, approvals.
    pub(super) fn erase_entry(&self, tx: &mut dyn Tx, entry: &Stored<Entry>) -> TxResult<()> {
        for slot in &entry.slots {
            self.close_slot(tx, entry.key(), slot)?;
        }
        for request in &entry.requests {
            let guest = self.guest_id(entry.key(), request.receiver);
            self.rows.remove(tx, guest)?;
        }
        tx.remove_children(Numbered::KIND, &entry.id())?;
        self.rows.remove(tx, entry.key())?;
        Ok(())
    }
}
