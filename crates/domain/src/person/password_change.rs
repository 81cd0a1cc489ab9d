//! A new password for somebody who is logged in and knows the old one.
//!
//! 1. [`People::send_password_change_token`] sends a code to the e-mail address, or else the phone.
//! 2. [`People::change_password`] checks the old password, then the code, and ends the other sessions.

use std::sync::Arc;

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::port::store::TxResult;
use crate::core::secret::SecretText;
use crate::core::verdict::{Verdict, allowed};
use crate::limit::counted::OnSuccess;
use crate::limit::lockout::Right;
use crate::person::People;
use crate::proof::account::{Account, Bound};
use crate::proof::notice::Change;
use crate::proof::password::attempt::{PasswordTry, Tried};
use crate::proof::password::{Password, PasswordVerifier};
use crate::proof::session::SignedIn;
use crate::proof::token::{Operation, Sent, TokenProof};
use crate::trail::audit::Event;

use super::Way;
use super::account::{Class, Secret};
use super::own::Own;

impl Account {
    /// Where a code for the account as a whole goes.
    fn first_way(&self) -> Result<Way, Refusal> {
        self.ways().next().cloned().ok_or(Refusal::UnknownSubject)
    }
}

/// What becomes of the old password.
#[derive(Debug, PartialEq, Eq)]
enum Replacement<'a> {
    /// The one that was presented is not it, or not any more.
    Wrong,
    /// The new one is the old one.
    Unchanged,
    By(&'a PasswordVerifier),
}

/// Decides from a try at the old password, and whether the account is still as it was for that try.
fn replacement(tried: &Tried, still_the_same: bool) -> Replacement<'_> {
    match &tried.renewed {
        Some(renewed) if tried.right == Right::Yes && still_the_same => {
            if tried.unchanged {
                Replacement::Unchanged
            } else {
                Replacement::By(renewed)
            }
        }
        _ => Replacement::Wrong,
    }
}

/// The refusal of a new password that is the old one.
pub(crate) const SAME_PASSWORD: Refusal = Refusal::Invalid {
    field: "password",
    why: "the current one",
};

impl People {
    /// Step 1.
    pub async fn send_password_change_token(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
    ) -> Result<(Way, Sent), Error> {
        self.as_owner(caller, who, move |own| {
            let way = allowed!(own.account.first_way());
            let sent = allowed!(own.issue(Operation::PasswordChange, &way)?);
            Ok(Verdict::Done((way, sent)))
        })
        .await
    }

    /// Step 2. A wrong old password does not use the code up; it counts as a wrong code does.
    pub async fn change_password(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        old: Password,
        new: Password,
        text: SecretText,
    ) -> Result<(), Error> {
        let passwords = &self.policy.passwords;
        passwords.judge(&new, &[])?;
        let account = self.rows.read(self.store.as_ref(), who.account).await?;
        let account = account.ok_or(Refusal::Blocked)?;
        passwords.judge(&new, &account.names())?;
        let attempt = PasswordTry {
            line: account.id(),
            lockouts: vec![self.secret_lockout(Class::SignedIn, account.id(), Secret::Password)],
            owner: Some(account.id()),
            verifier: Some(account.password.clone()),
            password: old,
            new: Some(new),
            then: OnSuccess::Forget,
        };
        let checked = Bound::of(&account);
        self.try_password(self, attempt, move |hub, tx, now, tried| {
            let Some(account) = hub.own_account(tx, &who)? else {
                return Ok(Err(Refusal::Blocked));
            };
            let mut own = Own {
                hub,
                tx,
                now,
                caller: &caller,
                who: &who,
                account,
            };
            own.replace_password(tried, checked, &text)
        })
        .await
    }
}

impl Own<'_> {
    /// Replaces the password, inside the settlement of the try at the old one: what it decides is saved.
    fn replace_password(
        &mut self,
        tried: &Tried,
        checked: Bound,
        text: &SecretText,
    ) -> TxResult<Result<(), Refusal>> {
        let (caller, hub) = (self.caller, self.hub);
        let subject = self.who.account.alias();
        let event = Event::new(caller.surface, self.now, "password.change", subject).by(caller);
        let renewed = match replacement(tried, checked.holds(&self.account)) {
            Replacement::Wrong => {
                hub.record(self.tx, event.outcome("wrong"))?;
                return Ok(Err(Refusal::BadProof { left: None }));
            }
            Replacement::Unchanged => return Ok(Err(SAME_PASSWORD)),
            Replacement::By(renewed) => renewed.clone(),
        };
        let way = allowed!(self.account.first_way());
        let proof = TokenProof {
            operation: Operation::PasswordChange,
            slot: self.slot(Operation::PasswordChange, &[]),
            way: Some(&way),
            text,
            lockout: Some(self.lockout(Secret::Codes(&way))),
            then: OnSuccess::Forget,
        };
        allowed!(hub.prove(self.tx, self.now, caller, &proof)?);
        self.account
            .set_password(renewed, self.now, hub.policy.after_password);
        self.save()?;
        self.end_other_sessions()?;
        self.tell(&Change::new("password_set"))?;
        hub.record(self.tx, event)?;
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::account::tests::{EMAIL, PHONE, anna, anna_with_phone};

    fn tried(right: Right, renewed: bool, unchanged: bool) -> Tried {
        Tried {
            right,
            renewed: renewed.then(|| anna().password),
            unchanged,
        }
    }

    #[test]
    fn a_password_is_replaced_after_the_right_old_one() {
        let right = tried(Right::Yes, true, false);
        assert_eq!(replacement(&right, true), Replacement::By(&anna().password));
    }

    #[test]
    fn a_wrong_or_outdated_old_password_replaces_nothing() {
        for (right, renewed, still_the_same) in [
            (Right::No, true, true),
            (Right::No, false, true),
            (Right::Yes, true, false),
            (Right::Yes, false, true),
        ] {
            let tried = tried(right, renewed, false);
            let found = replacement(&tried, still_the_same);
            assert_eq!(
                found,
                Replacement::Wrong,
                "{right:?} {renewed} {still_the_same}"
            );
        }
    }

    #[test]
    fn only_who_knows_the_old_password_hears_that_the_new_one_is_the_same() {
        assert_eq!(
            replacement(&tried(Right::Yes, true, true), true),
            Replacement::Unchanged
        );
        assert_eq!(
            replacement(&tried(Right::No, false, true), true),
            Replacement::Wrong
        );
    }

    #[test]
    fn the_code_goes_to_the_email_address_or_else_the_phone() {
        let mut account = anna_with_phone();
        assert_eq!(account.first_way(), Ok(Way::email(EMAIL)));
        account.email = None;
        assert_eq!(account.first_way(), Ok(Way::phone(PHONE)));
        account.phone = None;
        assert_eq!(account.first_way(), Err(Refusal::UnknownSubject));
    }
}
