//! Trying a PIN: an [`Attempt`] at the budget of its key.
//!
//! A right PIN clears the count and, in the same transaction, has its effect.

use std::sync::Arc;

use crypto::password::Memory;

use super::contact::notice::ContactNotice;
use super::envelope::open_with_pin;
use super::key::{GuardedKey, GuardedKeyId};
use super::pin::{HashedPin, PinRecipe};
use super::{EncryptionKey, Pin};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::roots::Roots;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::guarded_key::GuardedKeys;
use crate::limit::attempt::{Attempt, Begun, OpenTry, Opening, Settled};
use crate::limit::budget::{GuessBudget, GuessRules, WayBack};
use crate::limit::hashing::{HashQueue, Ticket};
use crate::trail::audit::Event;

/// Whether a secret may be tried whose failures `budget` counts; `None`: it was never tried.
pub(super) fn may_try(
    budget: Option<&GuessBudget>,
    now: Timestamp,
    rules: &GuessRules,
) -> Result<(), Refusal> {
    match budget.and_then(|budget| budget.exhausted(now, rules)) {
        Some(until) => Err(Refusal::Exhausted { until }),
        None => Ok(()),
    }
}

/// What a right PIN gives.
pub(crate) struct Proven {
    pub(crate) content: EncryptionKey,
    /// The new PIN of a change, hashed.
    pub(crate) new_pin: Option<HashedPin>,
    /// The same PIN under today's hash costs and pepper, when the kept verifier is older.
    renewed: Option<HashedPin>,
}

/// An effect of a right PIN; a refusal inside is answered, and the PIN still counts as right.
type PinEffect<T> = dyn Fn(&GuardedKeys, &mut dyn Tx, &mut Stored<GuardedKey>, &Proven) -> TxResult<Result<T, Refusal>>
    + Send
    + Sync;

/// A PIN as it was entered, and the new one of a change.
pub(crate) struct EnteredPin {
    pin: Pin,
    /// Hashed besides, for the effect.
    new: Option<Pin>,
}

impl EnteredPin {
    /// For a change: the old PIN as it was entered, and the new one.
    pub(super) fn with_new(pin: Pin, new: Pin) -> Self {
        Self {
            pin,
            new: Some(new),
        }
    }
}

impl From<Pin> for EnteredPin {
    fn from(pin: Pin) -> Self {
        Self { pin, new: None }
    }
}

/// One try at the PIN of the key at `row`.
struct PinAttempt<T> {
    caller: Caller,
    row: RowId,
    entered: EnteredPin,
    /// What the audit trail calls the try.
    action: &'static str,
    effect: Box<PinEffect<T>>,
}

impl GuardedKeys {
    /// Runs `effect` if `entered` is the PIN of `key`.
    pub(crate) async fn with_pin<T: Send + 'static>(
        self: &Arc<Self>,
        caller: Caller,
        key: GuardedKeyId,
        entered: impl Into<EnteredPin>,
        action: &'static str,
        effect: impl Fn(
            &GuardedKeys,
            &mut dyn Tx,
            &mut Stored<GuardedKey>,
            &Proven,
        ) -> TxResult<Result<T, Refusal>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, Error> {
        let attempt = PinAttempt {
            caller,
            row: self.key_row(key).row(),
            entered: entered.into(),
            action,
            effect: Box::new(effect),
        };
        self.refuse_early(&attempt.caller, attempt.row).await?;
        self.attempt(self, attempt).await
    }

    /// Before anybody waits in line: an unknown key, and a budget that is used up.
    async fn refuse_early(self: &Arc<Self>, caller: &Caller, row: RowId) -> Result<(), Error> {
        let (now, caller) = (self.now(), caller.clone());
        self.find(move |hub, tx| {
            let Some(key) = hub.rows.peek::<GuardedKey>(tx, Id::new(row))? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            let budget = hub.rows.peek(tx, hub.budget_row(row))?;
            let Some(budget) = budget else {
                return Ok(Verdict::Done(()));
            };
            let rules = hub.pin_rules(tx, now, &key, &caller)?;
            Ok(may_try(Some(&budget), now, &rules).into())
        })
        .await
    }

