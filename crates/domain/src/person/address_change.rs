//! Adding, changing and removing an address, for somebody who is logged in.
//!
//! - Adding: a code to the new address, then [`People::add_address`].
//! - Removing: a code to the address, then [`People::remove_address`].
//! - Changing: a code to the old address ([`People::send_change_token`]); it buys a code to the new one
//!   ([`People::send_changed_address_token`]); that one changes the address ([`People::change_address`]).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::{Condition, Error, Refusal};
use crate::core::port::store::Kind;
use crate::core::port::store::refusal_is_a_value;
use crate::core::port::store::{RowId, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::secret::SecretText;
use crate::core::time::{Timestamp, days};
use crate::person::People;
use crate::proof::session::SignedIn;
use crate::proof::token::{Operation, Sent, Token};

use super::own::Own;
use super::policy::Offer;
use super::{Way, WayKind};
use crate::proof::account::OwnAddress;
use crate::proof::notice::Change;

/// The one change of an address that a session may have open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OpenChange {
    TokenSent { kind: WayKind },
    Verified { kind: WayKind, until: Timestamp },
}

impl Record for OpenChange {
    const KIND: Kind = "address_change";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

impl OpenChange {
    fn kind(&self) -> WayKind {
        match self {
            Self::TokenSent { kind } | Self::Verified { kind, .. } => *kind,
        }
    }

    fn is_verified(&self, now: Timestamp) -> bool {
        matches!(self, Self::Verified { until, .. } if now < *until)
    }
}

fn adding(kind: WayKind) -> Operation {
    match kind {
        WayKind::Email => Operation::AddEmail,
        WayKind::Phone => Operation::AddPhone,
    }
}

impl People {
    /// Sends a code to an address that the account does not have yet.
    pub async fn send_adding_token(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        way: Way,
    ) -> Result<Sent, Error> {
        self.as_owner(caller, who, move |own| {
            own.is_fresh()?;
            own.may_add(way.kind)?;
            let operation = adding(way.kind);
            let slot = own.slot(operation, &[way.norm.as_bytes()]);
            Ok(Ok(own.issue_to_new(operation, slot, &way)?))
        })
        .await
    }

