//! PINs and what is kept to recognise them.
//!
//! `tag = PRF(Argon2id(PIN, salt), tenant | key id | version)`. From the tag come, separately, a check
//! value (kept, sealed) and the key of the PIN envelope (never kept). Without the pepper root, a stolen
//! database does not even allow guessing a four-digit PIN.

use crypto::Key;
use crypto::password::{Cost, Memory, argon2id, scrypt_16384_8_1};
use serde::{Deserialize, Serialize};

use crate::core::error::Error;
use crate::core::port::random::bytes;
use crate::core::port::roots::{Root, Roots};
use crate::core::port::store::RowId;
use crate::core::secret::SecretText;
use crate::guarded_key::GuardedKeys;

/// A PIN as its owner typed it: not trimmed, not normalised. Its length is the wire's rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin(pub SecretText);

/// What is kept of a PIN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PinVerifier {
    salt: [u8; 16],
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    pepper: u32,
    check: [u8; 32],
}

/// What is kept of a PIN taken over from another server, until it is next used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ForeignPin {
    /// Bytes of the salt, and of the scrypt output (N = 16384, r = 8, p = 1).
    pub(crate) salt: Vec<u8>,
    pub(crate) hash: Vec<u8>,
}

/// A PIN that was hashed: its verifier, and the key of its envelope.
pub(crate) struct HashedPin {
    pub(crate) verifier: PinVerifier,
    pub(crate) envelope: Key,
}

impl PinVerifier {
    /// Hashes `pin` as this verifier's PIN was: the envelope key when it is right. Slow: pool only.
    pub(crate) fn check(
        &self,
        roots: &dyn Roots,
        key: RowId,
        pin: &Pin,
        memory: &mut Memory,
    ) -> Result<Option<Key>, Error> {
        let tag = tag(
            roots,
            self.pepper,
            &self.cost(),
            &self.salt,
            key,
            pin,
            memory,
        )?;
        let right = check_value(&tag) == Key::new(self.check);
        Ok(right.then(|| envelope_key(&tag)))
    }

    fn cost(&self) -> Cost {
        Cost {
            memory_kib: self.memory_kib,
            passes: self.passes,
            lanes: self.lanes,
        }
    }
}

impl ForeignPin {
    /// Whether `pin` is the one. Slow: pool only.
    pub(crate) fn check(&self, pin: &Pin) -> bool {
        let hash = scrypt_16384_8_1(pin.0.expose().as_bytes(), &self.salt);
        Key::from_slice(&self.hash).is_some_and(|kept| kept == hash)
    }
}

impl GuardedKeys {
    /// What [`PinRecipe::hash`] needs besides the PIN, drawn now.
    pub(crate) fn pin_recipe(&self, key: RowId) -> PinRecipe {
        PinRecipe {
            key,
            salt: bytes(self.random.as_ref()),
            cost: self.hash.cost,
            pepper: self.roots.current(Root::Pepper),
        }
    }
}

/// How a new PIN will be hashed.
#[derive(Clone, Copy)]
pub(crate) struct PinRecipe {
    key: RowId,
    salt: [u8; 16],
    cost: Cost,
    pepper: u32,
}

impl PinRecipe {
    /// Whether `verifier` was made with these numbers, or must be made anew at the next success.
    pub(crate) fn is_that_of(&self, verifier: &PinVerifier) -> bool {
        // A newer pepper is another node's, which was started with the next key file.
        verifier.cost() == self.cost && verifier.pepper >= self.pepper
    }

    /// Hashes a new PIN. Slow: pool only.
    pub(crate) fn hash(
        &self,
        roots: &dyn Roots,
        pin: &Pin,
        memory: &mut Memory,
    ) -> Result<HashedPin, Error> {
        let tag = tag(
            roots,
            self.pepper,
            &self.cost,
            &self.salt,
            self.key,
            pin,
            memory,
        )?;
        let verifier = PinVerifier {
            salt: self.salt,
            memory_kib: self.cost.memory_kib,
            passes: self.cost.passes,
            lanes: self.cost.lanes,
            pepper: self.pepper,
            check: *check_value(&tag).expose(),
        };
        Ok(HashedPin {
            verifier,
            envelope: envelope_key(&tag),
        })
    }
}

fn tag(
    roots: &dyn Roots,
    pepper: u32,
    cost: &Cost,
    salt: &[u8; 16],
    key: RowId,
    pin: &Pin,
    memory: &mut Memory,
) -> Result<Key, Error> {
    let hash = argon2id(cost, pin.0.expose().as_bytes(), salt, memory)
        .ok_or_else(|| Error::bug("the cost of a PIN's hash is impossible"))?;
    roots.prf(Root::Pepper, pepper, &[b"pin", hash.expose(), &key.0])
}

fn check_value(tag: &Key) -> Key {
    crypto::kdf::derive(tag, "pin check", &[])
}

fn envelope_key(tag: &Key) -> Key {
    crypto::kdf::derive(tag, "pin envelope", &[])
}
