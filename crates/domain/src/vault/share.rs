//! Sharing: a request, and the receiver's answer.
//!
//! ```text
//! none --request--> open --accept--> a slot of the receiver --either closes it--> none
//!                   open --cancel, reject--> none
//! ```
//!
//! Each transition changes the entry's row, so of accept, reject and cancel at once exactly one wins.

use std::sync::Arc;

use super::LoginName;
use super::account::VaultAccount;
use super::entry::{Entry, EntryView, Guest, Reader, Request, RequestView, VaultSlot};
use super::number::Numbered;
use super::session::VaultMember;
use super::slot::room;
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::rows::Stored;
use crate::vault::Vaults;

/// What may be wrong with a request to share, beside what every call may meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareFault {
    UnknownEntry,
    UnknownReceiver,
}

/// The answer to a request to share: refusals that name which of two things is unknown.
pub type ShareOutcome = Result<RequestView, ShareFault>;

impl Vaults {
    /// The public key of the account behind a name.
    pub async fn find_receiver(
        self: &Arc<Self>,
        member: VaultMember,
        name: LoginName,
    ) -> Result<String, Error> {
        self.read(move |hub, tx| {
            let account = match hub.find_account(tx, &name)? {
                Some(id) => hub.rows.peek::<VaultAccount>(tx, &id)?,
                None => None,
            };
            let Some(account) = account else {
                return Err(Refusal::UnknownSubject.into());
            };
            sharing(&member)?;
            Ok(account.public_key())
        })
        .await
    }

    /// Asks the account behind `name` to take a share of an entry.
    pub async fn request_share(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        entry: u64,
        (name, slot): (LoginName, String),
    ) -> Result<ShareOutcome, Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let receiver = hub.hold_both(tx, &member, &name)?;
            let entry = hub.rows.get::<Entry>(tx, &hub.entry_row(entry))?;
            let Some(mut entry) = entry.filter(|entry| entry.place.owner == Some(member.account))
            else {
                return Ok(Err(ShareFault::UnknownEntry));
            };
            let Some(receiver) = receiver else {
                return Ok(Err(ShareFault::UnknownReceiver));
            };
            let id = receiver.id();
            if id == member.account {
                return Err(Refusal::Invalid {
                    field: "email",
                    why: "is your own",
                }
                .into());
            }
            let known = entry
                .requests
                .iter()
                .any(|request| request.receiver == id.0);
            if known || entry.slots.iter().any(|slot| slot.is_of(&id)) {
                return Err(Refusal::Conflict.into());
            }
            sharing(&member)?;
            room(&entry, &member.plan)?;
            let number = hub.draw_number(now, entry.last_number);
            hub.register_number(tx, entry.scope(), number, entry.id())?;
            entry.last_number = number;
            let request = Request {
                number,
                receiver: id.0,
                name: receiver.name.clone(),
                slot: slot.clone(),
                seen: false,
                created: now,
            };
            let view = entry.request_view(&request, None);
            entry.requests.push(request);
            hub.add_guest(tx, &entry, &id)?;
            hub.rows.put(tx, &mut entry)?;
            hub.record_entry(tx, (now, &caller, "share.request"), number)?;
            Ok(Ok(view))
        })
        .await
    }

    /// Accepts: the request becomes a slot of the receiver, wrapped by him.
    pub async fn accept_share(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        request: u64,
        slot: String,
    ) -> Result<EntryView, Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let (mut entry, at) = hub.open_request(tx, request)?;
            if entry.requests[at].receiver != member.account.0 || !entry.enabled {
                return Err(Refusal::UnknownSubject.into());
            }
            let answered = entry.requests.remove(at);
            hub.rows.remove::<Numbered>(tx, &hub.number_row(request))?;
            let number = hub.draw_number(now, entry.last_number);
            hub.register_number(tx, entry.scope(), number, entry.id())?;
            entry.last_number = number;
            entry.slots.push(VaultSlot {
                number,
                value: slot.clone(),
                notify: super::entry::Notify::Never,
                enabled: true,
                reader: Reader::Account {
                    account: answered.receiver,
                    name: answered.name,
                },
                created: now,
                updated: now,
            });
            hub.rows.put(tx, &mut entry)?;
            hub.record_entry(tx, (now, &caller, "share.accept"), request)?;
            let view = entry.receivers_view(&member.account);
            view.ok_or_else(|| Error::bug("an accepted share has no slot").into())
        })
        .await
    }

    /// Rejects a request, or takes it back.
    pub async fn end_share(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        request: u64,
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let (mut entry, at) = hub.open_request(tx, request)?;
            let sender = entry.place.owner == Some(member.account);
            let receiver = entry.requests[at].receiver == member.account.0 && entry.enabled;
            if !sender && !receiver {
                return Err(Refusal::UnknownSubject.into());
            }
            let ended = entry.requests.remove(at);
            let guest = hub.guest_row(&entry.id(), &RowId(ended.receiver));
            hub.rows.remove::<Guest>(tx, &guest)?;
            hub.rows.remove::<Numbered>(tx, &hub.number_row(request))?;
            hub.rows.put(tx, &mut entry)?;
            let action = if sender {
                "share.cancel"
            } else {
                "share.reject"
            };
            hub.record_entry(tx, (now, &caller, action), request)
        })
        .await
    }

    /// Holds the entry of an open request, and says where in it the request is.
    fn open_request(&self, tx: &mut dyn Tx, number: u64) -> TxResult<(Stored<Entry>, usize)> {
        let Some(numbered) = self.rows.peek::<Numbered>(tx, &self.number_row(number))? else {
            return Err(Refusal::UnknownSubject.into());
        };
        let Some(entry) = self.rows.get::<Entry>(tx, &RowId(numbered.entry))? else {
            return Err(Refusal::UnknownSubject.into());
        };
        let at = entry
            .requests
            .iter()
            .position(|request| request.number == number);
        at.map(|at| (entry, at))
            .ok_or_else(|| Refusal::UnknownSubject.into())
    }

    /// Holds the accounts of sender and receiver in the order of locks, so that neither can be removed
    /// while a way from one to the other is made. The receiver, if there is one.
    fn hold_both(
        &self,
        tx: &mut dyn Tx,
        member: &VaultMember,
        name: &LoginName,
    ) -> TxResult<Option<Stored<VaultAccount>>> {
        let receiver = self.find_account(tx, name)?;
        let Some(receiver) = receiver.filter(|id| *id > member.account) else {
            let found = match receiver {
                Some(id) => self.rows.get::<VaultAccount>(tx, &id)?,
                None => None,
            };
            self.hold_account(tx, member)?;
            return Ok(found);
        };
        self.hold_account(tx, member)?;
        self.rows.get::<VaultAccount>(tx, &receiver)
    }
}

fn sharing(member: &VaultMember) -> Result<(), Refusal> {
    if member.plan.sharing {
        Ok(())
    } else {
        Err(Refusal::Forbidden {
            need: "key_sharing",
        })
    }
}
