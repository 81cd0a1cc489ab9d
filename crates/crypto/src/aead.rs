//! AES-256-GCM-SIV (RFC 8452): authenticated encryption that stays safe if a nonce repeats.
//!
//! A sealed text is `nonce (12) | ciphertext | tag (16)`. GCM-SIV is used because nonces are random: if two are
//! equal, an attacker only learns whether their plaintexts are equal, and never the key.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::Key;

/// Bytes that sealing adds to a plaintext.
pub const OVERHEAD: usize = NONCE + 16;
const NONCE: usize = 12;

/// The text cannot be opened: another key, other associated data, or changed bytes. The error never says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoesNotOpen;

/// A key that is prepared for sealing and opening.
pub struct SealKey(LessSafeKey);

impl SealKey {
    pub fn new(key: &Key) -> Self {
        let key =
            UnboundKey::new(&AES_256_GCM_SIV, key.expose()).expect("32 bytes are an AES-256 key");
        Self(LessSafeKey::new(key))
    }

    /// Seals `plain`, bound to `aad`. The nonce comes from the caller's generator.
    pub fn seal(&self, nonce: [u8; NONCE], aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(plain.len() + OVERHEAD);
        out.extend_from_slice(&nonce);
        let mut text = Vec::with_capacity(plain.len() + 16);
        text.extend_from_slice(plain);
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad),
                &mut text,
            )
            .expect("a row is far below the cipher's length limit");
        out.append(&mut text);
        out
    }

    /// Opens what [`SealKey::seal`] made with the same key and `aad`.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE>().ok_or(DoesNotOpen)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self
            .0
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(aad),
                &mut text,
            )
            .map_err(|_| DoesNotOpen)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_with_the_same_key_context_and_bytes() {
        let key = SealKey::new(&Key::new([1; 32]));
        let sealed = key.seal([9; 12], b"row 1", b"secret");
        assert_eq!(sealed.len(), 6 + OVERHEAD);
        assert_eq!(key.open(b"row 1", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(key.open(b"row 2", &sealed), Err(DoesNotOpen));
        let other = SealKey::new(&Key::new([2; 32]));
        assert_eq!(other.open(b"row 1", &sealed), Err(DoesNotOpen));
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert_eq!(key.open(b"row 1", &bad), Err(DoesNotOpen));
        }
        assert_eq!(key.open(b"row 1", &sealed[..11]), Err(DoesNotOpen));
    }
}
