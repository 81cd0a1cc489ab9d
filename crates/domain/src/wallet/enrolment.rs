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
use crate::core::port::store::{Tx, TxResult};
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::letter::Decides as _;
use crate::proof::federated::FederatedUser;
use crate::wallet::SteppedUp;
use crate::wallet::Wallets;
use crate::wallet::step_up::{Enrolment, Evidence, Seen, StepUpRefusal, Wish, passkey, trouble};
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
    evidence: Id<Seen>,
}

impl Wallets {
    /// Whether the owner's face is enrolled. `UnknownSubject`: the user is not registered.
    pub async fn enrolment(&self, bearer: &FederatedUser) -> Result<EnrolmentState, Error> {
        let user = self.wallet_user(bearer);
        self.known_user(user).await?;
        let found = self.read_enrolment(user).await?;
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
            user,
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
        let seen = (user, attempt.evidence);
        let verdict = self.settle_enrolment(tx, now, seen, question, judged)?;
        let event = Self::wallet_event(caller, now, "person.enrol", user);
        self.record(tx, event.outcome(outcome(&verdict, judged)))?;
        if verdict.is_ok() {
            self.tell_holder(tx, now, caller, user, "person_enrolled")?;
        }
        Ok(verdict.map_err(Refusal::from).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::device::tests::at;
    use crate::wallet::step_up::State;

    fn enrolment(verifier: &str, state: State) -> Enrolment {
        Enrolment {
            reference: "1".to_owned(),
            verifier: verifier.to_owned(),
            state,
        }
    }

    fn judged(judgement: Judgement) -> Judged {
        judgement.into()
    }

    #[test]
    fn a_face_is_enrolled_once_its_verifier_has_said_yes() {
        let since = |found: Option<Enrolment>| EnrolmentState::of_face(found.as_ref()).since;
        assert_eq!(since(None), None);
        let pending = State::Pending { started: at(0) };
        assert_eq!(since(Some(enrolment("verifier", pending))), None);
        let active = State::Active { since: at(5) };
        assert_eq!(since(Some(enrolment("verifier", active))), Some(at(5)));
    }

    #[test]
    fn an_enrolled_passkey_is_no_enrolled_face() {
        let active = State::Active { since: at(5) };
        let passkey = enrolment(passkey::VERIFIER, active);
        assert_eq!(EnrolmentState::of_face(Some(&passkey)).since, None);
    }

    #[test]
    fn the_audit_trail_tells_a_no_from_trouble_at_the_verifier() {
        let yes: Result<(), StepUpRefusal> = Ok(());
        let no: Result<(), _> = Err(StepUpRefusal::Failed { for_client: None });
        let why = || "why".to_owned();
        let accepted = judged(Judgement::Accepted);
        assert_eq!(outcome(&yes, &accepted), "done");
        assert_eq!(outcome(&no, &accepted), "refused", "seen before");
        assert_eq!(outcome(&no, &judged(Judgement::Refused(why()))), "refused");
        let odd = judged(Judgement::Untrustworthy(why()));
        assert_eq!(outcome(&no, &odd), "verifier untrustworthy");
        let away = judged(Judgement::Unreachable(why()));
        assert_eq!(outcome(&no, &away), "verifier unreachable");
    }

    #[test]
    fn only_somebody_whom_the_verifier_accepted_and_we_did_not_is_left_there() {
        let accepted = judged(Judgement::Accepted);
        let refused = judged(Judgement::Refused("no".to_owned()));
        let failed = || Err::<(), _>(Error::Refused(Refusal::Expired));
        assert!(is_left_at_verifier(&failed(), &accepted));
        assert!(!is_left_at_verifier(&Ok(()), &accepted));
        assert!(!is_left_at_verifier(&failed(), &refused));
    }
}
