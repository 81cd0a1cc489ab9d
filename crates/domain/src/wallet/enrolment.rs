//! Enrolling the owner's person: the ground for every later step-up.
//!
//! A second enrolment is refused. It needs a token only, so replacing the first would let a stolen token
//! take over recovery; an operator can remove it.

use std::sync::Arc;

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::liveness::{Judged, Purpose};
use crate::core::time::Timestamp;
use crate::proof::federated::FederatedUser;
use crate::wallet::SteppedUp;
use crate::wallet::Wallets;
use crate::wallet::step_up::{Evidence, StepUpRefusal, Wish, passkey, trouble};

/// Whether the owner's person is enrolled, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnrolmentState {
    pub since: Option<Timestamp>,
}

impl Wallets {
    pub async fn enrolment(&self, bearer: &FederatedUser) -> Result<EnrolmentState, Error> {
        let user = self.wallet_user(bearer);
        self.known_user(user).await?;
        let found = self.read_enrolment(user).await?;
        let person = found.filter(|found| found.verifier != passkey::VERIFIER);
        let since = person.and_then(|found| found.active_since());
        Ok(EnrolmentState { since })
    }

    /// Whether [`Wallets::session_token`] is for clients.
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

    /// Enrols the owner: none → pending → active, or none again.
    pub async fn enrol(
        self: &Arc<Self>,
        caller: Caller,
        bearer: FederatedUser,
        evidence: Evidence,
    ) -> Result<SteppedUp<()>, Error> {
        let now = self.now();
        let user = self.wallet_user(&bearer);
        let seen = self.evidence_row(&evidence);
        let wish = Wish {
            user,
            purpose: Purpose::Enrolment,
            evidence: Some(seen),
            passkey: None,
        };
        let begun = self
            .write(move |hub, tx| {
                hub.hold_user(tx, user)?;
                hub.begin_enrolment(tx, now, &wish)
            })
            .await?;
        let question = begun.map_err(Refusal::from)?;
        let judged = self.liveness.judge(&question, &evidence).await;
        drop(evidence);
        let asked = question.clone();
        let settled = judged.clone();
        let verdict = self
            .write(move |hub, tx| {
                hub.hold_user(tx, user)?;
                let verdict = hub.settle_enrolment(tx, now, (user, seen), &question, &judged)?;
                let event = Self::wallet_event(&caller, now, "person.enrol", user);
                hub.record(tx, event.outcome(outcome(&verdict, &judged)))?;
                if verdict.is_ok() {
                    hub.tell_holder(tx, now, &caller, user, "person_enrolled")?;
                }
                Ok(verdict)
            })
            .await?;
        self.posted(now).await;
        if verdict.is_err() && settled.judgement == crate::core::port::liveness::Judgement::Accepted
        {
            // The verifier remembers somebody whom we do not: as far as it can, it should not.
            if let Err(why) = self.liveness.forget(&asked).await {
                tracing::warn!(
                    code = "verifier",
                    why,
                    "an enrolment is left at the verifier"
                );
            }
        }
        let for_client = verdict.map_err(Refusal::from)?;
        Ok(SteppedUp {
            done: (),
            for_client,
        })
    }
}

/// The word for the audit trail.
pub(crate) fn outcome<T>(verdict: &Result<T, StepUpRefusal>, judged: &Judged) -> &'static str {
    use crate::core::port::liveness::Judgement;
    match (verdict, &judged.judgement) {
        (Ok(_), _) => "done",
        (Err(_), Judgement::Untrustworthy(_)) => "verifier untrustworthy",
        (Err(_), Judgement::Unreachable(_)) => "verifier unreachable",
        (Err(_), Judgement::Accepted | Judgement::Refused(_)) => "refused",
    }
}
