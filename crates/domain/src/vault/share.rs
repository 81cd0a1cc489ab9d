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
