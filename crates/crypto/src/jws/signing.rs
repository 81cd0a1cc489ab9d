//! Private keys that sign tokens: with RS256, PS256 and ES256.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{Algorithm, KeyRefused, PublicNumbers};
use crate::der::Reader;

/// A private key that signs tokens.
pub struct SigningKey {
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    P256(EcdsaKeyPair),
}

impl SigningKey {
    /// Makes a key and returns it as PKCS#8: RSA of 2048 bits, or P-256. RSA takes a noticeable time.
    pub fn generate(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, KeyRefused> {
        let bytes = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyRefused)?;
                let der = pair.as_der().map_err(|_| KeyRefused)?;
                der.as_ref().to_vec()
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                    .map_err(|_| KeyRefused)?;
                pair.to_pkcs8v1().map_err(|_| KeyRefused)?.as_ref().to_vec()
            }
            _ => return Err(KeyRefused),
        };
        Ok(Zeroizing::new(bytes))
    }

    /// The key of a PKCS#8 structure (RFC 5958). RSA keys need 2048 bits.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyRefused> {
        let pair = match algorithm {
            Algorithm::Rs256 => Pair::Rsa(rsa(pkcs8)?, &RSA_PKCS1_SHA256),
            Algorithm::Ps256 => Pair::Rsa(rsa(pkcs8)?, &RSA_PSS_SHA256),
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8);
                Pair::P256(pair.map_err(|_| KeyRefused)?)
            }
            _ => return Err(KeyRefused),
        };
        Ok(Self { algorithm, pair })
    }

    /// The numbers that a verifier needs.
    pub fn public_numbers(&self) -> Result<PublicNumbers, KeyRefused> {
        match &self.pair {
            Pair::Rsa(pair, _) => {
                // The library gives PKCS#1, which our own reader takes apart.
                let mut outer = Reader::new(pair.public_key().as_ref());
                let mut key = outer.sequence().map_err(|_| KeyRefused)?;
                let n = key.unsigned().map_err(|_| KeyRefused)?.to_vec();
                let e = key.unsigned().map_err(|_| KeyRefused)?.to_vec();
                Ok(PublicNumbers::Rsa { n, e })
            }
            Pair::P256(pair) => match pair.public_key().as_ref().split_first() {
                Some((4, point)) if point.len() == 64 => Ok(PublicNumbers::P256 {
                    x: point[..32].try_into().map_err(|_| KeyRefused)?,
                    y: point[32..].try_into().map_err(|_| KeyRefused)?,
                }),
                _ => Err(KeyRefused),
            },
        }
    }

    /// The compact form of `header` and `payload` (both JSON) with the signature over them.
    pub fn sign(&self, header: &[u8], payload: &[u8]) -> Result<String, KeyRefused> {
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let chance = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &chance, token.as_bytes(), &mut signature)
                    .map_err(|_| KeyRefused)?;
                signature
            }
            Pair::P256(pair) => {
                let signature = pair.sign(&chance, token.as_bytes());
                signature.map_err(|_| KeyRefused)?.as_ref().to_vec()
            }
        };
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

fn rsa(pkcs8: &[u8]) -> Result<RsaKeyPair, KeyRefused> {
    let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| KeyRefused)?;
    if pair.public_modulus_len() < 256 {
        return Err(KeyRefused);
    }
    Ok(pair)
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm.name())
    }
}
