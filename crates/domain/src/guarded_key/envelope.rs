//! The envelopes that hold one 256-bit key.

use crypto::Key;
use crypto::aead::SealKey;

use super::contact::{Contact, PendingContent};
use super::key::GuardedKey;
use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::port::random::bytes;
use crate::core::port::roots::Root;
use crate::core::port::store::{Row, RowId, Tx, TxResult};
use crate::core::secret::SecretText;
use crate::guarded_key::GuardedKeys;

/// What is stored for its owner: 32 bytes that never change while the record exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptionKey(pub Key);

impl GuardedKeys {
    pub(crate) fn new_encryption_key(&self) -> EncryptionKey {
        EncryptionKey(Key::new(bytes(self.random.as_ref())))
    }

    /// Seals `content` under the envelope key that is derived from a PIN.
    pub(crate) fn seal_with_pin(
        &self,
        envelope: &Key,
        key: RowId,
        content: &EncryptionKey,
    ) -> Vec<u8> {
        SealKey::new(envelope).seal(
            bytes(self.random.as_ref()),
            &aad("pin", key),
            content.0.expose(),
        )
    }

    /// Seals `content` under the KEK `recovery`.
    pub(crate) fn seal_for_recovery(
        &self,
        key: Id<GuardedKey>,
        content: &EncryptionKey,
    ) -> Result<Vec<u8>, Error> {
        self.roots.seal(
            Root::Recovery,
            &aad("recovery", key.row()),
            content.0.expose(),
        )
    }

    /// Seals the recovery envelope of a key, as it was just read, under the newest version of the KEK `recovery`.
    /// Returns whether an older version had sealed it.
    pub(crate) fn rewrap_envelope(&self, tx: &mut dyn Tx, row: &Row) -> TxResult<bool> {
        let mut key = self.rows.open_in::<GuardedKey>(tx, row)?;
        let Some(sealed) = &key.recovery_envelope else {
            return Ok(false);
        };
        let fresh = self
            .roots
            .rewrap(Root::Recovery, &aad("recovery", row.id), sealed)?;
        if fresh.is_none() {
            return Ok(false);
        }
        key.recovery_envelope = fresh;
        self.rows.put(tx, &mut key)?;
        Ok(true)
    }

    /// Opens the recovery envelope. Only a recovery whose lock has opened may call this.
    pub(crate) fn open_by_recovery(
        &self,
        key: Id<GuardedKey>,
        sealed: &[u8],
    ) -> Result<EncryptionKey, Error> {
        content(
            &self
                .roots
                .open(Root::Recovery, &aad("recovery", key.row()), sealed)?,
        )
    }

    /// Seals `content` so that it opens only with the KEK `recovery` *and* the code that is sent to a contact: before
    /// the contact is verified, this server cannot make a recovery envelope of it.
    pub(crate) fn seal_until_proved(
        &self,
        contact: Id<Contact>,
        code: &SecretText,
        content: &EncryptionKey,
    ) -> Result<PendingContent, Error> {
        let version = self.roots.current(Root::Recovery);
        let key = self.pending_key(version, contact, code)?;
        let sealed = SealKey::new(&key).seal(
            bytes(self.random.as_ref()),
            &aad("pending", contact.row()),
            content.0.expose(),
        );
        Ok((version, sealed))
    }

    /// Opens what [`GuardedKeys::seal_until_proved`] made, with the code that was just judged correct.
    pub(crate) fn open_when_proved(
        &self,
        contact: Id<Contact>,
        code: &SecretText,
        (version, sealed): (u32, &[u8]),
    ) -> Result<EncryptionKey, Error> {
        let key = self.pending_key(version, contact, code)?;
        let opened = SealKey::new(&key).open(&aad("pending", contact.row()), sealed);
        content(
            &opened
                .map_err(|_| Error::bug("a pending envelope does not open with its own code"))?,
        )
    }

    fn pending_key(
        &self,
        version: u32,
        contact: Id<Contact>,
        code: &SecretText,
    ) -> Result<Key, Error> {
        self.roots.prf(
            Root::Recovery,
            version,
            &[b"pending", contact.as_bytes(), code.expose().as_bytes()],
        )
    }
}

/// Opens what [`GuardedKeys::seal_with_pin`] made.
pub(crate) fn open_with_pin(
    envelope: &Key,
    key: RowId,
    sealed: &[u8],
) -> Result<EncryptionKey, Error> {
    let opened = SealKey::new(envelope).open(&aad("pin", key), sealed);
    content(&opened.map_err(|_| Error::bug("a PIN envelope does not open with its own PIN"))?)
}

fn content(bytes: &[u8]) -> Result<EncryptionKey, Error> {
    Key::from_slice(bytes)
        .map(EncryptionKey)
        .ok_or_else(|| Error::bug("an envelope holds another length"))
}

fn aad(kind: &str, id: RowId) -> Vec<u8> {
    [kind.as_bytes(), b"|", &id.0].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u8) -> RowId {
        RowId([number; 16])
    }

    fn sealed(envelope: &Key, key: RowId, content: &[u8]) -> Vec<u8> {
        SealKey::new(envelope).seal([9; 12], &aad("pin", key), content)
    }

    #[test]
    fn a_pin_envelope_opens_with_its_own_key() {
        let envelope = Key::new([1; 32]);
        let sealed = sealed(&envelope, row(1), &[7; 32]);
        let opened = open_with_pin(&envelope, row(1), &sealed).unwrap();
        assert_eq!(opened, EncryptionKey(Key::new([7; 32])));
    }

    #[test]
    fn a_pin_envelope_opens_with_no_other_key_and_in_no_other_row() {
        let envelope = Key::new([1; 32]);
        let sealed = sealed(&envelope, row(1), &[7; 32]);
        assert!(open_with_pin(&Key::new([2; 32]), row(1), &sealed).is_err());
        assert!(open_with_pin(&envelope, row(2), &sealed).is_err());
    }

    #[test]
    fn an_envelope_of_one_kind_cannot_be_used_as_another() {
        let kinds = ["pin", "recovery", "pending"].map(|kind| aad(kind, row(1)));
        assert_ne!(kinds[0], kinds[1]);
        assert_ne!(kinds[1], kinds[2]);
    }

    #[test]
    fn an_envelope_must_hold_thirty_two_bytes() {
        let envelope = Key::new([1; 32]);
        let sealed = sealed(&envelope, row(1), &[7; 31]);
        assert!(open_with_pin(&envelope, row(1), &sealed).is_err());
    }
}
