//! Login.
//!
//! 1. [`People::log_in`] checks the password. Without a second step that is all.
//! 2. [`People::send_login_token`] sends the code of a step, for each step, in any order.
//! 3. [`People::verify_login`] takes codes, of addresses or of an authenticator, until no step is left.

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
use crate::person::process::{Flow, Process, ProcessId};
use crate::proof::account::Bound;
use crate::proof::password::Password;
use crate::proof::password::attempt::Attempt;
use crate::proof::session::{NewSession, Tokens};
use crate::proof::token::{Aim, Operation, Sent, TokenIssue, TokenProof};
use crate::trail::audit::Event;

use super::account::Class;
use super::policy::{Offer, StepsNeeded};
use super::{Factor, Way, WayKind};
use crate::proof::account::Account;
use crate::proof::notice::Change;

/// How far a login got.
#[derive(Debug)]
pub enum LoggedIn {
    Done(Tokens),
    /// These steps are left.
    Steps {
        process: ProcessId,
        left: Vec<Factor>,
    },
}

/// A login inside its transaction, before tokens are signed.
enum LoginProgress {
    Done(Box<NewSession>),
    Steps(ProcessId, Vec<Factor>),
}

/// A code, and the step it is for; `None` where only one is left.
#[derive(Debug, Clone)]
pub struct PresentedCode {
    pub factor: Option<Factor>,
    pub text: SecretText,
}

/// Of so many wrong codes in a row after a right password the owner is told, whether they were tried in
/// one process or in many.
const TELL_AFTER: u32 = 5;

impl People {
    /// Step 1. An unknown address costs the same hash and gets the same answer.
    pub async fn log_in(
        self: &Arc<Self>,
        caller: Caller,
        way: Way,
        password: Password,
    ) -> Result<LoggedIn, Error> {
        let account = self.find_person(&way).await?;
        let attempt = self.login_attempt(&caller, &way, account.as_ref(), password);
        let found = account.as_ref().map(Bound::of);
        let progress = self
            .try_password(self, attempt, move |hub, tx, now, tried| {
                let event = Event::new(
                    caller.surface,
                    now,
                    "account.login",
                    hub.subject(found.map(Bound::row), &way),
                );
                let event = event.by(&caller);
                let account = hub.account_checked(tx, found, &way)?;
                let (Some(mut account), Right::Yes) = (account, tried.right) else {
                    hub.record(tx, event.outcome("wrong"))?;
                    return Ok(Err(Refusal::BadProof { left: None }));
                };
                if let Some(renewed) = &tried.renewed {
                    account.password = renewed.clone();
                    hub.rows.put(tx, &mut account)?;
                }
                let steps = match hub.policy.second_step {
                    Offer::On => account.second_steps(),
                    Offer::Off => Vec::new(),
                };
                if steps.is_empty() {
                    hub.record(tx, event)?;
                    let opened = hub.open_session(tx, now, &account, &["pwd"])?;
                    return Ok(Ok(LoginProgress::Done(Box::new(opened))));
                }
                let bound = Bound::of(&account);
                let flow = Flow::Login {
                    bound,
                    pending: steps.clone(),
                };
                let id = hub.open_process(tx, now, flow)?;
                hub.record(tx, event.outcome("second step"))?;
                Ok(Ok(LoginProgress::Steps(id, steps)))
            })
            .await?;
        self.logged_in(progress).await
    }

    /// Step 2.
    pub async fn send_login_token(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        kind: WayKind,
    ) -> Result<(Way, Sent), Error> {
        let now = self.now();
        self.decided(now, move |hub, tx| {
            let Some((mut process, account, pending)) = hub.login_process(tx, now, id)? else {
                return Ok(Err(Refusal::UnknownSubject));
            };
            if !pending.contains(&kind.factor()) {
                return Ok(Err(Refusal::Unmet(Condition::FactorOn)));
            }
            let way = account.way(kind)?;
            let sent = hub.issue_token(
                tx,
                now,
                &caller,
                &TokenIssue {
                    operation: Operation::Login,
                    slot: hub.login_slot(&process, kind),
                    way: &way,
                    aim: Aim::Real,
                    counted_as: &way.norm,
                    language: &account.language,
                    phrase: account.phrase.as_deref(),
                    left: process.left(&way.norm, hub.policy.tokens.sends_per_process),
                    instead: None,
                },
            )?;
            process.sent(now, &way.norm, sent);
            hub.rows.put(tx, &mut process)?;
            Ok(Ok((way, sent)))
        })
        .await
    }

