//! Removing a contact: step 3.

use std::sync::Arc;

use super::notice::ContactNotice;
use super::{ContactAddress, KeyContact};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::port::store::{Tx, TxResult};
use crate::core::record::Record;
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::guarded_key::GuardedKeys;
use crate::guarded_key::key::{GuardedKey, GuardedKeyId};
use crate::guarded_key::pin::Pin;
use crate::limit::budget::GuessBudget;

impl GuardedKeys {
    /// Removes a contact if the PIN is correct. A recovery that runs through it ends with it.
    ///
    /// Beside the errors of [`GuardedKeys::open_key`]: `UnknownSubject` if the key has no such contact.
    pub async fn remove_contact(
        self: &Arc<Self>,
        caller: Caller,
        key: GuardedKeyId,
        pin: Pin,
        address: ContactAddress,
    ) -> Result<(), Error> {
        let ids = self.locate_contact(self.key_row(key), &address).await?;
        let now = self.now();
        let surface = caller.surface;
        self.with_pin(
            caller,
            key,
            pin,
            "contact.remove",
            move |hub, tx, key, _| hub.remove_contact_in(tx, (now, surface), ids, key),
        )
        .await
    }

    fn remove_contact_in(
        &self,
        tx: &mut dyn Tx,
        (now, surface): (Timestamp, &str),
        ids: KeyContact,
        key: &mut Stored<GuardedKey>,
    ) -> TxResult<Result<(), Refusal>> {
        let Some(removed) = self.rows.take(tx, ids.contact)? else {
            return Ok(Err(Refusal::UnknownSubject));
        };
        tx.remove(GuessBudget::KIND, &self.budget_row(ids.contact.row()))?;
        let left = self.contacts(tx, ids.key)?;
        if !key.stays_recoverable(left.iter().map(|contact| &contact.value)) {
            key.recovery_envelope = None;
        }
        // Nobody was told of an unverified contact, so nobody is told that it is gone.
        if removed.is_verified() {
            let notice = ContactNotice::about("contact_removed", &removed);
            self.notify_contacts(tx, now, surface, ids.key, &notice)?;
        }
        Ok(Ok(()))
    }
}
