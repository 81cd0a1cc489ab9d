//! ECDSA on P-256 with SHA-256 (FIPS 186-5, SEC 1), for keys and signatures from devices.
//!
//! Both values of `s` are accepted, because hardware key stores do not normalise it, and nothing here uses a
//! signature as an identifier.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};

use crate::der::{self, Reader};

/// Bytes of an uncompressed point, `04 || X || Y`.
pub(crate) const POINT_LEN: usize = 65;

/// The field prime, big-endian. Coordinates must be smaller.
const PRIME: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, //
    0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];

/// A point of the curve, not infinity.
#[derive(Clone)]
pub(crate) struct PublicPoint {
    bytes: [u8; POINT_LEN],
    key: ParsedPublicKey,
}

impl PublicPoint {
    /// Accepts exactly the 65 bytes `04 || X || Y`, with both coordinates reduced and the point on the curve.
    ///
    /// Length, tag and range are checked here, because the library also accepts compressed points and whole
    /// `SubjectPublicKeyInfo` structures.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; POINT_LEN] = bytes.try_into().ok()?;
        let (x, y) = bytes.strip_prefix(&[4])?.split_at_checked(32)?;
        if x >= &PRIME[..] || y >= &PRIME[..] {
            return None;
        }
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes).ok()?;
        Some(Self { bytes, key })
    }

    /// `04 || X || Y`.
    pub(crate) fn bytes(&self) -> &[u8; POINT_LEN] {
        &self.bytes
    }

    /// Whether `signature`, `r || s`, is one of SHA-256 of `message`, with `r` and `s` in 1..n-1.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

/// `r || s` of a strict DER `ECDSA-Sig-Value`; `None` if it is not one or a number exceeds 32 bytes.
pub(crate) fn fixed_signature(der: &[u8]) -> Option<[u8; 64]> {
    let (r, s) = integers(der).ok()?;
    let mut fixed = [0; 64];
    let (left, right) = fixed.split_at_mut(32);
    copy_right(r, left)?;
    copy_right(s, right)?;
    Some(fixed)
}

fn integers(der: &[u8]) -> Result<(&[u8], &[u8]), der::Error> {
    let mut outer = Reader::new(der);
    let mut pair = outer.sequence()?;
    outer.end()?;
    let numbers = (pair.unsigned()?, pair.unsigned()?);
    pair.end()?;
    Ok(numbers)
}

fn copy_right(number: &[u8], field: &mut [u8]) -> Option<()> {
    let start = field.len().checked_sub(number.len())?;
    field.get_mut(start..)?.copy_from_slice(number);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_read_into_two_fields() {
        let mut expected = [0; 64];
        expected[31] = 5;
        expected[63] = 0x80;
        assert_eq!(
            fixed_signature(&[0x30, 7, 2, 1, 5, 2, 2, 0, 0x80]),
            Some(expected)
        );
        assert_eq!(fixed_signature(&[0x30, 3, 2, 1, 5]), None);
        assert_eq!(fixed_signature(&[0x30, 9, 2, 1, 5, 2, 1, 6, 2, 1, 7]), None);
        let mut long = vec![0x30, 0x26, 2, 0x21, 1];
        long.extend([0; 32]);
        long.extend([2, 1, 1]);
        assert_eq!(fixed_signature(&long), None, "33 bytes");
    }
}
