//! Adding, changing and removing an address, for somebody who is logged in.
//!
//! - Adding: a code to the new address, then [`People::add_address`].
//! - Removing: a code to the address, then [`People::remove_address`].
//! - Changing: a code to the old address ([`People::send_change_token`]). With that code the caller gets a code sent to
//!   the new one ([`People::send_changed_address_token`]), and with that one the address is changed
//!   ([`People::change_address`]).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::{Condition, Error, Refusal};
use crate::core::id::Id;
use crate::core::port::store::{Kind, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::secret::SecretText;
use crate::core::time::{Timestamp, days};
use crate::core::verdict::{Verdict, allowed};
use crate::person::People;
use crate::proof::account::{Account, OwnAddress};
use crate::proof::notice::Change;
use crate::proof::session::SignedIn;
use crate::proof::token::{Operation, Sent};

use super::own::Own;
use super::policy::Offer;
use super::{Way, WayKind};

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

    /// Refuses a second code without a first one that was right a short while ago.
    fn must_be_verified(open: Option<&Self>, now: Timestamp) -> Result<(), Refusal> {
        match open {
            Some(Self::Verified { until, .. }) if now < *until => Ok(()),
            _ => Err(Refusal::WrongState),
        }
    }
}

/// The operation of the code that goes to an address that is to be added.
fn adding(kind: WayKind) -> Operation {
    match kind {
        WayKind::Email => Operation::AddEmail,
        WayKind::Phone => Operation::AddPhone,
    }
}

impl Account {
    /// Refuses a second address of a kind.
    fn must_lack(&self, kind: WayKind) -> Result<(), Refusal> {
        match self.own(kind) {
            Some(_) => Err(Refusal::Unmet(Condition::NoAddress)),
            None => Ok(()),
        }
    }

    /// Refuses to touch an address that is a second step, as long as second steps are offered at all.
    fn must_be_no_second_step(&self, kind: WayKind, second_steps: Offer) -> Result<(), Refusal> {
        let on = self.own(kind).is_some_and(|own| own.second_step);
        if on && second_steps == Offer::On {
            return Err(Refusal::Unmet(Condition::FactorOff));
        }
        Ok(())
    }

    /// The address that may be replaced.
    fn may_replace(&self, kind: WayKind, second_steps: Offer) -> Result<Way, Refusal> {
        let way = self.way(kind)?;
        self.must_be_no_second_step(kind, second_steps)?;
        Ok(way)
    }

    /// The address that may be removed.
    fn may_remove(
        &self,
        now: Timestamp,
        kind: WayKind,
        second_steps: Offer,
    ) -> Result<Way, Refusal> {
        self.unrestricted(now)?;
        let way = self.way(kind)?;
        if self.own(kind.other()).is_none() {
            return Err(Refusal::Unmet(Condition::AnotherAddress));
        }
        self.must_be_no_second_step(kind, second_steps)?;
        Ok(way)
    }

    /// The address that is changed to `new`. `kind`: of the change that is open, if one is.
    fn may_change_to(
        &self,
        new: &Way,
        kind: Option<WayKind>,
        second_steps: Offer,
    ) -> Result<Way, Refusal> {
        let invalid = |why| {
            Err(Refusal::Invalid {
                field: "address",
                why,
            })
        };
        if kind.is_some_and(|kind| kind != new.kind) {
            return invalid("another kind of address");
        }
        let old = self.may_replace(new.kind, second_steps)?;
        if old.same(new) {
            return invalid("the address it has");
        }
        Ok(old)
    }

    /// Adds an address that was just proved.
    fn add(&mut self, way: Way, now: Timestamp) {
        let own = self.own_mut(way.kind);
        *own = Some(OwnAddress {
            way,
            second_step: false,
            verified: now,
        });
        self.has_changed();
    }

