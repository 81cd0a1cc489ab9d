//! Trying a PIN: an [`Attempt`] at the budget of its key.
//!
//! A right PIN clears the count and, in the same transaction, has its effect.

use std::sync::Arc;

use crypto::password::Memory;

use super::envelope::open_with_pin;
use super::key::{GuardedKey, GuardedKeyId};
use super::pin::{HashedPin, PinRecipe};
use super::{EncryptionKey, Pin};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::port::roots::Roots;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::rows::Stored;
use crate::guarded_key::GuardedKeys;
use crate::limit::attempt::{Attempt, Begun, OpenTry, Opening, Settled};
use crate::limit::budget::GuessBudget;
use crate::limit::hashing::{HashQueue, Ticket};
use crate::trail::audit::Event;

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

/// One try at the PIN of the key at `row`.
struct PinAttempt<T> {
    caller: Caller,
    row: RowId,
    pin: Pin,
    /// Hashed besides, for a change of the PIN.
    new: Option<Pin>,
    /// What the audit trail calls the try.
    action: &'static str,
    effect: Box<PinEffect<T>>,
}

impl GuardedKeys {
    /// Runs `effect` if `pin` is the PIN of `key`.
    pub(crate) async fn with_pin<T: Send + 'static>(
        self: &Arc<Self>,
        caller: Caller,
        key: GuardedKeyId,
        pin: Pin,
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
        self.guess(PinAttempt {
            caller,
            row: self.key_row(key).row(),
            pin,
            new: None,
            action,
            effect: Box::new(effect),
        })
        .await
    }

    /// As [`GuardedKeys::with_pin`], with a new PIN hashed for the effect.
    pub(crate) async fn with_pin_and_new<T: Send + 'static>(
        self: &Arc<Self>,
        caller: Caller,
        key: GuardedKeyId,
        pin: Pin,
        new: Pin,
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
        self.guess(PinAttempt {
            caller,
            row: self.key_row(key).row(),
            pin,
            new: Some(new),
            action,
            effect: Box::new(effect),
        })
        .await
    }

    async fn guess<T: Send + 'static>(
        self: &Arc<Self>,
        attempt: PinAttempt<T>,
    ) -> Result<T, Error> {
        self.refuse_early(attempt.row).await?;
        self.attempt(self, attempt).await
    }

    /// Before anybody waits in line: an unknown key, and a budget that is used up.
    async fn refuse_early(&self, row: RowId) -> Result<(), Error> {
        let store = self.store.as_ref();
        let budget = self
            .rows
            .read::<GuessBudget>(store, self.budget_row(row))
            .await?;
        let Some(budget) = budget else {
            return match self.rows.read::<GuardedKey>(store, row).await? {
                Some(_) => Ok(()),
                None => Err(Refusal::UnknownSubject.into()),
            };
        };
        match budget.exhausted(self.now(), &self.policy.guesses) {
            Some(until) => Err(Refusal::Exhausted { until }.into()),
            None => Ok(()),
        }
    }
}

/// A judged PIN: what a right one gives, and the version of the PIN that it was judged by.
struct JudgedPin {
    version: u64,
    proven: Option<Proven>,
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
        let Some(key) = hub.rows.peek::<GuardedKey>(tx, &self.row)? else {
            return Ok(Begun::Refused(Refusal::UnknownSubject));
        };
        let reservation = opening.reserve(
            tx,
            vec![hub.counted_by_budget(self.row, hub.policy.guesses)],
        )?;
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
            pin: self.pin.clone(),
            new: self.new.clone(),
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
        let Some(mut key) = hub.rows.get::<GuardedKey>(tx, &self.row)? else {
            return Ok(open.abandon().answer(Refusal::UnknownSubject));
        };
        if key.pin_version != judged.version {
            return Ok(open.withdraw(tx)?.again());
        }
        let event = Event::new(self.caller.surface, open.now, self.action, self.row.alias())
            .by(&self.caller);
        let Some(proven) = &judged.proven else {
            let closed = open.fail(tx)?;
            let failed = closed.failures.to_string();
            hub.record(tx, event.outcome("wrong").fact("failed", failed))?;
            return Ok(closed.answer(Refusal::BadProof { left: None }));
        };
        let closed = open.succeed(tx)?;
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
