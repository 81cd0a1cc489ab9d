//! Approvals: the owner of a slot is asked by letter, and decides on a page.
//!
//! 1. An outside reader asks; the owner gets a letter with a link, the reader a reference.
//! 2. The page behind the link shows what is asked. Showing it changes nothing.
//! 3. Its buttons decide, once and for good: the link is taken.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::MessageTemplate;
use super::account::shown;
use super::entry::Entry;
use super::reading::{SlotAnswer, use_facts};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::port::store::{Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::proof::bearer::has_form;
use crate::vault::Vaults;

const LINK_DIGITS: usize = 64;

/// What an owner decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApprovalDecision {
    Approve,
    Deny,
}

/// The record of a question, found by the keyed hash of its reference.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Approval {
    pub(super) entry: [u8; 16],
    pub(super) slot: u64,
    pub(super) identifier: String,
    pub(super) decision: Option<ApprovalDecision>,
    pub(super) expires: Timestamp,
}

impl Record for Approval {
    const KIND: Kind = "vault_approval";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// The owner's link to a question, found by the keyed hash of its token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ApprovalLink {
    approval: [u8; 16],
    entry: [u8; 16],
    shown: ApprovalQuestion,
}

impl Record for ApprovalLink {
    const KIND: Kind = "vault_approval_link";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalQuestion {
    pub entry: u64,
    pub slot: u64,
    pub asked: Timestamp,
    pub expires: Timestamp,
    pub network: String,
    pub language: String,
}

impl Vaults {
    /// Step 1.
    pub(super) async fn ask_owner(
        self: &Arc<Self>,
        caller: Caller,
        (entry, slot): (RowId, u64),
        identifier: String,
        letter: &'static MessageTemplate,
    ) -> Result<SlotAnswer, Error> {
        let now = self.now();
        let reference = self
            .write(move |hub, tx| {
                let Some(entry) = hub.rows.get::<Entry>(tx, &entry)? else {
                    return Err(Refusal::UnknownSubject.into());
                };
                hub.limit_questions(tx, now, slot)?;
                let reference = hub.fresh_bearer::<16>();
                hub.ask_in(
                    tx,
                    now,
                    &caller,
                    (&entry, slot, &identifier),
                    (&reference, letter),
                )?;
                hub.record_entry(tx, (now, &caller, "slot.ask"), slot)?;
                Ok(reference)
            })
            .await?;
        self.posted(now).await;
        Ok(SlotAnswer::Asked {
            reference,
            seconds: self.policy.approval_life.as_secs(),
        })
    }

    fn ask_in(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        (entry, slot, identifier): (&Stored<Entry>, u64, &str),
        (reference, letter): (&str, &MessageTemplate),
    ) -> TxResult<()> {
        let row = self.bearer_row(Approval::KIND, reference);
        let owner = self.slot_row(slot);
        let expires = now.plus(self.policy.approval_life);
        let approval = Approval {
            entry: entry.id().0,
            slot,
            identifier: identifier.to_owned(),
            decision: None,
            expires,
        };
        self.rows.create(
            tx,
            entry.scope(),
            Place::at(row).of(owner).due(expires),
            approval,
        )?;
        let Some(account) = self.owner_of(tx, entry)? else {
            return Ok(());
        };
        if !self.spend_messages(tx, now, caller)? {
            return Ok(());
        }
        let token = self.fresh_bearer::<32>();
        let shown = ApprovalQuestion {
            entry: entry.number,
            slot,
            asked: now,
            expires,
            network: shown(&caller.network),
            language: account.language.clone(),
        };
        let link = ApprovalLink {
            approval: row.0,
            entry: entry.id().0,
            shown,
        };
        let place = Place::at(self.bearer_row(ApprovalLink::KIND, &token))
            .of(owner)
            .due(expires);
        self.rows.create(tx, entry.scope(), place, link)?;
        let mut facts = use_facts(now, caller, entry, slot);
        facts.push(("until", expires.rfc3339()));
        let link = Some(self.page_link(letter, &token));
        self.post_to_owner(tx, now, caller.surface, &account, (letter, link), facts)
    }

    /// At most so many unanswered questions about a slot; the entry's row is held.
    fn limit_questions(&self, tx: &mut dyn Tx, now: Timestamp, slot: u64) -> TxResult<()> {
        let limit = self.policy.pending_approvals_per_slot;
        let asked = self
            .rows
            .children::<Approval>(tx, &self.slot_row(slot), Page::ALL)?;
        let mut waiting: Vec<Timestamp> = asked
            .iter()
            .filter(|approval| approval.decision.is_none() && now < approval.expires)
            .map(|approval| approval.expires)
            .collect();
        waiting.sort_unstable();
        match waiting.first() {
            Some(until) if limit > 0 && waiting.len() >= limit => {
                Err(Refusal::Limited { until: *until }.into())
            }
            _ => Ok(()),
        }
    }

    /// Step 2.
    pub async fn pending_approval(
        self: &Arc<Self>,
        token: String,
    ) -> Result<ApprovalQuestion, Error> {
        if !has_form(&token, LINK_DIGITS) {
            return Err(Refusal::UnknownSubject.into());
        }
        let now = self.now();
        let row = self.bearer_row(ApprovalLink::KIND, &token);
        let found = self
            .rows
            .read::<ApprovalLink>(self.store.as_ref(), row)
            .await?;
        let link = found.filter(|link| now < link.shown.expires);
        link.map(|link| link.value.shown)
            .ok_or(Error::Refused(Refusal::UnknownSubject))
    }

    /// Step 3.
    pub async fn decide_approval(
        self: &Arc<Self>,
        caller: Caller,
        token: String,
        decision: ApprovalDecision,
    ) -> Result<ApprovalQuestion, Error> {
        if !has_form(&token, LINK_DIGITS) {
            return Err(Refusal::UnknownSubject.into());
        }
        let now = self.now();
        let row = self.bearer_row(ApprovalLink::KIND, &token);
        self.write(move |hub, tx| {
            let Some(seen) = hub.rows.peek::<ApprovalLink>(tx, &row)? else {
                return Err(Refusal::UnknownSubject.into());
            };
            // The entry first: so a question is never asked, decided and removed in two orders.
            hub.rows.get::<Entry>(tx, &RowId(seen.entry))?;
            let link = hub
                .rows
                .take::<ApprovalLink>(tx, &row)?
                .filter(|link| now < link.shown.expires);
            let Some(link) = link else {
                return Err(Refusal::UnknownSubject.into());
            };
            let Some(mut approval) = hub.rows.get::<Approval>(tx, &RowId(link.approval))? else {
                return Err(Refusal::UnknownSubject.into());
            };
            approval.decision = Some(decision);
            hub.rows.put(tx, &mut approval)?;
            let action = match decision {
                ApprovalDecision::Approve => "slot.approve",
                ApprovalDecision::Deny => "slot.deny",
            };
            hub.record_entry(tx, (now, &caller, action), link.shown.slot)?;
            Ok(link.value.shown)
        })
        .await
    }
}
