//! Compact JWS (RFC 7515): signed tokens, made and verified.
//!
//! The algorithm belongs to the key and is never taken from a token: a token that names another one does
//! not verify, so neither `none` nor an HMAC over a public key can ever pass. Which algorithms a key may
//! have is for the caller to say. What the payload says is for the caller to read; here it is bytes.

mod algorithm;
mod compact;
mod signing;
mod verifying;

use std::fmt;

pub use algorithm::Algorithm;
pub use compact::{Compact, Header};
pub use signing::SigningKey;
pub use verifying::{PublicNumbers, VerifyingKey};

/// The key is not one that this algorithm may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRefused;

impl fmt::Display for KeyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key does not fit its algorithm")
    }
}

impl std::error::Error for KeyRefused {}

#[cfg(test)]
mod tests;
