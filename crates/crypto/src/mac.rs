//! HMAC-SHA-256 (RFC 2104, FIPS 198-1) over a list of parts.
//!
//! Each part is preceded by its length as eight big-endian bytes, so two different lists are never the same bytes:
//! `["ab", "c"]` and `["a", "bc"]` have different tags.

use aws_lc_rs::hmac;

use crate::Key;

/// The 32-byte tag of `parts` under `key`.
pub fn tag(key: &Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(context(key, parts).sign().as_ref());
    out
}

/// Whether `tag` is the tag of `parts`, compared in constant time.
pub fn verify(key: &Key, parts: &[&[u8]], candidate: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    tag(key, parts).ct_eq(candidate).into()
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    out
}

/// SHA-256 of bytes that arrive in pieces.
pub struct Sha256(aws_lc_rs::digest::Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256))
    }
}

impl Sha256 {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

fn context(key: &Key, parts: &[&[u8]]) -> hmac::Context {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_be_shifted() {
        let key = Key::new([7; 32]);
        assert_ne!(tag(&key, &[b"ab", b"c"]), tag(&key, &[b"a", b"bc"]));
        assert_ne!(tag(&key, &[b"ab"]), tag(&key, &[b"ab", b""]));
    }

    #[test]
    fn a_tag_verifies_and_a_changed_or_short_one_does_not() {
        let key = Key::new([7; 32]);
        let mut good = tag(&key, &[b"x"]);
        assert!(verify(&key, &[b"x"], &good));
        assert!(!verify(&key, &[b"x"], &good[..31]));
        good[0] ^= 1;
        assert!(!verify(&key, &[b"x"], &good));
    }

    #[test]
    fn sha256_of_abc_is_the_published_one() {
        assert_eq!(
            hex::encode(sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let mut parts = Sha256::default();
        parts.update(b"a");
        parts.update(b"bc");
        assert_eq!(parts.finish(), sha256(b"abc"));
    }
}
