//! Removing a contact: step 3.

use std::sync::Arc;

use super::notice::ContactNotice;
use super::{Contact, ContactAddress, KeyContact};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::guarded_key::GuardedKeys;
use crate::guarded_key::key::{GuardedKey, GuardedKeyId};
use crate::guarded_key::pin::Pin;

/// What follows from the removal of a contact.
struct AfterRemoval {
    /// Nothing is left by which the key could be recovered, so the recovery envelope goes.
    unrecoverable: bool,
    /// Nobody was told of an unverified contact, so nobody is told that it is gone.
    notice: Option<ContactNotice>,
}

impl AfterRemoval {
    fn of<'a>(
        key: &GuardedKey,
        removed: &Contact,
        left: impl Iterator<Item = &'a Contact>,
    ) -> Self {
        let told = removed.is_verified();
        Self {
            unrecoverable: !key.stays_recoverable(left),
            notice: told.then(|| ContactNotice::about("contact_removed", removed)),
        }
    }
}

impl GuardedKeys {
    /// Removes a contact if the PIN is correct. A recovery that runs through it ends with it. The count of its
    /// wrong codes does not: it goes on when the same address is added again.
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
        self.budget_outlives(tx, now, ids.contact.row(), &self.policy.code_guesses())?;
        let left = self.contacts(tx, ids.key)?;
        let left = left.iter().map(|contact| &contact.value);
        let after = AfterRemoval::of(key, &removed, left);
        if after.unrecoverable {
            key.recovery_envelope = None;
        }
        if let Some(notice) = after.notice {
            self.notify_contacts(tx, now, surface, ids.key, &notice)?;
        }
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guarded_key::contact::tests::{at, contact, running_lock};
    use crate::guarded_key::key::tests::key;

    fn unverified() -> Contact {
        Contact {
            verified: None,
            ..contact()
        }
    }

    fn after(removed: &Contact, left: &[Contact]) -> AfterRemoval {
        AfterRemoval::of(&key(), removed, left.iter())
    }

    #[test]
    fn the_recovery_envelope_goes_with_the_last_verified_contact() {
        assert!(after(&contact(), &[]).unrecoverable);
        assert!(after(&contact(), &[unverified()]).unrecoverable);
        assert!(!after(&contact(), &[contact()]).unrecoverable);
        assert!(!after(&unverified(), &[unverified(), contact()]).unrecoverable);
    }

    #[test]
    fn an_imported_key_keeps_its_recovery_envelope_for_contacts_that_did_not_appear_yet() {
        let mut key = key();
        key.contact_salt = Some(vec![1]);
        assert!(!AfterRemoval::of(&key, &contact(), [].iter()).unrecoverable);
    }

    #[test]
    fn the_others_are_told_that_a_verified_contact_is_gone() {
        let notice = after(&contact(), &[contact()]).notice.unwrap();
        assert_eq!(notice.operation, "contact_removed");
        assert!(notice.facts.contains_key("contact"), "masked, but named");
        assert_eq!(notice.except, None);
        assert_eq!(notice.lock, None, "it is about no running recovery");
    }

    #[test]
    fn nobody_is_told_that_an_unverified_contact_is_gone() {
        assert!(after(&unverified(), &[contact()]).notice.is_none());
    }

    #[test]
    fn a_removed_contact_with_a_running_recovery_is_told_of_as_any_other() {
        let mut recovering = contact();
        recovering.lock = Some(running_lock(at(0)));
        let notice = after(&recovering, &[contact()]).notice.unwrap();
        assert_eq!(notice.operation, "contact_removed");
        assert_eq!(notice.lock, None, "that recovery has ended with it");
    }
}
