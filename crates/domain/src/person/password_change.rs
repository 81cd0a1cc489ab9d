//! A new password for somebody who is logged in and knows the old one.
//!
//! 1. [`People::send_password_change_token`] sends a code to the e-mail address, or else the phone.
//! 2. [`People::change_password`] checks the old password, then the code, and ends the other sessions.

use std::sync::Arc;

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::port::store::TxResult;
use crate::core::secret::SecretText;
use crate::limit::counted::OnSuccess;
use crate::limit::lockout::Right;
use crate::person::People;
use crate::proof::password::Password;
use crate::proof::password::attempt::Attempt;
use crate::proof::session;
use crate::proof::session::SignedIn;
use crate::proof::token::{Operation, Sent, TokenProof};
use crate::trail::audit::Event;

use super::Way;
use super::account::Class;
use crate::proof::account::Account;
use crate::proof::notice::Change;

impl Account {
    /// Where a code for the account as a whole goes.
    fn first_way(&self) -> Result<Way, Refusal> {
        self.ways().next().cloned().ok_or(Refusal::UnknownSubject)
    }
}

impl People {
    /// Step 1.
    pub async fn send_password_change_token(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
    ) -> Result<(Way, Sent), Error> {
        self.as_owner(caller, who, move |own| {
            let way = own.account.first_way()?;
            let sent = own.issue(Operation::PasswordChange, &way)?;
            Ok(Ok((way, sent)))
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
        self.judge_early(&new)?;
        let account = self
            .rows
            .read::<Account>(self.store.as_ref(), who.account)
            .await?;
        let account = account.ok_or(Refusal::Blocked)?;
        let names = account.names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.policy.passwords.judge(&new, &names)?;
        let attempt = Attempt {
            line: who.account,
            drawn: vec![self.class(Class::SignedIn, who.account)],
            verifier: Some(account.password.clone()),
            password: old,
            new: Some(new),
            // The code is still to come.
            then: OnSuccess::Keep,
        };
        let checked = account.epoch;
        self.try_password(self, attempt, move |hub, tx, now, tried| {
            let event =
                Event::new(caller.surface, now, "password.change", who.account.alias()).by(&caller);
            let mut account = match hub.own_account(tx, &who) {
                Ok(account) => account,
                Err(stop) => return refused(stop),
            };
            let Some(renewed) = tried
                .renewed
                .as_ref()
                .filter(|_| tried.right == Right::Yes && account.epoch == checked)
            else {
                hub.record(tx, event.outcome("wrong"))?;
                return Ok(Err(Refusal::BadProof { left: None }));
            };
            if tried.unchanged {
                return Ok(Err(Refusal::Invalid {
                    field: "password",
                    why: "the current one",
                }));
            }
            let way = account.first_way()?;
            let proof = TokenProof {
                operation: Operation::PasswordChange,
                slot: hub.own_slot(Operation::PasswordChange, &who, &[]),
                way: Some(&way),
                text: &text,
                drawn: Some(hub.class(Class::SignedIn, who.account)),
                then: OnSuccess::Forget,
            };
            if let Err(refusal) = hub.prove(tx, now, &caller, &proof)? {
                return Ok(Err(refusal));
            }
            account.password = renewed.clone();
            account.has_changed();
            account.restrict(now, hub.policy.after_password);
            hub.rows.put(tx, &mut account)?;
            session::end_sessions(tx, who.account, Some(who.session))?;
            hub.tell(
                tx,
                now,
                &caller,
                &account,
                "password_set",
                &Change::default(),
            )?;
            hub.record(tx, event)?;
            Ok(Ok(()))
        })
        .await
    }
}

/// Inside a settled try a refusal must not undo the settlement; it comes before any other write.
fn refused<T>(stop: crate::core::port::store::Stop) -> TxResult<Result<T, Refusal>> {
    crate::core::port::store::refusal_is_a_value(Err(stop))
}
