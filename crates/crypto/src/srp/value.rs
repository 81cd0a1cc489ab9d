//! The values that are sent and stored. Each is checked once, when it is parsed (enceeper sheet §3.3).

use std::fmt;

use aws_lc_rs::hmac;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::group::within;
use super::{HASH_LEN, NUMBER_LEN};
use crate::Key;

/// Not the expected hex text. A login's challenge stays usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatError;

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be hex digits of the right number")
    }
}

impl std::error::Error for FormatError {}

/// The user's salt, 16 to 128 bytes. The server never computes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salt(Vec<u8>);

impl Salt {
    /// Reads 32 to 256 hex digits of either case, an even number of them.
    pub fn parse(hex: &str) -> Result<Self, FormatError> {
        Self::from_bytes(decode(hex, 32..=256)?)
    }

    /// Parses what [`as_bytes`](Self::as_bytes) returned.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, FormatError> {
        if (16..=128).contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(FormatError)
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Lower-case hex, as the API requires.
    pub fn to_hex(&self) -> String {
        hex::encode(&self.0)
    }
}

/// Why a verifier is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifierError {
    /// Not 1 to 2048 hex digits.
    Format,
    /// Not between 1 and N - 1: a power of g with a known logarithm, or not a power at all.
    Range,
}

impl fmt::Display for VerifierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Format => "must be 1 to 2048 hex digits",
            Self::Range => "must lie between 1 and N - 1",
        })
    }
}

impl std::error::Error for VerifierError {}

/// The user's verifier, with 1 < v < N - 1. Somebody who has it can guess passwords offline.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Verifier(Box<[u8; NUMBER_LEN]>);

impl Verifier {
    /// Reads 1 to 2048 hex digits of either case; missing ones are leading zeros.
    pub fn parse(hex: &str) -> Result<Self, VerifierError> {
        if hex.is_empty() || hex.len() > 2 * NUMBER_LEN {
            return Err(VerifierError::Format);
        }
        let padded = Zeroizing::new(format!("{hex:0>width$}", width = 2 * NUMBER_LEN));
        let mut bytes = Box::new([0; NUMBER_LEN]);
        hex::decode_to_slice(padded.as_bytes(), &mut bytes[..])
            .map_err(|_| VerifierError::Format)?;
        Self::new(bytes)
    }

    /// Parses what [`as_bytes`](Self::as_bytes) returned: exactly [`NUMBER_LEN`] bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VerifierError> {
        let boxed = Box::<[u8]>::from(bytes).try_into();
        Self::new(boxed.map_err(|_| VerifierError::Format)?)
    }

    fn new(bytes: Box<[u8; NUMBER_LEN]>) -> Result<Self, VerifierError> {
        let verifier = Self(bytes);
        if within(&verifier.0, 2, 2) {
            Ok(verifier)
        } else {
            Err(VerifierError::Range)
        }
    }

    /// Big-endian, [`NUMBER_LEN`] bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0[..]
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(…)")
    }
}

/// Why a client's public number is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientPublicError {
    /// Not 2 to 2048 hex digits, an even number of them. The challenge stays usable.
    Format,
    /// A mod N = 0, with which no password is needed, or A >= N. The challenge is used up.
    Refused,
}

impl fmt::Display for ClientPublicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Format => "must be 2 to 2048 hex digits",
            Self::Refused => "must lie between 0 and N",
        })
    }
}

impl std::error::Error for ClientPublicError {}

/// A, the client's public number, with 0 < A < N.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPublic(Box<[u8; NUMBER_LEN]>);

impl ClientPublic {
    /// Reads 2 to 2048 hex digits of either case, an even number of them, and pads them on the left.
    pub fn parse(hex: &str) -> Result<Self, ClientPublicError> {
        let digits = decode(hex, 2..=2 * NUMBER_LEN).map_err(|_| ClientPublicError::Format)?;
        let mut bytes = Box::new([0; NUMBER_LEN]);
        for (to, from) in bytes.iter_mut().rev().zip(digits.iter().rev()) {
            *to = *from;
        }
        if within(&bytes, 1, 1) {
            Ok(Self(bytes))
        } else {
            Err(ClientPublicError::Refused)
        }
    }

    /// Big-endian, [`NUMBER_LEN`] bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0[..]
    }
}

/// M1, the client's proof that it knows the password.
#[derive(Clone, Debug)]
pub struct ClientProof([u8; HASH_LEN]);

impl ClientProof {
    /// Reads exactly 128 hex digits of either case.
    pub fn parse(hex: &str) -> Result<Self, FormatError> {
        let mut bytes = [0; HASH_LEN];
        match hex::decode_to_slice(hex, &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => Err(FormatError),
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Salt and verifier for an identity without an account (enceeper sheet §5.3).
///
/// They are always the same for the same identity, so that asking twice reveals nothing; and no password matches
/// them, so that every proof is wrong. `identity` is the normalised address.
pub fn decoy(secret: &Key, identity: &[u8]) -> (Salt, Verifier) {
    let mut salt = stream(secret, b"enceeper-fake-salt\0", identity);
    salt.truncate(32);
    let mut number = Box::new([0; NUMBER_LEN]);
    for (counter, block) in (0u8..).zip(number.chunks_mut(HASH_LEN)) {
        let label = [&b"enceeper-fake-verifier\0"[..], &[counter]].concat();
        block.copy_from_slice(&stream(secret, &label, identity));
    }
    // The result is in 2..2^8191, which is below N.
    number[0] &= 0x7f;
    number[NUMBER_LEN - 1] |= 2;
    (Salt(salt), Verifier(number))
}

fn stream(secret: &Key, label: &[u8], identity: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA512, secret.expose());
    let mut context = hmac::Context::with_key(&key);
    context.update(label);
    context.update(identity);
    context.sign().as_ref().to_vec()
}

/// Decodes an even number of hex digits within these limits.
fn decode(hex: &str, digits: std::ops::RangeInclusive<usize>) -> Result<Vec<u8>, FormatError> {
    if !digits.contains(&hex.len()) {
        return Err(FormatError);
    }
    hex::decode(hex).map_err(|_| FormatError)
}
