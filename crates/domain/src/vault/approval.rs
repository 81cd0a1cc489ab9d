//! Approvals: the owner of a slot is asked by e-mail whether a reader may read it, and decides on a page.
//!
//! 1. An outside reader asks. The owner gets a message with a link, the reader gets a reference.
//! 2. The page behind the link shows who asks. Opening it changes nothing.
//! 3. Its buttons decide, once and finally: the link works only once.
//!
//! The reader asks with the reference whether the owner has decided: [`reading`](super::reading).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Vaults;
use super::entry::Entry;
use super::owner_message::{MessageTemplate, OwnerMessage, shown};
use super::reading::{SlotAnswer, Use};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Kind, Page, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::letter::Decides as _;
use crate::proof::bearer::has_form;

const LINK_DIGITS: usize = 64;

/// What an owner decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApprovalDecision {
    Approve,
    Deny,
}

/// The record of a request to read, found by the keyed hash of its reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Approval {
    pub(super) entry: Id<Entry>,
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

/// The owner's link to a request, found by the keyed hash of its token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ApprovalLink {
    approval: Id<Approval>,
    entry: Id<Entry>,
    shown: ApprovalQuestion,
}

impl Record for ApprovalLink {
    const KIND: Kind = "vault_approval_link";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// What the owner's page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalQuestion {
    pub entry: u64,
    pub slot: u64,
    pub asked: Timestamp,
    pub expires: Timestamp,
    pub network: String,
    pub language: String,
}

impl ApprovalDecision {
    const fn action(self) -> &'static str {
        match self {
            Self::Approve => "slot.approve",
            Self::Deny => "slot.deny",
        }
    }
}

impl Approval {
    fn is_open(&self, now: Timestamp) -> bool {
        now < self.expires
    }

    /// Whether the owner approved, for a reader who asks at `now`.
    ///
    /// # Errors
    /// `UnknownSubject` after a denial, and when the time is over: both look like a reference that never was.
    pub(super) fn granted(&self, now: Timestamp) -> Result<bool, Refusal> {
        match self.decision {
            _ if !self.is_open(now) => Err(Refusal::UnknownSubject),
            Some(ApprovalDecision::Deny) => Err(Refusal::UnknownSubject),
            Some(ApprovalDecision::Approve) => Ok(true),
            None => Ok(false),
        }
    }
}

impl ApprovalLink {
    fn is_open(&self, now: Timestamp) -> bool {
        now < self.shown.expires
    }
}

/// Whether one more request may wait for the owner of a slot. A limit of zero is off.
///
/// # Errors
/// `Limited` until the oldest of the waiting requests has expired.
fn allows_request<'a>(
    approvals: impl IntoIterator<Item = &'a Approval>,
    now: Timestamp,
    limit: usize,
) -> Result<(), Refusal> {
    let approvals = approvals.into_iter();
    let waiting = approvals.filter(|approval| approval.decision.is_none() && approval.is_open(now));
    let waiting: Vec<Timestamp> = waiting.map(|approval| approval.expires).collect();
    match waiting.iter().min() {
        Some(first) if limit > 0 && waiting.len() >= limit => {
            Err(Refusal::Limited { until: *first })
        }
        _ => Ok(()),
    }
}

impl Vaults {
    /// Step 1.
    ///
    /// # Errors
    /// `Limited` if too many requests for this slot wait for an answer.
    pub(super) async fn ask_owner(
        self: &Arc<Self>,
        caller: Caller,
        (entry, slot): (Id<Entry>, u64),
        identifier: String,
        template: &'static MessageTemplate,
    ) -> Result<SlotAnswer, Error> {
        let now = self.now();
        let seconds = self.policy.approval_life.as_secs();
        self.decide(now, move |hub, tx| {
            let Some(entry) = hub.rows.get(tx, entry)? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            let owner = hub.slot_row(slot);
            let asked: Vec<Stored<Approval>> = hub.rows.children(tx, &owner, Page::ALL)?;
            let asked = asked.iter().map(|approval| &approval.value);
            let limit = hub.policy.pending_approvals_per_slot;
            if let Err(refusal) = allows_request(asked, now, limit) {
                return Ok(refusal.into());
            }
            let reference = hub.fresh_bearer::<16>();
            let slot_use = Use {
                now,
                caller: &caller,
                entry: &entry,
                slot,
            };
            let approval = Approval {
                entry: entry.key(),
                slot,
                identifier: identifier.clone(),
                decision: None,
                expires: now.plus(hub.policy.approval_life),
            };
            hub.ask_in(tx, &slot_use, (&reference, approval), template)?;
            hub.record_entry(tx, (now, &caller, "slot.ask"), slot)?;
            Ok(Verdict::Done(SlotAnswer::Asked { reference, seconds }))
        })
        .await
    }

