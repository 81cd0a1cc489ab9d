//! Step-up: the owner shows itself in person before something that a token alone must not do.
//!
//! 1. An attempt is reserved, durably: refusals are limited, and tries in flight count.
//! 2. The verifier is asked, outside any transaction.
//! 3. The attempt is settled in the transaction of what it allows. A yes counts for this user, this
//!    enrolment and this step, once: accepted evidence is remembered and never accepted again.
//!
//! Everything but an explicit yes is a no. A verifier's trouble costs no attempt.

pub mod passkey;

pub use crate::core::error::{PasskeyRefusal, StepUpRefusal};
pub use crate::core::port::liveness::Evidence;

use serde::{Deserialize, Serialize};

use crate::core::error::{Error, Refusal};
use crate::core::port::liveness::{Check, Judged, Judgement, Purpose, Question};
use crate::core::port::random::uuid;
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::limit::rate::Rate;
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

/// Refused attempts of one user, and those in flight.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempts {
    refused: Vec<Timestamp>,
    in_flight: Vec<(u64, Timestamp)>,
}

impl Record for Attempts {
    const KIND: Kind = "wallet_attempts";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// Longer than any verifier is waited for. An attempt that is never settled counts as refused then.
const ATTEMPT_LIFE: std::time::Duration = std::time::Duration::from_secs(90);

#[derive(Debug, PartialEq, Eq)]
enum Reserve {
    Granted,
    Limited { until: Timestamp },
    Wait,
}

impl Attempts {
    fn reserve(&mut self, now: Timestamp, limit: Rate, id: u64) -> Reserve {
        let (lost, live): (Vec<_>, Vec<_>) = std::mem::take(&mut self.in_flight)
            .into_iter()
            .partition(|(_, at)| at.plus(ATTEMPT_LIFE) <= now);
        self.in_flight = live;
        self.refused.extend(lost.into_iter().map(|(_, at)| at));
        self.refused.retain(|at| at.plus(limit.span) > now);
        self.refused.sort_unstable();
        let count = limit.count as usize;
        if count > 0 && self.refused.len() >= count {
            let first = self.refused[self.refused.len() - count];
            return Reserve::Limited {
                until: first.plus(limit.span),
            };
        }
        if count > 0 && self.refused.len() + self.in_flight.len() >= count {
            return Reserve::Wait;
        }
        self.in_flight.push((id, now));
        Reserve::Granted
    }

    fn refuse(&mut self, now: Timestamp, id: u64) {
        self.release(id);
        self.refused.push(now);
    }

    fn release(&mut self, id: u64) {
        self.in_flight.retain(|(flight, _)| *flight != id);
    }
}

/// An attempt that was reserved, and the question it may ask. Proof that the limit was kept.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) question: Question,
    user: RowId,
    evidence: RowId,
    attempt: u64,
}

