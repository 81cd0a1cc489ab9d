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
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::port::liveness::{Check, Judged, Judgement, Purpose, Question};
use crate::core::port::random::uuid;
use crate::core::port::store::Kind;
use crate::core::port::store::{Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::limit::attempt::{Closed, OpenTry, Opening, Reservation, ReservedTry};
use crate::wallet::Wallets;
use crate::wallet::user::WalletUser;

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

/// Whether a user's place for an enrolment is taken: there is one for a face or a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EnrolmentPlace {
    Free,
    Enrolled,
    /// Another enrolment is in progress.
    Pending,
}

impl EnrolmentPlace {
    /// `life`: how long an enrolment may be in progress before it is given up.
    pub(crate) fn of(found: Option<&Enrolment>, now: Timestamp, life: Duration) -> Self {
        match found.map(|found| found.state) {
            Some(State::Active { .. }) => Self::Enrolled,
            Some(State::Pending { started }) if now < started.plus(life) => Self::Pending,
            Some(State::Pending { .. }) | None => Self::Free,
        }
    }
}

/// By what an enrolled user steps up.
#[derive(Debug, PartialEq, Eq)]
enum StepUpWay<'a> {
    Passkey,
    Face {
        reference: &'a str,
        evidence: Id<Seen>,
    },
}

impl<'a> StepUpWay<'a> {
    /// `verifier`: whether there is a verifier of persons.
    fn of(
        enrolment: Option<&'a Enrolment>,
        verifier: bool,
        evidence: Option<Id<Seen>>,
    ) -> Result<Self, StepUpRefusal> {
        let active = enrolment.filter(|found| found.active_since().is_some());
        let enrolment = active.ok_or(StepUpRefusal::NotEnrolled)?;
        if enrolment.verifier == passkey::VERIFIER {
            return Ok(Self::Passkey);
        }
        if !verifier {
            return Err(StepUpRefusal::NoVerifier);
        }
        Ok(Self::Face {
            reference: &enrolment.reference,
            evidence: evidence.ok_or(StepUpRefusal::Missing)?,
        })
    }
}

/// What a settled step-up costs its user.
#[derive(Debug, PartialEq, Eq)]
enum StepUpCost {
    Nothing,
    OneAttempt,
    /// Nothing was judged, so the attempt is given back.
    GivenBack,
}

impl StepUpCost {
    fn of<T>(verdict: &Result<T, StepUpRefusal>) -> Self {
        match verdict {
            Ok(_) => Self::Nothing,
            Err(StepUpRefusal::Failed { .. }) => Self::OneAttempt,
            // The verifier was in trouble.
            Err(_) => Self::GivenBack,
        }
    }
}

impl Enrolment {
    /// Whether a question that was asked about `reference` is still about this enrolment.
    fn is_still(&self, reference: &str) -> bool {
        self.active_since().is_some() && self.reference == reference
    }

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
    user: Id<WalletUser>,
    evidence: Id<Seen>,
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
    pub(crate) user: Id<WalletUser>,
    pub(crate) purpose: Purpose,
    /// `None`: nothing complete was shown.
    pub(crate) evidence: Option<Id<Seen>>,
    pub(crate) passkey: Option<passkey::JudgedPasskey>,
}

impl Wallets {
    pub(crate) fn enrolment_row(&self, user: Id<WalletUser>) -> Id<Enrolment> {
        self.rows.named(&[user.as_bytes()])
    }

    /// The name under which evidence is remembered. Slow for long evidence: outside transactions.
    pub(crate) fn evidence_row(&self, evidence: &Evidence) -> Id<Seen> {
        let scan = evidence.scan.expose().as_bytes();
        self.rows.named(&[scan])
    }

