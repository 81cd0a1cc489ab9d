//! Slots: made for outside readers, changed and closed by their owner, given up by receivers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::approval::{Approval, ApprovalLink};
use super::entry::{Entry, EntryView, Guest, Notify, Reader, VaultSlot};
use super::number::Numbered;
use super::plan::Plan;
use super::reading::NoticeLog;
use super::session::VaultMember;
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::vault::Vaults;

/// Leads from an outside reader's identifier to its slot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Identified {
    pub(super) entry: [u8; 16],
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
    /// The owner's own, which nobody can change.
    Own,
    Numbered(u64),
}

/// What changes in a slot; at least one of them.
#[derive(Debug, Clone)]
pub struct SlotEdit {
    pub enabled: Option<bool>,
    pub notify: Option<Notify>,
    pub value: Option<String>,
}

impl Vaults {
    /// What belongs to a slot beside its entry is found under this row.
    pub(super) fn slot_row(&self, number: u64) -> RowId {
        self.rows.id("vault_slot", &[&number.to_be_bytes()])
    }

    /// Adds a slot for an outside reader; its identifier is made here.
    pub async fn create_slot(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        entry: u64,
        (value, notify): (String, Notify),
    ) -> Result<EntryView, Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let mut entry = hub.own_entry(tx, &member, entry)?;
            allows(&member.plan, notify)?;
            room(&entry, &member.plan)?;
            let number = hub.draw_number(now, entry.last_number);
            hub.register_number(tx, entry.scope(), number, entry.id())?;
            let identifier = hub.fresh_bearer::<16>();
            let place = Place::at(hub.bearer_row(Identified::KIND, &identifier)).of(entry.id());
            hub.rows.create(
                tx,
                entry.scope(),
                place,
                Identified {
                    entry: entry.id().0,
                    slot: number,
                },
            )?;
            entry.last_number = number;
            entry.slots.push(VaultSlot {
                number,
                value: value.clone(),
                notify,
                enabled: true,
                reader: Reader::Outside { identifier },
                created: now,
                updated: now,
            });
            hub.rows.put(tx, &mut entry)?;
            hub.record_entry(tx, (now, &caller, "slot.create"), number)?;
            Ok(entry.owners_view())
        })
        .await
    }

    /// Changes a slot of an outside reader. Its identifier stays.
    pub async fn edit_slot(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        (entry, slot): (u64, SlotNumber),
        edit: SlotEdit,
    ) -> Result<EntryView, Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let mut entry = hub.own_entry(tx, &member, entry)?;
            let SlotNumber::Numbered(number) = slot else {
                return Err(Refusal::WrongState.into());
            };
            let Some(slot) = entry.slots.iter_mut().find(|slot| slot.number == number) else {
                return Err(Refusal::UnknownSubject.into());
            };
            if matches!(slot.reader, Reader::Account { .. }) {
                return Err(Refusal::WrongState.into());
            }
            let SlotEdit {
                enabled,
                notify,
                value,
            } = edit.clone();
            // A plan that lost a feature keeps the slots that use it; only a change needs it.
            if let Some(notify) = notify.filter(|notify| *notify != slot.notify) {
                allows(&member.plan, notify)?;
                slot.notify = notify;
            }
            slot.enabled = enabled.unwrap_or(slot.enabled);
            slot.value = value.unwrap_or_else(|| slot.value.clone());
            slot.updated = now;
            hub.rows.put(tx, &mut entry)?;
            hub.record_entry(tx, (now, &caller, "slot.edit"), number)?;
            Ok(entry.owners_view())
        })
        .await
    }

    /// Closes a slot: any but his own for the owner, exactly his own for a receiver.
    pub async fn delete_slot(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        (entry, slot): (u64, SlotNumber),
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let Some(mut entry) = hub.rows.get::<Entry>(tx, &hub.entry_row(entry))? else {
                return Err(Refusal::UnknownSubject.into());
            };
            let owner = entry.place.owner == Some(member.account);
            let number = match slot {
                SlotNumber::Numbered(number) => number,
                SlotNumber::Own if owner => return Err(Refusal::WrongState.into()),
                SlotNumber::Own => return Err(Refusal::UnknownSubject.into()),
            };
            let visible =
                |slot: &&VaultSlot| slot.number == number && (owner || slot.is_of(&member.account));
            let found = entry
                .slots
                .iter()
                .find(visible)
                .filter(|_| owner || entry.enabled)
                .cloned();
            let Some(slot) = found else {
                return Err(Refusal::UnknownSubject.into());
            };
            hub.close_slot(tx, &entry.id(), &slot)?;
            entry.slots.retain(|slot| slot.number != number);
            hub.rows.put(tx, &mut entry)?;
            let action = if owner { "slot.delete" } else { "slot.leave" };
            hub.record_entry(tx, (now, &caller, action), number)
        })
        .await
    }

    /// Removes what lies beside the entry for one of its slots.
    pub(super) fn close_slot(
        &self,
        tx: &mut dyn Tx,
        entry: &RowId,
        slot: &VaultSlot,
    ) -> TxResult<()> {
        match &slot.reader {
            Reader::Outside { identifier } => {
                let row = self.slot_row(slot.number);
                self.rows
                    .remove::<Identified>(tx, &self.bearer_row(Identified::KIND, identifier))?;
                self.rows.remove::<NoticeLog>(tx, &row)?;
                tx.remove_children(Approval::KIND, &row)?;
                tx.remove_children(ApprovalLink::KIND, &row)?;
            }
            Reader::Account { account, .. } => {
                self.rows
                    .remove::<Guest>(tx, &self.guest_row(entry, &RowId(*account)))?;
            }
        }
        self.rows
            .remove::<Numbered>(tx, &self.number_row(slot.number))?;
        Ok(())
    }
}

fn allows(plan: &Plan, notify: Notify) -> Result<(), Refusal> {
    match notify {
        Notify::OnUse if !plan.notify_on_use => Err(Refusal::Forbidden {
            need: "slot_notify_on_use",
        }),
        Notify::Approve if !plan.approve_use => Err(Refusal::Forbidden {
            need: "slot_approve_use",
        }),
        _ => Ok(()),
    }
}

pub(super) fn room(entry: &Stored<Entry>, plan: &Plan) -> Result<(), Refusal> {
    if entry.places() >= plan.slots_per_entry {
        return Err(Refusal::Forbidden {
            need: "slots_per_key",
        });
    }
    Ok(())
}
