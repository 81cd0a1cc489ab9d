//! Proof that a device holds its P-256 key: a signature over a challenge (duo-auth sheet §5).
//!
//! The signed text is `{"challenge":"<64 hex digits>"}`. Its 80 bytes are built here from the challenge as it was
//! issued, so no JSON of a client has to be canonicalised. The key stores of the platforms hash once, and so does
//! this module.

use std::fmt;

use crate::p256::{self, POINT_LEN, PublicPoint};

/// Hex digits of a device id.
const ID_DIGITS: usize = 2 * POINT_LEN;
/// Hex digits of a challenge.
const CHALLENGE_DIGITS: usize = 64;
/// Maximum number of hex digits of a signature; the longest possible one has 144.
const MAX_SIGNATURE_DIGITS: usize = 160;

/// Not a device id: 130 hex digits of `04 || X || Y`, a point of P-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceIdError;

impl fmt::Display for DeviceIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be an uncompressed P-256 point in hex")
    }
}

impl std::error::Error for DeviceIdError {}

/// The signature text is not 2 to 160 hex digits, an even number of them. The challenge stays usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureFormat;

impl fmt::Display for SignatureFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be 2 to 160 hex digits")
    }
}

impl std::error::Error for SignatureFormat {}

/// The public key of a device, which is its identity. Upper and lower case make no difference.
#[derive(Clone)]
pub struct DeviceId {
    text: String,
    point: PublicPoint,
}

impl DeviceId {
    /// Parses 130 hex digits of either case (§5.1).
    pub fn parse(hex: &str) -> Result<Self, DeviceIdError> {
        let mut bytes = [0; POINT_LEN];
        if hex.len() != ID_DIGITS || hex::decode_to_slice(hex, &mut bytes).is_err() {
            return Err(DeviceIdError);
        }
        Self::from_bytes(&bytes)
    }

    /// Parses the 65 bytes `04 || X || Y`, with the same rules.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DeviceIdError> {
        let point = PublicPoint::parse(bytes).ok_or(DeviceIdError)?;
        Ok(Self {
            text: hex::encode(bytes),
            point,
        })
    }

    /// The normal form, 130 lower-case hex digits.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The 65 bytes `04 || X || Y`.
    pub fn as_bytes(&self) -> &[u8] {
        self.point.bytes()
    }
}

impl PartialEq for DeviceId {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for DeviceId {}

impl std::hash::Hash for DeviceId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({})", self.text)
    }
}

/// Whether the signature, strict DER in hex, is the device's signature of this challenge (§5.2, §5.3).
///
/// `challenge_hex` is the challenge as issued: 64 lower-case hex digits. For any other text no signature is
/// correct. Both values of `s` are accepted.
pub fn verify_challenge(
    device: &DeviceId,
    challenge_hex: &str,
    signature_hex: &str,
) -> Result<bool, SignatureFormat> {
    if !(2..=MAX_SIGNATURE_DIGITS).contains(&signature_hex.len()) {
        return Err(SignatureFormat);
    }
    let der = hex::decode(signature_hex).map_err(|_| SignatureFormat)?;
    if !is_challenge(challenge_hex) {
        return Ok(false);
    }
    let message = format!(r#"{{"challenge":"{challenge_hex}"}}"#);
    Ok(p256::fixed_signature(&der)
        .is_some_and(|signature| device.point.verifies(message.as_bytes(), &signature)))
}

fn is_challenge(hex: &str) -> bool {
    hex.len() == CHALLENGE_DIGITS
        && hex
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The generator of P-256.
    const POINT: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                         4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

    #[test]
    fn an_id_is_the_same_in_either_case_and_from_its_bytes() {
        let id = DeviceId::parse(&POINT.to_uppercase()).expect("on the curve");
        assert_eq!(id.as_str(), POINT);
        assert_eq!(DeviceId::from_bytes(id.as_bytes()), Ok(id));
    }

    #[test]
    fn a_challenge_that_was_never_issued_verifies_nothing() {
        let id = DeviceId::parse(POINT).expect("on the curve");
        for challenge in ["", "ab", &"A".repeat(64), &"é".repeat(32)] {
            assert_eq!(
                verify_challenge(&id, challenge, "3006020101020101"),
                Ok(false)
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(id in "04[0-9a-fA-F]{128}|.{0,140}", signature in "30[0-9a-f]{0,158}|.{0,170}") {
            if let Ok(id) = DeviceId::parse(&id) {
                prop_assert_eq!(id.as_str(), id.to_string().to_lowercase());
            }
            let id = DeviceId::parse(POINT).expect("on the curve");
            let _ = verify_challenge(&id, &"0".repeat(64), &signature);
        }
    }
}
