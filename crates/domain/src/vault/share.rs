//! Sharing: a request, and the receiver's answer.
//!
//! ```text
//! none --request--> open --accept--> a slot of the receiver --either side closes it--> none
//!                   open --cancel, reject--> none
//! ```
//!
//! Each transition changes the row of the entry, so of several at the same time (accept, reject, cancel) exactly one
//! succeeds.

use std::sync::Arc;

use super::account::VaultAccount;
use super::entry::{Entry, Notify, Reader, ShareRequest, Viewer};
use super::session::VaultMember;
use super::view::{EntryView, RequestView};
use super::{LoginName, Vaults};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::verdict::Verdict;

/// Which of the two things that a request to share names is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareFault {
    UnknownEntry,
    UnknownReceiver,
}

/// The answer to a request to share.
pub type ShareOutcome = Result<RequestView, ShareFault>;

impl Entry {
    /// The open request to `receiver`. There is at most one.
    pub(super) fn request_of(&self, receiver: Id<VaultAccount>) -> Option<&ShareRequest> {
        let mut requests = self.requests.iter();
        requests.find(|request| request.receiver == receiver)
    }

    /// Whether `sender` may ask `receiver` to take a share of this entry.
    ///
    /// # Errors
    /// `Invalid` for one's own account, `Conflict` if it is shared already, `Forbidden` if the plan does not allow it.
    fn allows_share(
        &self,
        sender: &VaultMember,
        receiver: Id<VaultAccount>,
    ) -> Result<(), Refusal> {
        if receiver == sender.account {
            return Err(Refusal::Invalid {
                field: "email",
                why: "is your own",
            });
        }
        let has_slot = self.slots.iter().any(|slot| slot.is_of(receiver));
        if has_slot || self.request_of(receiver).is_some() {
            return Err(Refusal::Conflict);
        }
        sender.plan.allows_sharing()?;
        sender.plan.allows_slot_beside(self.used_slots())
    }

    /// Adds an open request, as the sender sees it.
    fn add_request(&mut self, request: ShareRequest) -> RequestView {
        let view = self.request_view(&request, None);
        self.last_number = request.number;
        self.requests.push(request);
        view
    }

    /// Takes the request that `receiver` accepts. A receiver sees no request for a disabled entry.
    fn accept(&mut self, number: u64, receiver: Id<VaultAccount>) -> Result<ShareRequest, Refusal> {
        let visible = self.enabled;
        self.take_request(number, |request| visible && request.receiver == receiver)
    }

    /// Takes the request that its sender cancels or its receiver rejects.
    fn end_request(&mut self, number: u64, viewer: Viewer) -> Result<ShareRequest, Refusal> {
        match viewer {
            Viewer::Owner => self.take_request(number, |_| true),
            Viewer::Other(account) => self.accept(number, account),
        }
    }

    fn take_request(
        &mut self,
        number: u64,
        visible: impl Fn(&ShareRequest) -> bool,
    ) -> Result<ShareRequest, Refusal> {
        let mut requests = self.requests.iter();
        let at = requests.position(|request| request.number == number && visible(request));
        at.map(|at| self.requests.remove(at))
            .ok_or(Refusal::UnknownSubject)
    }
}

impl Vaults {
    /// Returns the public key of the account with this name.
    ///
    /// # Errors
    /// `UnknownSubject`; `Forbidden` if the member's plan does not allow sharing.
    pub async fn find_receiver(
        self: &Arc<Self>,
        member: VaultMember,
        name: LoginName,
    ) -> Result<String, Error> {
        self.find(move |hub, tx| {
            let account = match hub.find_account(tx, &name)? {
                Some(id) => hub.rows.peek(tx, id)?,
                None => None,
            };
            let Some(account) = account else {
                return Ok(Refusal::UnknownSubject.into());
            };
            let allowed = member.plan.allows_sharing();
            Ok(allowed.map(|()| account.public_key()).into())
        })
        .await
    }

