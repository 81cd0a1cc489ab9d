//! Deterministic cryptography: every algorithm comes from a library, this crate fixes its parameters,
//! its encodings and its refusals, and holds it to published vectors.
//!
//! Nothing here reads a clock, a file or the network. Randomness is an argument everywhere; the one
//! source of it is [`random::fill`], which only the composition root calls.

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