    /// Adds the address that the code went to.
    pub async fn add_address(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        way: Way,
        text: SecretText,
    ) -> Result<(), Error> {
        self.as_owner(caller, who, move |own| {
            own.may_add(way.kind)?;
            let operation = adding(way.kind);
            let slot = own.slot(operation, &[way.norm.as_bytes()]);
            let way = match own.prove(operation, slot, Some(&way), &text)? {
                Ok(token) => token.way,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let account = own.account.id();
            if !own.hub.claim_address(own.tx, &way, account)? {
                return Ok(Err(Refusal::Conflict));
            }
            *own.account.own_mut(way.kind) = Some(OwnAddress {
                way: way.clone(),
                second_step: false,
                verified: own.now,
            });
            own.account.has_changed();
            own.save()?;
            own.changed("key_added", &Change::of(&way))?;
            Ok(Ok(()))
        })
        .await
    }

    /// Sends a code to the address that is to be changed. Ends a change that was open.
    pub async fn send_change_token(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        kind: WayKind,
    ) -> Result<Sent, Error> {
        self.as_owner(caller, who, move |own| {
            own.is_fresh()?;
            own.account.unrestricted(own.now)?;
            let way = own.account.way(kind)?;
            own.is_no_second_step(kind)?;
            let sent = own.issue(Operation::ChangeAddress, &way)?;
            let slot = own.slot(Operation::ChangeAddressNew, &[]);
            own.hub.drop_token(own.tx, slot)?;
            own.set_change(OpenChange::TokenSent { kind })?;
            Ok(Ok(sent))
        })
        .await
    }

    /// Takes the code of the old address and sends one to the new address. Without a code: again, to the
    /// same or a corrected address, once the first code was taken.
    pub async fn send_changed_address_token(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        way: Way,
        text: Option<SecretText>,
    ) -> Result<Sent, Error> {
        self.as_owner(caller, who, move |own| {
            own.is_fresh()?;
            own.account.unrestricted(own.now)?;
            let row = own.change_row();
            let open = own.hub.rows.get::<OpenChange>(own.tx, &row)?;
            let kind = open.as_ref().map_or(way.kind, |open| open.kind());
            if way.kind != kind {
                return Ok(Err(Refusal::Invalid {
                    field: "newUserKey",
                    why: "another kind of address",
                }));
            }
            let old = own.account.way(kind)?;
            own.is_no_second_step(kind)?;
            if old.same(&way) {
                return Ok(Err(Refusal::Invalid {
                    field: "newUserKey",
                    why: "the address it has",
                }));
            }
            match &text {
                Some(text) => {
                    let operation = Operation::ChangeAddress;
                    let slot = own.slot(operation, &[]);
                    if let Err(refusal) = own.prove(operation, slot, Some(&old), text)? {
                        return Ok(Err(refusal));
                    }
                    let until = own.now.plus(own.hub.policy.processes.verified);
                    own.set_change(OpenChange::Verified { kind, until })?;
                }
                None if open.is_some_and(|open| open.is_verified(own.now)) => {}
                None => return Ok(Err(Refusal::WrongState)),
            }
            let slot = own.slot(Operation::ChangeAddressNew, &[]);
            let sent = own.issue_to_new(Operation::ChangeAddressNew, slot, &way);
            refusal_is_a_value(sent)
        })
        .await
    }

    /// Changes the address to the one that the second code went to.
    pub async fn change_address(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        way: Option<Way>,
        text: SecretText,
    ) -> Result<(), Error> {
        self.as_owner(caller, who, move |own| {
            own.account.unrestricted(own.now)?;
            let operation = Operation::ChangeAddressNew;
            let slot = own.slot(operation, &[]);
            let live = own.hub.rows.peek::<Token>(own.tx, &slot)?;
            if let Some(kind) = live
                .map(|token| token.way.kind)
                .or(way.as_ref().map(|way| way.kind))
            {
                own.account.way(kind)?;
                own.is_no_second_step(kind)?;
            }
            let new = match own.prove(operation, slot, way.as_ref(), &text)? {
                Ok(token) => token.way,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let row = own.change_row();
            own.hub.rows.remove::<OpenChange>(own.tx, &row)?;
            let (now, account) = (own.now, &mut own.account);
            let old = match own.hub.replace_address(own.tx, now, account, new.clone())? {
                Ok(old) => old,
                Err(refusal) => return Ok(Err(refusal)),
            };
            own.restrict_after_change();
            own.save()?;
            own.end_other_sessions()?;
            let about = Change {
                address: Some(&new),
                also: Some(&old),
            };
            own.changed("key_changed", &about)?;
            Ok(Ok(()))
        })
        .await
    }

    /// Sends a code to the address that is to be removed.
    pub async fn send_removing_token(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        kind: WayKind,
    ) -> Result<Sent, Error> {
        self.as_owner(caller, who, move |own| {
            own.is_fresh()?;
            let way = own.may_remove(kind)?;
            Ok(Ok(own.issue(Operation::RemoveAddress, &way)?))
        })
        .await
    }

    /// Removes an address; with the e-mail address goes the anti-phishing code.
    pub async fn remove_address(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        kind: WayKind,
        text: SecretText,
    ) -> Result<(), Error> {
        self.as_owner(caller, who, move |own| {
            let way = own.may_remove(kind)?;
            let operation = Operation::RemoveAddress;
            let slot = own.slot(operation, &[]);
            if let Err(refusal) = own.prove(operation, slot, Some(&way), &text)? {
                return Ok(Err(refusal));
            }
            // Told while the account still has the address, and its code for letters.
            own.changed("key_removed", &Change::of(&way))?;
            *own.account.own_mut(kind) = None;
            if kind == WayKind::Email {
                own.account.phrase = None;
            }
            own.account.has_changed();
            own.restrict_after_change();
            own.save()?;
            own.hub.release_address(own.tx, &way)?;
            own.end_other_sessions()?;
            Ok(Ok(()))
        })
        .await
    }
}

impl Own<'_> {
    fn may_add(&self, kind: WayKind) -> Result<(), Refusal> {
        self.hub.takes(kind)?;
        match self.account.own(kind) {
            Some(_) => Err(Refusal::Unmet(Condition::NoAddress)),
            None => Ok(()),
        }
    }

    fn may_remove(&self, kind: WayKind) -> Result<Way, Refusal> {
        self.account.unrestricted(self.now)?;
        let way = self.account.way(kind)?;
        if self.account.own(kind.other()).is_none() {
            return Err(Refusal::Unmet(Condition::AnotherAddress));
        }
        self.is_no_second_step(kind)?;
        Ok(way)
    }

    fn is_no_second_step(&self, kind: WayKind) -> Result<(), Refusal> {
        let on = self.account.own(kind).is_some_and(|own| own.second_step);
        if on && self.hub.policy.second_step == Offer::On {
            return Err(Refusal::Unmet(Condition::FactorOff));
        }
        Ok(())
    }

    fn restrict_after_change(&mut self) {
        let span = self.hub.policy.after_key_change;
        self.account.restrict(self.now, span);
    }

    fn change_row(&self) -> RowId {
        let session = &self.who.session.0;
        self.hub.rows.id(OpenChange::KIND, &[session])
    }

    fn set_change(&mut self, open: OpenChange) -> TxResult<()> {
        let (hub, row) = (self.hub, self.change_row());
        hub.rows.remove::<OpenChange>(self.tx, &row)?;
        let place = Place::at(row)
            .of(self.who.session)
            .due(self.now.plus(days(1)));
        hub.rows.create(self.tx, hub.tenant(), place, open)?;
        Ok(())
    }
}
