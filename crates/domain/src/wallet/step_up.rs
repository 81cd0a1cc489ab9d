//! Step-up: the owner shows itself in person before something that a token alone must not do.
//!
//! 1. An attempt is reserved, durably: refusals are limited, and tries in flight count.
//! 2. The verifier is asked, outside any transaction.
//! 3. The attempt is settled in the transaction of what it allows. A yes counts for this user, this
//!    enrolment and this step, once: accepted evidence is remembered and never accepted again.
//!
//! Everything but an explicit yes is a no. A verifier's trouble costs no attempt.

mod attempts;
pub mod passkey;

pub(crate) use self::attempts::Attempts;
pub use crate::core::error::{PasskeyRefusal, StepUpRefusal};
pub use crate::core::port::liveness::Evidence;

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::core::error::{Error, Refusal};
use crate::core::port::liveness::{Check, Judged, Judgement, Purpose, Question};
use crate::core::port::random::uuid;
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::limit::attempt::{Closed, OpenTry, Opening, Reservation, ReservedTry};
use crate::wallet::Wallets;

/// What came with a call that may need a step-up.
#[derive(Debug, Default)]
pub struct Shown {
    pub evidence: Option<Evidence>,
    pub passkey: Option<passkey::Assertion>,
}

/// Who was enrolled with the verifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Enrolment {
    /// Random, and derived from nothing about the person.
    pub(crate) reference: String,
    pub(crate) verifier: String,
    pub(crate) state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    /// The verifier was asked and has not answered.
    Pending {
        started: Timestamp,
    },
    Active {
        since: Timestamp,
    },
}

impl Record for Enrolment {
    const KIND: Kind = "wallet_enrolment";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

impl Enrolment {
    pub(crate) fn active_since(&self) -> Option<Timestamp> {
        match self.state {
            State::Active { since } => Some(since),
            State::Pending { .. } => None,
        }
    }
}

/// Evidence that was accepted. Its id is a keyed hash; nothing else is kept of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {}

impl Record for Seen {
    const KIND: Kind = "wallet_evidence";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// The question that a reserved attempt asks of the verifier.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) question: Question,
    user: RowId,
    evidence: RowId,
}

/// The beginning of a step-up.
pub(crate) enum Begin {
    Ask(ReservedTry<Attempts>, Asked),
    /// Nobody need be asked: the owner is there.
    Passed,
    /// All attempts left are in flight.
    Wait,
    Refused(Refusal),
}

/// Who wants to step up, for what, and by which evidence.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) user: RowId,
    pub(crate) purpose: Purpose,
    /// `None`: nothing complete was shown.
    pub(crate) evidence: Option<RowId>,
    pub(crate) passkey: Option<passkey::JudgedPasskey>,
}

impl Wallets {
    pub(crate) fn enrolment_row(&self, user: RowId) -> RowId {
        self.rows.id(Enrolment::KIND, &[&user.0])
    }

    /// The name under which evidence is remembered. Slow for long evidence: outside transactions.
    pub(crate) fn evidence_row(&self, evidence: &Evidence) -> RowId {
        let scan = evidence.scan.expose().as_bytes();
        self.rows.id(Seen::KIND, &[scan])
    }

    /// What somebody wants, with everything that is slow to work out done.
    pub(crate) async fn wish(
        &self,
        user: RowId,
        purpose: Purpose,
        step: passkey::Step<'_>,
        shown: &Shown,
    ) -> Result<Wish, Error> {
        let passkey = match &shown.passkey {
            Some(passkey) => Some(self.judge_passkey(user, step, passkey).await?),
            None => None,
        };
        let evidence = shown.evidence.as_ref();
        Ok(Wish {
            user,
            purpose,
            evidence: evidence.map(|shown| self.evidence_row(shown)),
            passkey,
        })
    }

    /// Whether anybody could ever step up on this server.
    pub(crate) fn has_verifier(&self) -> bool {
        self.liveness.kind().is_some() || self.passkeys().is_some()
    }

    pub(crate) async fn read_enrolment(
        &self,
        user: RowId,
    ) -> Result<Option<Stored<Enrolment>>, Error> {
        let row = self.enrolment_row(user);
        self.rows.read::<Enrolment>(self.store.as_ref(), row).await
    }

