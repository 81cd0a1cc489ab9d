//! Public keys that verify tokens.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ED25519, ED25519_PUBLIC_KEY_LEN, ParsedPublicKey};

use super::algorithm::KeyForm;
use super::{Algorithm, Compact, KeyRefused};

/// The public numbers of a key, big-endian, as a JWK (RFC 7518 §6) spells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicNumbers {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256 { x: [u8; 32], y: [u8; 32] },
}

/// A public key with the one algorithm that it verifies.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl VerifyingKey {
    /// Takes RSA keys of 2048 to 8192 bits with the exponent 65537, and points of P-256.
    pub fn new(algorithm: Algorithm, numbers: &PublicNumbers) -> Result<Self, KeyRefused> {
        match numbers {
            PublicNumbers::Rsa { n, e } => Self::rsa(algorithm, n, e),
            PublicNumbers::P256 { x, y } => Self::point(algorithm, x, y),
        }
    }

    /// The RSA key of this modulus and of the exponent 65537, both without leading zeros.
    pub(crate) fn rsa(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Result<Self, KeyRefused> {
        if e != [1, 0, 1] || n.first() == Some(&0) || n.last().is_none_or(|low| low % 2 == 0) {
            return Err(KeyRefused);
        }
        if !(256..=1024).contains(&n.len()) {
            return Err(KeyRefused);
        }
        Self::foreign_rsa(algorithm, n, e)
    }

    /// An RSA key that somebody else uses for itself: of every exponent that the library takes.
    pub(crate) fn foreign_rsa(
        algorithm: Algorithm,
        n: &[u8],
        e: &[u8],
    ) -> Result<Self, KeyRefused> {
        let KeyForm::Rsa(parameters) = algorithm.key_form() else {
            return Err(KeyRefused);
        };
        let key = PublicKeyComponents { n, e }.to_parsed_public_key(parameters);
        let key = key.map_err(|_| KeyRefused)?;
        Ok(Self { algorithm, key })
    }

    /// The point with these coordinates, on the algorithm's curve.
    ///
    /// The lengths are checked here because the library also takes compressed points and whole
    /// `SubjectPublicKeyInfo` structures.
    pub(crate) fn point(algorithm: Algorithm, x: &[u8], y: &[u8]) -> Result<Self, KeyRefused> {
        let KeyForm::Point(parameters, width) = algorithm.key_form() else {
            return Err(KeyRefused);
        };
        if x.len() != width || y.len() != width {
            return Err(KeyRefused);
        }
        let key = ParsedPublicKey::new(parameters, [&[4], x, y].concat());
        let key = key.map_err(|_| KeyRefused)?;
        Ok(Self { algorithm, key })
    }

    /// The key of these 32 bytes.
    pub(crate) fn edwards(algorithm: Algorithm, x: &[u8]) -> Result<Self, KeyRefused> {
        let KeyForm::Edwards = algorithm.key_form() else {
            return Err(KeyRefused);
        };
        if x.len() != ED25519_PUBLIC_KEY_LEN {
            return Err(KeyRefused);
        }
        let key = ParsedPublicKey::new(&ED25519, x).map_err(|_| KeyRefused)?;
        Ok(Self { algorithm, key })
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether the token claims this key's algorithm and its signature is one of this key.
    pub fn verifies(&self, token: &Compact<'_>) -> bool {
        token.header().algorithm() == Some(self.algorithm)
            && self.verifies_bytes(token.message(), token.signature())
    }

    /// Whether `signature` is one of this key over `message`.
    pub(crate) fn verifies_bytes(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}