/// The beginning of a step-up.
pub(crate) enum Begin {
    Ask(Asked),
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
    pub(crate) passkey: Option<passkey::Judged>,
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
        now: Timestamp,
        wish: &Wish,
    ) -> TxResult<Begin> {
        let refused = |refusal: StepUpRefusal| Ok(Begin::Refused(refusal.into()));
        let row = self.enrolment_row(wish.user);
        let enrolment = self.rows.get::<Enrolment>(tx, &row)?;
        let Some(enrolment) = enrolment.filter(|found| found.active_since().is_some()) else {
            return refused(StepUpRefusal::NotEnrolled);
        };
        if enrolment.verifier == passkey::VERIFIER {
            return self.step_up_by_passkey(tx, now, wish);
        }
        if self.liveness.kind().is_none() {
            return refused(StepUpRefusal::NoVerifier);
        }
        let Some(evidence) = wish.evidence else {
            return refused(StepUpRefusal::Missing);
        };
        let attempt = self.random_u64();
        let mut attempts = self.attempts(tx, wish.user)?;
        match attempts.reserve(now, self.policy.refusals, attempt) {
            Reserve::Wait => return Ok(Begin::Wait),
            Reserve::Limited { until } => {
                return Ok(Begin::Refused(Refusal::Limited { until }));
            }
            Reserve::Granted => {}
        }
        if self.was_seen(tx, now, evidence)? {
            attempts.refuse(now, attempt);
            self.rows.put(tx, &mut attempts)?;
            return refused(StepUpRefusal::Failed { for_client: None });
        }
        self.rows.put(tx, &mut attempts)?;
        Ok(Begin::Ask(Asked {
            question: self.question(Check::Match, wish, &enrolment.reference),
            user: wish.user,
            evidence,
            attempt,
        }))
    }

    /// Step 3. `Ok`: the owner is there; what the verifier told its client part comes along.
    pub(crate) fn settle_step_up(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        asked: &Asked,
        judged: &Judged,
    ) -> TxResult<Result<Option<String>, StepUpRefusal>> {
        let mut attempts = self.attempts(tx, asked.user)?;
        let failed = StepUpRefusal::Failed {
            for_client: self.for_client(judged),
        };
        let mut verdict = trouble(judged).map_or(Ok(self.for_client(judged)), Err);
        if judged.judgement == Judgement::Accepted {
            let row = self.enrolment_row(asked.user);
            let enrolment = self.rows.get::<Enrolment>(tx, &row)?;
            let same = enrolment.is_some_and(|found| {
                found.active_since().is_some() && found.reference == asked.question.reference
            });
            if !same || !self.remember(tx, now, asked.evidence)? {
                verdict = Err(failed.clone());
            }
        } else if matches!(judged.judgement, Judgement::Refused(_)) {
            verdict = Err(failed);
        }
        match &verdict {
            Err(StepUpRefusal::Failed { .. }) => attempts.refuse(now, asked.attempt),
            _ => attempts.release(asked.attempt),
        }
        self.rows.put(tx, &mut attempts)?;
        Ok(verdict)
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

    fn attempts(&self, tx: &mut dyn Tx, user: RowId) -> TxResult<Stored<Attempts>> {
        let row = self.rows.id(Attempts::KIND, &[&user.0]);
        match self.rows.get(tx, &row)? {
            Some(attempts) => Ok(attempts),
            None => {
                let place = Place::at(row).of(user);
                self.rows
                    .create(tx, self.tenant(), place, Attempts::default())
            }
        }
    }

    /// Fills a user's refusals up to the last: an older database may have forgotten as many.
    pub(crate) fn burn_attempts(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        user: RowId,
    ) -> TxResult<()> {
        let forgotten = self.policy.refusals.count.saturating_sub(1) as usize;
        let mut attempts = self.attempts(tx, user)?;
        attempts.in_flight.clear();
        attempts.refused = vec![now; forgotten];
        self.rows.put(tx, &mut attempts)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMIT: Rate = Rate::per(5, Duration::from_mins(15));

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)
    }

    #[test]
    fn five_refusals_close_until_the_window_has_passed() {
        let mut attempts = Attempts::default();
        for id in 0..5 {
            assert_eq!(attempts.reserve(at(id), LIMIT, 7), Reserve::Granted);
            attempts.refuse(at(id), 7);
        }
        let until = at(900);
        assert_eq!(
            attempts.reserve(at(899), LIMIT, 8),
            Reserve::Limited { until }
        );
        assert_eq!(attempts.reserve(at(900), LIMIT, 8), Reserve::Granted);
    }

    #[test]
    fn what_is_in_flight_counts_and_trouble_does_not() {
        let mut attempts = Attempts::default();
        for id in 0..5 {
            assert_eq!(attempts.reserve(at(0), LIMIT, id), Reserve::Granted);
        }
        assert_eq!(attempts.reserve(at(0), LIMIT, 5), Reserve::Wait);
        attempts.release(3);
        assert_eq!(attempts.reserve(at(1), LIMIT, 5), Reserve::Granted);
    }

    #[test]
    fn a_crash_costs_an_attempt() {
        let mut attempts = Attempts::default();
        for id in 0..5 {
            attempts.reserve(at(0), LIMIT, id);
        }
        let until = at(900);
        assert_eq!(
            attempts.reserve(at(90), LIMIT, 9),
            Reserve::Limited { until }
        );
    }
}
