//! Trying a PIN: reserve, check, settle.
//!
//! 1. Wait for a turn at this key, and for a place in the hash queue: nothing is counted yet.
//! 2. Reserve a try, durably. While the budget is exhausted nothing is hashed.
//! 3. Hash and compare, outside any transaction.
//! 4. Settle: a wrong PIN is a decision that is saved; a right one clears the count and, in the same
//!    transaction, has its effect. When the PIN was replaced meanwhile nothing is told: from step 2, against the
//!    new one, so that a try counts against the PIN that it was judged by.
//!
//! The flow runs in a task of its own: a caller who hangs up after step 2 does not leave a try unsettled.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crypto::password::Memory;

use super::envelope::open_with_pin;
use super::key::{GuardedKey, KeyId};
use super::pin::{HashedPin, PinRecipe};
use super::{EncryptionKey, Pin};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::roots::Roots;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::guarded_key::GuardedKeys;
use crate::limit::budget::{GuessBudget, Reservation, Reserve};
use crate::limit::hashing::Share;
use crate::trail::audit::Event;

/// What a right PIN gives.
pub(crate) struct Proven {
    pub(crate) content: EncryptionKey,
    /// The new PIN of a change, hashed.
    pub(crate) new_pin: Option<HashedPin>,
    /// The same PIN under today's numbers, when the kept verifier is older.
    renewed: Option<HashedPin>,
}

/// An effect of a right PIN; a refusal inside is answered, and the PIN still counts as right.
type Effect<T> = dyn FnMut(
        &GuardedKeys,
        &mut dyn Tx,
        &mut Stored<GuardedKey>,
        &Proven,
    ) -> TxResult<Result<T, Refusal>>
    + Send;

/// How often a PIN may be replaced under a guess before the caller is told to come back.
const ROUNDS: usize = 5;

struct Guess {
    caller: Caller,
    row: RowId,
    pin: Pin,
    new: Option<Pin>,
    action: &'static str,
}

