//! Making a guarded key.
//!
//! 1. Reserve a place in the hash queue, and refuse callers whose network has made too many keys already.
//! 2. Hash the PIN outside any transaction.
//! 3. In one transaction count the new key and save it with an empty guess budget.

use std::sync::Arc;

use super::Pin;
use super::key::{GuardedKey, GuardedKeyId};
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::layer::Layer as _;
use crate::core::port::random::uuid;
use crate::core::port::store::RowId;
use crate::core::rows::Place;
use crate::core::verdict::Verdict;
use crate::guarded_key::GuardedKeys;
use crate::limit::budget::GuessBudget;
use crate::limit::hashing::HashQueue;
use crate::limit::rate::Rate;
use crate::trail::audit::Event;

impl GuardedKeys {
    /// Makes a key behind `pin`, and returns its id. The content is not returned here.
    ///
    /// `Limited`: the caller's network has made too many keys. `Busy`: the hash queue is full.
    pub async fn create_key(
        self: &Arc<Self>,
        caller: Caller,
        pin: Pin,
    ) -> Result<GuardedKeyId, Error> {
        let now = self.now();
        let id = GuardedKeyId(uuid(self.random.as_ref()));
        let row = self.key_row(id);
        let ticket = self.hashes.admit(HashQueue::Pin)?;
        let limited = self.network_rates("new keys", &caller, self.policy.new_keys_per_network);
        for (row, rates) in &limited {
            self.read_rate(*row, now, rates).await?;
        }
        let recipe = self.pin_recipe(row.row());
        let roots = Arc::clone(&self.roots);
        let hashed = ticket
            .run(move |memory| recipe.hash(roots.as_ref(), &pin, memory))
            .await??;
        drop(ticket);
        let content = self.new_encryption_key();
        let envelope = self.seal_with_pin(&hashed.envelope, row.row(), &content);
        let verdict = self
            .write(move |hub, tx| {
                let wanted: Vec<(RowId, &[Rate])> = limited
                    .iter()
                    .map(|(row, rates)| (*row, &rates[..]))
                    .collect();
                if let Err(refusal) = hub.spend_rates(tx, now, &wanted)? {
                    return Ok(Verdict::Refused(refusal));
                }
                let key = GuardedKey::new(now, hashed.verifier.clone(), envelope.clone());
                hub.rows.create(tx, hub.tenant(), Place::at(row), key)?;
                let budget = Place::at(hub.budget_row(row.row()));
                hub.rows
                    .create(tx, hub.tenant(), budget, GuessBudget::default())?;
                hub.make_familiar(tx, now, row.row(), &caller)?;
                let event = Event::new(caller.surface, now, "key.create", row.alias());
                hub.record(tx, event.by(&caller))?;
                Ok(Verdict::Done(()))
            })
            .await?;
        verdict.answer()?;
        Ok(id)
    }
}