    /// Stores the request, and sends the owner a link to it unless the limits for messages are used up.
    fn ask_in(
        &self,
        tx: &mut dyn Tx,
        slot_use: &Use<'_>,
        (reference, approval): (&str, Approval),
        template: &MessageTemplate,
    ) -> TxResult<()> {
        let Use {
            now, caller, entry, ..
        } = *slot_use;
        let (id, owner) = (
            self.bearer::<Approval>(reference),
            self.slot_row(slot_use.slot),
        );
        let expires = approval.expires;
        let place = Place::at(id).of(owner).due(expires);
        self.rows.create(tx, entry.scope(), place, approval)?;
        let Some(account) = self.owner_of(tx, entry)? else {
            return Ok(());
        };
        if !self.spend_messages(tx, now, caller, None)? {
            return Ok(());
        }
        let token = self.fresh_bearer::<32>();
        let link = ApprovalLink {
            approval: id,
            entry: entry.key(),
            shown: slot_use.question(expires, &account.language),
        };
        let place = Place::at(self.bearer::<ApprovalLink>(&token));
        let place = place.of(owner).due(expires);
        self.rows.create(tx, entry.scope(), place, link)?;
        let mut facts = slot_use.facts();
        facts.push(("until", expires.rfc3339()));
        let message = OwnerMessage {
            template,
            link: Some(self.page_link(template, &token)),
            facts,
        };
        self.post_to_owner(tx, now, caller.surface, &account, message)
    }

    /// Step 2.
    ///
    /// # Errors
    /// `UnknownSubject` if the link is unknown, used or too old.
    pub async fn pending_approval(
        self: &Arc<Self>,
        token: String,
    ) -> Result<ApprovalQuestion, Error> {
        if !has_form(&token, LINK_DIGITS) {
            return Err(Refusal::UnknownSubject.into());
        }
        let now = self.now();
        let id = self.bearer::<ApprovalLink>(&token);
        let found = self.rows.read(self.store.as_ref(), id).await?;
        let link = found.filter(|link| link.is_open(now));
        link.map(|link| link.value.shown)
            .ok_or(Error::Refused(Refusal::UnknownSubject))
    }

    /// Step 3. Returns what was decided about.
    ///
    /// # Errors
    /// `UnknownSubject` if the link is unknown, used or too old, or the slot was closed.
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
        let id = self.bearer::<ApprovalLink>(&token);
        let decided = self.write(move |hub, tx| {
            let Some((link, mut approval)) = hub.hold_link(tx, now, id)? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            hub.rows.remove(tx, id)?;
            approval.decision = Some(decision);
            hub.rows.put(tx, &mut approval)?;
            hub.record_entry(tx, (now, &caller, decision.action()), link.shown.slot)?;
            Ok(Verdict::Done(link.value.shown))
        });
        decided.await?.answer()
    }

    /// Loads and holds an open link and what it leads to.
    fn hold_link(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: Id<ApprovalLink>,
    ) -> TxResult<Option<(Stored<ApprovalLink>, Stored<Approval>)>> {
        let Some(seen) = self.rows.peek(tx, id)? else {
            return Ok(None);
        };
        // First the entry, so that asking, deciding and closing hold the rows of a request in the same order.
        self.rows.get(tx, seen.entry)?;
        let link = self.rows.get(tx, id)?;
        let Some(link) = link.filter(|link| link.is_open(now)) else {
            return Ok(None);
        };
        let approval = self.rows.get(tx, link.approval)?;
        Ok(approval.map(|approval| (link, approval)))
    }
}

