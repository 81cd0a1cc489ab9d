//! Adding, changing and removing an address, for somebody who is logged in.
//!
//! - Adding: a code to the new address, then [`Keeper::add_address`].
//! - Removing: a code to the address, then [`Keeper::remove_address`].
//! - Changing: a code to the old address ([`Keeper::send_change_token`]); it buys a code to the new one
//!   ([`Keeper::send_changed_address_token`]); that one changes the address ([`Keeper::change_address`]).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::audit::Event;
use crate::error::{Condition, Error, Refusal};
use crate::keeper::{Caller, Keeper};
use crate::lockout::Then;
use crate::port::store::{RowId, Tx, TxResult};
use crate::rows::{Place, Record, Stored};
use crate::secret::SecretText;
use crate::session::SignedIn;
use crate::time::{Timestamp, days};
use crate::token::{Aim, Issue, Operation, Proof, Sent, Token};

use super::account::{Account, Class, OwnAddress};
use super::notice::Change;
use super::policy::Offer;
use super::{Way, WayKind};

/// The one change of an address that a session may have open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum OpenChange {
    TokenSent { kind: WayKind },
    Verified { kind: WayKind, until: Timestamp },
}

impl Record for OpenChange {
    const KIND: &'static str = "address_change";
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

impl Keeper {
    /// Sends a code to an address that the account does not have yet.
    pub async fn send_adding_token(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        way: Way,
    ) -> Result<Sent, Error> {
        let now = self.now();
        self.decided(now, move |keeper, tx| {
            let account = keeper.own_account(tx, &who)?;
            keeper.is_fresh(now, &who)?;
            keeper.may_add(&account, way.kind)?;
            let operation = adding(way.kind);
            let (aim, instead) = keeper.aim_at_new(tx, &caller, &way, account.id())?;
            let sent = keeper.issue_token(
                tx,
                now,
                &caller,
                &Issue {
                    operation,
                    slot: keeper.own_slot(operation, &who, &[way.norm.as_bytes()]),
                    way: &way,
                    aim,
                    counted_as: &way.norm,
                    language: &account.language,
                    phrase: account.phrase.as_deref(),
                    left: None,
                    instead,
                },
            )?;
            Ok(Ok(sent))
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
        let now = self.now();
        self.decided(now, move |keeper, tx| {
            let mut account = keeper.own_account(tx, &who)?;
            keeper.may_add(&account, way.kind)?;
            let operation = adding(way.kind);
            let slot = keeper.own_slot(operation, &who, &[way.norm.as_bytes()]);
            let judged =
                keeper.prove_own(tx, now, &caller, &who, operation, slot, Some(&way), &text)?;
            let way = match judged {
                Ok(token) => token.way,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if !keeper.claim_address(tx, &way, account.id())? {
                return Ok(Err(Refusal::Conflict));
            }
            *account.own_mut(way.kind) = Some(OwnAddress {
                way: way.clone(),
                second_step: false,
                verified: now,
            });
            account.has_changed();
            keeper.rows.put(tx, &mut account)?;
            let about = Change {
                address: Some(&way),
                also: None,
            };
            keeper.changed(tx, now, &caller, &account, "key_added", &about)?;
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
        let now = self.now();
        self.decided(now, move |keeper, tx| {
            let account = keeper.own_account(tx, &who)?;
            keeper.is_fresh(now, &who)?;
            account.unrestricted(now)?;
            let way = account.way(kind)?;
            keeper.is_no_second_step(&account, kind)?;
            let sent = keeper.issue_own(
                tx,
                now,
                &caller,
                &who,
                &account,
                Operation::ChangeAddress,
                &way,
            )?;
            keeper.drop_token(tx, keeper.own_slot(Operation::ChangeAddressNew, &who, &[]))?;
            keeper.set_change(tx, now, &who, OpenChange::TokenSent { kind })?;
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
        let now = self.now();
        self.decided(now, move |keeper, tx| {
            let account = keeper.own_account(tx, &who)?;
            keeper.is_fresh(now, &who)?;
            account.unrestricted(now)?;
            let open = keeper
                .rows
                .get::<OpenChange>(tx, &keeper.change_row(&who))?;
            let kind = open.as_ref().map_or(way.kind, |open| open.kind());
            if way.kind != kind {
                return Ok(Err(Refusal::Invalid {
                    field: "newUserKey",
                    why: "another kind of address",
                }));
            }
            let old = account.way(kind)?;
            keeper.is_no_second_step(&account, kind)?;
            if old.same(&way) {
                return Ok(Err(Refusal::Invalid {
                    field: "newUserKey",
                    why: "the address it has",
                }));
            }
            match &text {
                Some(text) => {
                    let operation = Operation::ChangeAddress;
                    let slot = keeper.own_slot(operation, &who, &[]);
                    let judged = keeper.prove_own(
                        tx,
                        now,
                        &caller,
                        &who,
                        operation,
                        slot,
                        Some(&old),
                        text,
                    )?;
                    if let Err(refusal) = judged {
                        return Ok(Err(refusal));
                    }
                    let until = now.plus(keeper.policy.person.processes.verified);
                    keeper.set_change(tx, now, &who, OpenChange::Verified { kind, until })?;
                }
                None if open.is_some_and(|open| open.is_verified(now)) => {}
                None => return Ok(Err(Refusal::WrongState)),
            }
            let sent = crate::contact::refusal_is_a_value(
                keeper.issue_new(tx, now, &caller, &who, &account, &way),
            )?;
            Ok(sent)
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
        let now = self.now();
        self.decided(now, move |keeper, tx| {
            let mut account = keeper.own_account(tx, &who)?;
            account.unrestricted(now)?;
            let operation = Operation::ChangeAddressNew;
            let slot = keeper.own_slot(operation, &who, &[]);
            let live = keeper.rows.peek::<Token>(tx, &slot)?;
            if let Some(kind) = live
                .map(|token| token.way.kind)
                .or(way.as_ref().map(|way| way.kind))
            {
                account.way(kind)?;
                keeper.is_no_second_step(&account, kind)?;
            }
            let token = match keeper.prove_own(
                tx,
                now,
                &caller,
                &who,
                operation,
                slot,
                way.as_ref(),
                &text,
            )? {
                Ok(token) => token,
                Err(refusal) => return Ok(Err(refusal)),
            };
            keeper
                .rows
                .remove::<OpenChange>(tx, &keeper.change_row(&who))?;
            let new = token.way;
            let old = match keeper.replace_address(tx, now, &mut account, new.clone())? {
                Ok(old) => old,
                Err(refusal) => return Ok(Err(refusal)),
            };
            account.restrict(now, keeper.policy.person.after_key_change);
            keeper.rows.put(tx, &mut account)?;
            Self::end_sessions(tx, who.account, Some(who.session))?;
            let about = Change {
                address: Some(&new),
                also: Some(&old),
            };
            keeper.changed(tx, now, &caller, &account, "key_changed", &about)?;
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
        let now = self.now();
        self.decided(now, move |keeper, tx| {
            let account = keeper.own_account(tx, &who)?;
            keeper.is_fresh(now, &who)?;
            let way = keeper.may_remove(now, &account, kind)?;
            Ok(Ok(keeper.issue_own(
                tx,
                now,
                &caller,
                &who,
                &account,
                Operation::RemoveAddress,
                &way,
            )?))
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
        let now = self.now();
        self.decided(now, move |keeper, tx| {
            let mut account = keeper.own_account(tx, &who)?;
            let way = keeper.may_remove(now, &account, kind)?;
            let operation = Operation::RemoveAddress;
            let slot = keeper.own_slot(operation, &who, &[]);
            if let Err(refusal) =
                keeper.prove_own(tx, now, &caller, &who, operation, slot, Some(&way), &text)?
            {
                return Ok(Err(refusal));
            }
            let about = Change {
                address: Some(&way),
                also: None,
            };
            // Told while the account still has the address, and its code for letters.
            keeper.changed(tx, now, &caller, &account, "key_removed", &about)?;
            *account.own_mut(kind) = None;
            if kind == WayKind::Email {
                account.phrase = None;
            }
            account.has_changed();
            account.restrict(now, keeper.policy.person.after_key_change);
            keeper.rows.put(tx, &mut account)?;
            keeper.release_address(tx, &way)?;
            Self::end_sessions(tx, who.account, Some(who.session))?;
            Ok(Ok(()))
        })
        .await
    }

    fn may_add(&self, account: &Account, kind: WayKind) -> Result<(), Refusal> {
        self.takes(kind)?;
        match account.own(kind) {
            Some(_) => Err(Refusal::Unmet(Condition::NoAddress)),
            None => Ok(()),
        }
    }

    fn may_remove(&self, now: Timestamp, account: &Account, kind: WayKind) -> Result<Way, Refusal> {
        account.unrestricted(now)?;
        let way = account.way(kind)?;
        if account.own(kind.other()).is_none() {
            return Err(Refusal::Unmet(Condition::AnotherAddress));
        }
        self.is_no_second_step(account, kind)?;
        Ok(way)
    }

    fn is_no_second_step(&self, account: &Account, kind: WayKind) -> Result<(), Refusal> {
        let on = account.own(kind).is_some_and(|own| own.second_step);
        if on && self.policy.person.second_step == Offer::On {
            return Err(Refusal::Unmet(Condition::FactorOff));
        }
        Ok(())
    }

    fn issue_new(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        who: &SignedIn,
        account: &Stored<Account>,
        way: &Way,
    ) -> TxResult<Sent> {
        let operation = Operation::ChangeAddressNew;
        let (aim, instead) = self.aim_at_new(tx, caller, way, account.id())?;
        self.issue_token(
            tx,
            now,
            caller,
            &Issue {
                operation,
                slot: self.own_slot(operation, who, &[]),
                way,
                aim,
                counted_as: &way.norm,
                language: &account.language,
                phrase: account.phrase.as_deref(),
                left: None,
                instead,
            },
        )
    }

    fn change_row(&self, who: &SignedIn) -> RowId {
        self.rows.id(OpenChange::KIND, &[&who.session.0])
    }

    fn set_change(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        who: &SignedIn,
        open: OpenChange,
    ) -> TxResult<()> {
        let row = self.change_row(who);
        self.rows.remove::<OpenChange>(tx, &row)?;
        self.rows.create(
            tx,
            self.tenant(),
            Place::at(row).of(who.session).due(now.plus(days(1))),
            open,
        )?;
        Ok(())
    }

    /// Tells the account's ways in of a change, and the trail.
    pub(crate) fn changed(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        account: &Account,
        operation: &str,
        about: &Change<'_>,
    ) -> TxResult<()> {
        self.tell(tx, now, caller, account, operation, about)?;
        let event = Event::new(
            caller.surface,
            now,
            "account.change",
            account.person.to_string(),
        );
        self.record(tx, event.by(caller).fact("what", operation))
    }

    /// The slot of a token for somebody who is logged in: bound to account and session.
    pub(crate) fn own_slot(&self, operation: Operation, who: &SignedIn, more: &[&[u8]]) -> RowId {
        let mut subject: Vec<&[u8]> = vec![&who.account.0, &who.session.0];
        subject.extend_from_slice(more);
        self.token_slot(operation, &subject)
    }

    /// Sends a code to an address that the account has.
    #[expect(
        clippy::too_many_arguments,
        reason = "one private step of many operations"
    )]
    pub(crate) fn issue_own(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        who: &SignedIn,
        account: &Account,
        operation: Operation,
        way: &Way,
    ) -> TxResult<Sent> {
        self.issue_token(
            tx,
            now,
            caller,
            &Issue {
                operation,
                slot: self.own_slot(operation, who, &[]),
                way,
                aim: Aim::Real,
                counted_as: &way.norm,
                language: &account.language,
                phrase: account.phrase.as_deref(),
                left: None,
                instead: None,
            },
        )
    }

    /// Judges a code of somebody who is logged in.
    #[expect(
        clippy::too_many_arguments,
        reason = "one private step of many operations"
    )]
    pub(crate) fn prove_own(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        who: &SignedIn,
        operation: Operation,
        slot: RowId,
        way: Option<&Way>,
        text: &SecretText,
    ) -> TxResult<Result<Token, Refusal>> {
        let drawn = Some(self.class(Class::SignedIn, who.account));
        self.prove(
            tx,
            now,
            caller,
            &Proof {
                operation,
                slot,
                way,
                text,
                drawn,
                then: Then::Forget,
            },
        )
    }
}
