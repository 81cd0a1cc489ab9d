//! What somebody who is logged in does with their own account.

use std::sync::Arc;
use std::time::Duration;

use crate::core::caller::Caller;
use crate::core::error::{Condition, Error, Refusal};
use crate::core::id::Id;
use crate::core::message::Message;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::letter::Decides as _;
use crate::limit::counted::OnSuccess;
use crate::limit::lockout::SubjectLockout;
use crate::person::People;
use crate::proof::account::Account;
use crate::proof::authenticator::AuthenticatorProof;
use crate::proof::notice::Change;
use crate::proof::session;
use crate::proof::session::SignedIn;
use crate::proof::token::{Aim, Operation, Sent, Token, TokenIssue, TokenProof};
use crate::trail::audit::Event;

use super::Way;
use super::account::{Class, Secret};

/// One act of somebody who is logged in: their session is live, and their account is held.
pub(crate) struct Own<'a> {
    pub(crate) hub: &'a People,
    pub(crate) tx: &'a mut dyn Tx,
    pub(crate) now: Timestamp,
    pub(crate) caller: &'a Caller,
    pub(crate) who: &'a SignedIn,
    pub(crate) account: Stored<Account>,
}

impl People {
    /// As [`Decides::decide`](crate::letter::Decides::decide), for somebody who is logged in.
    pub(crate) async fn as_owner<T: Send + 'static>(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        mut work: impl FnMut(&mut Own<'_>) -> TxResult<Verdict<T>> + Send + 'static,
    ) -> Result<T, Error> {
        let now = self.now();
        self.decide(now, move |hub, tx| {
            let Some(account) = hub.own_account(tx, &who)? else {
                return Ok(Verdict::Refused(Refusal::Blocked));
            };
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

    /// Returns the account of a live session, held.
    pub(crate) fn own_account(
        &self,
        tx: &mut dyn Tx,
        who: &SignedIn,
    ) -> TxResult<Option<Stored<Account>>> {
        let account = self.rows.get(tx, who.account)?;
        let signed_in = session::is_signed_in(tx, who)?;
        Ok(account.filter(|_| signed_in))
    }
}

/// Refuses a login that is older than `most`; zero is off.
fn fresh_login(most: Duration, auth_time: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    if most.is_zero() || now.since(auth_time) <= most {
        Ok(())
    } else {
        Err(Refusal::Unmet(Condition::FreshLogin))
    }
}

/// What a right code does to the failures of its secret. `had_since`: since when the account has what the code was for.
///
/// It forgets them only if the account had that at the login, because then the session cannot have arranged for it.
fn after_right_code(had_since: Option<Timestamp>, auth_time: Timestamp) -> OnSuccess {
    match had_since {
        Some(since) if since < auth_time => OnSuccess::Forget,
        _ => OnSuccess::Keep,
    }
}

/// Since when the account has that address.
fn has_since(account: &Account, way: &Way) -> Option<Timestamp> {
    let own = account.own(way.kind)?;
    own.way.same(way).then_some(own.verified)
}

impl Own<'_> {
    /// Refuses unless the session's password login is recent enough.
    pub(crate) fn is_fresh(&self) -> Result<(), Refusal> {
        let most = self.hub.policy.fresh_login;
        self.is_current()?;
        fresh_login(most, self.who.auth_time(), self.now)
    }

    /// Refuses a session whose login was before the last change of the password. It goes on for all that needs no recent
    /// login.
    pub(crate) fn is_current(&self) -> Result<(), Refusal> {
        let since = self.account.fresh_since;
        if since.is_some_and(|since| self.who.auth_time() < since) {
            return Err(Refusal::Unmet(Condition::FreshLogin));
        }
        Ok(())
    }

    /// The slot of a token for somebody who is logged in: bound to account, session, and what else is named.
    pub(crate) fn slot(&self, operation: Operation, more: &[&[u8]]) -> Id<Token> {
        let (account, session) = (self.who.account, self.who.session);
        let mut subject: Vec<&[u8]> = vec![account.as_bytes(), session.as_bytes()];
        subject.extend_from_slice(more);
        self.hub.token_slot(operation, &subject)
    }

    /// Sends a code to an address that the account has.
    pub(crate) fn issue(
        &mut self,
        operation: Operation,
        way: &Way,
    ) -> TxResult<Result<Sent, Refusal>> {
        let slot = self.slot(operation, &[]);
        self.issue_at(operation, slot, way, (Aim::Real, None))
    }

    /// Sends a code to an address that the account does not have yet.
    pub(crate) fn issue_to_new(
        &mut self,
        operation: Operation,
        slot: Id<Token>,
        way: &Way,
    ) -> TxResult<Result<Sent, Refusal>> {
        let (surface, account) = (self.caller.surface, self.account.key());
        let aim = self.hub.aim_at_new(self.tx, surface, way, account)?;
        self.issue_at(operation, slot, way, aim)
    }

    fn issue_at(
        &mut self,
        operation: Operation,
        slot: Id<Token>,
        way: &Way,
        (aim, instead): (Aim, Option<Message>),
    ) -> TxResult<Result<Sent, Refusal>> {
        let request = TokenIssue {
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
        self.hub
            .issue_token(self.tx, self.now, self.caller, &request)
    }

    /// What counts the wrong answers of somebody who is logged in.
    pub(crate) fn lockout(&self, secret: Secret<'_>) -> SubjectLockout {
        let account = self.account.id();
        self.hub.secret_lockout(Class::SignedIn, account, secret)
    }

    /// Judges a code.
    pub(crate) fn prove(
        &mut self,
        operation: Operation,
        slot: Id<Token>,
        way: Option<&Way>,
        text: &SecretText,
    ) -> TxResult<Result<Token, Refusal>> {
        let own = way.filter(|way| has_since(&self.account, way).is_some());
        let had_since = own.and_then(|way| has_since(&self.account, way));
        let secret = own.map_or(Secret::NewAddress, Secret::Codes);
        let proof = TokenProof {
            operation,
            slot,
            way,
            text,
            lockout: Some(self.lockout(secret)),
            then: after_right_code(had_since, self.who.auth_time()),
        };
        self.hub.prove(self.tx, self.now, self.caller, &proof)
    }

    /// Judges a code of the account's authenticator app.
    pub(crate) fn prove_with_authenticator(
        &mut self,
        text: &SecretText,
    ) -> TxResult<Result<(), Refusal>> {
        let authenticator = self.account.authenticator.as_ref();
        let on_since = authenticator.and_then(|known| known.on_since);
        let proof = AuthenticatorProof {
            text,
            lockout: self.lockout(Secret::Authenticator),
            then: after_right_code(on_since, self.who.auth_time()),
        };
        self.hub
            .judge_authenticator(self.tx, self.now, self.caller, &mut self.account, &proof)
    }

    pub(crate) fn save(&mut self) -> TxResult<()> {
        self.hub.rows.put(self.tx, &mut self.account)
    }

    /// Ends all sessions but this one.
    pub(crate) fn end_other_sessions(&mut self) -> TxResult<()> {
        session::end_sessions(self.tx, self.who.account, Some(self.who.session))?;
        Ok(())
    }

    /// Tells the account's addresses of a change.
    pub(crate) fn tell(&mut self, change: &Change<'_>) -> TxResult<()> {
        self.hub
            .tell(self.tx, self.now, self.caller, &self.account, change)
    }

    /// Tells the account's addresses of a change, and records it.
    pub(crate) fn changed(&mut self, change: &Change<'_>) -> TxResult<()> {
        self.tell(change)?;
        let event = self.event("account.change").fact("what", change.operation);
        self.hub.record(self.tx, event)
    }

    /// An event about the account.
    pub(crate) fn event(&self, action: &str) -> Event {
        let person = self.account.person.to_string();
        Event::new(self.caller.surface, self.now, action, person).by(self.caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::account::tests::{EMAIL, PHONE, anna, at};

    #[test]
    fn a_login_is_fresh_for_the_span_that_is_set() {
        let most = Duration::from_secs(60);
        assert_eq!(fresh_login(most, at(0), at(60)), Ok(()));
        assert_eq!(
            fresh_login(most, at(0), Timestamp::from_millis(60_001)),
            Err(Refusal::Unmet(Condition::FreshLogin))
        );
        assert_eq!(fresh_login(Duration::ZERO, at(0), at(100_000)), Ok(()));
    }

    #[test]
    fn only_what_the_account_had_at_the_login_forgets_failures() {
        for (had_since, then) in [
            (Some(at(9)), OnSuccess::Forget),
            (Some(at(10)), OnSuccess::Keep),
            (Some(at(11)), OnSuccess::Keep),
            (None, OnSuccess::Keep),
        ] {
            assert_eq!(after_right_code(had_since, at(10)), then, "{had_since:?}");
        }
    }

    #[test]
    fn an_account_has_an_address_since_it_was_proved() {
        let mut account = anna();
        account.email.as_mut().unwrap().verified = at(7);
        assert_eq!(has_since(&account, &Way::email(EMAIL)), Some(at(7)));
        assert_eq!(has_since(&account, &Way::email("b@example.com")), None);
        assert_eq!(has_since(&account, &Way::phone(PHONE)), None);
    }
}
