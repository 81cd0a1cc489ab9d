//! Slots: created for outside readers, changed and closed by their owner, given up by receivers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Vaults;
use super::approval::{Approval, ApprovalLink};
use super::entry::{Entry, Notify, Reader, VaultSlot, Viewer};
use super::plan::Plan;
use super::session::VaultMember;
use super::slot_notice::NoticeLog;
use super::view::EntryView;
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Kind, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;

/// Leads from the identifier of an outside reader to its slot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Identified {
    pub(super) entry: Id<Entry>,
    pub(super) slot: u64,
}

impl Record for Identified {
    const KIND: Kind = "vault_identifier";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// Which slot of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotNumber {
    /// The owner's own slot, which nobody can change.
    Own,
    Numbered(u64),
}

/// What changes in a slot; `None` stays as it is.
#[derive(Debug, Clone)]
pub struct SlotEdit {
    pub enabled: Option<bool>,
    pub notify: Option<Notify>,
    pub value: Option<String>,
}

impl Entry {
    /// Whether a slot for an outside reader may be added.
    fn allows_slot(&self, notify: Notify, plan: &Plan) -> Result<(), Refusal> {
        plan.allows_notify(notify)?;
        plan.allows_slot_beside(self.used_slots())
    }

    /// Adds an enabled slot as the last one.
    pub(super) fn add_slot(
        &mut self,
        now: Timestamp,
        number: u64,
        (value, notify): (String, Notify),
        reader: Reader,
    ) {
        self.last_number = number;
        self.slots.push(VaultSlot {
            number,
            value,
            notify,
            enabled: true,
            reader,
            created: now,
            updated: now,
        });
    }

    /// Changes the slot of an outside reader. Returns its number.
    ///
    /// # Errors
    /// `WrongState` for the owner's own slot and those of receivers; `UnknownSubject` if there is no such slot;
    /// `Forbidden` if the plan does not allow the new way to notify.
    fn edit_slot(
        &mut self,
        now: Timestamp,
        slot: SlotNumber,
        edit: SlotEdit,
        plan: &Plan,
    ) -> Result<u64, Refusal> {
        let SlotNumber::Numbered(number) = slot else {
            return Err(Refusal::WrongState);
        };
        let mut slots = self.slots.iter_mut();
        let slot = slots.find(|slot| slot.number == number);
        let slot = slot.ok_or(Refusal::UnknownSubject)?;
        if matches!(slot.reader, Reader::Account { .. }) {
            return Err(Refusal::WrongState);
        }
        // When a plan loses a feature, slots that use it keep it. Only a change needs the feature.
        if let Some(notify) = edit.notify.filter(|notify| *notify != slot.notify) {
            plan.allows_notify(notify)?;
            slot.notify = notify;
        }
        slot.enabled = edit.enabled.unwrap_or(slot.enabled);
        if let Some(value) = edit.value {
            slot.value = value;
        }
        slot.updated = now;
        Ok(number)
    }

    /// Removes a slot: the owner may remove any but their own, a receiver exactly their own.
    ///
    /// # Errors
    /// `WrongState` for the owner's own slot; `UnknownSubject` for a slot that the viewer does not see.
    fn take_slot(&mut self, viewer: Viewer, slot: SlotNumber) -> Result<VaultSlot, Refusal> {
        let number = match slot {
            SlotNumber::Numbered(number) => number,
            SlotNumber::Own if viewer == Viewer::Owner => return Err(Refusal::WrongState),
            SlotNumber::Own => return Err(Refusal::UnknownSubject),
        };
        let visible = |slot: &VaultSlot| match viewer {
            Viewer::Owner => true,
            Viewer::Other(account) => self.enabled && slot.is_of(account),
        };
        let mut slots = self.slots.iter();
        let at = slots.position(|slot| slot.number == number && visible(slot));
        at.map(|at| self.slots.remove(at))
            .ok_or(Refusal::UnknownSubject)
    }
}

impl Vaults {
    /// The row that owns what is stored about a slot outside its entry.
    pub(super) fn slot_row(&self, number: u64) -> RowId {
        self.rows.id("vault_slot", &[&number.to_be_bytes()])
    }

    /// Adds a slot for an outside reader, with a new identifier.
    ///
    /// # Errors
    /// `UnknownSubject` if the entry is not the member's own; `Forbidden` if the plan does not allow the slot.
    pub async fn create_slot(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        entry: u64,
        (value, notify): (String, Notify),
    ) -> Result<EntryView, Error> {
        let now = self.now();
        let created = self.write(move |hub, tx| {
            let Some(mut entry) = hub.own_entry(tx, &member, entry)? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            if let Err(refusal) = entry.allows_slot(notify, &member.plan) {
                return Ok(refusal.into());
            }
            let number = hub.number_in(tx, now, &entry)?;
            let identifier = hub.fresh_bearer::<16>();
            let place = Place::at(hub.bearer::<Identified>(&identifier)).of(entry.id());
            let record = Identified {
                entry: entry.key(),
                slot: number,
            };
            hub.rows.create(tx, entry.scope(), place, record)?;
            let reader = Reader::Outside { identifier };
            entry.add_slot(now, number, (value.clone(), notify), reader);
            hub.rows.put(tx, &mut entry)?;
            hub.record_entry(tx, (now, &caller, "slot.create"), number)?;
            Ok(Verdict::Done(entry.owners_view()))
        });
        created.await?.answer()
    }

