//! Password recovery, for who has lost the password. Tells nobody whether there is an account.
//!
//! 1. [`People::start_password_recovery`] opens a process for an address, known or not.
//! 2. [`People::send_password_recovery_token`] sends a code to the chosen kind of address.
//! 3. [`People::verify_password_recovery`] takes it.
//! 4. [`People::finish_password_recovery`] sets the new password, ends all sessions, and logs nobody in.

use std::sync::Arc;

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::letter::Decides as _;
use crate::limit::counted::OnSuccess;
use crate::limit::lockout::{Drawn, Right};
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
use crate::proof::notice::Change;

/// A recovery that is open, taken apart.
struct OpenPasswordRecovery {
    process: Stored<Process>,
    way: Way,
    /// Held. `None`: nobody has that address.
    account: Option<Stored<Account>>,
    step: ProcessStep,
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
            let owner = hub.owner_of_address(tx, &way)?;
            let at = owner.unwrap_or_else(|| hub.identity_row(&way));
            let account = hub.rows.peek::<Account>(tx, &at)?;
            let bound = account.as_ref().map(Bound::of);
            let event = Event::new(
                caller.surface,
                now,
                "password.recover",
                hub.subject(owner, &way),
            );
            hub.record(tx, event.by(&caller).outcome("started"))?;
            hub.open_process(
                tx,
                now,
                Flow::PasswordRecovery {
                    way: way.clone(),
                    bound,
                    step: ProcessStep::Open,
                },
            )
        })
        .await
    }

    /// Step 2. Gives the address that started the process, if that is of the kind asked for; nothing in
    /// the answer depends on the account. Without `kind` it is the kind that started the process.
    pub async fn send_password_recovery_token(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        kind: Option<WayKind>,
    ) -> Result<(WayKind, Option<Way>, Sent), Error> {
        let now = self.now();
        self.decided(now, move |hub, tx| {
            let Some(mut open) = hub.recovery_process(tx, now, id)? else {
                return Ok(Err(Refusal::UnknownSubject));
            };
            if open.step != ProcessStep::Open {
                return Ok(Err(Refusal::WrongState));
            }
            let kind = kind.unwrap_or(open.way.kind);
            let account = open.account.take();
            let own = account
                .as_ref()
                .and_then(|account| account.own(kind))
                .map(|own| own.way.clone());
            let nobody = Way {
                kind,
                given: String::new(),
                norm: format!("?{kind:?} {}", open.way.norm),
            };
            let (way, aim) = own.map_or((nobody, Aim::Decoy), |way| (way, Aim::Real));
            let limit = hub.policy.tokens.sends_per_process;
            let kind_name = format!("{kind:?}");
            let sent = hub.issue_token(
                tx,
                now,
                &caller,
                &TokenIssue {
                    operation: Operation::PasswordRecovery,
                    slot: hub.process_slot(Operation::PasswordRecovery, &open.process),
                    way: &way,
                    aim,
                    counted_as: &format!("{} {kind_name}", open.way.norm),
                    language: account
                        .as_ref()
                        .map_or(&caller.language, |account| &account.language),
                    phrase: account
                        .as_ref()
                        .and_then(|account| account.phrase.as_deref()),
                    left: open.process.left(&kind_name, limit),
                    instead: None,
                },
            )?;
            open.process.sent(now, &kind_name, sent);
            hub.rows.put(tx, &mut open.process)?;
            let supplied = (open.way.kind == kind).then_some(open.way);
            Ok(Ok((kind, supplied, sent)))
        })
        .await
    }

    /// Step 3.
    pub async fn verify_password_recovery(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        text: SecretText,
    ) -> Result<(), Error> {
        let now = self.now();
        self.decided(now, move |hub, tx| {
            let Some(mut open) = hub.recovery_process(tx, now, id)? else {
                return Ok(Err(Refusal::UnknownSubject));
            };
            if open.step != ProcessStep::Open {
                return Ok(Err(Refusal::WrongState));
            }
            let proof = TokenProof {
                operation: Operation::PasswordRecovery,
                slot: hub.process_slot(Operation::PasswordRecovery, &open.process),
                way: None,
                text: &text,
                drawn: Some(hub.recovery_class(&open.way)),
                then: OnSuccess::Forget,
            };
            let token = match hub.prove(tx, now, &caller, &proof)? {
                Ok(token) => token,
                Err(refusal) => {
                    return Ok(Err(hub.process_failed(tx, &mut open.process, refusal)?));
                }
            };
            // The address may have changed since the letter went out.
            let current = open
                .account
                .as_ref()
                .and_then(|account| account.way(token.way.kind).ok());
            if current.is_none_or(|way| !way.same(&token.way)) {
                let dead = Refusal::BadProof { left: Some(0) };
                return Ok(Err(hub.process_failed(tx, &mut open.process, dead)?));
            }
            if let Flow::PasswordRecovery { step, .. } = &mut open.process.flow {
                *step = hub.verified(now);
            }
            hub.rows.put(tx, &mut open.process)?;
            Ok(Ok(()))
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
        self.judge_early(&password)?;
        let now = self.now();
        let account = self
            .read(move |hub, tx| hub.proved(tx, now, id))
            .await?
            .map_err(Error::Refused)?;
        let names = account.names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.policy.passwords.judge(&password, &names)?;
        let same = self
            .is_password(Some(account.password.clone()), password.clone())
            .await?;
        if same == Right::Yes {
            return Err(Refusal::Invalid {
                field: "password",
                why: "the current one",
            }
            .into());
        }
        let verifier = self.hash_password(password).await?;
        let now = self.now();
        self.decided(now, move |hub, tx| {
            let (process, mut account) = match hub.proved_process(tx, now, id)? {
                Ok(found) => found,
                Err(refusal) => return Ok(Err(refusal)),
            };
            hub.close_process(tx, &process)?;
            account.password = verifier.clone();
            account.has_changed();
            account.restrict(now, hub.policy.after_password);
            hub.rows.put(tx, &mut account)?;
            session::end_sessions(tx, account.id(), None)?;
            hub.unlock_login(tx, &account)?;
            hub.tell(
                tx,
                now,
                &caller,
                &account,
                "password_set",
                &Change::default(),
            )?;
            let event = Event::new(
                caller.surface,
                now,
                "password.recover",
                account.person.to_string(),
            );
            hub.record(tx, event.by(&caller))?;
            Ok(Ok(()))
        })
        .await
    }

    /// A password that was proved another way opens what wrong passwords had locked.
    pub(crate) fn unlock_login(&self, tx: &mut dyn Tx, account: &Stored<Account>) -> TxResult<()> {
        for way in account.ways() {
            for (row, _) in self.login_lockouts(way, "").into_iter().skip(1) {
                tx.remove("lockout", &row)?;
            }
        }
        tx.remove("lockout", &self.class(Class::Login, account.id()).0)?;
        Ok(())
    }

    /// Counted by the text of the address, whether or not it leads to an account.
    pub(crate) fn recovery_class(&self, way: &Way) -> Drawn {
        self.class(Class::PasswordRecovery, self.identity_row(way))
    }

    /// The open recovery. One for an account that changed since is over; for nobody the same look is
    /// taken at a row that is not there.
    fn recovery_process(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Option<OpenPasswordRecovery>> {
        let Some(process) = self.process(tx, now, id)? else {
            return Ok(None);
        };
        let Flow::PasswordRecovery { way, bound, step } = &process.flow else {
            return Ok(None);
        };
        let (way, bound, step) = (way.clone(), *bound, step.clone());
        let nobody = Bound {
            account: process.id().0,
            epoch: 0,
        };
        let account = self.bound_account(tx, bound.unwrap_or(nobody))?;
        let over = bound.is_some() && account.is_none();
        Ok((!over).then_some(OpenPasswordRecovery {
            process,
            way,
            account,
            step,
        }))
    }

    #[expect(
        clippy::type_complexity,
        reason = "a process and its account, or why not"
    )]
    fn proved_process(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Result<(Stored<Process>, Stored<Account>), Refusal>> {
        let Some(open) = self.recovery_process(tx, now, id)? else {
            return Ok(Err(Refusal::UnknownSubject));
        };
        if !matches!(open.step, ProcessStep::Verified { .. }) {
            return Ok(Err(Refusal::WrongState));
        }
        Ok(open
            .account
            .map(|account| (open.process, account))
            .ok_or(Refusal::UnknownSubject))
    }

    fn proved(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Result<Account, Refusal>> {
        Ok(self
            .proved_process(tx, now, id)?
            .map(|(_, account)| account.value))
    }
}
