//! Entering a recovery code, steps 2 and 4.
//!
//! 1. With no lock running, a correct code arms one. Before it opens, a correct code changes nothing.
//! 2. After it has opened, a correct code without a hashed PIN is compared and neither counted nor used up.
//! 3. The new PIN is hashed outside any transaction, and the code is entered again with it: now it is counted, used up,
//!    and the PIN is replaced.

use std::sync::Arc;

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::guarded_key::GuardedKeys;
use crate::guarded_key::contact::notice::ContactNotice;
use crate::guarded_key::contact::{CodePurpose, Contact, ContactAddress, KeyContact};
use crate::guarded_key::guess::may_try;
use crate::guarded_key::key::{GuardedKey, GuardedKeyId};
use crate::guarded_key::lock::{self, LockState, RecoveryLock};
use crate::guarded_key::pin::{HashedPin, Pin};
use crate::limit::budget::GuessBudget;
use crate::limit::hashing::HashQueue;
use crate::proof::challenge::CodeMatch;
use crate::trail::audit::Event;

/// A code that was entered for a recovery.
#[derive(Clone)]
struct PresentedContactCode {
    caller: Caller,
    ids: KeyContact,
    code: SecretText,
    now: Timestamp,
    /// The number of the lock that it may arm.
    lock: u64,
}

/// What a code led to.
#[derive(Debug, PartialEq, Eq)]
enum RecoveryStep {
    Refused(Refusal),
    /// The lock is open and the code correct: only the hash of the new PIN is missing, and nothing was used up.
    WantsPin,
    Done,
}

/// What a correct code does.
#[derive(Debug, PartialEq, Eq)]
enum ProofEffect {
    Arm(RecoveryLock),
    Wait { until: Timestamp },
    AskForPin,
    ReplacePin,
}

/// What a correct code does in this state of the lock, with or without the hash of a new PIN.
fn effect(state: LockState, hashed: bool) -> ProofEffect {
    match (state, hashed) {
        (LockState::Armed(lock), _) => ProofEffect::Arm(lock),
        (LockState::Locked { until }, _) => ProofEffect::Wait { until },
        (LockState::Open, false) => ProofEffect::AskForPin,
        (LockState::Open, true) => ProofEffect::ReplacePin,
    }
}

/// Whether a refused code leaves an event: not while nothing is compared, or an attacker could fill the audit trail.
fn is_recorded(refusal: &Refusal) -> bool {
    !matches!(refusal, Refusal::Exhausted { .. })
}

/// The new PIN, which only an open lock needs.
fn needed(new: Option<Pin>) -> Result<Pin, Refusal> {
    new.ok_or(Refusal::Invalid {
        field: "new_pin",
        why: "missing or malformed",
    })
}

impl GuardedKeys {
    /// Steps 2 and 4. `new` is needed only after the lock has opened: then without it the refusal is
    /// `Invalid { field: "new_pin" }`, and the code can still be used.
    ///
    /// `UnknownSubject`: no such key or contact. `WrongState`: no recovery code was sent. `BadProof`: the code is
    /// wrong, and that was counted. `Expired`: it was correct and too late. `Exhausted`: too many wrong codes.
    /// `TimeLocked`: the code was correct, and the lock opens then.
    pub async fn recover(
        self: &Arc<Self>,
        caller: Caller,
        key: GuardedKeyId,
        address: ContactAddress,
        code: SecretText,
        new: Option<Pin>,
    ) -> Result<(), Error> {
        let ids = self.locate_contact(self.key_row(key), &address).await?;
        let now = self.now();
        let presented = PresentedContactCode {
            caller,
            ids,
            code,
            now,
            lock: self.random_u64(),
        };
        let mut step = self.prove(&presented, None).await?;
        if step == RecoveryStep::WantsPin {
            let hashed = self.hash_new_pin(ids, needed(new)?).await?;
            step = self.prove(&presented, Some(hashed)).await?;
        }
        self.posted(now).await;
        match step {
            RecoveryStep::Refused(refusal) => Err(refusal.into()),
            RecoveryStep::Done => Ok(()),
            RecoveryStep::WantsPin => Err(Error::bug("a recovery with a new PIN wants a PIN")),
        }
    }

    async fn hash_new_pin(&self, ids: KeyContact, new: Pin) -> Result<HashedPin, Error> {
        let ticket = self.hashes.admit(HashQueue::Pin)?;
        let recipe = self.pin_recipe(ids.key.row());
        let roots = Arc::clone(&self.roots);
        ticket
            .run(move |memory| recipe.hash(roots.as_ref(), &new, memory))
            .await?
    }