    /// Removes an address. The anti-phishing code goes with the e-mail address, because only e-mails show it.
    fn remove(&mut self, kind: WayKind) {
        *self.own_mut(kind) = None;
        if kind == WayKind::Email {
            self.phrase = None;
        }
        self.has_changed();
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
            allowed!(own.is_fresh());
            allowed!(own.hub.policy.must_take(way.kind));
            allowed!(own.account.must_lack(way.kind));
            let operation = adding(way.kind);
            let slot = own.slot(operation, &[way.norm.as_bytes()]);
            Ok(own.issue_to_new(operation, slot, &way)?.into())
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
            // The code may have been asked for before the password changed.
            allowed!(own.is_current());
            allowed!(own.hub.policy.must_take(way.kind));
            allowed!(own.account.must_lack(way.kind));
            let operation = adding(way.kind);
            let slot = own.slot(operation, &[way.norm.as_bytes()]);
            let way = allowed!(own.prove(operation, slot, Some(&way), &text)?).way;
            let account = own.account.key();
            if !own.hub.claim_address(own.tx, &way, account)? {
                return Ok(Verdict::Refused(Refusal::Conflict));
            }
            own.account.add(way.clone(), own.now);
            own.save()?;
            own.changed(&Change::new("key_added").about(&way))?;
            Ok(Verdict::Done(()))
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
            allowed!(own.is_fresh());
            allowed!(own.account.unrestricted(own.now));
            let second_steps = own.hub.policy.second_step;
            let way = allowed!(own.account.may_replace(kind, second_steps));
            let sent = allowed!(own.issue(Operation::ChangeAddress, &way)?);
            let slot = own.slot(Operation::ChangeAddressNew, &[]);
            own.hub.drop_token(own.tx, slot)?;
            own.set_change(OpenChange::TokenSent { kind })?;
            Ok(Verdict::Done(sent))
        })
        .await
    }

    /// Takes the code of the old address and sends one to the new address. Without a code: again, to the same or a
    /// corrected address, once the first code was taken.
    pub async fn send_changed_address_token(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        way: Way,
        text: Option<SecretText>,
    ) -> Result<Sent, Error> {
        self.as_owner(caller, who, move |own| {
            allowed!(own.is_fresh());
            allowed!(own.account.unrestricted(own.now));
            let row = own.change_row();
            let open = own.hub.rows.get(own.tx, row)?;
            let (open, second_steps) = (open.as_deref(), own.hub.policy.second_step);
            let kind = open.map(OpenChange::kind);
            let old = allowed!(own.account.may_change_to(&way, kind, second_steps));
            if let Some(text) = &text {
                let operation = Operation::ChangeAddress;
                let slot = own.slot(operation, &[]);
                allowed!(own.prove(operation, slot, Some(&old), text)?);
                let until = own.now.plus(own.hub.policy.processes.verified);
                let kind = way.kind;
                own.set_change(OpenChange::Verified { kind, until })?;
            } else {
                allowed!(OpenChange::must_be_verified(open, own.now));
            }
            // A limit of the new address refuses here, and the code of the old one stays used up.
            let slot = own.slot(Operation::ChangeAddressNew, &[]);
            let sent = own.issue_to_new(Operation::ChangeAddressNew, slot, &way)?;
            Ok(sent.into())
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
            allowed!(own.account.unrestricted(own.now));
            let operation = Operation::ChangeAddressNew;
            let slot = own.slot(operation, &[]);
            let live = own.hub.rows.peek(own.tx, slot)?;
            let sent_to = live.as_ref().map(|token| token.way.kind);
            if let Some(kind) = sent_to.or(way.as_ref().map(|way| way.kind)) {
                let second_steps = own.hub.policy.second_step;
                allowed!(own.account.may_replace(kind, second_steps));
            }
            let new = allowed!(own.prove(operation, slot, way.as_ref(), &text)?).way;
            let row = own.change_row();
            own.hub.rows.remove(own.tx, row)?;
            let (now, account) = (own.now, &mut own.account);
            let old = allowed!(own.hub.replace_address(own.tx, now, account, new.clone())?);
            own.cool_down();
            own.save()?;
            own.end_other_sessions()?;
            own.changed(&Change::new("key_changed").about(&new).also_to(&old))?;
            Ok(Verdict::Done(()))
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
            allowed!(own.is_fresh());
            let second_steps = own.hub.policy.second_step;
            let way = allowed!(own.account.may_remove(own.now, kind, second_steps));
            Ok(own.issue(Operation::RemoveAddress, &way)?.into())
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
            let second_steps = own.hub.policy.second_step;
            let way = allowed!(own.account.may_remove(own.now, kind, second_steps));
            let operation = Operation::RemoveAddress;
            let slot = own.slot(operation, &[]);
            allowed!(own.prove(operation, slot, Some(&way), &text)?);
            // Told while the account still has the address, and its anti-phishing code.
            own.changed(&Change::new("key_removed").about(&way))?;
            own.account.remove(kind);
            own.cool_down();
            own.save()?;
            own.hub.release_address(own.tx, &way)?;
            own.end_other_sessions()?;
            Ok(Verdict::Done(()))
        })
        .await
    }
}

