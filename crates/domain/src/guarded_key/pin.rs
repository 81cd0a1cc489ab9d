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

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    use super::*;

    pub(in crate::guarded_key) const CHEAP: Cost = Cost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };
    const ROW: RowId = RowId([1; 16]);

    /// Root keys that know the versions of the pepper up to a number, and nothing else.
    pub(in crate::guarded_key) struct Peppers(u32);

    impl Peppers {
        pub(in crate::guarded_key) fn of(newest: u32) -> Self {
            Self(newest)
        }
    }

    impl Roots for Peppers {
        fn current(&self, _root: Root) -> u32 {
            self.0
        }

        fn seal(&self, _: Root, _: &[u8], _: &[u8]) -> Result<Vec<u8>, Error> {
            Err(Error::bug("a PIN is not sealed by a root key"))
        }

        fn rewrap(&self, _: Root, _: &[u8], _: &[u8]) -> Result<Option<Vec<u8>>, Error> {
            Err(Error::bug("a PIN is not sealed by a root key"))
        }

        fn open(&self, _: Root, _: &[u8], _: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
            Err(Error::bug("a PIN is not sealed by a root key"))
        }

        fn prf(&self, root: Root, version: u32, parts: &[&[u8]]) -> Result<Key, Error> {
            assert_eq!(root, Root::Pepper, "a PIN is tagged under the pepper");
            if version > self.0 {
                return Err(Error::unavailable("that version is not at hand"));
            }
            let key = Key::new([u8::try_from(version).unwrap(); 32]);
            Ok(Key::new(crypto::mac::tag(&key, parts)))
        }
    }

    pub(in crate::guarded_key) fn pin(text: &str) -> Pin {
        Pin(SecretText::new(text.to_owned()))
    }

    pub(in crate::guarded_key) fn recipe(key: RowId, cost: Cost, pepper: u32) -> PinRecipe {
        PinRecipe {
            key,
            salt: [7; 16],
            cost,
            pepper,
        }
    }

    fn hashed(text: &str) -> HashedPin {
        let recipe = recipe(ROW, CHEAP, 1);
        let hashed = recipe.hash(&Peppers::of(1), &pin(text), &mut Memory::default());
        hashed.unwrap()
    }

    fn check(verifier: &PinVerifier, row: RowId, text: &str) -> Option<Key> {
        let memory = &mut Memory::default();
        let found = verifier.check(&Peppers::of(2), row, &pin(text), memory);
        found.unwrap()
    }

    #[test]
    fn the_right_pin_gives_the_envelope_key_that_it_was_hashed_to() {
        let HashedPin { verifier, envelope } = hashed("1234");
        assert_eq!(check(&verifier, ROW, "1234"), Some(envelope));
    }

    #[test]
    fn a_pin_is_compared_byte_for_byte() {
        let verifier = hashed("1234").verifier;
        for wrong in ["", "123", "12345", "1234 ", " 1234", "１２３４", "1235"] {
            assert_eq!(check(&verifier, ROW, wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_verifier_that_was_moved_to_another_key_accepts_no_pin() {
        let verifier = hashed("1234").verifier;
        assert_eq!(check(&verifier, RowId([2; 16]), "1234"), None);
    }

    #[test]
    fn a_verifier_under_another_pepper_accepts_no_pin() {
        let mut verifier = hashed("1234").verifier;
        verifier.pepper = 2;
        assert_eq!(check(&verifier, ROW, "1234"), None);
    }

    #[test]
    fn without_its_pepper_a_pin_is_not_judged() {
        let mut verifier = hashed("1234").verifier;
        verifier.pepper = 3;
        let memory = &mut Memory::default();
        let judged = verifier.check(&Peppers::of(2), ROW, &pin("1234"), memory);
        assert!(matches!(judged, Err(Error::Unavailable(_))));
    }

    #[test]
    fn impossible_numbers_are_a_fault_and_no_wrong_pin() {
        let mut verifier = hashed("1234").verifier;
        verifier.lanes = 0;
        let memory = &mut Memory::default();
        let judged = verifier.check(&Peppers::of(1), ROW, &pin("1234"), memory);
        assert!(matches!(judged, Err(Error::Bug(_))));
    }

    #[test]
    fn two_salts_make_two_verifiers_and_two_envelope_keys_of_one_pin() {
        let one = hashed("1234");
        let salted = PinRecipe {
            salt: [8; 16],
            ..recipe(ROW, CHEAP, 1)
        };
        let other = salted.hash(&Peppers::of(1), &pin("1234"), &mut Memory::default());
        let other = other.unwrap();
        assert_ne!(one.verifier.check, other.verifier.check);
        assert_ne!(one.envelope, other.envelope);
    }

    #[test]
    fn the_value_that_is_stored_does_not_open_the_envelope() {
        let HashedPin { verifier, envelope } = hashed("1234");
        assert_ne!(Key::new(verifier.check), envelope);
    }

    #[test]
    fn a_pin_is_checked_with_the_numbers_that_it_was_hashed_with() {
        let dear = Cost {
            memory_kib: 16,
            passes: 2,
            lanes: 1,
        };
        let memory = &mut Memory::default();
        let recipe = recipe(ROW, dear, 1);
        let hashed = recipe.hash(&Peppers::of(1), &pin("1234"), memory).unwrap();
        assert_eq!(hashed.verifier.cost(), dear);
        assert_eq!(check(&hashed.verifier, ROW, "1234"), Some(hashed.envelope));
    }

    #[test]
    fn a_verifier_is_made_anew_when_any_number_differs_or_the_pepper_is_older() {
        let verifier = hashed("1234").verifier;
        let cost = |memory_kib, passes, lanes| Cost {
            memory_kib,
            passes,
            lanes,
        };
        for (cost, pepper, current) in [
            (CHEAP, 1, true),
            (cost(16, 1, 1), 1, false),
            (cost(8, 2, 1), 1, false),
            (cost(8, 1, 2), 1, false),
            (CHEAP, 2, false),
        ] {
            let recipe = recipe(ROW, cost, pepper);
            assert_eq!(recipe.is_that_of(&verifier), current, "{cost:?} {pepper}");
        }
    }

    #[test]
    fn a_node_with_an_older_key_file_does_not_hash_a_pin_back_to_its_pepper() {
        let mut verifier = hashed("1234").verifier;
        verifier.pepper = 2;
        assert!(recipe(ROW, CHEAP, 1).is_that_of(&verifier));
    }

    #[test]
    fn a_pin_of_another_server_is_compared_by_its_scrypt_hash() {
        let hash = scrypt_16384_8_1(b"1234", b"salt").expose().to_vec();
        let foreign = |salt: &[u8], hash: &[u8]| ForeignPin {
            salt: salt.to_vec(),
            hash: hash.to_vec(),
        };
        assert!(foreign(b"salt", &hash).check(&pin("1234")));
        assert!(!foreign(b"salt", &hash).check(&pin("1235")));
        assert!(!foreign(b"other", &hash).check(&pin("1234")));
    }

    #[test]
    fn a_hash_of_another_length_accepts_no_pin() {
        let hash = scrypt_16384_8_1(b"1234", b"salt").expose().to_vec();
        for cut in [&[], &hash[..31]] {
            let foreign = ForeignPin {
                salt: b"salt".to_vec(),
                hash: cut.to_vec(),
            };
            assert!(!foreign.check(&pin("1234")), "{} bytes", cut.len());
        }
    }

    #[test]
    fn a_pin_is_never_printed() {
        let printed = format!("{:?}", pin("1234"));
        assert!(!printed.contains("1234"), "{printed}");
    }

    #[test]
    fn a_verifier_is_stored_under_the_names_that_older_releases_wrote() {
        let stored = serde_json::to_value(hashed("1234").verifier).unwrap();
        let stored = stored.as_object().unwrap();
        let mut names: Vec<&str> = stored.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["check", "lanes", "memory_kib", "passes", "pepper", "salt"]
        );
        assert_eq!(stored["pepper"], 1);
        assert_eq!(stored["salt"], serde_json::json!(vec![7; 16]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_pin_is_right_for_itself_and_for_no_other(one in ".{0,12}", other in ".{0,12}") {
            let HashedPin { verifier, envelope } = hashed(&one);
            prop_assert_eq!(check(&verifier, ROW, &one), Some(envelope));
            prop_assert_eq!(check(&verifier, ROW, &other).is_some(), one == other);
        }
    }
}