    /// What somebody wants, with everything that is slow to work out done.
    pub(crate) async fn wish(
        &self,
        user: Id<WalletUser>,
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
        user: Id<WalletUser>,
    ) -> Result<Option<Stored<Enrolment>>, Error> {
        let row = self.enrolment_row(user);
        self.rows.read(self.store.as_ref(), row).await
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
        let enrolment = self.rows.get(tx, row)?;
        let verifier = self.liveness.kind().is_some();
        let way = StepUpWay::of(enrolment.as_deref(), verifier, wish.evidence);
        let (reference, evidence) = match way {
            Err(refusal) => return refused(refusal),
            Ok(StepUpWay::Passkey) => return self.step_up_by_passkey(tx, opening.now, wish),
            Ok(StepUpWay::Face {
                reference,
                evidence,
            }) => (reference, evidence),
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
            question: self.question(Check::Match, wish, reference),
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
        let closed = match StepUpCost::of(&verdict) {
            StepUpCost::Nothing => open.succeed(tx)?,
            StepUpCost::OneAttempt => open.fail(tx)?,
            StepUpCost::GivenBack => open.withdraw(tx)?,
        };
        Ok((closed, verdict))
    }

    /// Whether a yes counts: the same enrolment is still active, and the evidence is new.
    fn counts(&self, tx: &mut dyn Tx, now: Timestamp, asked: &Asked) -> TxResult<bool> {
        let row = self.enrolment_row(asked.user);
        let enrolment = self.rows.get(tx, row)?;
        let same = enrolment.is_some_and(|found| found.is_still(&asked.question.reference));
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
        let found = self.rows.get(tx, row)?;
        match EnrolmentPlace::of(found.as_deref(), now, self.policy.enrolment_life) {
            EnrolmentPlace::Enrolled => return Ok(Err(StepUpRefusal::Enrolled)),
            EnrolmentPlace::Pending => return Ok(Err(StepUpRefusal::Enrolling)),
            EnrolmentPlace::Free => {}
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
        (user, evidence): (Id<WalletUser>, Id<Seen>),
        question: &Question,
        judged: &Judged,
    ) -> TxResult<Result<Option<String>, StepUpRefusal>> {
        let row = self.enrolment_row(user);
        let found = self.rows.get(tx, row)?;
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
            self.rows.remove(tx, row)?;
            return Ok(Err(refusal));
        }
        found.state = State::Active { since: now };
        self.rows.put(tx, &mut found)?;
        Ok(Ok(self.for_client(judged)))
    }

    fn was_seen(&self, tx: &mut dyn Tx, now: Timestamp, evidence: Id<Seen>) -> TxResult<bool> {
        let seen = self.rows.get(tx, evidence)?;
        Ok(seen.is_some_and(|seen| is_remembered(seen.place.due, now)))
    }

    /// Whether the evidence was new.
    fn remember(&self, tx: &mut dyn Tx, now: Timestamp, evidence: Id<Seen>) -> TxResult<bool> {
        if self.was_seen(tx, now, evidence)? {
            return Ok(false);
        }
        self.rows.remove(tx, evidence)?;
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

/// Whether accepted evidence that is forgotten at `due` still counts as seen; `None`: it is never forgotten.
fn is_remembered(due: Option<Timestamp>, now: Timestamp) -> bool {
    due.is_none_or(|due| now < due)
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
    use super::*;
    use crate::core::port::store::RowId;
    use crate::wallet::device::tests::at;

    const LIFE: Duration = Duration::from_mins(10);
    const EVIDENCE: Id<Seen> = Id::new(RowId([5; 16]));

    fn enrolment(verifier: &str, state: State) -> Enrolment {
        Enrolment {
            reference: "reference".to_owned(),
            verifier: verifier.to_owned(),
            state,
        }
    }

    fn active(verifier: &str) -> Enrolment {
        enrolment(verifier, State::Active { since: at(0) })
    }

    fn pending(started: i64) -> Enrolment {
        let started = at(started);
        enrolment("verifier", State::Pending { started })
    }

    fn place(found: Option<&Enrolment>, second: i64) -> EnrolmentPlace {
        EnrolmentPlace::of(found, at(second), LIFE)
    }

    #[test]
    fn whoever_is_enrolled_stays_so_whenever_that_was() {
        for verifier in ["verifier", passkey::VERIFIER] {
            for second in [-1, 0, 600, 1_000_000] {
                let found = place(Some(&active(verifier)), second);
                assert_eq!(found, EnrolmentPlace::Enrolled);
            }
        }
    }

    #[test]
    fn an_enrolment_in_progress_holds_its_place_for_its_life_and_no_longer() {
        assert_eq!(place(Some(&pending(0)), 0), EnrolmentPlace::Pending);
        assert_eq!(place(Some(&pending(0)), 599), EnrolmentPlace::Pending);
        assert_eq!(place(Some(&pending(0)), 600), EnrolmentPlace::Free);
        assert_eq!(place(None, 0), EnrolmentPlace::Free);
    }

    #[test]
    fn an_enrolment_is_active_only_after_the_verifier_has_said_yes() {
        assert_eq!(active("verifier").active_since(), Some(at(0)));
        assert_eq!(pending(0).active_since(), None);
    }

    fn way(found: Option<&Enrolment>, verifier: bool) -> Result<StepUpWay<'_>, StepUpRefusal> {
        StepUpWay::of(found, verifier, Some(EVIDENCE))
    }

    #[test]
    fn nobody_who_is_not_enrolled_can_step_up_whatever_was_shown() {
        for verifier in [false, true] {
            for found in [None, Some(&pending(0))] {
                assert_eq!(way(found, verifier), Err(StepUpRefusal::NotEnrolled));
            }
        }
    }

    #[test]
    fn a_face_is_compared_with_the_enrolment_by_the_verifier() {
        let found = active("verifier");
        let face = StepUpWay::Face {
            reference: "reference",
            evidence: EVIDENCE,
        };
        assert_eq!(way(Some(&found), true), Ok(face));
        let refused = Err(StepUpRefusal::NoVerifier);
        assert_eq!(way(Some(&found), false), refused);
        let missing = StepUpWay::of(Some(&found), true, None);
        assert_eq!(missing, Err(StepUpRefusal::Missing));
        let neither = StepUpWay::of(Some(&found), false, None);
        assert_eq!(neither, refused, "the missing verifier is told first");
    }

    #[test]
    fn a_passkey_needs_neither_a_verifier_nor_a_face() {
        let found = active(passkey::VERIFIER);
        for (verifier, evidence) in [(true, None), (false, None), (true, Some(EVIDENCE))] {
            let way = StepUpWay::of(Some(&found), verifier, evidence);
            assert_eq!(way, Ok(StepUpWay::Passkey));
        }
    }

    #[test]
    fn only_a_no_costs_an_attempt() {
        assert_eq!(StepUpCost::of(&Ok(())), StepUpCost::Nothing);
        for for_client in [None, Some("AAEC".to_owned())] {
            let no = Err::<(), _>(StepUpRefusal::Failed { for_client });
            assert_eq!(StepUpCost::of(&no), StepUpCost::OneAttempt);
        }
        for trouble in [StepUpRefusal::Unreachable, StepUpRefusal::Untrustworthy] {
            let given_back = StepUpCost::of(&Err::<(), _>(trouble));
            assert_eq!(given_back, StepUpCost::GivenBack);
        }
    }

    #[test]
    fn a_verifier_that_is_away_or_odd_has_said_neither_yes_nor_no() {
        let why = || "why".to_owned();
        let trouble = |judgement: Judgement| trouble(&judgement.into());
        assert_eq!(trouble(Judgement::Accepted), None);
        assert_eq!(trouble(Judgement::Refused(why())), None);
        let odd = trouble(Judgement::Untrustworthy(why()));
        assert_eq!(odd, Some(StepUpRefusal::Untrustworthy));
        let away = trouble(Judgement::Unreachable(why()));
        assert_eq!(away, Some(StepUpRefusal::Unreachable));
    }

    #[test]
    fn a_yes_counts_only_for_the_enrolment_that_was_asked_about() {
        assert!(active("verifier").is_still("reference"));
        assert!(!active("verifier").is_still("another"), "enrolled anew");
        assert!(!pending(0).is_still("reference"));
    }

    #[test]
    fn accepted_evidence_is_remembered_until_it_is_forgotten() {
        assert!(is_remembered(Some(at(10)), at(9)));
        assert!(!is_remembered(Some(at(10)), at(10)));
        assert!(is_remembered(None, at(1_000_000)));
    }

    #[test]
    fn an_enrolment_is_stored_under_the_names_that_older_releases_wrote() {
        let stored = serde_json::to_value(active("verifier")).unwrap();
        assert_eq!(stored["reference"], "reference");
        assert_eq!(stored["verifier"], "verifier");
        assert_eq!(stored["state"]["Active"]["since"], serde_json::json!(at(0)));
        let pending = serde_json::to_value(pending(0)).unwrap();
        assert!(pending["state"]["Pending"]["started"].is_number());
    }
}
