//! The record of a PIN-guarded key: the verifier of its PIN, and its envelopes.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EncryptionKey;
use super::pin::{ForeignPin, HashedPin, PinVerifier};
use crate::core::id::Id;
use crate::core::port::store::{Kind, RowId};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::guarded_key::GuardedKeys;

/// Names a guarded key. 122 random bits that its owner keeps secret; never logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardedKeyId(pub Uuid);

/// The record of a guarded key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GuardedKey {
    pub(crate) created: Timestamp,
    /// Increases with every new PIN. The result of a check that began with an older PIN is discarded.
    pub(crate) pin_version: u64,
    pub(crate) verifier: Option<PinVerifier>,
    pub(crate) pin_envelope: Option<Vec<u8>>,
    pub(crate) recovery_envelope: Option<Vec<u8>>,
    /// The key was imported from another server, and nobody has entered its PIN here yet.
    pub(crate) foreign: Option<Foreign>,
    /// The salt with which imported contacts are found.
    pub(crate) contact_salt: Option<Vec<u8>>,
}

/// A key imported from a server that stored it unencrypted. It is sealed here, as every row is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Foreign {
    pub(crate) pin: ForeignPin,
    pub(crate) content: [u8; 32],
}

impl Record for GuardedKey {
    const KIND: Kind = "guarded_key";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Limited;
}

/// A key that was returned to its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedKey {
    pub id: GuardedKeyId,
    pub content: EncryptionKey,
}

impl GuardedKey {
    /// A new key behind a PIN that was just hashed. Nobody can recover it before a contact is verified.
    pub(super) fn new(now: Timestamp, verifier: PinVerifier, pin_envelope: Vec<u8>) -> Self {
        Self {
            created: now,
            pin_version: 1,
            verifier: Some(verifier),
            pin_envelope: Some(pin_envelope),
            recovery_envelope: None,
            foreign: None,
            contact_salt: None,
        }
    }

    /// Stores a PIN in a new form. The PIN is the same, so checks that are running keep their meaning.
    fn rehash(&mut self, verifier: PinVerifier, pin_envelope: Vec<u8>) {
        self.verifier = Some(verifier);
        self.pin_envelope = Some(pin_envelope);
        self.foreign = None;
    }

    /// Whether the recovery envelope may stay when these contacts are left: one of them is verified, or the key was
    /// imported and may have contacts that did not appear yet.
    pub(super) fn stays_recoverable<'a>(
        &self,
        mut left: impl Iterator<Item = &'a super::contact::Contact>,
    ) -> bool {
        self.contact_salt.is_some() || left.any(super::contact::Contact::is_verified)
    }
}

impl GuardedKeys {
    pub(crate) fn key_row(&self, key: GuardedKeyId) -> Id<GuardedKey> {
        self.rows.named(&[key.0.as_bytes()])
    }

    /// Replaces the PIN of a loaded key.
    pub(super) fn replace_pin(
        &self,
        key: &mut Stored<GuardedKey>,
        hashed: &HashedPin,
        content: &EncryptionKey,
    ) {
        let row = key.id();
        key.pin_version += 1;
        self.set_pin(key, hashed, row, content);
    }

    /// Stores the same PIN in the form of `hashed`. A check of it under the older form still counts.
    pub(super) fn set_pin(
        &self,
        key: &mut Stored<GuardedKey>,
        hashed: &HashedPin,
        row: RowId,
        content: &EncryptionKey,
    ) {
        let envelope = self.seal_with_pin(&hashed.envelope, row, content);
        key.rehash(hashed.verifier.clone(), envelope);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::guarded_key::contact::tests::contact;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + second * 1000)
    }

    fn verifier(seed: u8) -> PinVerifier {
        let numbers = serde_json::json!({"salt": vec![seed; 16], "memory_kib": 8, "passes": 1, "lanes": 1,
            "pepper": 1, "check": vec![seed; 32]});
        serde_json::from_value(numbers).unwrap()
    }

    pub(in crate::guarded_key) fn key() -> GuardedKey {
        GuardedKey::new(at(0), verifier(1), vec![1])
    }

    #[test]
    fn a_new_key_has_a_pin_and_no_way_to_recover_it() {
        let key = key();
        assert_eq!((key.created, key.pin_version), (at(0), 1));
        assert_eq!(key.verifier, Some(verifier(1)));
        assert_eq!(key.pin_envelope, Some(vec![1]));
        assert_eq!((key.recovery_envelope, key.contact_salt), (None, None));
    }

    #[test]
    fn a_pin_in_a_new_form_replaces_the_imported_one_and_is_the_same_pin() {
        let mut key = key();
        key.verifier = None;
        key.foreign = Some(Foreign {
            pin: ForeignPin {
                salt: vec![2],
                hash: vec![3],
            },
            content: [4; 32],
        });
        key.rehash(verifier(5), vec![6]);
        assert_eq!(key.foreign, None, "the unencrypted content is gone");
        assert_eq!(key.verifier, Some(verifier(5)));
        assert_eq!(key.pin_envelope, Some(vec![6]));
        assert_eq!(key.pin_version, 1);
    }

    #[test]
    fn a_key_stays_recoverable_while_a_verified_contact_is_left() {
        let mut unverified = contact();
        unverified.verified = None;
        let verified = contact();
        let key = key();
        assert!(key.stays_recoverable([&unverified, &verified].into_iter()));
        assert!(!key.stays_recoverable([&unverified].into_iter()));
        assert!(!key.stays_recoverable([].into_iter()));
    }

    #[test]
    fn an_imported_key_stays_recoverable_because_its_contacts_may_still_appear() {
        let mut key = key();
        key.contact_salt = Some(vec![1]);
        assert!(key.stays_recoverable([].into_iter()));
    }
}