    async fn prove(
        self: &Arc<Self>,
        presented: &PresentedContactCode,
        hashed: Option<HashedPin>,
    ) -> Result<RecoveryStep, Error> {
        let presented = presented.clone();
        self.write(move |hub, tx| hub.prove_in(tx, &presented, hashed.as_ref()))
            .await
    }

    fn prove_in(
        &self,
        tx: &mut dyn Tx,
        presented: &PresentedContactCode,
        hashed: Option<&HashedPin>,
    ) -> TxResult<RecoveryStep> {
        let PresentedContactCode { ids, now, .. } = *presented;
        let (mut key, mut found) = match self.awaiting(tx, ids, CodePurpose::Recover)? {
            Ok(found) => found,
            Err(refusal) => return Ok(RecoveryStep::Refused(refusal)),
        };
        let effect = effect(self.lock_state(presented, &found), hashed.is_some());
        if effect == ProofEffect::AskForPin
            && self.present_contact_code(now, &found, &presented.code)? == CodeMatch::Right
        {
            return self.ask_for_pin(tx, presented);
        }
        let event = presented.event();
        if let Err(refusal) =
            self.judge_code(tx, (now, &presented.caller), &found, &presented.code)?
        {
            if is_recorded(&refusal) {
                self.record(tx, event.outcome("refused"))?;
            }
            return Ok(RecoveryStep::Refused(refusal));
        }
        found.waiting = None;
        match (effect, hashed) {
            (ProofEffect::Arm(lock), _) => {
                let until = lock.opens;
                self.arm(tx, presented, &mut found, lock)?;
                self.record(tx, event.outcome("locked").fact("until", until.rfc3339()))?;
                Ok(RecoveryStep::Refused(Refusal::TimeLocked { until }))
            }
            (ProofEffect::Wait { until }, _) => {
                self.rows.put(tx, &mut found)?;
                self.record(tx, event.outcome("locked").fact("until", until.rfc3339()))?;
                Ok(RecoveryStep::Refused(Refusal::TimeLocked { until }))
            }
            (ProofEffect::ReplacePin, Some(hashed)) => {
                self.rows.put(tx, &mut found)?;
                self.replace_by_recovery(tx, presented, &mut key, hashed)?;
                self.record(tx, event.outcome("recovered"))?;
                Ok(RecoveryStep::Done)
            }
            (ProofEffect::AskForPin | ProofEffect::ReplacePin, _) => {
                Err(Error::bug("an open lock was proved without a new PIN").into())
            }
        }
    }

    fn lock_state(&self, presented: &PresentedContactCode, contact: &Contact) -> LockState {
        let spans = (self.policy.lock, self.policy.lock_use);
        let PresentedContactCode { now, lock, .. } = *presented;
        lock::proved(contact.lock.as_ref(), now, spans, self.alerts(), lock)
    }

    /// The code is correct, and neither counted nor used up until the hash of the new PIN is there.
    fn ask_for_pin(
        &self,
        tx: &mut dyn Tx,
        presented: &PresentedContactCode,
    ) -> TxResult<RecoveryStep> {
        let row = self.budget_row(presented.ids.contact.row());
        let budget = self.rows.get::<GuessBudget>(tx, row)?;
        let key = Some(presented.ids.key.row());
        let rules = self.code_rules(tx, presented.now, key, &presented.caller)?;
        let tried = may_try(budget.as_deref(), presented.now, &rules);
        Ok(match tried {
            Ok(()) => RecoveryStep::WantsPin,
            Err(refusal) => RecoveryStep::Refused(refusal),
        })
    }

    fn arm(
        &self,
        tx: &mut dyn Tx,
        presented: &PresentedContactCode,
        contact: &mut Stored<Contact>,
        lock: RecoveryLock,
    ) -> TxResult<()> {
        let PresentedContactCode { ids, now, .. } = *presented;
        let surface = presented.caller.surface;
        contact.lock = Some(lock.clone());
        self.rows.put(tx, contact)?;
        self.plan_reminders(tx, (now, surface), ids, &lock)?;
        let mut notice = ContactNotice::of("recovery_started").fact("until", lock.opens.rfc3339());
        notice.lock = Some((ids.contact, lock));
        self.notify_contacts(tx, now, surface, ids.key, &notice)
    }