    /// Changes a slot of an outside reader. Its identifier stays.
    ///
    /// # Errors
    /// `UnknownSubject`, `WrongState` if the slot cannot be changed, `Forbidden` if the plan does not allow it.
    pub async fn edit_slot(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        (entry, slot): (u64, SlotNumber),
        edit: SlotEdit,
    ) -> Result<EntryView, Error> {
        let now = self.now();
        let edited = self.write(move |hub, tx| {
            let Some(mut entry) = hub.own_entry(tx, &member, entry)? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            let number = match entry.edit_slot(now, slot, edit.clone(), &member.plan) {
                Ok(number) => number,
                Err(refusal) => return Ok(refusal.into()),
            };
            hub.rows.put(tx, &mut entry)?;
            hub.record_entry(tx, (now, &caller, "slot.edit"), number)?;
            Ok(Verdict::Done(entry.owners_view()))
        });
        edited.await?.answer()
    }

    /// Closes a slot: any but their own for the owner, exactly their own for a receiver.
    ///
    /// # Errors
    /// `UnknownSubject` if the member does not see the slot; `WrongState` for the owner's own.
    pub async fn delete_slot(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        (entry, slot): (u64, SlotNumber),
    ) -> Result<(), Error> {
        let now = self.now();
        let deleted = self.write(move |hub, tx| {
            let Some(mut entry) = hub.rows.get(tx, hub.entry_id(entry))? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            let viewer = Viewer::of(member.account, entry.place.owner);
            let slot = match entry.take_slot(viewer, slot) {
                Ok(slot) => slot,
                Err(refusal) => return Ok(refusal.into()),
            };
            hub.close_slot(tx, entry.key(), &slot)?;
            hub.rows.put(tx, &mut entry)?;
            let action = match viewer {
                Viewer::Owner => "slot.delete",
                Viewer::Other(_) => "slot.leave",
            };
            hub.record_entry(tx, (now, &caller, action), slot.number)?;
            Ok(Verdict::Done(()))
        });
        deleted.await?.answer()
    }