    /// Asks the account with this name to take a share of an entry.
    ///
    /// # Errors
    /// `Expired` or `Replayed` if the session ended; `Invalid`, `Conflict` or `Forbidden` if the entry cannot be shared
    /// with this account. What is unknown is in the [`ShareOutcome`].
    pub async fn request_share(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        entry: u64,
        (name, slot): (LoginName, String),
    ) -> Result<ShareOutcome, Error> {
        let now = self.now();
        let requested = self.write(move |hub, tx| {
            let receiver = match hub.hold_both(tx, &member, &name)? {
                Ok(receiver) => receiver,
                Err(refusal) => return Ok(refusal.into()),
            };
            let Some(mut entry) = hub.own_entry(tx, &member, entry)? else {
                return Ok(Verdict::Done(Err(ShareFault::UnknownEntry)));
            };
            let Some(receiver) = receiver else {
                return Ok(Verdict::Done(Err(ShareFault::UnknownReceiver)));
            };
            if let Err(refusal) = entry.allows_share(&member, receiver.key()) {
                return Ok(refusal.into());
            }
            let number = hub.number_in(tx, now, &entry)?;
            let view = entry.add_request(ShareRequest {
                number,
                receiver: receiver.key(),
                name: receiver.name.clone(),
                slot: slot.clone(),
                seen: false,
                created: now,
            });
            hub.add_guest(tx, &entry, receiver.key())?;
            hub.rows.put(tx, &mut entry)?;
            hub.record_entry(tx, (now, &caller, "share.request"), number)?;
            Ok(Verdict::Done(Ok(view)))
        });
        requested.await?.answer()
    }

    /// Accepts a request: it becomes a slot of the receiver, encrypted by the receiver.
    ///
    /// # Errors
    /// `UnknownSubject` if the member has no such request, or its entry is disabled.
    pub async fn accept_share(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        request: u64,
        slot: String,
    ) -> Result<EntryView, Error> {
        let now = self.now();
        let accepted = self.write(move |hub, tx| {
            let Some(mut entry) = hub.entry_of_request(tx, request)? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            let answered = match entry.accept(request, member.account) {
                Ok(answered) => answered,
                Err(refusal) => return Ok(refusal.into()),
            };
            hub.rows.remove(tx, hub.numbered(request))?;
            let number = hub.number_in(tx, now, &entry)?;
            let reader = Reader::Account {
                account: answered.receiver,
                name: answered.name,
            };
            entry.add_slot(now, number, (slot.clone(), Notify::Never), reader);
            hub.rows.put(tx, &mut entry)?;
            hub.record_entry(tx, (now, &caller, "share.accept"), request)?;
            let view = entry.receivers_view(member.account);
            let view = view.ok_or_else(|| Error::bug("an accepted share has no slot"))?;
            Ok(Verdict::Done(view))
        });
        accepted.await?.answer()
    }

    /// Ends a request: its sender cancels it, or its receiver rejects it.
    ///
    /// # Errors
    /// `UnknownSubject` if there is no such request from or for the member.
    pub async fn end_share(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        request: u64,
    ) -> Result<(), Error> {
        let now = self.now();
        let ended = self.write(move |hub, tx| {
            let Some(mut entry) = hub.entry_of_request(tx, request)? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            let viewer = Viewer::of(member.account, entry.place.owner);
            let ended = match entry.end_request(request, viewer) {
                Ok(ended) => ended,
                Err(refusal) => return Ok(refusal.into()),
            };
            let guest = hub.guest_id(entry.key(), ended.receiver);
            hub.rows.remove(tx, guest)?;
            hub.rows.remove(tx, hub.numbered(request))?;
            hub.rows.put(tx, &mut entry)?;
            let action = match viewer {
                Viewer::Owner => "share.cancel",
                Viewer::Other(_) => "share.reject",
            };
            hub.record_entry(tx, (now, &caller, action), request)?;
            Ok(Verdict::Done(()))
        });
        ended.await?.answer()
    }

    /// Loads and holds the entry that the number of a request belongs to.
    fn entry_of_request(&self, tx: &mut dyn Tx, number: u64) -> TxResult<Option<Stored<Entry>>> {
        match self.rows.peek(tx, self.numbered(number))? {
            Some(numbered) => self.rows.get(tx, numbered.entry),
            None => Ok(None),
        }
    }