    fn replace_by_recovery(
        &self,
        tx: &mut dyn Tx,
        presented: &PresentedContactCode,
        key: &mut Stored<GuardedKey>,
        hashed: &HashedPin,
    ) -> TxResult<()> {
        let PresentedContactCode { ids, now, .. } = *presented;
        let sealed = key.recovery_envelope.clone();
        let sealed = sealed
            .ok_or_else(|| Error::bug("a key with a verified contact has no recovery envelope"))?;
        let content = self.open_by_recovery(ids.key, &sealed)?;
        self.replace_pin(key, hashed, &content);
        self.rows.put(tx, key)?;
        self.count_new_pin(tx, now, ids.key, &presented.caller)?;
        self.end_recoveries(tx, ids.key)?;
        let notice = ContactNotice::of("pin_reset");
        self.notify_contacts(tx, now, presented.caller.surface, ids.key, &notice)
    }
}

impl PresentedContactCode {
    fn event(&self) -> Event {
        let key = self.ids.key.alias();
        Event::new(self.caller.surface, self.now, "recovery.prove", key)
            .by(&self.caller)
            .fact("contact", self.ids.contact.alias())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::days;
    use crate::guarded_key::contact::tests::{at, contact, running_lock};
    use crate::guarded_key::lock::Alerts;

    #[test]
    fn without_a_lock_a_correct_code_arms_one_and_needs_no_pin() {
        let armed = || LockState::Armed(running_lock(at(0)));
        for hashed in [false, true] {
            let effect = effect(armed(), hashed);
            assert_eq!(effect, ProofEffect::Arm(running_lock(at(0))));
        }
    }

    #[test]
    fn before_the_lock_opens_a_correct_code_only_says_when_it_will() {
        let until = at(9);
        for hashed in [false, true] {
            let effect = effect(LockState::Locked { until }, hashed);
            assert_eq!(effect, ProofEffect::Wait { until });
        }
    }

    #[test]
    fn after_the_lock_has_opened_the_pin_is_asked_for_and_then_replaced() {
        assert_eq!(effect(LockState::Open, false), ProofEffect::AskForPin);
        assert_eq!(effect(LockState::Open, true), ProofEffect::ReplacePin);
    }

    #[test]
    fn every_code_that_was_compared_leaves_an_event() {
        assert!(is_recorded(&Refusal::BadProof { left: None }));
        assert!(is_recorded(&Refusal::Expired));
        assert!(!is_recorded(&Refusal::Exhausted { until: at(0) }));
    }

    #[test]
    fn an_open_lock_needs_a_new_pin() {
        let pin = Pin(SecretText::new("1234".to_owned()));
        assert_eq!(needed(Some(pin.clone())), Ok(pin));
        let missing = Refusal::Invalid {
            field: "new_pin",
            why: "missing or malformed",
        };
        assert_eq!(needed(None), Err(missing));
    }

    fn at_day(day: u64) -> Timestamp {
        at(0).plus(days(day))
    }

    /// What a correct code does on that day, when a lock was armed on day 0 and its alert accepted at once.
    fn on_day(day: u64, hashed: bool) -> ProofEffect {
        let mut contact = contact();
        let mut lock = running_lock(at_day(0));
        lock.alert_accepted(at_day(0));
        contact.lock = Some(lock);
        let spans = (days(30), days(30));
        let lock = contact.lock.as_ref();
        effect(
            lock::proved(lock, at_day(day), spans, Alerts::Needed, 8),
            hashed,
        )
    }

    #[test]
    fn a_code_waits_for_thirty_days_replaces_the_pin_for_thirty_and_then_arms_anew() {
        let wait = ProofEffect::Wait { until: at_day(30) };
        for day in [0, 1, 29] {
            assert_eq!(on_day(day, true), wait, "day {day}");
        }
        for day in [30, 31, 59] {
            assert_eq!(on_day(day, false), ProofEffect::AskForPin, "day {day}");
            assert_eq!(on_day(day, true), ProofEffect::ReplacePin, "day {day}");
        }
        for day in [60, 61, 1000] {
            let ProofEffect::Arm(lock) = on_day(day, true) else {
                panic!("day {day}: the old lock is void");
            };
            assert_eq!((lock.id, lock.opens), (8, at_day(day + 30)));
            assert_eq!(lock.alerted, None, "a new alert is needed");
        }
    }

    #[test]
    fn no_pin_at_hand_opens_a_lock_earlier() {
        for day in 0..30 {
            assert_eq!(on_day(day, true), on_day(day, false), "day {day}");
        }
    }

    #[test]
    fn a_refusal_that_counted_nothing_but_ended_a_step_is_recorded_too() {
        for refusal in [Refusal::WrongState, Refusal::UnknownSubject] {
            assert!(is_recorded(&refusal), "{refusal:?}");
        }
    }
}