    /// The limits of wrong PINs of a key, as they bind `caller`.
    pub(super) fn pin_rules(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        key: &Stored<GuardedKey>,
        caller: &Caller,
    ) -> TxResult<GuessRules> {
        let known = self.familiarity(tx, now, key.id(), caller)?;
        let way_back = match (&key.recovery_envelope, known.anybody) {
            (Some(_), _) => WayBack::Recovery,
            (None, true) => WayBack::Familiar,
            (None, false) => WayBack::Anybody,
        };
        Ok(GuessRules {
            way_back,
            ..self.policy.guesses.by(known.standing)
        })
    }

    /// Tells the contacts of a key that strangers have failed its PIN often.
    fn tell_of_strangers(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        surface: &'static str,
        key: Id<GuardedKey>,
        budget: &GuessBudget,
    ) -> TxResult<()> {
        let failed = budget.failed_by_strangers();
        if !TOLD_AT.contains(&failed) {
            return Ok(());
        }
        let notice = ContactNotice::of("pin_guessed").fact("failed", failed.to_string());
        self.notify_contacts(tx, now, surface, key, &notice)
    }
}

/// The failures of strangers of which the owner is told.
const TOLD_AT: [u32; 3] = [3, 30, 70];

/// A judged PIN: what a right one gives, and the version of the PIN that it was judged by.
struct JudgedPin {
    version: u64,
    proven: Option<Proven>,
}

/// What a judged PIN means for the key as it is when the try is settled.
enum PinFinding<'a> {
    /// The PIN was replaced during the check, so the check says nothing about the new one.
    Replaced,
    Wrong,
    Right(&'a Proven),
}

impl JudgedPin {
    fn against(&self, key: &GuardedKey) -> PinFinding<'_> {
        match &self.proven {
            _ if key.pin_version != self.version => PinFinding::Replaced,
            None => PinFinding::Wrong,
            Some(proven) => PinFinding::Right(proven),
        }
    }
}

impl<T: Send + 'static> Attempt<GuardedKeys> for PinAttempt<T> {
    type Counter = GuessBudget;
    type Loaded = Stored<GuardedKey>;
    type Judged = JudgedPin;
    type Done = T;

    const QUEUE: Option<HashQueue> = Some(HashQueue::Pin);

    fn line(&self) -> Option<RowId> {
        Some(self.row)
    }

    fn begin(
        &self,
        hub: &GuardedKeys,
        tx: &mut dyn Tx,
        opening: &Opening<'_>,
    ) -> TxResult<Begun<GuessBudget, Stored<GuardedKey>, T>> {
        let Some(key) = hub.rows.peek::<GuardedKey>(tx, Id::new(self.row))? else {
            return Ok(Begun::Refused(Refusal::UnknownSubject));
        };
        let rules = hub.pin_rules(tx, opening.now, &key, &self.caller)?;
        let reservation = opening.reserve(tx, vec![hub.counted_by_budget(self.row, rules)])?;
        Ok(reservation.begin(key))
    }

    async fn check(
        &self,
        hub: &Arc<GuardedKeys>,
        key: Stored<GuardedKey>,
        place: Option<&Ticket>,
    ) -> Result<JudgedPin, Error> {
        let place = place.ok_or_else(|| Error::bug("a PIN is hashed without a place"))?;
        let version = key.pin_version;
        let check = PinCheck {
            row: self.row,
            key,
            pin: self.entered.pin.clone(),
            new: self.entered.new.clone(),
            recipe: hub.pin_recipe(self.row),
        };
        let roots = Arc::clone(&hub.roots);
        let proven = place
            .run(move |memory| check.run(roots.as_ref(), memory))
            .await??;
        Ok(JudgedPin { version, proven })
    }

    fn settle(
        &self,
        hub: &GuardedKeys,
        tx: &mut dyn Tx,
        open: OpenTry<'_, GuessBudget>,
        judged: &JudgedPin,
    ) -> TxResult<Settled<T>> {
        let Some(mut key) = hub.rows.get::<GuardedKey>(tx, Id::new(self.row))? else {
            return Ok(open.abandon().answer(Refusal::UnknownSubject));
        };
        let event = Event::new(self.caller.surface, open.now, self.action, self.row.alias())
            .by(&self.caller);
        let proven = match judged.against(&key) {
            PinFinding::Replaced => return Ok(open.withdraw(tx)?.again()),
            PinFinding::Wrong => {
                let now = open.now;
                let before = hub.budget(tx, self.row)?.failed_by_strangers();
                let closed = open.fail(tx)?;
                let budget = hub.budget(tx, self.row)?;
                if budget.failed_by_strangers() != before {
                    hub.tell_of_strangers(tx, now, self.caller.surface, key.key(), &budget)?;
                }
                let failed = closed.failures.to_string();
                hub.record(tx, event.outcome("wrong").fact("failed", failed))?;
                return Ok(closed.answer(Refusal::BadProof { left: None }));
            }
            PinFinding::Right(proven) => proven,
        };
        let now = open.now;
        let closed = open.succeed(tx)?;
        hub.make_familiar(tx, now, self.row, &self.caller)?;
        let before = key.value.clone();
        if let Some(renewed) = &proven.renewed {
            hub.set_pin(&mut key, renewed, self.row, &proven.content);
        }
        let verdict = (self.effect)(hub, tx, &mut key, proven)?;
        if key.value != before {
            hub.rows.put(tx, &mut key)?;
        }
        let outcome = if verdict.is_ok() { "done" } else { "refused" };
        hub.record(tx, event.outcome(outcome))?;
        Ok(closed.answer(verdict))
    }
}

