//! From DER to the normal form: finds out which structure it is and what it contains (device-keys sheet §5.2).
//!
//! Because the input is strict DER, equal content means equal bytes. So an algorithm identifier is compared with
//! its only encoding, and an accepted `SubjectPublicKeyInfo` is its own normal form.

use super::KeyError;
use crate::der::{self, Reader};
use crate::p256::POINT_LEN;

/// Content of the `AlgorithmIdentifier` rsaEncryption (1.2.840.113549.1.1.1) with parameters NULL.
const RSA_ENCRYPTION: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// Content of the `AlgorithmIdentifier` id-ecPublicKey (1.2.840.10045.2.1) on prime256v1
/// (1.2.840.10045.3.1.7).
const EC_P256: &[u8] =
    b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// 65537, the only exponent that platforms use. With exponent 1 anybody could sign.
const EXPONENT: &[u8] = &[1, 0, 1];

/// A key for which all rules are checked that can be checked from its bytes.
pub(super) enum Shape {
    /// `modulus` is big-endian without leading zeros.
    Rsa { modulus: Vec<u8>, spki: Vec<u8> },
    /// Whether `point` is on the curve must still be checked.
    P256 { point: Vec<u8>, spki: Vec<u8> },
}

/// Parses any of the accepted structures, which differ in their first bytes.
pub(super) fn detect(bytes: &[u8]) -> Result<Shape, KeyError> {
    if bytes.len() == POINT_LEN && bytes.starts_with(&[4]) {
        return point(bytes);
    }
    match Reader::new(bytes).sequence()?.peek() {
        Some(der::SEQUENCE) => spki(bytes),
        _ => pkcs1(bytes),
    }
}

/// A `SubjectPublicKeyInfo`.
pub(super) fn spki(bytes: &[u8]) -> Result<Shape, KeyError> {
    let mut outer = Reader::new(bytes);
    let mut info = outer.sequence()?;
    outer.end()?;
    let algorithm = info.element(der::SEQUENCE)?;
    let key = info.bit_string()?;
    info.end()?;
    let spki = bytes.to_vec();
    match algorithm {
        RSA_ENCRYPTION => Ok(Shape::Rsa {
            modulus: rsa_modulus(key)?.to_vec(),
            spki,
        }),
        EC_P256 => Ok(Shape::P256 {
            point: key.to_vec(),
            spki,
        }),
        _ => Err(KeyError::Algorithm),
    }
}

/// A PKCS#1 `RSAPublicKey`.
pub(super) fn pkcs1(bytes: &[u8]) -> Result<Shape, KeyError> {
    Ok(Shape::Rsa {
        modulus: rsa_modulus(bytes)?.to_vec(),
        spki: wrap(RSA_ENCRYPTION, bytes).ok_or(KeyError::Structure)?,
    })
}

fn point(bytes: &[u8]) -> Result<Shape, KeyError> {
    Ok(Shape::P256 {
        point: bytes.to_vec(),
        spki: wrap(EC_P256, bytes).ok_or(KeyError::Structure)?,
    })
}

fn rsa_modulus(pkcs1: &[u8]) -> Result<&[u8], KeyError> {
    let mut outer = Reader::new(pkcs1);
    let mut key = outer.sequence()?;
    outer.end()?;
    let (modulus, exponent) = (key.unsigned()?, key.unsigned()?);
    key.end()?;
    if !(2048..=4096).contains(&bit_length(modulus)) {
        return Err(KeyError::ModulusSize);
    }
    if modulus.last().is_none_or(|low| low % 2 == 0) {
        return Err(KeyError::Modulus);
    }
    if exponent != EXPONENT {
        return Err(KeyError::Exponent);
    }
    Ok(modulus)
}

/// Bits of a big-endian number without leading zero bytes.
pub(super) fn bit_length(number: &[u8]) -> usize {
    let leading_zeros = number.first().map_or(0, |first| first.leading_zeros());
    number.len() * 8 - leading_zeros as usize
}

fn wrap(algorithm: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let bits = [&[0], key].concat();
    let content = [
        der::encode(der::SEQUENCE, algorithm)?,
        der::encode(der::BIT_STRING, &bits)?,
    ];
    der::encode(der::SEQUENCE, &content.concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bits_are_counted_from_the_highest_set_one() {
        assert_eq!(bit_length(&[1, 0]), 9);
        assert_eq!(bit_length(&[0x80]), 8);
        assert_eq!(bit_length(&[0]), 0);
        assert_eq!(bit_length(&[]), 0);
    }

    proptest! {
        #[test]
        fn a_modulus_in_pkcs1_comes_back_from_its_normal_form(
            mut modulus in prop::collection::vec(any::<u8>(), 257..=512)
        ) {
            modulus[0] |= 1;
            *modulus.last_mut().expect("at least 257 bytes") |= 1;
            let sign: &[u8] = if modulus[0] < 0x80 { &[] } else { &[0] };
            let numbers = [
                der::encode(der::INTEGER, &[sign, &modulus].concat()).expect("short"),
                der::encode(der::INTEGER, EXPONENT).expect("short"),
            ];
            let pkcs1 = der::encode(der::SEQUENCE, &numbers.concat()).expect("short");
            let Ok(Shape::Rsa { modulus: read, spki: normal }) = detect(&pkcs1) else {
                return Err(TestCaseError::fail("refused"));
            };
            prop_assert_eq!(&read, &modulus);
            let Ok(Shape::Rsa { modulus: read, spki: again }) = detect(&normal) else {
                return Err(TestCaseError::fail("normal form refused"));
            };
            prop_assert_eq!(&read, &modulus);
            prop_assert_eq!(again, normal);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = detect(&bytes);
        }

        #[test]
        fn no_bytes_behind_a_real_start_panic(tail in prop::collection::vec(any::<u8>(), 0..300), cut in 0usize..20) {
            let mut bytes = b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00\x30\x82\x01\x0a\x02\x82\x01\x01\x00".to_vec();
            bytes.truncate(bytes.len() - cut);
            bytes.extend(tail);
            let _ = detect(&bytes);
        }
    }
}
