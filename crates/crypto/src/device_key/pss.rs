//! RSASSA-PSS with SHA-256 (RFC 8017 §8.1.2, §9.1.2). The library checks signatures; [`RsaKey::salt_length`] only
//! explains why one is wrong.

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PSS_2048_8192_SHA256};
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};

use super::KeyError;
use super::shape::bit_length;
use crate::mac::sha256;

/// Length of a SHA-256 hash in bytes, and of the salt that is accepted.
const HASH_LEN: usize = 32;
/// Last byte of every encoded message.
const TRAILER: u8 = 0xbc;

#[derive(Clone)]
pub(super) struct RsaKey {
    /// Big-endian, without leading zeros.
    modulus: Vec<u8>,
    key: ParsedPublicKey,
}

impl RsaKey {
    /// `spki` is the strict DER of the key with this modulus.
    pub(super) fn new(modulus: Vec<u8>, spki: &[u8]) -> Result<Self, KeyError> {
        match ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, spki) {
            Ok(key) => Ok(Self { modulus, key }),
            Err(_) => Err(KeyError::Modulus),
        }
    }

    /// Whether the signature is correct: as long as the modulus, smaller than it, and made with a salt of 32
    /// bytes.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.in_range(signature) && self.key.verify_sig(message, signature).is_ok()
    }

    /// For big-endian numbers of equal length, the order of the bytes is the order of the numbers.
    fn in_range(&self, signature: &[u8]) -> bool {
        signature.len() == self.modulus.len() && signature < &self.modulus[..]
    }

    /// The salt length of a signature that is correct except for the length of its salt.
    pub(super) fn salt_length(&self, message: &[u8], signature: &[u8]) -> Option<usize> {
        if !self.in_range(signature) {
            return None;
        }
        let encoded = self.encoded_message(signature)?;
        let (masked, rest) = encoded.split_at_checked(encoded.len().checked_sub(HASH_LEN + 1)?)?;
        let (hash, trailer) = rest.split_at_checked(HASH_LEN)?;
        if trailer != [TRAILER] {
            return None;
        }
        let mut block: Vec<u8> = masked.iter().zip(mask(hash)).map(|(a, b)| a ^ b).collect();
        // Bits above the encoded message's length are not part of the mask.
        let unused_bits = encoded.len() * 8 - (bit_length(&self.modulus) - 1);
        if let Some(first) = block.first_mut() {
            *first &= 0xff >> unused_bits;
        }
        let separator = block.iter().position(|&byte| byte != 0)?;
        let (&1, salt) = block.get(separator..)?.split_first()? else {
            return None;
        };
        let bound = sha256(&[&[0; 8], &sha256(message)[..], salt].concat());
        (bound[..] == *hash).then_some(salt.len())
    }

    /// `signature^65537 mod n` as the encoded message, one byte shorter than the modulus if its bit length is 1
    /// mod 8. All of it is public, so the time may depend on it.
    fn encoded_message(&self, signature: &[u8]) -> Option<Vec<u8>> {
        let modulus = BoxedUint::from_be_slice_vartime(&self.modulus);
        let precision = modulus.bits_precision();
        let params = BoxedMontyParams::new_vartime(Odd::new(modulus).into_option()?);
        let number = BoxedUint::from_be_slice(signature, precision).ok()?;
        let exponent = BoxedUint::from(65537u32);
        let power = BoxedMontyForm::new(number, &params).pow_bounded_exp(&exponent, 17);
        let bytes = power.retrieve().to_be_bytes();
        let length = (bit_length(&self.modulus) - 1).div_ceil(8);
        let (front, encoded) = bytes.split_at_checked(bytes.len().checked_sub(length)?)?;
        front
            .iter()
            .all(|&byte| byte == 0)
            .then(|| encoded.to_vec())
    }
}

/// MGF1 with SHA-256 (RFC 8017 B.2.1), as an endless stream.
fn mask(seed: &[u8]) -> impl Iterator<Item = u8> {
    (0u32..).flat_map(move |counter| sha256(&[seed, &counter.to_be_bytes()].concat()))
}
