//! Outside readers: a slot by its identifier, at once or after its owner approved.
//!
//! 1. [`Vaults::read_slot`] gives the slot, tells the owner if he wants to be told, or asks him.
//! 2. [`Vaults::check_approval`] gives it once he approved, until the approval's time is over.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::MessageTemplate;
use super::account::{VaultAccount, shown};
use super::approval::{Approval, ApprovalDecision};
use super::entry::{Entry, Notify, Reader, VaultSlot};
use super::slot::Identified;
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal, chain};
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::{Timestamp, hours};
use crate::limit::rate::RateLog;
use crate::proof::bearer::has_form;
use crate::vault::Vaults;

const TEXT_DIGITS: usize = 32;

/// What an outside reader gets: ciphertext, for which he has the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub slot: String,
    pub meta: String,
    pub value: String,
}

/// The answer to an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotAnswer {
    Now(Reading),
    /// The owner was asked: come back with this reference.
    Asked {
        reference: String,
        seconds: u64,
    },
}

/// The answer to a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approved {
    Yes(Reading),
    NotYet,
}

/// How often the owner of a slot was told of its use.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct NoticeLog {
    sent: RateLog,
    /// Uses that no letter told of yet.
    untold: u64,
}

impl Record for NoticeLog {
    const KIND: Kind = "vault_notice";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// An identifier that leads to an open slot.
struct Found {
    entry: Stored<Entry>,
    slot: VaultSlot,
}

impl Found {
    fn reading(&self) -> Reading {
        let Entry { meta, content, .. } = &self.entry.value;
        Reading {
            slot: self.slot.value.clone(),
            meta: meta.clone(),
            value: content.clone(),
        }
    }
}

impl Vaults {
    /// Step 1. `used` and `asked` are the letters to the owner.
    pub async fn read_slot(
        self: &Arc<Self>,
        caller: Caller,
        identifier: String,
        (used, asked): (&'static MessageTemplate, &'static MessageTemplate),
    ) -> Result<SlotAnswer, Error> {
        let unknown = || Error::Refused(Refusal::UnknownSubject);
        if !has_form(&identifier, TEXT_DIGITS) {
            return Err(unknown());
        }
        let store = self.store.as_ref();
        let row = self.bearer_row(Identified::KIND, &identifier);
        let pointer = self
            .rows
            .read::<Identified>(store, row)
            .await?
            .ok_or_else(unknown)?;
        let entry = self
            .rows
            .read::<Entry>(store, RowId(pointer.entry))
            .await?
            .ok_or_else(unknown)?;
        let found = open_slot(entry, pointer.slot, &identifier).ok_or_else(unknown)?;
        match found.slot.notify {
            Notify::Never => Ok(SlotAnswer::Now(found.reading())),
            Notify::OnUse => {
                let told = self.tell_owner(caller, &found, used).await;
                if let Err(error) = told {
                    // A letter that cannot be queued must not keep the reader out.
                    tracing::error!(
                        code = error.code(),
                        error = chain(&error),
                        "an owner was not told of a slot's use"
                    );
                }
                Ok(SlotAnswer::Now(found.reading()))
            }
            Notify::Approve => {
                self.ask_owner(caller, (found.entry.id(), pointer.slot), identifier, asked)
                    .await
            }
        }
    }

    /// Step 2.
    pub async fn check_approval(self: &Arc<Self>, reference: String) -> Result<Approved, Error> {
        let unknown = || Error::Refused(Refusal::UnknownSubject);
        if !has_form(&reference, TEXT_DIGITS) {
            return Err(unknown());
        }
        let now = self.now();
        let store = self.store.as_ref();
        let row = self.bearer_row(Approval::KIND, &reference);
        let approval = self.rows.read::<Approval>(store, row).await?;
        let approval = approval
            .filter(|approval| now < approval.expires)
            .ok_or_else(unknown)?;
        let entry = self
            .rows
            .read::<Entry>(store, RowId(approval.entry))
            .await?
            .ok_or_else(unknown)?;
        let found = open_slot(entry, approval.slot, &approval.identifier).ok_or_else(unknown)?;
        match approval.decision {
            None => Ok(Approved::NotYet),
            Some(ApprovalDecision::Approve) => Ok(Approved::Yes(found.reading())),
            Some(ApprovalDecision::Deny) => Err(unknown()),
        }
    }

