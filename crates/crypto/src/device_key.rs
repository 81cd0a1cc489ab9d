//! Public keys that devices register, and signatures that they make with them (device-keys sheet §5).
//!
//! A key arrives as text in one of several formats, and is stored in one: `SubjectPublicKeyInfo` DER. Accepted are
//! RSA keys of 2048 to 4096 bits with exponent 65537, and points of P-256. RSA keys sign with RSASSA-PSS (RFC 8017
//! §8.1.2), SHA-256, MGF1 with SHA-256 and a salt of exactly 32 bytes; P-256 keys sign with ECDSA and SHA-256.
//!
//! A text that cannot be parsed may be somebody's private key, so it is not part of any error and must never be
//! logged.

mod pss;
mod shape;
mod text;

use std::fmt;

use crate::der;
use crate::mac::sha256;
use crate::p256::{self, PublicPoint};
use pss::RsaKey;
use shape::Shape;
use text::Label;

/// Longest accepted key text, in characters.
pub const MAX_KEY_CHARS: usize = 8192;
/// Longest signature text that is decoded, in characters.
pub const MAX_SIGNATURE_CHARS: usize = 2048;

/// Why a public key is refused. Contains nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Not 1 to [`MAX_KEY_CHARS`] characters.
    Length,
    /// Neither base64 nor PEM as §5.2 requires.
    Text,
    /// Not exactly one strict DER structure of an accepted kind. Private keys get this error, too.
    Structure,
    /// A `SubjectPublicKeyInfo` with another algorithm, curve or parameters.
    Algorithm,
    /// The modulus has fewer than 2048 or more than 4096 bits.
    ModulusSize,
    /// The modulus is even, or the library refuses it.
    Modulus,
    /// The public exponent is not 65537.
    Exponent,
    /// The point is not an uncompressed, reduced point of P-256.
    Point,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "must have 1 to 8192 characters",
            Self::Text => "must be base64 or one PEM public key",
            Self::Structure => "must be a DER public key and nothing else",
            Self::Algorithm => "must be an rsaEncryption or a P-256 key",
            Self::ModulusSize => "must have an RSA modulus of 2048 to 4096 bits",
            Self::Modulus => "must have a valid RSA modulus",
            Self::Exponent => "must have the public exponent 65537",
            Self::Point => "must be an uncompressed point on P-256",
        })
    }
}

impl std::error::Error for KeyError {}

/// The result of checking a signature. It does not say why a signature is invalid, because the caller's answer is
/// the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    Valid,
    Invalid,
}

impl Verdict {
    pub fn is_valid(self) -> bool {
        self == Self::Valid
    }

    fn of(fits: bool) -> Self {
        if fits { Self::Valid } else { Self::Invalid }
    }
}

/// An accepted public key in its normal form.
#[derive(Clone)]
pub struct PublicKey {
    spki: Vec<u8>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Rsa(RsaKey),
    P256(PublicPoint),
}

impl PublicKey {
    /// Parses a key from a request: base64 or PEM, with SPKI, PKCS#1 or only a P-256 point (§5.2).
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.is_empty() || text.len() > MAX_KEY_CHARS {
            return Err(KeyError::Length);
        }
        let shape = match text::decode_pem(text) {
            Some(Ok((Label::Spki, der))) => shape::spki(&der),
            Some(Ok((Label::Pkcs1, der))) => shape::pkcs1(&der),
            Some(Err(text::Error)) => Err(KeyError::Text),
            None => {
                shape::detect(&text::decode_base64(text).map_err(|text::Error| KeyError::Text)?)
            }
        }?;
        Self::new(shape)
    }

    /// Parses what [`spki`](Self::spki) returned. All rules of §5.2 are applied again, so a stored key that
    /// today's rules refuse does not verify anything.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        Self::new(shape::spki(der)?)
    }

    fn new(shape: Shape) -> Result<Self, KeyError> {
        Ok(match shape {
            Shape::Rsa { modulus, spki } => Self {
                kind: Kind::Rsa(RsaKey::new(modulus, &spki)?),
                spki,
            },
            Shape::P256 { point, spki } => Self {
                kind: Kind::P256(PublicPoint::parse(&point).ok_or(KeyError::Point)?),
                spki,
            },
        })
    }

    /// The normal form, `SubjectPublicKeyInfo` DER. Two keys are the same if these bytes are equal.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of [`spki`](Self::spki).
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.spki)
    }

    /// Checks a base64 signature (§5.2 form 1) over exactly these bytes of a challenge (§5.3).
    pub fn verify(&self, message: &[u8], signature_text: &str) -> Verdict {
        let Some(signature) = decode_signature(signature_text) else {
            return Verdict::Invalid;
        };
        Verdict::of(match &self.kind {
            Kind::Rsa(key) => key.verifies(message, &signature),
            Kind::P256(point) => match <[u8; 64]>::try_from(&signature[..]) {
                Ok(fixed) => point.verifies(message, &fixed),
                Err(_) => p256::fixed_signature(&signature)
                    .is_some_and(|fixed| point.verifies(message, &fixed)),
            },
        })
    }

    /// The salt length with which an RSA signature would be correct, for the debug log only.
    ///
    /// A wrong salt length is a common mistake of integrators (§5.3). `None` for P-256 keys and for signatures
    /// that are wrong with every salt length. Costs about as much as four checks.
    pub fn diagnose_salt(&self, message: &[u8], signature_text: &str) -> Option<usize> {
        let Kind::Rsa(key) = &self.kind else {
            return None;
        };
        key.salt_length(message, &decode_signature(signature_text)?)
    }
}

fn decode_signature(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_SIGNATURE_CHARS {
        return None;
    }
    text::decode_base64(text).ok()
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", hex::encode(self.fingerprint()))
    }
}

impl From<der::Error> for KeyError {
    fn from(_: der::Error) -> Self {
        Self::Structure
    }
}
