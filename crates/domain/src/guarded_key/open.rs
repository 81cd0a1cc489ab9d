//! What the correct PIN allows: opening the key, and replacing the PIN.

use std::sync::Arc;

use super::Pin;
use super::contact::notice::ContactNotice;
use super::guess::EnteredPin;
use super::key::{GuardedKey, GuardedKeyId, OpenedKey};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::port::store::{Tx, TxResult};
use crate::core::time::Timestamp;
use crate::guarded_key::GuardedKeys;

impl GuardedKeys {
    /// Returns the encryption key if the PIN is correct.
    ///
    /// `UnknownSubject`: no such key. `BadProof`: the PIN is wrong, and that was counted. `Exhausted`: too many wrong
    /// PINs, so nothing was checked.
    pub async fn open_key(
        self: &Arc<Self>,
        caller: Caller,
        id: GuardedKeyId,
        pin: Pin,
    ) -> Result<OpenedKey, Error> {
        let content = self
            .with_pin(caller, id, pin, "key.open", |_, _, _, proven| {
                Ok(Ok(proven.content.clone()))
            })
            .await?;
        Ok(OpenedKey { id, content })
    }

    /// Replaces the PIN if the old one is correct. Ends every recovery of the key, and tells all its contacts.
    ///
    /// The errors are those of [`GuardedKeys::open_key`].
    pub async fn change_pin(
        self: &Arc<Self>,
        caller: Caller,
        id: GuardedKeyId,
        pin: Pin,
        new: Pin,
    ) -> Result<(), Error> {
        let now = self.now();
        let row = self.key_row(id);
        let by = caller.clone();
        let same = pin == new;
        let entered = EnteredPin::with_new(pin, new);
        self.with_pin(
            caller,
            id,
            entered,
            "key.change_pin",
            move |hub, tx, key, proven| {
                let Some(hashed) = &proven.new_pin else {
                    return Ok(Err(Refusal::WrongState));
                };
                hub.replace_pin(key, hashed, &proven.content);
                if !same {
                    hub.count_new_pin(tx, now, row, &by)?;
                }
                hub.end_recoveries(tx, row)?;
                let notice = ContactNotice::of("pin_changed");
                hub.notify_contacts(tx, now, by.surface, row, &notice)?;
                Ok(Ok(()))
            },
        )
        .await
    }

    /// Begins the count of wrong PINs anew for another PIN. Whoever knew the old one is a stranger now.
    pub(super) fn count_new_pin(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        key: Id<GuardedKey>,
        caller: &Caller,
    ) -> TxResult<()> {
        let mut budget = self.budget(tx, key.row())?;
        budget.secret_replaced();
        self.rows.put(tx, &mut budget)?;
        self.make_others_strangers(tx, now, key.row(), caller)
    }
}