/// The check of a PIN as one piece of work for the pool.
struct PinCheck {
    row: RowId,
    key: Stored<GuardedKey>,
    pin: Pin,
    new: Option<Pin>,
    /// For the new PIN of a change, or for the same PIN when its verifier is of older numbers.
    recipe: PinRecipe,
}

impl PinCheck {
    fn run(&self, roots: &dyn Roots, memory: &mut Memory) -> Result<Option<Proven>, Error> {
        let PinCheck {
            row,
            key,
            pin,
            new,
            recipe,
        } = self;
        let content = match (&key.verifier, &key.pin_envelope, &key.foreign) {
            (Some(verifier), Some(sealed), _) => match verifier.check(roots, *row, pin, memory)? {
                Some(envelope) => open_with_pin(&envelope, *row, sealed)?,
                None => return Ok(None),
            },
            (_, _, Some(foreign)) if foreign.pin.check(pin) => {
                EncryptionKey(crypto::Key::new(foreign.content))
            }
            (_, _, Some(_)) => return Ok(None),
            _ => return Err(Error::bug("a guarded key has no PIN")),
        };
        let current = key
            .verifier
            .as_ref()
            .is_some_and(|verifier| recipe.is_that_of(verifier));
        let (new_pin, renewed) = match new {
            Some(new) => (Some(recipe.hash(roots, new, memory)?), None),
            None if current => (None, None),
            None => (None, Some(recipe.hash(roots, pin, memory)?)),
        };
        Ok(Some(Proven {
            content,
            new_pin,
            renewed,
        }))
    }
}

#[cfg(test)]
mod tests {
    use crate::limit::budget::GuessLimits;
    use crate::limit::familiar::CallerStanding;
    use crypto::aead::SealKey;
    use crypto::password::Cost;

    use super::*;
    use crate::core::rows::{Place, Rows, Scope};
    use crate::core::time::days;
    use crate::guarded_key::contact::tests::at;
    use crate::guarded_key::key::Foreign;
    use crate::guarded_key::key::tests::key;
    use crate::guarded_key::pin::ForeignPin;
    use crate::guarded_key::pin::tests::{CHEAP, Peppers, pin, recipe};

    const ROW: RowId = RowId([1; 16]);
    const CONTENT: [u8; 32] = [7; 32];
    const RULES: GuessRules = LIMITS.by(CallerStanding::Familiar);
    const LIMITS: GuessLimits = GuessLimits {
        failures: 2,
        window: days(7),
        in_a_row: 3,
    };

