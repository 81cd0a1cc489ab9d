//! Recovery of a lost address, for somebody who has the password and the account's other address.
//!
//! 1. [`People::start_address_recovery`] checks the password.
//! 2. [`People::send_address_recovery_token`] sends a code to the address that is not lost.
//! 3. [`People::verify_address_recovery`] takes it, and a code of the authenticator if there is one.
//! 4. [`People::send_recovered_address_token`] sends a code to the new address.
//! 5. [`People::finish_address_recovery`] takes it and replaces the lost address. All sessions end.

mod flow;

use std::sync::Arc;

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::message::Message;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::letter::Decides as _;
use crate::limit::counted::OnSuccess;
use crate::person::People;
use crate::person::process::{Flow, Process, ProcessId, ProcessSend, ProcessStep};
use crate::proof::account::{Account, Bound};
use crate::proof::authenticator::AuthenticatorProof;
use crate::proof::notice::Change;
use crate::proof::password::Password;
use crate::proof::session;
use crate::proof::token::{Aim, Operation, Sent, TokenIssue, TokenProof};
use crate::trail::audit::Event;

use super::account::{Class, Secret};
use super::{Way, WayKind};

pub(crate) use flow::AddressRecoveryFlow;

/// A recovery that is under way, taken apart.
struct OpenAddressRecovery {
    process: Stored<Process>,
    /// Held.
    account: Stored<Account>,
    flow: AddressRecoveryFlow,
}

impl People {
    /// Step 1. Shares the counters of the login.
    pub async fn start_address_recovery(
        self: &Arc<Self>,
        caller: Caller,
        way: Way,
        password: Password,
        lost: WayKind,
    ) -> Result<ProcessId, Error> {
        let account = self.find_person(&way).await?;
        let attempt = self.login_attempt(&caller, &way, account.as_ref(), password);
        let found = account.as_ref().map(Bound::of);
        self.try_password(self, attempt, move |hub, tx, now, tried| {
            let subject = hub.subject(found, &way);
            let event = Event::new(caller.surface, now, "address.recover", subject).by(&caller);
            let Some(account) = hub.account_proved(tx, found, &way, tried.right)? else {
                hub.record(tx, event.outcome("wrong"))?;
                return Ok(Err(Refusal::BadProof { left: None }));
            };
            allowed!(account.may_recover(lost));
            allowed!(account.may_prove_with(lost.other(), now, hub.policy.new_address()));
            hub.record(tx, event.outcome("started"))?;
            let flow = AddressRecoveryFlow {
                bound: Bound::of(&account),
                lost,
                step: ProcessStep::Open,
            };
            Ok(Ok(hub.open_process(
                tx,
                now,
                Flow::AddressRecovery(flow),
            )?))
        })
        .await
    }

    /// Step 2. `to`: what the caller thinks the code goes to.
    pub async fn send_address_recovery_token(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        to: Option<WayKind>,
    ) -> Result<(Way, Sent), Error> {
        let now = self.now();
        self.decide(now, move |hub, tx| {
            let Some(mut open) = hub.open_address_recovery(tx, now, id)? else {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            };
            allowed!(open.flow.step.must_be_open());
            let way = allowed!(open.flow.kept_way(&open.account, to));
            let aim = (Aim::Real, None);
            let sent = hub.send_recovery(
                tx,
                now,
                &caller,
                &mut open,
                (Operation::AddressRecovery, &way, aim),
            )?;
            let sent = allowed!(sent);
            Ok(Verdict::Done((way, sent)))
        })
        .await
    }