    /// The question a user asks at an enrolment or step-up, with fresh ids.
    fn question(&self, check: Check, wish: &Wish, reference: &str) -> Question {
        Question {
            check,
            purpose: wish.purpose,
            id: uuid(self.random.as_ref()).to_string(),
            reference: reference.to_owned(),
        }
    }

    /// Step 1, for somebody who is enrolled.
    pub(crate) fn begin_step_up(
        &self,
        tx: &mut dyn Tx,
        opening: &Opening<'_>,
        wish: &Wish,
    ) -> TxResult<Begin> {
        let refused = |refusal: StepUpRefusal| Ok(Begin::Refused(refusal.into()));
        let row = self.enrolment_row(wish.user);
        let enrolment = self.rows.get::<Enrolment>(tx, &row)?;
        let Some(enrolment) = enrolment.filter(|found| found.active_since().is_some()) else {
            return refused(StepUpRefusal::NotEnrolled);
        };
        if enrolment.verifier == passkey::VERIFIER {
            return self.step_up_by_passkey(tx, opening.now, wish);
        }
        if self.liveness.kind().is_none() {
            return refused(StepUpRefusal::NoVerifier);
        }
        let Some(evidence) = wish.evidence else {
            return refused(StepUpRefusal::Missing);
        };
        let reserved = match opening.reserve(tx, vec![self.step_ups(wish.user)])? {
            Reservation::Granted(reserved) => reserved,
            Reservation::Exhausted { until } => {
                return Ok(Begin::Refused(Refusal::Limited { until }));
            }
            Reservation::Wait => return Ok(Begin::Wait),
        };
        if self.was_seen(tx, opening.now, evidence)? {
            reserved.open(self, opening.now).fail(tx)?;
            return refused(StepUpRefusal::Failed { for_client: None });
        }
        let asked = Asked {
            question: self.question(Check::Match, wish, &enrolment.reference),
            user: wish.user,
            evidence,
        };
        Ok(Begin::Ask(reserved, asked))
    }

    /// Step 2. The evidence is taken out, and dropped when the verifier has answered.
    pub(crate) async fn ask_verifier(
        &self,
        asked: &Asked,
        evidence: &Mutex<Option<Evidence>>,
    ) -> Result<Judged, Error> {
        let evidence = evidence
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let evidence =
            evidence.ok_or_else(|| Error::bug("a verifier is asked only with evidence"))?;
        Ok(self.liveness.judge(&asked.question, &evidence).await)
    }

    /// Step 3. `Ok`: the owner is there; what the verifier told its client part comes along.
    pub(crate) fn settle_step_up(
        &self,
        tx: &mut dyn Tx,
        open: OpenTry<'_, Attempts>,
        asked: &Asked,
        judged: &Judged,
    ) -> TxResult<(Closed, Result<Option<String>, StepUpRefusal>)> {
        let now = open.now;
        let failed = StepUpRefusal::Failed {
            for_client: self.for_client(judged),
        };
        let verdict = match (&judged.judgement, trouble(judged)) {
            (_, Some(trouble)) => Err(trouble),
            (Judgement::Accepted, None) if self.counts(tx, now, asked)? => {
                Ok(self.for_client(judged))
            }
            _ => Err(failed),
        };
        let closed = match &verdict {
            Ok(_) => open.succeed(tx)?,
            Err(StepUpRefusal::Failed { .. }) => open.fail(tx)?,
            // The verifier was in trouble: nothing was judged.
            Err(_) => open.withdraw(tx)?,
        };
        Ok((closed, verdict))
    }

    /// Whether a yes counts: the same enrolment is still active, and the evidence is new.
    fn counts(&self, tx: &mut dyn Tx, now: Timestamp, asked: &Asked) -> TxResult<bool> {
        let row = self.enrolment_row(asked.user);
        let enrolment = self.rows.get::<Enrolment>(tx, row)?;
        let same = enrolment.is_some_and(|found| {
            found.active_since().is_some() && found.reference == asked.question.reference
        });
        Ok(same && self.remember(tx, now, asked.evidence)?)
    }

