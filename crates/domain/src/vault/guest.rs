//! Guests of an entry: accounts that have a slot in it, or an open request to share it.

use serde::{Deserialize, Serialize};

use super::Vaults;
use super::account::VaultAccount;
use super::entry::Entry;
use crate::core::id::Id;
use crate::core::port::store::{Kind, Page, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};

/// Leads a receiver to an entry, of an open request or of an accepted one. One for each pair of both.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Guest {
    entry: Id<Entry>,
}

impl Record for Guest {
    const KIND: Kind = "vault_guest";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

impl Entry {
    /// Removes the slots and requests of `guest`. Returns their numbers.
    fn remove_guest(&mut self, guest: Id<VaultAccount>) -> Vec<u64> {
        let slots = self.slots.extract_if(.., |slot| slot.is_of(guest));
        let mut gone: Vec<u64> = slots.map(|slot| slot.number).collect();
        let requests = self
            .requests
            .extract_if(.., |request| request.receiver == guest);
        gone.extend(requests.map(|request| request.number));
        gone
    }
}

impl Vaults {
    pub(super) fn guest_id(&self, entry: Id<Entry>, receiver: Id<VaultAccount>) -> Id<Guest> {
        self.rows.named(&[entry.as_bytes(), receiver.as_bytes()])
    }

    /// The entries in which `receiver` has a slot or a request.
    pub(super) fn guest_entries(
        &self,
        tx: &mut dyn Tx,
        receiver: Id<VaultAccount>,
    ) -> TxResult<Vec<Id<Entry>>> {
        let guests = self
            .rows
            .children::<Guest>(tx, &receiver.row(), Page::ALL)?;
        Ok(guests.iter().map(|guest| guest.entry).collect())
    }

    pub(super) fn add_guest(
        &self,
        tx: &mut dyn Tx,
        entry: &Stored<Entry>,
        receiver: Id<VaultAccount>,
    ) -> TxResult<()> {
        let place = Place::at(self.guest_id(entry.key(), receiver)).of(receiver);
        let guest = Guest { entry: entry.key() };
        self.rows.create(tx, entry.scope(), place, guest)?;
        Ok(())
    }

    /// Ends the slot and the request of `receiver` in an entry of somebody else.
    pub(super) fn leave_entry(
        &self,
        tx: &mut dyn Tx,
        mut entry: Stored<Entry>,
        receiver: Id<VaultAccount>,
    ) -> TxResult<()> {
        for number in entry.remove_guest(receiver) {
            self.rows.remove(tx, self.numbered(number))?;
        }
        let guest = self.guest_id(entry.key(), receiver);
        self.rows.remove(tx, guest)?;
        self.rows.put(tx, &mut entry)
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::account_id;
    use super::super::entry::tests::{account_slot, entry, outside_slot, request};

    #[test]
    fn a_guest_who_leaves_takes_their_slot_and_their_request() {
        let mut entry = entry();
        entry.slots = vec![
            outside_slot(101),
            account_slot(102, 2),
            account_slot(103, 3),
        ];
        entry.requests = vec![request(104, 2), request(105, 4)];
        assert_eq!(entry.remove_guest(account_id(2)), [102, 104]);
        let slots: Vec<u64> = entry.slots.iter().map(|slot| slot.number).collect();
        let requests: Vec<u64> = entry.requests.iter().map(|asked| asked.number).collect();
        assert_eq!(
            (slots.as_slice(), requests.as_slice()),
            ([101, 103].as_slice(), [105].as_slice())
        );
    }

    #[test]
    fn somebody_who_is_no_guest_takes_nothing() {
        let mut with_guests = entry();
        with_guests.slots = vec![outside_slot(101), account_slot(102, 2)];
        with_guests.requests = vec![request(103, 3)];
        let before = with_guests.clone();
        assert!(with_guests.remove_guest(account_id(9)).is_empty());
        assert_eq!(with_guests, before);
    }
}
