//! Login.
//!
//! 1. [`People::log_in`] checks the password. Without a second step that is all.
//! 2. [`People::send_login_token`] sends the code of a step, for each step, in any order.
//! 3. [`People::verify_login`] takes codes, of addresses or of an authenticator, until no step is left.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::{Condition, Error, Refusal};
use crate::core::id::Id;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::letter::Decides as _;
use crate::limit::counted::OnSuccess;
use crate::limit::lockout::{Right, SubjectLockout};
use crate::person::People;
use crate::person::process::{Flow, Process, ProcessId, ProcessSend};
use crate::proof::account::{Account, Bound};
use crate::proof::authenticator::AuthenticatorProof;
use crate::proof::notice::Change;
use crate::proof::password::Password;
use crate::proof::password::attempt::{PasswordTry, Tried};
use crate::proof::session::{NewSession, Tokens};
use crate::proof::token::{Aim, Operation, Sent, Token, TokenIssue, TokenProof};
use crate::trail::audit::Event;

use super::account::{Class, Secret};
use super::policy::StepsNeeded;
use super::{Factor, Way, WayKind};

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

/// After so many wrong codes in a row that follow a right password the owner is told, whether they were tried in one
/// process or in many.
const TELL_AFTER: u32 = 5;

/// A login whose password was right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoginFlow {
    pub(crate) bound: Bound,
    /// The second steps that are left.
    pub(crate) pending: Vec<Factor>,
}

impl LoginFlow {
    /// The address that the code of a step goes to; a refusal unless the step is left.
    fn way_of(&self, account: &Account, kind: WayKind) -> Result<Way, Refusal> {
        if self.pending.contains(&kind.factor()) {
            account.way(kind)
        } else {
            Err(Refusal::Unmet(Condition::FactorOn))
        }
    }

    /// The codes with their steps; each step must be one that is left.
    fn match_codes<'a>(
        &self,
        codes: &'a [PresentedCode],
    ) -> Result<Vec<(Factor, &'a SecretText)>, Refusal> {
        let only = match self.pending[..] {
            [only] => Some(only),
            _ => None,
        };
        codes
            .iter()
            .map(|code| match code.factor.or(only) {
                None => Err(Refusal::Invalid {
                    field: "destination",
                    why: "several steps are left",
                }),
                Some(factor) if self.pending.contains(&factor) => Ok((factor, &code.text)),
                Some(_) => Err(Refusal::Unmet(Condition::FactorOn)),
            })
            .collect()
    }

    /// The code of a step was right.
    fn pass(&mut self, factor: Factor) {
        self.pending.retain(|pending| *pending != factor);
    }

    /// Whether the login is complete, once all codes of a call were right.
    fn is_complete(&self, needed: StepsNeeded) -> bool {
        needed == StepsNeeded::Any || self.pending.is_empty()
    }
}

/// A login that is under way, taken apart.
struct OpenLogin {
    process: Stored<Process>,
    /// Held.
    account: Stored<Account>,
    flow: LoginFlow,
}