    /// Begins an enrolment under a fresh reference.
    pub(crate) fn begin_enrolment(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        wish: &Wish,
    ) -> TxResult<Result<Question, StepUpRefusal>> {
        let (Some(verifier), Some(evidence)) = (self.liveness.kind(), wish.evidence) else {
            return Ok(Err(StepUpRefusal::NoVerifier));
        };
        let row = self.enrolment_row(wish.user);
        let found = self.rows.get::<Enrolment>(tx, &row)?;
        match found.as_ref().map(|found| found.state) {
            Some(State::Active { .. }) => return Ok(Err(StepUpRefusal::Enrolled)),
            Some(State::Pending { started }) if now < started.plus(self.policy.enrolment_life) => {
                return Ok(Err(StepUpRefusal::Enrolling));
            }
            _ => {}
        }
        if self.was_seen(tx, now, evidence)? {
            return Ok(Err(StepUpRefusal::Failed { for_client: None }));
        }
        let reference = uuid(self.random.as_ref()).to_string();
        let question = self.question(Check::Enrol, wish, &reference);
        let pending = Enrolment {
            reference,
            verifier: verifier.to_owned(),
            state: State::Pending { started: now },
        };
        match found {
            Some(mut dead) => {
                dead.value = pending;
                self.rows.put(tx, &mut dead)?;
            }
            None => {
                let place = Place::at(row).of(wish.user);
                self.rows.create(tx, self.tenant(), place, pending)?;
            }
        }
        Ok(Ok(question))
    }

    /// Ends an enrolment: active after an explicit yes, gone after everything else.
    pub(crate) fn settle_enrolment(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        (user, evidence): (RowId, RowId),
        question: &Question,
        judged: &Judged,
    ) -> TxResult<Result<Option<String>, StepUpRefusal>> {
        let row = self.enrolment_row(user);
        let found = self.rows.get::<Enrolment>(tx, &row)?;
        let Some(mut found) = found.filter(|found| found.reference == question.reference) else {
            // It took so long that another enrolment has its place.
            return Ok(Err(StepUpRefusal::Enrolling));
        };
        let failed = || StepUpRefusal::Failed {
            for_client: self.for_client(judged),
        };
        let refusal = match (&judged.judgement, trouble(judged)) {
            (_, Some(trouble)) => Some(trouble),
            (Judgement::Accepted, None) if self.remember(tx, now, evidence)? => None,
            _ => Some(failed()),
        };
        if let Some(refusal) = refusal {
            self.rows.remove::<Enrolment>(tx, &row)?;
            return Ok(Err(refusal));
        }
        found.state = State::Active { since: now };
        self.rows.put(tx, &mut found)?;
        Ok(Ok(self.for_client(judged)))
    }

    fn was_seen(&self, tx: &mut dyn Tx, now: Timestamp, evidence: RowId) -> TxResult<bool> {
        let seen = self.rows.get::<Seen>(tx, &evidence)?;
        Ok(seen.is_some_and(|seen| seen.place.due.is_none_or(|due| now < due)))
    }

    /// Whether the evidence was new.
    fn remember(&self, tx: &mut dyn Tx, now: Timestamp, evidence: RowId) -> TxResult<bool> {
        if self.was_seen(tx, now, evidence)? {
            return Ok(false);
        }
        self.rows.remove::<Seen>(tx, &evidence)?;
        let place = Place::at(evidence).due(now.plus(self.policy.evidence_memory));
        self.rows.create(tx, self.tenant(), place, Seen {})?;
        Ok(true)
    }

    fn for_client(&self, judged: &Judged) -> Option<String> {
        judged
            .for_client
            .clone()
            .filter(|_| self.policy.tell_client)
    }
}

/// What is neither a yes nor a no. Logged here, where it is known whose trouble it is.
pub(crate) fn trouble(judged: &Judged) -> Option<StepUpRefusal> {
    let (refusal, why) = match &judged.judgement {
        Judgement::Accepted | Judgement::Refused(_) => return None,
        Judgement::Untrustworthy(why) => (StepUpRefusal::Untrustworthy, why),
        Judgement::Unreachable(why) => (StepUpRefusal::Unreachable, why),
    };
    tracing::error!(
        code = "verifier",
        why,
        "the verifier of persons is in trouble"
    );
    Some(refusal)
}