impl Own<'_> {
    /// Begins the cool-down after a change of addresses.
    fn cool_down(&mut self) {
        let span = self.hub.policy.after_key_change;
        self.account.restrict(self.now, span);
    }

    fn change_row(&self) -> Id<OpenChange> {
        self.hub.rows.named(&[self.who.session.as_bytes()])
    }

    fn set_change(&mut self, open: OpenChange) -> TxResult<()> {
        let (hub, row) = (self.hub, self.change_row());
        hub.rows.remove(self.tx, row)?;
        let place = Place::at(row)
            .of(self.who.session)
            .due(self.now.plus(days(1)));
        hub.rows.create(self.tx, hub.tenant(), place, open)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::proof::account::tests::{EMAIL, PHONE, anna, anna_with_phone, at};

    const UNMET: fn(Condition) -> Refusal = Refusal::Unmet;

    #[test]
    fn an_account_has_one_address_of_a_kind() {
        assert_eq!(anna().must_lack(WayKind::Phone), Ok(()));
        assert_eq!(
            anna().must_lack(WayKind::Email),
            Err(UNMET(Condition::NoAddress))
        );
    }

    #[test]
    fn a_second_step_is_replaced_only_where_second_steps_are_not_offered() {
        let mut account = anna();
        assert_eq!(
            account.may_replace(WayKind::Email, Offer::On),
            Ok(Way::email(EMAIL))
        );
        account.email.as_mut().unwrap().second_step = true;
        assert_eq!(
            account.may_replace(WayKind::Email, Offer::On),
            Err(UNMET(Condition::FactorOff))
        );
        assert_eq!(
            account.may_replace(WayKind::Email, Offer::Off),
            Ok(Way::email(EMAIL))
        );
        assert_eq!(
            account.may_replace(WayKind::Phone, Offer::On),
            Err(UNMET(Condition::HasAddress))
        );
    }

    #[test]
    fn the_last_address_stays() {
        let remove = |account: &Account, kind| account.may_remove(at(0), kind, Offer::On);
        assert_eq!(
            remove(&anna(), WayKind::Email),
            Err(UNMET(Condition::AnotherAddress))
        );
        assert_eq!(
            remove(&anna(), WayKind::Phone),
            Err(UNMET(Condition::HasAddress))
        );
        assert_eq!(
            remove(&anna_with_phone(), WayKind::Phone),
            Ok(Way::phone(PHONE))
        );
    }

    #[test]
    fn an_address_is_not_removed_during_a_cool_down_or_as_a_second_step() {
        let mut account = anna_with_phone();
        account.email.as_mut().unwrap().second_step = true;
        let remove = |account: &Account| account.may_remove(at(0), WayKind::Email, Offer::On);
        assert_eq!(remove(&account), Err(UNMET(Condition::FactorOff)));
        account.restrict(at(0), Duration::from_secs(60));
        let until = at(60);
        assert_eq!(
            remove(&account),
            Err(UNMET(Condition::CooledDown { until })),
            "which comes first"
        );
    }

    #[test]
    fn an_address_changes_to_another_of_its_kind() {
        let account = anna_with_phone();
        let change = |new: &Way, open| account.may_change_to(new, open, Offer::On);
        let invalid = |why| {
            Err(Refusal::Invalid {
                field: "address",
                why,
            })
        };
        let new = Way::email("new@example.com");
        for open in [None, Some(WayKind::Email)] {
            assert_eq!(change(&new, open), Ok(Way::email(EMAIL)));
        }
        assert_eq!(
            change(&new, Some(WayKind::Phone)),
            invalid("another kind of address")
        );
        assert_eq!(
            change(&Way::email("ANNA@example.com"), None),
            invalid("the address it has")
        );
        assert_eq!(
            anna().may_change_to(&Way::phone(PHONE), None, Offer::On),
            Err(UNMET(Condition::HasAddress))
        );
    }

    #[test]
    fn a_second_code_follows_a_right_first_one_within_its_time() {
        let kind = WayKind::Email;
        let until = at(10);
        let judged =
            |open: Option<OpenChange>, now| OpenChange::must_be_verified(open.as_ref(), at(now));
        let verified = Some(OpenChange::Verified { kind, until });
        assert_eq!(judged(verified.clone(), 9), Ok(()));
        assert_eq!(judged(verified, 10), Err(Refusal::WrongState));
        let sent = Some(OpenChange::TokenSent { kind });
        assert_eq!(judged(sent, 9), Err(Refusal::WrongState));
        assert_eq!(judged(None, 9), Err(Refusal::WrongState));
    }

    #[test]
    fn adding_and_removing_end_what_was_begun_before() {
        let mut account = anna();
        account.add(Way::phone(PHONE), at(5));
        let own = account.phone.as_ref().unwrap();
        assert_eq!((own.verified, own.second_step), (at(5), false));
        assert_eq!(account.epoch, 1);
        account.phrase = Some("blue".to_owned());
        account.remove(WayKind::Phone);
        assert_eq!(account.phrase.as_deref(), Some("blue"));
        account.remove(WayKind::Email);
        assert_eq!(account.phrase, None, "no message shows it any more");
        assert_eq!((account.ways().count(), account.epoch), (0, 3));
    }

    #[test]
    fn each_kind_of_address_is_added_by_its_own_operation() {
        assert_eq!(adding(WayKind::Email), Operation::AddEmail);
        assert_eq!(adding(WayKind::Phone), Operation::AddPhone);
    }
}