    /// A key whose PIN is `text`, hashed by `recipe`.
    fn behind(text: &str, recipe: &PinRecipe) -> GuardedKey {
        let hashed = recipe.hash(&Peppers::of(2), &pin(text), &mut Memory::default());
        let hashed = hashed.unwrap();
        let aad = [b"pin|".as_slice(), &ROW.0].concat();
        let sealed = SealKey::new(&hashed.envelope).seal([9; 12], &aad, &CONTENT);
        GuardedKey::new(at(0), hashed.verifier, sealed)
    }

    /// A key of another server, whose PIN is `text` there.
    fn imported(text: &str) -> GuardedKey {
        let salt = b"salt".to_vec();
        let hash = crypto::password::scrypt_16384_8_1(text.as_bytes(), &salt);
        let hash = hash.expose().to_vec();
        let pin = ForeignPin { salt, hash };
        GuardedKey {
            verifier: None,
            pin_envelope: None,
            foreign: Some(Foreign {
                pin,
                content: CONTENT,
            }),
            ..key()
        }
    }

    fn check(key: GuardedKey, text: &str, new: Option<&str>, recipe: PinRecipe) -> PinCheck {
        PinCheck {
            row: ROW,
            key: Rows::blank(Scope(RowId([0; 16])), Place::at(ROW), key),
            pin: pin(text),
            new: new.map(pin),
            recipe,
        }
    }

    fn run(check: &PinCheck) -> Result<Option<Proven>, Error> {
        check.run(&Peppers::of(2), &mut Memory::default())
    }

    fn today() -> PinRecipe {
        recipe(ROW, CHEAP, 1)
    }

    #[test]
    fn the_right_pin_opens_the_key_and_nothing_is_hashed_anew() {
        let check = check(behind("1234", &today()), "1234", None, today());
        let proven = run(&check).unwrap().unwrap();
        assert_eq!(proven.content.0.expose(), &CONTENT);
        assert!(proven.new_pin.is_none() && proven.renewed.is_none());
    }