/// Whether the owner is told of a wrong code, which was the last of so many in a row.
fn is_told(refusal: &Refusal, in_a_row: u32) -> bool {
    matches!(refusal, Refusal::BadProof { .. }) && in_a_row.is_multiple_of(TELL_AFTER)
}

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
                let subject = hub.subject(found, &way);
                let event = Event::new(caller.surface, now, "account.login", subject).by(&caller);
                let Some(account) = hub.account_proved(tx, found, &way, tried.right)? else {
                    hub.record(tx, event.outcome("wrong"))?;
                    return Ok(Err(Refusal::BadProof { left: None }));
                };
                Ok(Ok(hub.begin_login(tx, now, account, (tried, event))?))
            })
            .await?;
        self.logged_in(progress).await
    }

    /// Ends a login with a session, or opens a process for its second steps.
    fn begin_login(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        mut account: Stored<Account>,
        (tried, event): (&Tried, Event),
    ) -> TxResult<LoginProgress> {
        if let Some(renewed) = &tried.renewed {
            account.password = renewed.clone();
            self.rows.put(tx, &mut account)?;
        }
        let pending = self.policy.steps_of(&account);
        if pending.is_empty() {
            self.record(tx, event)?;
            let opened = self.open_session(tx, now, &account, &["pwd"])?;
            return Ok(LoginProgress::Done(Box::new(opened)));
        }
        let flow = LoginFlow {
            bound: Bound::of(&account),
            pending: pending.clone(),
        };
        let id = self.open_process(tx, now, Flow::Login(flow))?;
        self.record(tx, event.outcome("second step"))?;
        Ok(LoginProgress::Steps(id, pending))
    }

    /// Step 2.
    pub async fn send_login_token(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        kind: WayKind,
    ) -> Result<(Way, Sent), Error> {
        let now = self.now();
        self.decide(now, move |hub, tx| {
            let Some(mut open) = hub.open_login(tx, now, id)? else {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            };
            let way = allowed!(open.flow.way_of(&open.account, kind));
            let send = ProcessSend {
                request: TokenIssue {
                    operation: Operation::Login,
                    slot: hub.login_slot(&open.process, kind),
                    way: &way,
                    aim: Aim::Real,
                    counted_as: &way.norm,
                    language: &open.account.language,
                    phrase: open.account.phrase.as_deref(),
                    left: None,
                    instead: None,
                },
                counted: &way.norm,
            };
            let issued =
                allowed!(hub.send_in_process(tx, now, &caller, &mut open.process, send)?);
            Ok(Verdict::Done((way, issued)))
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
            .decide(now, move |hub, tx| {
                let Some(mut open) = hub.open_login(tx, now, id)? else {
                    return Ok(Verdict::Refused(Refusal::UnknownSubject));
                };
                for (factor, text) in allowed!(open.flow.match_codes(&codes)) {
                    let judged = hub.judge_step(tx, now, &caller, &mut open, (factor, text))?;
                    if let Err(refusal) = judged {
                        let told = hub.login_failed(tx, now, &caller, open, (factor, refusal))?;
                        return Ok(Verdict::Refused(told));
                    }
                    open.flow.pass(factor);
                }
                if open.flow.is_complete(hub.policy.steps_needed) {
                    let session = hub.complete_login(tx, now, &caller, &open)?;
                    return Ok(Verdict::Done(LoginProgress::Done(Box::new(session))));
                }
                let left = open.flow.pending.clone();
                hub.save_process(tx, &mut open.process, Flow::Login(open.flow))?;
                Ok(Verdict::Done(LoginProgress::Steps(id, left)))
            })
            .await?;
        self.logged_in(progress).await
    }

    fn complete_login(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        open: &OpenLogin,
    ) -> TxResult<NewSession> {
        let account = &open.account;
        self.close_process(tx, &open.process)?;
        let person = account.person.to_string();
        let event = Event::new(caller.surface, now, "account.login", person);
        self.record(tx, event.by(caller))?;
        self.open_session(tx, now, account, &["pwd", "otp"])
    }

    async fn logged_in(self: &Arc<Self>, progress: LoginProgress) -> Result<LoggedIn, Error> {
        Ok(match progress {
            LoginProgress::Done(opened) => LoggedIn::Done(self.tokens(self.now(), &opened).await?),
            LoginProgress::Steps(process, left) => LoggedIn::Steps { process, left },
        })
    }

    /// A try at the password of the person who is reached at `way`.
    pub(crate) fn login_attempt(
        &self,
        caller: &Caller,
        way: &Way,
        account: Option<&Stored<Account>>,
        password: Password,
    ) -> PasswordTry {
        PasswordTry {
            line: self.identity_row(way).row(),
            lockouts: self.login_lockouts(way, &caller.network),
            owner: account.map(Stored::id),
            verifier: account.map(|account| account.password.clone()),
            password,
            new: None,
            then: OnSuccess::Forget,
        }
    }

    /// Returns the account whose password was right, held, unless it has changed since `found`.
    pub(crate) fn account_proved(
        &self,
        tx: &mut dyn Tx,
        found: Option<Bound>,
        way: &Way,
        right: Right,
    ) -> TxResult<Option<Stored<Account>>> {
        let account = self.account_checked(tx, found, way)?;
        Ok(account.filter(|_| right == Right::Yes))
    }

    /// What the audit trail names: the account, or the keyed hash of an address without an owner.
    pub(crate) fn subject(&self, account: Option<Bound>, way: &Way) -> String {
        match account {
            Some(bound) => bound.account.alias(),
            None => self.identity_row(way).alias(),
        }
    }

    fn open_login(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Option<OpenLogin>> {
        let Some(process) = self.process(tx, now, id)? else {
            return Ok(None);
        };
        let Flow::Login(flow) = process.flow.clone() else {
            return Ok(None);
        };
        let account = self.bound_account(tx, flow.bound)?;
        Ok(account.map(|account| OpenLogin {
            process,
            account,
            flow,
        }))
    }

    fn login_slot(&self, process: &Stored<Process>, kind: WayKind) -> Id<Token> {
        let RowId(process) = process.id();
        self.token_slot(Operation::Login, &[&process, kind.name().as_bytes()])
    }

    /// Judges the code of one step.
    fn judge_step(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        open: &mut OpenLogin,
        (factor, text): (Factor, &SecretText),
    ) -> TxResult<Result<(), Refusal>> {
        let then = OnSuccess::Forget;
        let Some(kind) = factor.way() else {
            let lockout = self.step_lockout(&open.account, factor);
            let proof = AuthenticatorProof {
                text,
                lockout,
                then,
            };
            return self.judge_authenticator(tx, now, caller, &mut open.account, &proof);
        };
        let way = allowed!(open.account.way(kind));
        let proof = TokenProof {
            operation: Operation::Login,
            slot: self.login_slot(&open.process, kind),
            way: Some(&way),
            text,
            lockout: Some(self.step_lockout(&open.account, factor)),
            then,
        };
        Ok(self.prove(tx, now, caller, &proof)?.map(drop))
    }

    /// What counts the wrong codes of a step.
    fn step_lockout(&self, account: &Stored<Account>, factor: Factor) -> SubjectLockout {
        let own = factor.way().and_then(|kind| account.own(kind));
        let secret = own.map_or(Secret::Authenticator, |own| Secret::Codes(&own.way));
        self.secret_lockout(Class::Login, account.id(), secret)
    }

    /// Counts a wrong code, and tells the owner of many.
    fn login_failed(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        mut open: OpenLogin,
        (factor, refusal): (Factor, Refusal),
    ) -> TxResult<Refusal> {
        open.process.flow = Flow::Login(open.flow);
        let (row, _) = self.step_lockout(&open.account, factor);
        let in_a_row = self.lockout(tx, now, row)?.in_a_row();
        if is_told(&refusal, in_a_row) {
            self.tell(tx, now, caller, &open.account, &Change::new("mfa_failed"))?;
        }
        self.process_failed(tx, &mut open.process, refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::account::tests::{PHONE, anna_with_phone};

    fn flow(pending: &[Factor]) -> LoginFlow {
        LoginFlow {
            bound: Bound {
                account: Id::new(RowId([1; 16])),
                epoch: 0,
            },
            pending: pending.to_vec(),
        }
    }

    fn code(factor: Option<Factor>) -> PresentedCode {
        PresentedCode {
            factor,
            text: SecretText::new("123456".to_owned()),
        }
    }

    fn matched(left: &[Factor], named: &[Option<Factor>]) -> Result<Vec<Factor>, Refusal> {
        let codes: Vec<_> = named.iter().map(|factor| code(*factor)).collect();
        let matched = flow(left).match_codes(&codes)?;
        Ok(matched.into_iter().map(|(factor, _)| factor).collect())
    }

    #[test]
    fn a_code_without_a_step_is_for_the_only_one_that_is_left() {
        assert_eq!(matched(&[Factor::Phone], &[None]), Ok(vec![Factor::Phone]));
        for left in [&[][..], &[Factor::Email, Factor::Phone]] {
            assert_eq!(
                matched(left, &[None]),
                Err(Refusal::Invalid {
                    field: "destination",
                    why: "several steps are left",
                })
            );
        }
    }

    #[test]
    fn a_code_is_for_a_step_that_is_left() {
        let left = [Factor::Email, Factor::Authenticator];
        let both = [Some(Factor::Authenticator), Some(Factor::Email)];
        assert_eq!(
            matched(&left, &both),
            Ok(vec![Factor::Authenticator, Factor::Email])
        );
        assert_eq!(
            matched(&left, &[Some(Factor::Email), Some(Factor::Phone)]),
            Err(Refusal::Unmet(Condition::FactorOn)),
            "and then none of them is judged"
        );
        assert_eq!(matched(&left, &[]), Ok(Vec::new()));
    }

    #[test]
    fn a_code_is_sent_for_a_step_that_is_left() {
        let (account, flow) = (anna_with_phone(), flow(&[Factor::Phone]));
        assert_eq!(flow.way_of(&account, WayKind::Phone), Ok(Way::phone(PHONE)));
        assert_eq!(
            flow.way_of(&account, WayKind::Email),
            Err(Refusal::Unmet(Condition::FactorOn))
        );
    }

    #[test]
    fn a_login_is_complete_after_all_steps_or_any() {
        let mut flow = flow(&[Factor::Email, Factor::Phone]);
        assert!(!flow.is_complete(StepsNeeded::All));
        flow.pass(Factor::Email);
        assert_eq!(flow.pending, [Factor::Phone]);
        assert!(!flow.is_complete(StepsNeeded::All));
        assert!(flow.is_complete(StepsNeeded::Any));
        flow.pass(Factor::Email);
        flow.pass(Factor::Phone);
        assert!(flow.is_complete(StepsNeeded::All));
    }

    #[test]
    fn the_owner_is_told_of_every_fifth_wrong_code() {
        let wrong = Refusal::BadProof { left: Some(1) };
        let told: Vec<u32> = (1..=11).filter(|count| is_told(&wrong, *count)).collect();
        assert_eq!(told, [5, 10]);
        let until = Timestamp::NEVER;
        assert!(!is_told(&Refusal::Exhausted { until }, 5));
    }

    #[test]
    fn the_login_of_an_account_that_lost_its_address_sends_nothing() {
        let mut account = anna_with_phone();
        account.email = None;
        assert_eq!(
            flow(&[Factor::Email]).way_of(&account, WayKind::Email),
            Err(Refusal::Unmet(Condition::HasAddress))
        );
    }
}
