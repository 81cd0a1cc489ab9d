//! Enrolling the owner's face: what every later step-up is compared with.
//!
//! A second enrolment is refused. It needs a token only, so replacing the first would let a stolen token take over
//! recovery; an operator can remove it.
//!
//! 1. In one transaction a pending enrolment takes the user's place.
//! 2. The verifier is asked outside any transaction.
//! 3. In a second transaction the enrolment becomes active, or is removed.

use std::sync::Arc;

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::liveness::{Judged, Judgement, Purpose, Question};
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::letter::Decides as _;
use crate::proof::federated::FederatedUser;
use crate::wallet::SteppedUp;
use crate::wallet::Wallets;
use crate::wallet::step_up::{Enrolment, Evidence, StepUpRefusal, Wish, passkey, trouble};
use crate::wallet::user::WalletUser;

/// Whether the owner's face or passkey is enrolled, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnrolmentState {
    pub since: Option<Timestamp>,
}

impl EnrolmentState {
    /// Of the face: an enrolled passkey is none.
    fn of_face(found: Option<&Enrolment>) -> Self {
        let face = found.filter(|found| found.verifier != passkey::VERIFIER);
        Self {
            since: face.and_then(Enrolment::active_since),
        }
    }
}

/// The word for the audit trail.
pub(super) fn outcome<T>(verdict: &Result<T, StepUpRefusal>, judged: &Judged) -> &'static str {
    match (verdict, &judged.judgement) {
        (Ok(_), _) => "done",
        (Err(_), Judgement::Untrustworthy(_)) => "verifier untrustworthy",
        (Err(_), Judgement::Unreachable(_)) => "verifier unreachable",
        (Err(_), Judgement::Accepted | Judgement::Refused(_)) => "refused",
    }
}

/// Whether the verifier now remembers somebody whom this server does not.
fn is_left_at_verifier<T>(verdict: &Result<T, Error>, judged: &Judged) -> bool {
    matches!(verdict, Err(Error::Refused(_))) && judged.judgement == Judgement::Accepted
}

/// An enrolment in progress.
#[derive(Clone)]
struct EnrolmentAttempt {
    caller: Caller,
    now: Timestamp,
    user: Id<WalletUser>,
    evidence: RowId,
}

impl Wallets {
    /// Whether the owner's face is enrolled. `UnknownSubject`: the user is not registered.
    pub async fn enrolment(&self, bearer: &FederatedUser) -> Result<EnrolmentState, Error> {
        let user = self.wallet_user(bearer);
        self.known_user(user).await?;
        let found = self.read_enrolment(user.row()).await?;
        Ok(EnrolmentState::of_face(found.as_deref()))
    }

    /// Whether clients may call [`Wallets::session_token`].
    pub fn offers_session_tokens(&self) -> bool {
        self.policy.session_tokens
    }

    /// A token of the verifier for its client part.
    pub async fn session_token(
        &self,
        bearer: &FederatedUser,
        agent: &str,
    ) -> Result<String, Error> {
        self.known_user(self.wallet_user(bearer)).await?;
        if self.liveness.kind().is_none() {
            return Err(Refusal::from(StepUpRefusal::NoVerifier).into());
        }
        let token = self.liveness.session_token(agent).await;
        token.map_err(|judgement| {
            let refusal = trouble(&judgement.into()).unwrap_or(StepUpRefusal::Untrustworthy);
            Refusal::from(refusal).into()
        })
    }

    /// Enrols the owner's face: none → pending → active, or none again.
    pub async fn enrol(
        self: &Arc<Self>,
        caller: Caller,
        bearer: FederatedUser,
        evidence: Evidence,
    ) -> Result<SteppedUp<()>, Error> {
        let attempt = EnrolmentAttempt {
            caller,
            now: self.now(),
            user: self.wallet_user(&bearer),
            evidence: self.evidence_row(&evidence),
        };
        let question = self.ask_for_enrolment(&attempt).await?;
        let judged = self.liveness.judge(&question, &evidence).await;
        drop(evidence);
        let (asked, settled) = (question.clone(), judged.clone());
        let verdict = self
            .decide(attempt.now, move |hub, tx| {
                hub.enrol_in(tx, &attempt, &asked, &settled)
            })
            .await;
        if is_left_at_verifier(&verdict, &judged)
            && let Err(why) = self.liveness.forget(&question).await
        {
            tracing::warn!(
                code = "verifier",
                why,
                "an enrolment is left at the verifier"
            );
        }
        let for_client = verdict?;
        Ok(SteppedUp {
            done: (),
            for_client,
        })
    }

    /// Step 1.
    async fn ask_for_enrolment(
        self: &Arc<Self>,
        attempt: &EnrolmentAttempt,
    ) -> Result<Question, Error> {
        let (now, user) = (attempt.now, attempt.user);
        let wish = Wish {
            user: user.row(),
            purpose: Purpose::Enrolment,
            evidence: Some(attempt.evidence),
            passkey: None,
        };
        let begun = self
            .write(move |hub, tx| {
                if hub.hold_user(tx, user)?.is_none() {
                    return Ok(Verdict::Refused(Refusal::UnknownSubject));
                }
                let begun = hub.begin_enrolment(tx, now, &wish)?;
                Ok(begun.map_err(Refusal::from).into())
            })
            .await?;
        begun.answer()
    }

    /// Step 3.
    fn enrol_in(
        &self,
        tx: &mut dyn Tx,
        attempt: &EnrolmentAttempt,
        question: &Question,
        judged: &Judged,
    ) -> TxResult<Verdict<Option<String>>> {
        let EnrolmentAttempt { caller, now, .. } = attempt;
        let (now, user) = (*now, attempt.user);
        if self.hold_user(tx, user)?.is_none() {
            return Ok(Refusal::UnknownSubject.into());
        }
        let seen = (user.row(), attempt.evidence);
        let verdict = self.settle_enrolment(tx, now, seen, question, judged)?;
        let event = Self::wallet_event(caller, now, "person.enrol", user);
        self.record(tx, event.outcome(outcome(&verdict, judged)))?;
        if verdict.is_ok() {
            self.tell_holder(tx, now, caller, user, "person_enrolled")?;
        }
        Ok(verdict.map_err(Refusal::from).into())
    }
}