    /// Step 3. Right codes count even if a later one of the same call is wrong.
    pub async fn verify_login(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        codes: Vec<PresentedCode>,
    ) -> Result<LoggedIn, Error> {
        let now = self.now();
        let progress = self
            .decided(now, move |hub, tx| {
                let Some((mut process, mut account, mut left)) = hub.login_process(tx, now, id)?
                else {
                    return Ok(Err(Refusal::UnknownSubject));
                };
                let codes = match named(&codes, &left) {
                    Ok(codes) => codes,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                for (factor, text) in codes {
                    let judged =
                        hub.judge_step(tx, now, &caller, &process, &mut account, factor, text)?;
                    if let Err(refusal) = judged {
                        set_pending(&mut process, &left);
                        return Ok(Err(hub.login_failed(
                            tx,
                            now,
                            &caller,
                            &mut process,
                            &account,
                            refusal,
                        )?));
                    }
                    left.retain(|pending| *pending != factor);
                }
                if hub.policy.steps_needed == StepsNeeded::Any {
                    left.clear();
                }
                if !left.is_empty() {
                    set_pending(&mut process, &left);
                    hub.rows.put(tx, &mut process)?;
                    return Ok(Ok(LoginProgress::Steps(id, left)));
                }
                hub.close_process(tx, &process)?;
                hub.forget_failures(tx, now, hub.class(Class::Login, account.id()))?;
                let event = Event::new(
                    caller.surface,
                    now,
                    "account.login",
                    account.person.to_string(),
                );
                hub.record(tx, event.by(&caller))?;
                let opened = hub.open_session(tx, now, &account, &["pwd", "otp"])?;
                Ok(Ok(LoginProgress::Done(Box::new(opened))))
            })
            .await?;
        self.logged_in(progress).await
    }

    async fn logged_in(self: &Arc<Self>, progress: LoginProgress) -> Result<LoggedIn, Error> {
        Ok(match progress {
            LoginProgress::Done(opened) => LoggedIn::Done(self.tokens(self.now(), &opened).await?),
            LoginProgress::Steps(process, left) => LoggedIn::Steps { process, left },
        })
    }

    /// A try at the password of who is reached at `way`.
    pub(crate) fn login_attempt(
        &self,
        caller: &Caller,
        way: &Way,
        account: Option<&Stored<Account>>,
        password: Password,
    ) -> Attempt {
        Attempt {
            line: self.identity_row(way),
            drawn: self.login_lockouts(way, &caller.network),
            verifier: account.map(|account| account.password.clone()),
            password,
            new: None,
            then: OnSuccess::Forget,
        }
    }

    /// What the trail names: the account, or the keyed hash of an address that is nobody's.
    pub(crate) fn subject(
        &self,
        account: Option<crate::core::port::store::RowId>,
        way: &Way,
    ) -> String {
        account.unwrap_or_else(|| self.identity_row(way)).alias()
    }

    #[expect(
        clippy::type_complexity,
        reason = "the parts of one record, taken apart once"
    )]
    fn login_process(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Option<(Stored<Process>, Stored<Account>, Vec<Factor>)>> {
        let Some(process) = self.process(tx, now, id)? else {
            return Ok(None);
        };
        let Flow::Login { bound, pending, .. } = &process.flow else {
            return Ok(None);
        };
        let pending = pending.clone();
        let account = self.bound_account(tx, *bound)?;
        Ok(account.map(|account| (process, account, pending)))
    }

    fn login_slot(
        &self,
        process: &Stored<Process>,
        kind: WayKind,
    ) -> crate::core::port::store::RowId {
        self.token_slot(Operation::Login, &[&process.id().0, kind.name().as_bytes()])
    }

    #[expect(clippy::too_many_arguments, reason = "one private step of the login")]
    fn judge_step(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        process: &Stored<Process>,
        account: &mut Stored<Account>,
        factor: Factor,
        text: &SecretText,
    ) -> TxResult<Result<(), Refusal>> {
        let drawn = self.class(Class::Login, account.id());
        let Some(kind) = factor.way() else {
            return self.judge_authenticator(
                tx,
                now,
                caller,
                account,
                text,
                drawn,
                OnSuccess::Keep,
            );
        };
        let way = account.way(kind)?;
        let proof = TokenProof {
            operation: Operation::Login,
            slot: self.login_slot(process, kind),
            way: Some(&way),
            text,
            drawn: Some(drawn),
            then: OnSuccess::Keep,
        };
        Ok(self.prove(tx, now, caller, &proof)?.map(|_| ()))
    }

    fn login_failed(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        process: &mut Stored<Process>,
        account: &Stored<Account>,
        refusal: Refusal,
    ) -> TxResult<Refusal> {
        let drawn = self.class(Class::Login, account.id());
        let in_a_row = self.lockout(tx, now, drawn.0)?.in_a_row();
        let wrong = matches!(refusal, Refusal::BadProof { .. });
        if wrong && in_a_row.is_multiple_of(TELL_AFTER) {
            self.tell(tx, now, caller, account, "mfa_failed", &Change::default())?;
        }
        self.process_failed(tx, process, refusal)
    }
}

/// The codes with their steps; each step must be one that is left.
fn named<'a>(
    codes: &'a [PresentedCode],
    left: &[Factor],
) -> Result<Vec<(Factor, &'a SecretText)>, Refusal> {
    let only = match left {
        [only] => Some(*only),
        _ => None,
    };
    codes
        .iter()
        .map(|code| match code.factor.or(only) {
            None => Err(Refusal::Invalid {
                field: "destination",
                why: "several steps are left",
            }),
            Some(factor) if left.contains(&factor) => Ok((factor, &code.text)),
            Some(_) => Err(Refusal::Unmet(Condition::FactorOn)),
        })
        .collect()
}

fn set_pending(process: &mut Stored<Process>, left: &[Factor]) {
    if let Flow::Login { pending, .. } = &mut process.flow {
        *pending = left.to_vec();
    }
}