    /// Step 3.
    pub async fn verify_address_recovery(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        text: SecretText,
        authenticator: Option<SecretText>,
    ) -> Result<(), Error> {
        let now = self.now();
        self.decide(now, move |hub, tx| {
            let Some(mut open) = hub.open_address_recovery(tx, now, id)? else {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            };
            allowed!(open.flow.step.must_be_open());
            let way = allowed!(open.flow.kept_way(&open.account, None));
            let code = authenticator.as_ref();
            let judged =
                match hub.judge_recovery_authenticator(tx, now, &caller, &mut open, code)? {
                    Ok(()) => {
                        let proof = TokenProof {
                            operation: Operation::AddressRecovery,
                            slot: hub.process_slot(Operation::AddressRecovery, &open.process),
                            way: Some(&way),
                            text: &text,
                            lockout: Some(hub.secret_lockout(
                                Class::Login,
                                open.account.id(),
                                Secret::Codes(&way),
                            )),
                            then: OnSuccess::Forget,
                        };
                        hub.prove(tx, now, &caller, &proof)?.map(drop)
                    }
                    Err(refusal) => Err(refusal),
                };
            if let Err(refusal) = judged {
                let refusal = hub.process_failed(tx, &mut open.process, refusal)?;
                return Ok(Verdict::Refused(refusal));
            }
            let step = hub.verified(now);
            hub.go_to(tx, open, step)?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Judges the code of an authenticator that is on, before the token: a missing or wrong code of the app must not
    /// use the token up.
    fn judge_recovery_authenticator(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        open: &mut OpenAddressRecovery,
        code: Option<&SecretText>,
    ) -> TxResult<Result<(), Refusal>> {
        if !open.account.has_authenticator() {
            return Ok(Ok(()));
        }
        let text = allowed!(code.ok_or(Refusal::Invalid {
            field: "authenticator",
            why: "the account has an authenticator",
        }));
        let proof = AuthenticatorProof {
            text,
            lockout: self.secret_lockout(Class::Login, open.account.id(), Secret::Authenticator),
            then: OnSuccess::Forget,
        };
        self.judge_authenticator(tx, now, caller, &mut open.account, &proof)
    }

    /// Step 4. May be repeated with a corrected address.
    pub async fn send_recovered_address_token(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        way: Way,
    ) -> Result<Sent, Error> {
        let now = self.now();
        self.decide(now, move |hub, tx| {
            let Some(mut open) = hub.open_address_recovery(tx, now, id)? else {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            };
            allowed!(open.flow.may_recover_to(&open.account, &way));
            let aim = hub.aim_at_new(tx, caller.surface, &way, open.account.key())?;
            let way = way.clone();
            open.process.flow = Flow::AddressRecovery(AddressRecoveryFlow {
                step: ProcessStep::NewAddressSent { way: way.clone() },
                ..open.flow.clone()
            });
            let send = (Operation::AddressRecoveryNew, &way, aim);
            Ok(hub.send_recovery(tx, now, &caller, &mut open, send)?.into())
        })
        .await
    }

    /// Sends a code of the recovery, and counts the send.
    fn send_recovery(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        open: &mut OpenAddressRecovery,
        (operation, way, (aim, instead)): (Operation, &Way, (Aim, Option<Message>)),
    ) -> TxResult<Result<Sent, Refusal>> {
        let send = ProcessSend {
            request: TokenIssue {
                operation,
                slot: self.process_slot(operation, &open.process),
                way,
                aim,
                counted_as: &way.norm,
                language: &open.account.language,
                phrase: open.account.phrase.as_deref(),
                left: None,
                instead,
            },
            counted: &way.norm,
        };
        self.send_in_process(tx, now, caller, &mut open.process, send)
    }

    /// Step 5.
    pub async fn finish_address_recovery(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        text: SecretText,
    ) -> Result<(), Error> {
        let now = self.now();
        self.decide(now, move |hub, tx| {
            let Some(mut open) = hub.open_address_recovery(tx, now, id)? else {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            };
            let proof = TokenProof {
                operation: Operation::AddressRecoveryNew,
                slot: hub.process_slot(Operation::AddressRecoveryNew, &open.process),
                way: open.flow.sent_to(),
                text: &text,
                lockout: Some(hub.secret_lockout(
                    Class::Login,
                    open.account.id(),
                    Secret::NewAddress,
                )),
                // The caller chose the new address, so its code proves nothing about the guesses before.
                then: OnSuccess::Keep,
            };
            match hub.prove(tx, now, &caller, &proof)? {
                Ok(token) => {
                    let replaced = hub.complete_recovery(tx, now, &caller, open, token.way)?;
                    Ok(replaced.into())
                }
                Err(refusal) => {
                    let refusal = hub.process_failed(tx, &mut open.process, refusal)?;
                    Ok(Verdict::Refused(refusal))
                }
            }
        })
        .await
    }

    /// Replaces the lost address. The process is over even if somebody else has the new address by now.
    fn complete_recovery(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        open: OpenAddressRecovery,
        new: Way,
    ) -> TxResult<Result<(), Refusal>> {
        let mut account = open.account;
        self.close_process(tx, &open.process)?;
        let old = allowed!(self.replace_address(tx, now, &mut account, new)?);
        account.restrict(now, self.policy.after_recovery);
        self.rows.put(tx, &mut account)?;
        session::end_sessions(tx, account.key(), None)?;
        let change = Change::new("key_recovered").about(&old).also_to(&old);
        self.tell(tx, now, caller, &account, &change)?;
        let person = account.person.to_string();
        let event = Event::new(caller.surface, now, "address.recover", person);
        self.record(tx, event.by(caller))?;
        Ok(Ok(()))
    }

    /// Gives the account a proved address in the place of the one of its kind, which is free then. Returns the old one.
    /// The account itself is not saved.
    pub(crate) fn replace_address(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        account: &mut Stored<Account>,
        new: Way,
    ) -> TxResult<Result<Way, Refusal>> {
        if !self.claim_address(tx, &new, account.key())? {
            return Ok(Err(Refusal::Conflict));
        }
        let old = allowed!(account.replace(new, now));
        self.release_address(tx, &old)?;
        Ok(Ok(old))
    }

    /// Whether a code may go to a new address. If it belongs to somebody else, they are told that somebody wants it.
    pub(crate) fn aim_at_new(
        &self,
        tx: &mut dyn Tx,
        surface: &str,
        way: &Way,
        account: Id<Account>,
    ) -> TxResult<(Aim, Option<Message>)> {
        Ok(match self.peek_owner(tx, way)? {
            None => (Aim::Real, None),
            Some(owner) if owner.key() == account => (Aim::Decoy, None),
            Some(owner) => {
                let told = self.notice(surface, &owner, way, "key_attempt");
                (Aim::Decoy, Some(told))
            }
        })
    }

    fn open_address_recovery(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Option<OpenAddressRecovery>> {
        let Some(process) = self.process(tx, now, id)? else {
            return Ok(None);
        };
        let Flow::AddressRecovery(flow) = process.flow.clone() else {
            return Ok(None);
        };
        let account = self.bound_account(tx, flow.bound)?;
        Ok(account.map(|account| OpenAddressRecovery {
            process,
            account,
            flow,
        }))
    }

    fn go_to(
        &self,
        tx: &mut dyn Tx,
        mut open: OpenAddressRecovery,
        step: ProcessStep,
    ) -> TxResult<()> {
        let flow = AddressRecoveryFlow { step, ..open.flow };
        self.save_process(tx, &mut open.process, Flow::AddressRecovery(flow))
    }
}