impl Use<'_> {
    /// What the owner's page shows of a reader who asks.
    fn question(&self, expires: Timestamp, language: &str) -> ApprovalQuestion {
        ApprovalQuestion {
            entry: self.entry.number,
            slot: self.slot,
            asked: self.now,
            expires,
            network: shown(&self.caller.network),
            language: language.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::NOW;
    use super::*;
    use crate::core::port::store::RowId;
    use proptest::prelude::*;

    const NEVER: usize = 0;

    fn at(seconds: u64) -> Timestamp {
        NOW.plus(std::time::Duration::from_secs(seconds))
    }

    fn approval(decision: Option<ApprovalDecision>, expires: u64) -> Approval {
        Approval {
            entry: Id::new(RowId([5; 16])),
            slot: 101,
            identifier: "identifier".to_owned(),
            decision,
            expires: at(expires),
        }
    }

    #[test]
    fn an_open_request_waits_until_the_owner_decides() {
        assert_eq!(approval(None, 60).granted(at(0)), Ok(false));
        assert_eq!(approval(None, 60).granted(at(59)), Ok(false));
        let approved = approval(Some(ApprovalDecision::Approve), 60);
        assert_eq!(approved.granted(at(0)), Ok(true));
        assert_eq!(approved.granted(at(59)), Ok(true));
    }

    #[test]
    fn a_denied_request_looks_like_one_that_never_was() {
        let denied = approval(Some(ApprovalDecision::Deny), 60);
        assert_eq!(denied.granted(at(0)), Err(Refusal::UnknownSubject));
    }

    #[test]
    fn nothing_is_granted_once_the_time_is_over() {
        for decision in [
            None,
            Some(ApprovalDecision::Approve),
            Some(ApprovalDecision::Deny),
        ] {
            for late in [60, 61, 1_000_000] {
                let granted = approval(decision, 60).granted(at(late));
                assert_eq!(granted, Err(Refusal::UnknownSubject), "{decision:?} {late}");
            }
        }
    }

    #[test]
    fn the_last_request_within_the_limit_is_allowed_and_no_more() {
        let waiting = [approval(None, 70), approval(None, 60)];
        assert_eq!(allows_request(&waiting[..1], at(0), 2), Ok(()));
        assert_eq!(
            allows_request(&waiting, at(0), 2),
            Err(Refusal::Limited { until: at(60) }),
            "the first that expires makes room"
        );
        assert_eq!(allows_request(&waiting, at(60), 2), Ok(()));
    }

    #[test]
    fn requests_that_were_answered_or_have_expired_do_not_count() {
        let asked = [
            approval(Some(ApprovalDecision::Approve), 60),
            approval(Some(ApprovalDecision::Deny), 60),
            approval(None, 5),
        ];
        assert_eq!(allows_request(&asked, at(5), 1), Ok(()));
        assert_eq!(
            allows_request(&asked, at(4), 1),
            Err(Refusal::Limited { until: at(5) })
        );
    }

    #[test]
    fn a_limit_of_zero_is_off() {
        let waiting = vec![approval(None, 60); 1000];
        assert_eq!(allows_request(&waiting, at(0), NEVER), Ok(()));
        assert_eq!(allows_request([], at(0), NEVER), Ok(()));
    }

    #[test]
    fn the_audit_trail_names_the_decision() {
        assert_eq!(ApprovalDecision::Approve.action(), "slot.approve");
        assert_eq!(ApprovalDecision::Deny.action(), "slot.deny");
    }

    #[test]
    fn a_link_works_until_its_request_expires() {
        let entry = RowId([5; 16]);
        let link = ApprovalLink {
            approval: Id::new(RowId([6; 16])),
            entry: Id::new(entry),
            shown: ApprovalQuestion {
                entry: 100,
                slot: 101,
                asked: at(0),
                expires: at(60),
                network: "192.0.2.1".to_owned(),
                language: "en".to_owned(),
            },
        };
        assert!(link.is_open(at(59)));
        assert!(!link.is_open(at(60)));
        // The stored form: two ids as bytes, and what the page shows.
        let stored = serde_json::to_value(&link).unwrap();
        assert_eq!(
            stored["approval"],
            serde_json::to_value([6_u8; 16]).unwrap()
        );
        assert_eq!(stored["entry"], serde_json::to_value(entry.0).unwrap());
    }

    proptest! {
        #[test]
        fn no_more_requests_wait_than_the_limit(
            moments in proptest::collection::vec(0..2_000_u64, 0..40),
            limit in 1..6_usize,
        ) {
            let mut asked: Vec<Approval> = Vec::new();
            let mut moments = moments;
            moments.sort_unstable();
            for moment in moments {
                let allowed = allows_request(&asked, at(moment), limit);
                let waiting = asked.iter().filter(|one| one.is_open(at(moment))).count();
                prop_assert_eq!(allowed.is_ok(), waiting < limit);
                if allowed.is_ok() {
                    asked.push(approval(None, moment + 600));
                }
            }
        }
    }
}
