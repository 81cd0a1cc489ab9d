//! What somebody who is logged in does with his own account.

use std::sync::Arc;

use crate::core::caller::Caller;
use crate::core::error::{Condition, Error, Refusal};
use crate::core::message::Message;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::letter::Decides as _;
use crate::limit::counted::OnSuccess;
use crate::person::People;
use crate::proof::session;
use crate::proof::session::SignedIn;
use crate::proof::token::{Aim, Operation, Sent, Token, TokenIssue, TokenProof};
use crate::trail::audit::Event;

use super::Way;
use super::account::Class;
use crate::proof::account::Account;
use crate::proof::notice::Change;

/// One act of somebody who is logged in: his session is live, and his account is held.
pub(crate) struct Own<'a> {
    pub(crate) hub: &'a People,
    pub(crate) tx: &'a mut dyn Tx,
    pub(crate) now: Timestamp,
    pub(crate) caller: &'a Caller,
    pub(crate) who: &'a SignedIn,
    pub(crate) account: Stored<Account>,
}

impl People {
    /// As [`People::decided`], for somebody who is logged in.
    pub(crate) async fn as_owner<T: Send + 'static>(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        mut work: impl FnMut(&mut Own<'_>) -> TxResult<Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Error> {
        let now = self.now();
        self.decided(now, move |hub, tx| {
            let account = hub.own_account(tx, &who)?;
            work(&mut Own {
                hub,
                tx,
                now,
                caller: &caller,
                who: &who,
                account,
            })
        })
        .await
    }

    /// The account of a live session, held.
    pub(crate) fn own_account(&self, tx: &mut dyn Tx, who: &SignedIn) -> TxResult<Stored<Account>> {
        let account = self.rows.get::<Account>(tx, &who.account)?;
        match (account, session::is_signed_in(tx, who)?) {
            (Some(account), true) => Ok(account),
            _ => Err(Refusal::Blocked.into()),
        }
    }

    /// The slot of a token for somebody who is logged in: bound to account and session.
    pub(crate) fn own_slot(&self, operation: Operation, who: &SignedIn, more: &[&[u8]]) -> RowId {
        let mut subject: Vec<&[u8]> = vec![&who.account.0, &who.session.0];
        subject.extend_from_slice(more);
        self.token_slot(operation, &subject)
    }
}

impl Own<'_> {
    /// Whether the session's password login is recent enough.
    pub(crate) fn is_fresh(&self) -> Result<(), Refusal> {
        let most = self.hub.policy.fresh_login;
        if most.is_zero() || self.now.since(self.who.auth_time()) <= most {
            Ok(())
        } else {
            Err(Refusal::Unmet(Condition::FreshLogin))
        }
    }

    pub(crate) fn slot(&self, operation: Operation, more: &[&[u8]]) -> RowId {
        self.hub.own_slot(operation, self.who, more)
    }

    /// Sends a code to an address that the account has.
    pub(crate) fn issue(&mut self, operation: Operation, way: &Way) -> TxResult<Sent> {
        let slot = self.slot(operation, &[]);
        self.issue_at(operation, slot, way, (Aim::Real, None))
    }

    /// Sends a code to an address that the account does not have yet.
    pub(crate) fn issue_to_new(
        &mut self,
        operation: Operation,
        slot: RowId,
        way: &Way,
    ) -> TxResult<Sent> {
        let account = self.account.id();
        let aim = self.hub.aim_at_new(self.tx, self.caller, way, account)?;
        self.issue_at(operation, slot, way, aim)
    }

    fn issue_at(
        &mut self,
        operation: Operation,
        slot: RowId,
        way: &Way,
        (aim, instead): (Aim, Option<Message>),
    ) -> TxResult<Sent> {
        let issue = TokenIssue {
            operation,
            slot,
            way,
            aim,
            counted_as: &way.norm,
            language: &self.account.language,
            phrase: self.account.phrase.as_deref(),
            left: None,
            instead,
        };
        self.hub.issue_token(self.tx, self.now, self.caller, &issue)
    }

    /// What a right code does to the failures of this class. It forgets them only where the session cannot have
    /// arranged for it: with what the account had at the login. Or whoever stole a session adds an address or
    /// an app of his own, and clears with its codes what he failed at guessing the owner's.
    fn then(&self, had_since: Option<Timestamp>) -> OnSuccess {
        match had_since {
            Some(since) if since < self.who.auth_time() => OnSuccess::Forget,
            _ => OnSuccess::Keep,
        }
    }

    /// Since when the account has that address.
    fn has_since(&self, way: &Way) -> Option<Timestamp> {
        let own = self.account.own(way.kind)?;
        own.way.same(way).then_some(own.verified)
    }

    /// Judges a code.
    pub(crate) fn prove(
        &mut self,
        operation: Operation,
        slot: RowId,
        way: Option<&Way>,
        text: &SecretText,
    ) -> TxResult<Result<Token, Refusal>> {
        let proof = TokenProof {
            operation,
            slot,
            way,
            text,
            drawn: Some(self.hub.class(Class::SignedIn, self.who.account)),
            then: self.then(way.and_then(|way| self.has_since(way))),
        };
        self.hub.prove(self.tx, self.now, self.caller, &proof)
    }

    /// Judges a code of the account's authenticator app.
    pub(crate) fn prove_with_authenticator(
        &mut self,
        text: &SecretText,
    ) -> TxResult<Result<(), Refusal>> {
        let drawn = self.hub.class(Class::SignedIn, self.account.id());
        let on_since = self
            .account
            .authenticator
            .as_ref()
            .and_then(|known| known.on_since);
        let then = self.then(on_since);
        self.hub.judge_authenticator(
            self.tx,
            self.now,
            self.caller,
            &mut self.account,
            text,
            drawn,
            then,
        )
    }

    pub(crate) fn save(&mut self) -> TxResult<()> {
        self.hub.rows.put(self.tx, &mut self.account)
    }

    /// Ends all sessions but this one.
    pub(crate) fn end_other_sessions(&mut self) -> TxResult<()> {
        session::end_sessions(self.tx, self.who.account, Some(self.who.session))?;
        Ok(())
    }

    /// Tells the account's ways in.
    pub(crate) fn tell(&mut self, operation: &str, about: &Change<'_>) -> TxResult<()> {
        self.hub.tell(
            self.tx,
            self.now,
            self.caller,
            &self.account,
            operation,
            about,
        )
    }

    /// Tells the account's ways in of a change, and the trail.
    pub(crate) fn changed(&mut self, operation: &str, about: &Change<'_>) -> TxResult<()> {
        self.tell(operation, about)?;
        let event = self.event("account.change").fact("what", operation);
        self.hub.record(self.tx, event)
    }

    /// An event about the account.
    pub(crate) fn event(&self, action: &str) -> Event {
        let person = self.account.person.to_string();
        Event::new(self.caller.surface, self.now, action, person).by(self.caller)
    }
}
