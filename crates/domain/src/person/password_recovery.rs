//! Password recovery, for somebody who has lost the password. No answer tells whether there is an account.
//!
//! 1. [`People::start_password_recovery`] opens a process for an address, known or not.
//! 2. [`People::send_password_recovery_token`] sends a code to the chosen kind of address.
//! 3. [`People::verify_password_recovery`] takes it.
//! 4. [`People::finish_password_recovery`] sets the new password, ends all sessions, and logs nobody in.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::message::Message;
use crate::core::port::store::{Tx, TxResult};
use crate::core::record::Record as _;
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::letter::Decides as _;
use crate::limit::counted::OnSuccess;
use crate::limit::lockout::{Lockout, Right};
use crate::person::People;
use crate::person::process::{Flow, Process, ProcessId, ProcessSend, ProcessStep};
use crate::proof::account::{Account, Bound};
use crate::proof::notice::Change;
use crate::proof::password::{Password, PasswordVerifier};
use crate::proof::session;
use crate::proof::token::{Aim, Operation, Sent, TokenIssue, TokenProof};
use crate::trail::audit::Event;

use super::account::{Class, Secret};
use super::password_change::SAME_PASSWORD;
use super::{Way, WayKind};

/// A recovery that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PasswordRecoveryFlow {
    /// What the recovery was started with.
    pub(crate) way: Way,
    /// `None`: nobody has that address.
    pub(crate) bound: Option<Bound>,
    pub(crate) step: ProcessStep,
}

impl PasswordRecoveryFlow {
    /// Where the code goes: to the account's address of that kind. Without one, a decoy goes to nobody.
    fn recipient(&self, account: Option<&Account>, kind: WayKind) -> (Way, Aim) {
        match account.and_then(|account| account.own(kind)) {
            Some(own) => (own.way.clone(), Aim::Real),
            None => {
                let norm = format!("?{kind:?} {}", self.way.norm);
                let nobody = Way {
                    kind,
                    given: String::new(),
                    norm,
                };
                (nobody, Aim::Decoy)
            }
        }
    }

    /// What the answer to a send names: the address that started the recovery, if it is of that kind.
    fn supplied(&self, kind: WayKind) -> Option<Way> {
        (self.way.kind == kind).then(|| self.way.clone())
    }
}

impl Account {
    /// Whether the account still has the address that a code went to.
    fn still_has(&self, way: &Way) -> bool {
        self.own(way.kind).is_some_and(|own| own.way.same(way))
    }

    /// Sets a new password: what was begun with the old one is over, and a cool-down of that span begins.
    pub(super) fn set_password(
        &mut self,
        password: PasswordVerifier,
        now: Timestamp,
        cool_down: std::time::Duration,
    ) {
        self.password = password;
        self.has_changed();
        self.must_log_in_again(now);
        self.restrict(now, cool_down);
    }
}

/// A recovery that is under way, taken apart.
struct OpenPasswordRecovery {
    process: Stored<Process>,
    /// Held. `None`: nobody has that address.
    account: Option<Stored<Account>>,
    flow: PasswordRecoveryFlow,
}