    /// Holds the accounts of sender and receiver in the order of locks, so that neither can be removed while one is
    /// connected with the other. Returns the receiver, if there is one.
    fn hold_both(
        &self,
        tx: &mut dyn Tx,
        member: &VaultMember,
        name: &LoginName,
    ) -> TxResult<Result<Option<Stored<VaultAccount>>, Refusal>> {
        let receiver = self.find_account(tx, name)?;
        let first = receiver.filter(|id| *id <= member.account);
        let first = match first {
            Some(id) => self.rows.get(tx, id)?,
            None => None,
        };
        if let Err(refusal) = self.hold_account(tx, member)? {
            return Ok(Err(refusal));
        }
        let last = receiver.filter(|id| *id > member.account);
        let last = match last {
            Some(id) => self.rows.get(tx, id)?,
            None => None,
        };
        Ok(Ok(first.or(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::account_id;
    use super::super::entry::tests::{account_slot, entry, outside_slot, request};
    use super::super::plan::Plan;
    use super::*;

    const UNKNOWN: Result<ShareRequest, Refusal> = Err(Refusal::UnknownSubject);

    /// Ann is account 1.
    fn ann(plan: Plan) -> VaultMember {
        VaultMember {
            account: account_id(1),
            name: "ann@example.org".to_owned(),
            generation: 1,
            plan,
        }
    }

    /// With a slot of account 2, and a request (102) to account 3.
    fn shared() -> Entry {
        let mut entry = entry();
        entry.slots = vec![account_slot(101, 2)];
        entry.requests = vec![request(102, 3)];
        entry
    }

    fn allows(receiver: u8, plan: Plan) -> Result<(), Refusal> {
        shared().allows_share(&ann(plan), account_id(receiver))
    }

    #[test]
    fn an_entry_is_shared_with_another_account_while_the_plan_has_room() {
        let plan = |slots_per_entry| Plan {
            slots_per_entry,
            ..Plan::default()
        };
        assert_eq!(allows(4, plan(3)), Ok(()));
        assert_eq!(
            allows(4, plan(2)),
            Err(Refusal::Forbidden {
                need: "slots_per_entry"
            })
        );
    }

    #[test]
    fn nobody_shares_with_themselves() {
        assert_eq!(
            allows(1, Plan::default()),
            Err(Refusal::Invalid {
                field: "email",
                why: "is your own"
            })
        );
    }

    #[test]
    fn an_account_with_a_slot_or_an_open_request_is_not_asked_again() {
        assert_eq!(allows(2, Plan::default()), Err(Refusal::Conflict));
        assert_eq!(allows(3, Plan::default()), Err(Refusal::Conflict));
    }

    #[test]
    fn slots_of_outside_readers_do_not_hinder_a_share() {
        let mut entry = entry();
        entry.slots = vec![outside_slot(101)];
        assert_eq!(
            entry.allows_share(&ann(Plan::default()), account_id(2)),
            Ok(())
        );
    }

    #[test]
    fn a_plan_without_sharing_is_named_after_what_is_wrong_in_the_request() {
        let plan = Plan {
            sharing: false,
            slots_per_entry: 0,
            ..Plan::default()
        };
        assert_eq!(allows(3, plan.clone()), Err(Refusal::Conflict));
        assert_eq!(allows(4, plan), Err(Refusal::Forbidden { need: "sharing" }));
    }

    #[test]
    fn a_new_request_is_open_and_not_seen() {
        let mut entry = shared();
        let view = entry.add_request(request(200, 4));
        assert_eq!((view.number, view.entry, view.seen), (200, 100, false));
        assert_eq!(view.from, None, "its sender knows who they are");
        assert_eq!(entry.last_number, 200);
        assert_eq!(entry.request_of(account_id(4)), Some(&request(200, 4)));
    }

    #[test]
    fn only_the_receiver_accepts_and_only_once() {
        let mut entry = shared();
        for other in [1, 2, 4] {
            assert_eq!(entry.accept(102, account_id(other)), UNKNOWN, "{other}");
        }
        assert_eq!(entry.accept(102, account_id(3)), Ok(request(102, 3)));
        assert_eq!(entry.accept(102, account_id(3)), UNKNOWN);
        assert_eq!(entry.requests, []);
    }

    #[test]
    fn a_receiver_accepts_by_the_number_of_the_request() {
        let mut entry = shared();
        for number in [0, 100, 101, 103] {
            assert_eq!(entry.accept(number, account_id(3)), UNKNOWN, "{number}");
        }
        assert_eq!(entry, shared());
    }

    #[test]
    fn the_sender_cancels_and_the_receiver_rejects() {
        for viewer in [Viewer::Owner, Viewer::Other(account_id(3))] {
            let mut entry = shared();
            assert_eq!(entry.end_request(102, viewer), Ok(request(102, 3)));
            assert_eq!(entry.requests, []);
            assert_eq!(entry.end_request(102, viewer), UNKNOWN);
            assert_eq!(entry.slots.len(), 1, "slots are not affected");
        }
    }

    #[test]
    fn nobody_else_ends_a_request() {
        for other in [2, 4] {
            let ended = shared().end_request(102, Viewer::Other(account_id(other)));
            assert_eq!(ended, UNKNOWN, "{other}");
        }
        assert_eq!(shared().end_request(101, Viewer::Owner), UNKNOWN);
    }

    #[test]
    fn a_request_for_a_disabled_entry_can_only_be_cancelled() {
        let mut entry = shared();
        entry.enabled = false;
        let receiver = account_id(3);
        assert_eq!(entry.accept(102, receiver), UNKNOWN);
        assert_eq!(entry.end_request(102, Viewer::Other(receiver)), UNKNOWN);
        assert_eq!(entry.end_request(102, Viewer::Owner), Ok(request(102, 3)));
    }
}
