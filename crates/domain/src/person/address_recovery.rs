//! Recovery of a lost address, for who has the password and the account's other address.
//!
//! 1. [`People::start_address_recovery`] checks the password.
//! 2. [`People::send_address_recovery_token`] sends a code to the address that is not lost.
//! 3. [`People::verify_address_recovery`] takes it, and a code of the authenticator if there is one.
//! 4. [`People::send_recovered_address_token`] sends a code to the new address.
//! 5. [`People::finish_address_recovery`] takes it and replaces the lost address. All sessions end.

use std::sync::Arc;

use crate::core::caller::Caller;
use crate::core::error::{Condition, Error, Refusal};
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::letter::Decides as _;
use crate::limit::counted::OnSuccess;
use crate::limit::lockout::Right;
use crate::person::People;
use crate::person::process::{Flow, Process, ProcessId, ProcessStep};
use crate::proof::account::Bound;
use crate::proof::password::Password;
use crate::proof::session;
use crate::proof::token::{Aim, Operation, Sent, TokenIssue, TokenProof};
use crate::trail::audit::Event;

use super::account::Class;
use super::{Way, WayKind};
use crate::proof::account::Account;
use crate::proof::authenticator::Authenticator;
use crate::proof::notice::Change;

/// A recovery that is open, taken apart.
struct OpenAddressRecovery {
    process: Stored<Process>,
    account: Stored<Account>,
    lost: WayKind,
    step: ProcessStep,
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
            let event = Event::new(
                caller.surface,
                now,
                "address.recover",
                hub.subject(found.map(Bound::row), &way),
            );
            let event = event.by(&caller);
            let account = hub.account_checked(tx, found, &way)?;
            let (Some(account), Right::Yes) = (account, tried.right) else {
                hub.record(tx, event.outcome("wrong"))?;
                return Ok(Err(Refusal::BadProof { left: None }));
            };
            if account.own(lost).is_none() {
                return Ok(Err(Refusal::Unmet(Condition::HasAddress)));
            }
            if account.own(lost.other()).is_none() {
                return Ok(Err(Refusal::Unmet(Condition::SpareAddress)));
            }
            hub.record(tx, event.outcome("started"))?;
            let flow = Flow::AddressRecovery {
                bound: Bound::of(&account),
                lost,
                step: ProcessStep::Open,
            };
            Ok(Ok(hub.open_process(tx, now, flow)?))
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
        self.decided(now, move |hub, tx| {
            let Some(mut open) = hub.address_recovery(tx, now, id)? else {
                return Ok(Err(Refusal::UnknownSubject));
            };
            if open.step != ProcessStep::Open {
                return Ok(Err(Refusal::WrongState));
            }
            if to == Some(open.lost) {
                return Ok(Err(Refusal::Unmet(Condition::OtherWay)));
            }
            let way = open.account.way(open.lost.other())?;
            let sent = hub.issue_token(
                tx,
                now,
                &caller,
                &TokenIssue {
                    operation: Operation::AddressRecovery,
                    slot: hub.process_slot(Operation::AddressRecovery, &open.process),
                    way: &way,
                    aim: Aim::Real,
                    counted_as: &way.norm,
                    language: &open.account.language,
                    phrase: open.account.phrase.as_deref(),
                    left: open
                        .process
                        .left(&way.norm, hub.policy.tokens.sends_per_process),
                    instead: None,
                },
            )?;
            open.process.sent(now, &way.norm, sent);
            hub.rows.put(tx, &mut open.process)?;
            Ok(Ok((way, sent)))
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
        self.decided(now, move |hub, tx| {
            let Some(mut open) = hub.address_recovery(tx, now, id)? else {
                return Ok(Err(Refusal::UnknownSubject));
            };
            if open.step != ProcessStep::Open {
                return Ok(Err(Refusal::WrongState));
            }
            let drawn = hub.class(Class::Login, open.account.id());
            if open
                .account
                .authenticator
                .as_ref()
                .is_some_and(Authenticator::is_on)
            {
                // Before the token, which a missing or wrong code of the app must not use up.
                let Some(code) = &authenticator else {
                    return Ok(Err(Refusal::Invalid {
                        field: "googleToken",
                        why: "the account has an authenticator",
                    }));
                };
                let judged = hub.judge_authenticator(
                    tx,
                    now,
                    &caller,
                    &mut open.account,
                    code,
                    drawn,
                    OnSuccess::Keep,
                )?;
                if let Err(refusal) = judged {
                    return Ok(Err(hub.process_failed(tx, &mut open.process, refusal)?));
                }
            }
            let way = open.account.way(open.lost.other())?;
            let proof = TokenProof {
                operation: Operation::AddressRecovery,
                slot: hub.process_slot(Operation::AddressRecovery, &open.process),
                way: Some(&way),
                text: &text,
                drawn: Some(drawn),
                then: OnSuccess::Forget,
            };
            if let Err(refusal) = hub.prove(tx, now, &caller, &proof)? {
                return Ok(Err(hub.process_failed(tx, &mut open.process, refusal)?));
            }
            let verified = hub.verified(now);
            open.go_to(verified);
            hub.rows.put(tx, &mut open.process)?;
            Ok(Ok(()))
        })
        .await
    }

    /// Step 4. May be repeated with a corrected address.
    pub async fn send_recovered_address_token(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        way: Way,
    ) -> Result<Sent, Error> {
        let now = self.now();
        self.decided(now, move |hub, tx| {
            let Some(mut open) = hub.address_recovery(tx, now, id)? else {
                return Ok(Err(Refusal::UnknownSubject));
            };
            if open.step == ProcessStep::Open {
                return Ok(Err(Refusal::WrongState));
            }
            if way.kind != open.lost || open.account.way(open.lost)?.same(&way) {
                return Ok(Err(Refusal::Invalid {
                    field: "destination",
                    why: "not a new address of the lost kind",
                }));
            }
            let (aim, instead) = hub.aim_at_new(tx, &caller, &way, open.account.id())?;
            let sent = hub.issue_token(
                tx,
                now,
                &caller,
                &TokenIssue {
                    operation: Operation::AddressRecoveryNew,
                    slot: hub.process_slot(Operation::AddressRecoveryNew, &open.process),
                    way: &way,
                    aim,
                    counted_as: &way.norm,
                    language: &open.account.language,
                    phrase: open.account.phrase.as_deref(),
                    left: open
                        .process
                        .left(&way.norm, hub.policy.tokens.sends_per_process),
                    instead,
                },
            )?;
            open.go_to(ProcessStep::NewAddressSent { way: way.clone() });
            open.process.sent(now, &way.norm, sent);
            hub.rows.put(tx, &mut open.process)?;
            Ok(Ok(sent))
        })
        .await
    }

    /// Step 5.
    pub async fn finish_address_recovery(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        text: SecretText,
    ) -> Result<(), Error> {
        let now = self.now();
        self.decided(now, move |hub, tx| {
            let Some(mut open) = hub.address_recovery(tx, now, id)? else {
                return Ok(Err(Refusal::UnknownSubject));
            };
            let sent_to = match &open.step {
                ProcessStep::NewAddressSent { way } => Some(way.clone()),
                ProcessStep::Open | ProcessStep::Verified { .. } => None,
            };
            let proof = TokenProof {
                operation: Operation::AddressRecoveryNew,
                slot: hub.process_slot(Operation::AddressRecoveryNew, &open.process),
                way: sent_to.as_ref(),
                text: &text,
                drawn: Some(hub.class(Class::Login, open.account.id())),
                // Whoever recovers names the address: its code proves nothing that was guessed before.
                then: OnSuccess::Keep,
            };
            let token = match hub.prove(tx, now, &caller, &proof)? {
                Ok(token) => token,
                Err(refusal) => {
                    return Ok(Err(hub.process_failed(tx, &mut open.process, refusal)?));
                }
            };
            hub.close_process(tx, &open.process)?;
            let old = match hub.replace_address(tx, now, &mut open.account, token.way)? {
                Ok(old) => old,
                Err(refusal) => return Ok(Err(refusal)),
            };
            open.account.restrict(now, hub.policy.after_recovery);
            hub.rows.put(tx, &mut open.account)?;
            session::end_sessions(tx, open.account.id(), None)?;
            let about = Change {
                address: Some(&old),
                also: Some(&old),
            };
            hub.tell(tx, now, &caller, &open.account, "key_recovered", &about)?;
            let event = Event::new(
                caller.surface,
                now,
                "address.recover",
                open.account.person.to_string(),
            );
            hub.record(tx, event.by(&caller))?;
            Ok(Ok(()))
        })
        .await
    }

    /// Puts a proved address in the place of the one of its kind, whose second step it keeps. Gives the old one.
    pub(crate) fn replace_address(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        account: &mut Stored<Account>,
        new: Way,
    ) -> TxResult<Result<Way, Refusal>> {
        if !self.claim_address(tx, &new, account.id())? {
            return Ok(Err(Refusal::Conflict));
        }
        let Some(own) = account.own_mut(new.kind) else {
            return Ok(Err(Refusal::Unmet(Condition::HasAddress)));
        };
        let old = std::mem::replace(&mut own.way, new);
        own.verified = now;
        account.has_changed();
        self.release_address(tx, &old)?;
        Ok(Ok(old))
    }

    /// Whether a code may go to a new address, or its owner is told that somebody wants it.
    pub(crate) fn aim_at_new(
        &self,
        tx: &mut dyn Tx,
        caller: &Caller,
        way: &Way,
        account: crate::core::port::store::RowId,
    ) -> TxResult<(Aim, Option<crate::core::message::Message>)> {
        let owner = self.owner_of_address(tx, way)?;
        // The same look for a free address.
        let at = owner.unwrap_or_else(|| self.identity_row(way));
        let found = self.rows.peek::<Account>(tx, &at)?;
        Ok(match owner {
            None => (Aim::Real, None),
            Some(owner) if owner == account => (Aim::Decoy, None),
            Some(_) => {
                let told =
                    found.map(|owner| self.notice(caller.surface, &owner, way, "key_attempt"));
                (Aim::Decoy, told)
            }
        })
    }

    fn address_recovery(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Option<OpenAddressRecovery>> {
        let Some(process) = self.process(tx, now, id)? else {
            return Ok(None);
        };
        let Flow::AddressRecovery { bound, lost, step } = &process.flow else {
            return Ok(None);
        };
        let (bound, lost, step) = (*bound, *lost, step.clone());
        let account = self.bound_account(tx, bound)?;
        Ok(account.map(|account| OpenAddressRecovery {
            process,
            account,
            lost,
            step,
        }))
    }
}

impl OpenAddressRecovery {
    fn go_to(&mut self, to: ProcessStep) {
        if let Flow::AddressRecovery { step, .. } = &mut self.process.value.flow {
            *step = to;
        }
    }
}