impl GuardedKeys {
    /// Runs `effect` for who knows the PIN.
    pub(crate) async fn with_pin<T: Send + 'static>(
        self: &Arc<Self>,
        caller: Caller,
        key: KeyId,
        pin: Pin,
        action: &'static str,
        effect: impl FnMut(
            &GuardedKeys,
            &mut dyn Tx,
            &mut Stored<GuardedKey>,
            &Proven,
        ) -> TxResult<Result<T, Refusal>>
        + Send
        + 'static,
    ) -> Result<T, Error> {
        let guess = Guess {
            caller,
            row: self.key_row(key),
            pin,
            new: None,
            action,
        };
        self.settled(guess, Box::new(effect)).await
    }

    /// The same, with a new PIN hashed for the effect.
    pub(crate) async fn with_pin_and_new<T: Send + 'static>(
        self: &Arc<Self>,
        caller: Caller,
        key: KeyId,
        pin: Pin,
        new: Pin,
        action: &'static str,
        effect: impl FnMut(
            &GuardedKeys,
            &mut dyn Tx,
            &mut Stored<GuardedKey>,
            &Proven,
        ) -> TxResult<Result<T, Refusal>>
        + Send
        + 'static,
    ) -> Result<T, Error> {
        let guess = Guess {
            caller,
            row: self.key_row(key),
            pin,
            new: Some(new),
            action,
        };
        self.settled(guess, Box::new(effect)).await
    }

    async fn settled<T: Send + 'static>(
        self: &Arc<Self>,
        guess: Guess,
        effect: Box<Effect<T>>,
    ) -> Result<T, Error> {
        let this = Arc::clone(self);
        tokio::spawn(async move { this.guess(guess, effect).await })
            .await
            .map_err(Error::bug)?
    }

    async fn guess<T: Send + 'static>(
        self: Arc<Self>,
        guess: Guess,
        effect: Box<Effect<T>>,
    ) -> Result<T, Error> {
        self.refuse_early(guess.row).await?;
        let _turn = self.turns.join(guess.row).await?;
        let effect = Arc::new(Mutex::new(effect));
        for _ in 0..ROUNDS {
            if let Some(verdict) = self.judge(&guess, &effect).await? {
                return verdict.map_err(Error::Refused);
            }
        }
        Err(Error::Busy { seconds: 1 })
    }

    /// Steps 2 to 4. No verdict: the PIN was replaced, and the try was given back unjudged.
    async fn judge<T: Send + 'static>(
        self: &Arc<Self>,
        guess: &Guess,
        effect: &Arc<Mutex<Box<Effect<T>>>>,
    ) -> Result<Option<Result<T, Refusal>>, Error> {
        let Guess { row, action, .. } = *guess;
        let ticket = self.hashes.admit(Share::Pin)?;
        let (key, reservation) = self.reserve(row).await?;
        let version = key.pin_version;
        let check = Check {
            row,
            key,
            pin: guess.pin.clone(),
            new: guess.new.clone(),
            recipe: self.pin_recipe(row),
        };
        let roots = Arc::clone(&self.roots);
        let proven = ticket
            .run(move |memory| check.run(roots.as_ref(), memory))
            .await?;
        drop(ticket);
        let proven = match proven {
            // The root key that this PIN was peppered with is not at hand: nothing was judged.
            Err(error @ Error::Unavailable(_)) => {
                self.give_back(row, reservation).await?;
                return Err(error);
            }
            proven => proven?,
        };
        let now = self.now();
        let caller = guess.caller.clone();
        let effect = Arc::clone(effect);
        let settle = move |hub: &GuardedKeys, tx: &mut dyn Tx| {
            let limits = hub.policy.guesses;
            let Some(mut key) = hub.rows.get::<GuardedKey>(tx, &row)? else {
                return Ok(Some(Err(Refusal::UnknownSubject)));
            };
            let mut budget = hub.budget(tx, row)?;
            if key.pin_version != version {
                budget.withdraw(reservation);
                hub.rows.put(tx, &mut budget)?;
                return Ok(None);
            }
            let event = Event::new(caller.surface, now, action, row.alias()).by(&caller);
            let Some(proven) = &proven else {
                budget.fail(now, &limits, reservation);
                let failed = budget.failed().to_string();
                hub.rows.put(tx, &mut budget)?;
                hub.record(tx, event.outcome("wrong").fact("failed", failed))?;
                return Ok(Some(Err(Refusal::BadProof { left: None })));
            };
            budget.succeed(reservation);
            hub.rows.put(tx, &mut budget)?;
            let before = key.value.clone();
            if let Some(renewed) = &proven.renewed {
                hub.set_pin(&mut key, renewed, row, &proven.content);
            }
            let mut effect = effect.lock().unwrap_or_else(PoisonError::into_inner);
            let verdict = effect(hub, tx, &mut key, proven)?;
            if key.value != before {
                hub.rows.put(tx, &mut key)?;
            }
            let outcome = if verdict.is_ok() { "done" } else { "refused" };
            hub.record(tx, event.outcome(outcome))?;
            Ok(Some(verdict))
        };
        let judged = self.write(settle).await?;
        self.posted(now).await;
        Ok(judged)
    }

    async fn give_back(
        self: &Arc<Self>,
        row: RowId,
        reservation: Reservation,
    ) -> Result<(), Error> {
        self.write(move |hub, tx| {
            let mut budget = hub.budget(tx, row)?;
            budget.withdraw(reservation);
            hub.rows.put(tx, &mut budget)
        })
        .await
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

    /// Step 2, again and again while what is left is in flight on other nodes.
    async fn reserve(
        self: &Arc<Self>,
        row: RowId,
    ) -> Result<(Stored<GuardedKey>, Reservation), Error> {
        let mut waited = Duration::ZERO;
        loop {
            let now = self.now();
            let id = self.random_u64();
            let reserved = self
                .write(move |hub, tx| hub.reserve_in(tx, row, now, id))
                .await?;
            match reserved {
                (Some(key), Reserve::Granted(reservation)) => return Ok((key, reservation)),
                (None, _) => return Err(Refusal::UnknownSubject.into()),
                (_, Reserve::Exhausted { until }) => {
                    return Err(Refusal::Exhausted { until }.into());
                }
                (_, Reserve::Wait) if waited > self.shared.wait => {
                    return Err(Error::Busy { seconds: 1 });
                }
                (_, Reserve::Wait) => {
                    let pause = Duration::from_millis(5 + id % 20);
                    waited += pause;
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "waits for a try in flight on another node"
                    )]
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    fn reserve_in(
        &self,
        tx: &mut dyn Tx,
        row: RowId,
        now: Timestamp,
        id: u64,
    ) -> TxResult<(Option<Stored<GuardedKey>>, Reserve)> {
        let Some(key) = self.rows.peek::<GuardedKey>(tx, &row)? else {
            return Ok((None, Reserve::Wait));
        };
        let mut budget = self.budget(tx, row)?;
        let before = budget.value.clone();
        let reserve = budget.reserve(now, &self.policy.guesses, id);
        if budget.value != before {
            self.rows.put(tx, &mut budget)?;
        }
        Ok((Some(key), reserve))
    }
}

/// Step 3 as one piece of work for the pool.
struct Check {
    row: RowId,
    key: Stored<GuardedKey>,
    pin: Pin,
    new: Option<Pin>,
    /// For the new PIN of a change, or for the same PIN when its verifier is of older numbers.
    recipe: PinRecipe,
}

impl Check {
    fn run(&self, roots: &dyn Roots, memory: &mut Memory) -> Result<Option<Proven>, Error> {
        let Check {
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