impl People {
    /// Step 1.
    pub async fn start_password_recovery(
        self: &Arc<Self>,
        caller: Caller,
        way: Way,
    ) -> Result<ProcessId, Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let account = hub.peek_owner(tx, &way)?;
            let bound = account.as_ref().map(Bound::of);
            let subject = hub.subject(bound, &way);
            let event = Event::new(caller.surface, now, "password.recover", subject);
            hub.record(tx, event.by(&caller).outcome("started"))?;
            let flow = PasswordRecoveryFlow {
                way: way.clone(),
                bound,
                step: ProcessStep::Open,
            };
            hub.open_process(tx, now, Flow::PasswordRecovery(flow))
        })
        .await
    }

    /// Step 2. Without `kind` the code goes to the kind of address that started the process.
    ///
    /// Returns the kind, and the address that started the process if it is of that kind. Nothing in the answer depends
    /// on the account.
    pub async fn send_password_recovery_token(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        kind: Option<WayKind>,
    ) -> Result<(WayKind, Option<Way>, Sent), Error> {
        let now = self.now();
        self.decide(now, move |hub, tx| {
            let Some(mut open) = hub.open_password_recovery(tx, now, id)? else {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            };
            let flow = &open.flow;
            allowed!(flow.step.must_be_open());
            let kind = kind.unwrap_or(flow.way.kind);
            let account = open.account.as_deref();
            let (way, aim) = flow.recipient(account, kind);
            let instead = hub.recovery_notice(&caller, account, kind, now);
            let aim = instead.as_ref().map_or(aim, |_| Aim::Decoy);
            let counted = format!("{kind:?}");
            let send = ProcessSend {
                request: TokenIssue {
                    operation: Operation::PasswordRecovery,
                    slot: hub.process_slot(Operation::PasswordRecovery, &open.process),
                    way: &way,
                    aim,
                    counted_as: &format!("{} {counted}", flow.way.norm),
                    language: account.map_or(&caller.language, |account| &account.language),
                    phrase: account.and_then(|account| account.phrase.as_deref()),
                    left: None,
                    instead,
                },
                counted: &counted,
            };
            let issued =
                allowed!(hub.send_in_process(tx, now, &caller, &mut open.process, send)?);
            Ok(Verdict::Done((kind, flow.supplied(kind), issued)))
        })
        .await
    }

    /// The notice that leaves instead of the code when the address is too new to prove anything; to the other address,
    /// if there is one.
    fn recovery_notice(
        &self,
        caller: &Caller,
        account: Option<&Account>,
        kind: WayKind,
        now: Timestamp,
    ) -> Option<Message> {
        let account = account?;
        account.proves_after(kind, now, self.policy.new_address())?;
        let told = account.own(kind.other()).or(account.own(kind))?;
        Some(self.notice(
            caller.surface,
            account,
            &told.way,
            "password_recovery_attempt",
        ))
    }

    /// Step 3.
    pub async fn verify_password_recovery(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        text: SecretText,
    ) -> Result<(), Error> {
        let now = self.now();
        self.decide(now, move |hub, tx| {
            let Some(mut open) = hub.open_password_recovery(tx, now, id)? else {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            };
            allowed!(open.flow.step.must_be_open());
            let slot = hub.process_slot(Operation::PasswordRecovery, &open.process);
            let sent = hub.rows.peek(tx, slot)?;
            // Without a code there is nothing to guess: the process counts such a try, and the recovery of the address
            // does not.
            let tries = hub.policy.tokens.tries;
            let live = sent.filter(|token| token.is_live(now, tries));
            let lockout = live.map(|token| hub.recovery_lockout(&open.flow.way, token.way.kind));
            let proof = TokenProof {
                operation: Operation::PasswordRecovery,
                slot,
                way: None,
                text: &text,
                lockout,
                then: OnSuccess::Forget,
            };
            let proved = hub.prove(tx, now, &caller, &proof)?.and_then(|token| {
                // The address may have changed since the message was sent.
                let account = open.account.as_deref();
                let current = account.is_some_and(|account| account.still_has(&token.way));
                current
                    .then_some(())
                    .ok_or(Refusal::BadProof { left: Some(0) })
            });
            if let Err(refusal) = proved {
                let refusal = hub.process_failed(tx, &mut open.process, refusal)?;
                return Ok(Verdict::Refused(refusal));
            }
            let flow = PasswordRecoveryFlow {
                step: hub.verified(now),
                ..open.flow
            };
            hub.save_process(tx, &mut open.process, Flow::PasswordRecovery(flow))?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Step 4.
    pub async fn finish_password_recovery(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        password: Password,
    ) -> Result<(), Error> {
        let passwords = &self.policy.passwords;
        passwords.judge(&password, &[])?;
        let now = self.now();
        let account = self
            .find(move |hub, tx| {
                let proved = allowed!(hub.proved_password_recovery(tx, now, id)?);
                Ok(Verdict::Done(proved.1.value))
            })
            .await?;
        passwords.judge(&password, &account.names())?;
        let same = self
            .is_password(Some(account.password.clone()), password.clone())
            .await?;
        if same == Right::Yes {
            return Err(SAME_PASSWORD.into());
        }
        let verifier = self.hash_password(password).await?;
        let now = self.now();
        self.decide(now, move |hub, tx| {
            let (process, mut account) = allowed!(hub.proved_password_recovery(tx, now, id)?);
            hub.close_process(tx, &process)?;
            account.set_password(verifier.clone(), now, hub.policy.after_password);
            hub.rows.put(tx, &mut account)?;
            session::end_sessions(tx, account.key(), None)?;
            hub.forget_passwords(tx, &account)?;
            hub.tell(tx, now, &caller, &account, &Change::new("password_set"))?;
            let person = account.person.to_string();
            let event = Event::new(caller.surface, now, "password.recover", person);
            hub.record(tx, event.by(&caller))?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Forgets the wrong passwords, after the password was proved another way. What was counted for other secrets stays.
    pub(crate) fn forget_passwords(
        &self,
        tx: &mut dyn Tx,
        account: &Stored<Account>,
    ) -> TxResult<()> {
        for way in account.ways() {
            self.rows.remove(tx, self.login_lockout_anywhere(way).0)?;
        }
        let own = self.secret_lockout(Class::SignedIn, account.id(), Secret::Password);
        self.rows.remove(tx, own.0)?;
        // And those of each network that a password was tried from.
        tx.remove_children(Lockout::KIND, &account.id())?;
        Ok(())
    }

    /// The recovery that is under way. One for an account that changed since is over. For an address without an
    /// account the same read is made at a row that is not there.
    fn open_password_recovery(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Option<OpenPasswordRecovery>> {
        let Some(process) = self.process(tx, now, id)? else {
            return Ok(None);
        };
        let Flow::PasswordRecovery(flow) = process.flow.clone() else {
            return Ok(None);
        };
        let nobody = Bound {
            account: Id::new(process.id()),
            epoch: 0,
        };
        let account = self.bound_account(tx, flow.bound.unwrap_or(nobody))?;
        let over = flow.bound.is_some() && account.is_none();
        Ok((!over).then_some(OpenPasswordRecovery {
            process,
            account,
            flow,
        }))
    }

    /// The recovery with its account, if its code was right.
    #[expect(
        clippy::type_complexity,
        reason = "a process and its account, or why not"
    )]
    fn proved_password_recovery(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Result<(Stored<Process>, Stored<Account>), Refusal>> {
        let found = self.open_password_recovery(tx, now, id)?;
        let open = allowed!(found.ok_or(Refusal::UnknownSubject));
        allowed!(open.flow.step.must_be_verified());
        let account = allowed!(open.account.ok_or(Refusal::UnknownSubject));
        Ok(Ok((open.process, account)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::proof::account::tests::{EMAIL, PHONE, anna, anna_with_phone, at};

    fn flow() -> PasswordRecoveryFlow {
        PasswordRecoveryFlow {
            way: Way::email(EMAIL),
            bound: None,
            step: ProcessStep::Open,
        }
    }

    #[test]
    fn a_code_goes_to_the_accounts_address_of_the_kind_that_is_asked_for() {
        let account = anna_with_phone();
        assert_eq!(
            flow().recipient(Some(&account), WayKind::Phone),
            (Way::phone(PHONE), Aim::Real)
        );
        assert_eq!(
            flow().recipient(Some(&account), WayKind::Email),
            (Way::email(EMAIL), Aim::Real)
        );
    }

    #[test]
    fn without_such_an_address_a_decoy_goes_to_nobody() {
        let without_phone = flow().recipient(Some(&anna()), WayKind::Phone);
        let without_account = flow().recipient(None, WayKind::Phone);
        assert_eq!(without_phone, without_account);
        let (nobody, aim) = without_account;
        assert_eq!(aim, Aim::Decoy);
        assert_eq!(nobody.given, "");
        assert_ne!(nobody.norm, flow().recipient(None, WayKind::Email).0.norm);
    }

    #[test]
    fn the_answer_names_only_what_the_caller_supplied() {
        assert_eq!(flow().supplied(WayKind::Email), Some(Way::email(EMAIL)));
        assert_eq!(flow().supplied(WayKind::Phone), None);
    }

    #[test]
    fn a_code_proves_nothing_once_its_address_was_replaced() {
        let mut account = anna();
        assert!(account.still_has(&Way::email(EMAIL)));
        assert!(!account.still_has(&Way::phone(PHONE)));
        account.email.as_mut().unwrap().way = Way::email("new@example.com");
        assert!(!account.still_has(&Way::email(EMAIL)));
    }

    #[test]
    fn a_new_password_ends_what_was_begun_and_begins_a_cool_down() {
        let mut account = anna();
        let password = account.password.clone();
        account.set_password(password, at(0), Duration::from_secs(60));
        assert_eq!(account.epoch, 1);
        assert_eq!(account.restriction(at(59)), Some(at(60)));
    }
}
