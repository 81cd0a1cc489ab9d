//! Deterministic cryptography: libraries provide every algorithm. This crate chooses parameters and encodings,
//! decides what is refused, and tests everything against published vectors.
//!
//! Nothing here reads a clock, a file or the network. Randomness is always an argument. Its only source is
//! [`random::fill`], which `outside::SystemRandom` and test tools call.

pub mod aead;
pub mod canonical_json;
mod der;
pub mod device_key;
pub mod device_signature;
pub mod jws;
pub mod kdf;
pub mod key;
pub mod mac;
mod p256;
pub mod passkey;
pub mod password;
pub mod random;
pub mod srp;
pub mod token;
pub mod totp;
pub mod webhook_signature;

pub use key::Key;