    /// Removes what is stored about a slot outside its entry.
    pub(super) fn close_slot(
        &self,
        tx: &mut dyn Tx,
        entry: Id<Entry>,
        slot: &VaultSlot,
    ) -> TxResult<()> {
        match &slot.reader {
            Reader::Outside { identifier } => {
                let row = self.slot_row(slot.number);
                self.rows
                    .remove(tx, self.bearer::<Identified>(identifier))?;
                self.rows.remove(tx, Id::<NoticeLog>::new(row))?;
                tx.remove_children(Approval::KIND, &row)?;
                tx.remove_children(ApprovalLink::KIND, &row)?;
            }
            Reader::Account { account, .. } => {
                self.rows.remove(tx, self.guest_id(entry, *account))?;
            }
        }
        self.rows.remove(tx, self.numbered(slot.number))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::{NOW, account_id};
    use super::super::entry::tests::{LATER, account_slot, entry, outside_slot, request};
    use super::*;

    const NOTHING: SlotEdit = SlotEdit {
        enabled: None,
        notify: None,
        value: None,
    };
    const FIRST: SlotNumber = SlotNumber::Numbered(101);

    /// With an outside reader (101) and the slot of account 2 (102).
    fn shared() -> Entry {
        let mut entry = entry();
        entry.slots = vec![outside_slot(101), account_slot(102, 2)];
        entry
    }

    fn notify(notify: Notify) -> SlotEdit {
        SlotEdit {
            notify: Some(notify),
            ..NOTHING
        }
    }

    fn without_features() -> Plan {
        Plan {
            notify_on_use: false,
            approve_use: false,
            ..Plan::default()
        }
    }

    #[test]
    fn a_new_slot_needs_room_and_the_feature_that_it_uses() {
        let mut entry = shared();
        entry.requests = vec![request(103, 3)];
        let plan = |slots_per_entry| Plan {
            slots_per_entry,
            ..without_features()
        };
        assert_eq!(entry.allows_slot(Notify::Never, &plan(4)), Ok(()));
        assert_eq!(
            entry.allows_slot(Notify::Never, &plan(3)),
            Err(Refusal::Forbidden {
                need: "slots_per_entry"
            })
        );
        // The feature is looked at first.
        assert_eq!(
            entry.allows_slot(Notify::Approve, &plan(3)),
            Err(Refusal::Forbidden {
                need: "approve_use"
            })
        );
    }

    #[test]
    fn a_new_slot_is_enabled_and_the_last_one() {
        let mut entry = shared();
        let reader = Reader::Outside {
            identifier: "new".to_owned(),
        };
        entry.add_slot(
            LATER,
            200,
            ("text".to_owned(), Notify::OnUse),
            reader.clone(),
        );
        let added = entry.slots.last().unwrap();
        assert_eq!((added.number, entry.last_number), (200, 200));
        assert_eq!(
            (added.value.as_str(), added.notify),
            ("text", Notify::OnUse)
        );
        assert_eq!((added.created, added.updated), (LATER, LATER));
        assert!(added.enabled);
        assert_eq!(added.reader, reader);
        assert_eq!(entry.updated, NOW, "the entry itself was not edited");
    }

    #[test]
    fn each_part_of_a_slot_is_changed_alone() {
        let edits = [
            (NOTHING, ("slot 101", Notify::Never, true)),
            (
                SlotEdit {
                    enabled: Some(false),
                    ..NOTHING
                },
                ("slot 101", Notify::Never, false),
            ),
            (notify(Notify::Approve), ("slot 101", Notify::Approve, true)),
            (
                SlotEdit {
                    value: Some("new".to_owned()),
                    ..NOTHING
                },
                ("new", Notify::Never, true),
            ),
        ];
        for (edit, expected) in edits {
            let mut entry = shared();
            let edited = entry.edit_slot(LATER, FIRST, edit, &Plan::default());
            assert_eq!(edited, Ok(101));
            let slot = &entry.slots[0];
            assert_eq!((slot.value.as_str(), slot.notify, slot.enabled), expected);
            assert_eq!((slot.created, slot.updated), (NOW, LATER));
            assert_eq!(slot.reader, outside_slot(101).reader);
            assert_eq!(entry.slots[1], account_slot(102, 2), "the other slot stays");
        }
    }

    #[test]
    fn only_slots_of_outside_readers_can_be_changed() {
        for (slot, refusal) in [
            (SlotNumber::Own, Refusal::WrongState),
            (SlotNumber::Numbered(102), Refusal::WrongState),
            (SlotNumber::Numbered(100), Refusal::UnknownSubject),
            (SlotNumber::Numbered(999), Refusal::UnknownSubject),
        ] {
            let mut entry = shared();
            let edited = entry.edit_slot(LATER, slot, NOTHING, &Plan::default());
            assert_eq!(edited, Err(refusal), "{slot:?}");
            assert_eq!(entry, shared());
        }
    }

    #[test]
    fn a_plan_must_allow_a_new_way_to_notify_and_not_one_that_is_kept() {
        let plan = without_features();
        let mut entry = shared();
        entry.slots[0].notify = Notify::OnUse;
        assert_eq!(
            entry.edit_slot(LATER, FIRST, notify(Notify::OnUse), &plan),
            Ok(101)
        );
        assert_eq!(
            entry.edit_slot(LATER, FIRST, notify(Notify::Approve), &plan),
            Err(Refusal::Forbidden {
                need: "approve_use"
            })
        );
        assert_eq!(
            entry.edit_slot(LATER, FIRST, notify(Notify::Never), &plan),
            Ok(101)
        );
        assert_eq!(
            entry.edit_slot(LATER, FIRST, notify(Notify::OnUse), &plan),
            Err(Refusal::Forbidden {
                need: "notify_on_use"
            })
        );
    }

    #[test]
    fn the_owner_closes_every_slot_but_their_own() {
        for number in [101, 102] {
            let mut entry = shared();
            let taken = entry.take_slot(Viewer::Owner, SlotNumber::Numbered(number));
            assert_eq!(taken.map(|slot| slot.number), Ok(number));
            assert!(entry.slots.iter().all(|slot| slot.number != number));
            assert_eq!(entry.slots.len(), 1);
        }
        let own = shared().take_slot(Viewer::Owner, SlotNumber::Own);
        assert_eq!(own, Err(Refusal::WrongState));
        let unknown = shared().take_slot(Viewer::Owner, SlotNumber::Numbered(9));
        assert_eq!(unknown, Err(Refusal::UnknownSubject));
    }

    #[test]
    fn a_receiver_gives_up_exactly_their_own_slot() {
        let receiver = Viewer::Other(account_id(2));
        let mut entry = shared();
        let taken = entry.take_slot(receiver, SlotNumber::Numbered(102));
        assert_eq!(taken, Ok(account_slot(102, 2)));
        for slot in [SlotNumber::Own, FIRST] {
            let refused = shared().take_slot(receiver, slot);
            assert_eq!(refused, Err(Refusal::UnknownSubject), "{slot:?}");
        }
        let stranger = Viewer::Other(account_id(9));
        let refused = shared().take_slot(stranger, SlotNumber::Numbered(102));
        assert_eq!(refused, Err(Refusal::UnknownSubject));
    }

    #[test]
    fn in_a_disabled_entry_only_the_owner_closes_slots() {
        let mut entry = shared();
        entry.enabled = false;
        let slot = SlotNumber::Numbered(102);
        let refused = entry.take_slot(Viewer::Other(account_id(2)), slot);
        assert_eq!(refused, Err(Refusal::UnknownSubject));
        assert!(entry.take_slot(Viewer::Owner, slot).is_ok());
    }
}