    async fn tell_owner(
        self: &Arc<Self>,
        caller: Caller,
        found: &Found,
        letter: &'static MessageTemplate,
    ) -> Result<(), Error> {
        let now = self.now();
        let (entry, slot) = (found.entry.id(), found.slot.number);
        self.write(move |hub, tx| {
            let Some(entry) = hub.rows.get::<Entry>(tx, &entry)? else {
                return Ok(());
            };
            hub.record_entry(tx, (now, &caller, "slot.read"), slot)?;
            let Some(account) = hub.owner_of(tx, &entry)? else {
                return Ok(());
            };
            let Some(untold) = hub.spend_notice(tx, now, &caller, &entry, slot)? else {
                return Ok(());
            };
            let mut facts = use_facts(now, &caller, &entry, slot);
            if untold > 0 {
                facts.push(("untold", untold.to_string()));
            }
            hub.post_to_owner(tx, now, caller.surface, &account, (letter, None), facts)
        })
        .await?;
        self.posted(now).await;
        Ok(())
    }

    /// Whether a letter may tell of a use; if so, how many uses no letter told of before.
    pub(super) fn spend_notice(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        entry: &Stored<Entry>,
        slot: u64,
    ) -> TxResult<Option<u64>> {
        let rates = [self.policy.notices_per_slot];
        let row = self.slot_row(slot);
        let mut log = match self.rows.get::<NoticeLog>(tx, &row)? {
            Some(log) => log,
            None => {
                let place = Place::at(row).of(entry.id()).due(now.plus(hours(48)));
                self.rows
                    .create(tx, entry.scope(), place, NoticeLog::default())?
            }
        };
        let free =
            log.sent.full_until(now, &rates).is_none() && self.spend_messages(tx, now, caller)?;
        let untold = log.untold;
        if free {
            log.sent.add(now, &rates);
            log.untold = 0;
        } else {
            log.untold += 1;
        }
        log.place.due = Some(now.plus(hours(48)));
        self.rows.put(tx, &mut log)?;
        Ok(free.then_some(untold))
    }

    /// Takes one message of the budgets that cut across all surfaces.
    pub(super) fn spend_messages(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
    ) -> TxResult<bool> {
        let limits = &self.shared;
        let network = [limits.network_messages];
        let day = [limits.day_messages];
        let wanted: [(RowId, &[crate::limit::rate::Rate]); 2] = [
            (
                self.rate_row("messages for network", &caller.network),
                &network,
            ),
            (self.rate_row("messages", ""), &day),
        ];
        Ok(self.spend_rates(tx, now, &wanted)?.is_ok())
    }

    pub(super) fn owner_of(
        &self,
        tx: &mut dyn Tx,
        entry: &Stored<Entry>,
    ) -> TxResult<Option<Stored<VaultAccount>>> {
        let owner = entry.place.owner.unwrap_or(entry.id());
        self.rows.peek::<VaultAccount>(tx, &owner)
    }
}

/// The slot in its entry, if both are enabled and the identifier is still that slot's.
fn open_slot(entry: Stored<Entry>, number: u64, identifier: &str) -> Option<Found> {
    let slot = entry
        .slots
        .iter()
        .find(|slot| slot.number == number && slot.enabled && entry.enabled)?;
    let Reader::Outside { identifier: kept } = &slot.reader else {
        return None;
    };
    let same = kept == identifier;
    let slot = slot.clone();
    same.then_some(Found { entry, slot })
}

/// What a letter says about a use. No slot text, identifier or reference.
pub(super) fn use_facts(
    now: Timestamp,
    caller: &Caller,
    entry: &Entry,
    slot: u64,
) -> Vec<(&'static str, String)> {
    vec![
        ("entry", entry.number.to_string()),
        ("slot", slot.to_string()),
        ("at", now.rfc3339()),
        ("network", shown(&caller.network)),
    ]
}