    #[test]
    fn a_wrong_pin_gives_nothing_even_with_a_new_one() {
        for (text, new) in [("1235", None), ("", None), ("1235", Some("1234"))] {
            let check = check(behind("1234", &today()), text, new, today());
            assert!(run(&check).unwrap().is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_new_pin_is_hashed_only_after_the_old_one_was_right() {
        let check = check(behind("1234", &today()), "1234", Some("5678"), today());
        let proven = run(&check).unwrap().unwrap();
        assert!(proven.renewed.is_none(), "the old PIN is not kept");
        let verifier = proven.new_pin.unwrap().verifier;
        let opens = |text: &str| {
            let memory = &mut Memory::default();
            let found = verifier.check(&Peppers::of(2), ROW, &pin(text), memory);
            found.unwrap().is_some()
        };
        assert!(opens("5678") && !opens("1234"));
    }

    #[test]
    fn a_pin_under_older_numbers_is_hashed_anew_by_todays() {
        let dearer = Cost {
            memory_kib: 16,
            ..CHEAP
        };
        for today in [recipe(ROW, dearer, 1), recipe(ROW, CHEAP, 2)] {
            let old = behind("1234", &recipe(ROW, CHEAP, 1));
            let proven = run(&check(old, "1234", None, today)).unwrap().unwrap();
            let renewed = proven.renewed.unwrap().verifier;
            assert!(today.is_that_of(&renewed));
            let memory = &mut Memory::default();
            let same = renewed.check(&Peppers::of(2), ROW, &pin("1234"), memory);
            assert!(same.unwrap().is_some(), "it is still the same PIN");
        }
    }

    #[test]
    fn an_imported_key_opens_with_its_old_pin_which_is_then_hashed_here() {
        let proven = run(&check(imported("1234"), "1234", None, today()));
        let proven = proven.unwrap().unwrap();
        assert_eq!(proven.content.0.expose(), &CONTENT);
        assert!(today().is_that_of(&proven.renewed.unwrap().verifier));
        let wrong = run(&check(imported("1234"), "1235", None, today()));
        assert!(wrong.unwrap().is_none());
    }

    #[test]
    fn the_pin_of_another_server_does_not_count_once_there_is_one_of_ours() {
        let mut key = behind("5678", &today());
        key.foreign = imported("1234").foreign;
        assert!(
            run(&check(key.clone(), "1234", None, today()))
                .unwrap()
                .is_none()
        );
        assert!(run(&check(key, "5678", None, today())).unwrap().is_some());
    }

    #[test]
    fn a_key_without_any_pin_is_a_fault_and_no_wrong_pin() {
        for broken in [
            GuardedKey {
                verifier: None,
                ..behind("1234", &today())
            },
            GuardedKey {
                pin_envelope: None,
                ..behind("1234", &today())
            },
        ] {
            let result = run(&check(broken, "1234", None, today()));
            assert!(matches!(result, Err(Error::Bug(_))));
        }
    }

    #[test]
    fn an_envelope_that_does_not_open_with_the_right_pin_is_a_fault() {
        let mut key = behind("1234", &today());
        key.pin_envelope = Some(vec![0; 60]);
        let result = run(&check(key, "1234", None, today()));
        assert!(matches!(result, Err(Error::Bug(_))));
    }

    #[test]
    fn without_the_pepper_of_a_pin_nothing_is_judged() {
        let key = behind("1234", &recipe(ROW, CHEAP, 2));
        let check = check(key, "1234", None, recipe(ROW, CHEAP, 1));
        let result = check.run(&Peppers::of(1), &mut Memory::default());
        assert!(matches!(result, Err(Error::Unavailable(_))));
    }

    fn judged(version: u64, right: bool) -> JudgedPin {
        let proven = Proven {
            content: EncryptionKey(crypto::Key::new(CONTENT)),
            new_pin: None,
            renewed: None,
        };
        JudgedPin {
            version,
            proven: right.then_some(proven),
        }
    }

    #[test]
    fn a_pin_is_right_or_wrong_for_the_version_that_it_was_judged_by() {
        assert!(matches!(
            judged(1, true).against(&key()),
            PinFinding::Right(_)
        ));
        assert!(matches!(
            judged(1, false).against(&key()),
            PinFinding::Wrong
        ));
    }

    #[test]
    fn after_a_change_of_the_pin_a_check_of_the_older_one_says_nothing() {
        let mut changed = key();
        changed.pin_version = 2;
        for right in [true, false] {
            let finding = judged(1, right);
            assert!(matches!(finding.against(&changed), PinFinding::Replaced));
            let current = judged(2, right);
            assert!(!matches!(current.against(&changed), PinFinding::Replaced));
        }
    }

    #[test]
    fn a_secret_may_be_tried_before_the_first_try_and_while_tries_are_left() {
        assert_eq!(may_try(None, at(0), &RULES), Ok(()));
        let one = GuessBudget::imported(1, at(0), &LIMITS);
        assert_eq!(may_try(Some(&one), at(0), &RULES), Ok(()));
    }

    #[test]
    fn a_secret_may_not_be_tried_after_the_last_try_until_the_window_has_passed() {
        let budget = GuessBudget::imported(2, at(0), &LIMITS);
        let until = at(0).plus(days(7));
        let last = Timestamp::from_millis(until.millis() - 1);
        let refused = Err(Refusal::Exhausted { until });
        assert_eq!(may_try(Some(&budget), at(0), &RULES), refused);
        assert_eq!(may_try(Some(&budget), last, &RULES), refused);
        assert_eq!(may_try(Some(&budget), until, &RULES), Ok(()));
    }

    #[test]
    fn after_so_many_in_a_row_a_secret_may_never_be_tried_again() {
        let strict = GuessLimits {
            in_a_row: 2,
            ..LIMITS
        };
        let budget = GuessBudget::imported(2, at(0), &strict);
        let late = at(0).plus(days(10_000));
        let until = Timestamp::NEVER;
        let refused = Err(Refusal::Exhausted { until });
        assert_eq!(
            may_try(Some(&budget), late, &strict.by(CallerStanding::Familiar)),
            refused
        );
    }
}
