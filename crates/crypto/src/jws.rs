//! Compact JWS (RFC 7515) with RS256, PS256 and ES256 (RFC 7518 §3.3 to §3.5): signed tokens.
//!
//! The algorithm belongs to the key and is never taken from a token: a token that names another one
//! does not verify, so neither `none` nor an HMAC over a public key can ever pass. What header and
//! payload say is for the caller to read; here they are bytes.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_SHA256,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::der::Reader;

/// What a key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2048 bits or more.
    Rs256,
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes, 2048 bits or more.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    /// The name in a header's `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Rs256, Self::Ps256, Self::Es256]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }
}

/// The key is not one that this algorithm may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRefused;

impl fmt::Display for KeyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key does not fit its algorithm")
    }
}

impl std::error::Error for KeyRefused {}

/// The public numbers of a key, big-endian, as a JWK (RFC 7518 §6) spells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicNumbers {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256 { x: [u8; 32], y: [u8; 32] },
}

/// A private key that signs tokens.
pub struct SigningKey {
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

impl SigningKey {
    /// Makes a key and gives it as PKCS#8: RSA of 2048 bits, or P-256. RSA takes a noticeable time.
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
        };
        Ok(Zeroizing::new(bytes))
    }

    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyRefused> {
        let pair = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| KeyRefused)?;
                if pair.public_modulus_len() < 256 {
                    return Err(KeyRefused);
                }
                Pair::Rsa(pair)
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8);
                Pair::P256(pair.map_err(|_| KeyRefused)?)
            }
        };
        Ok(Self { algorithm, pair })
    }

    pub fn public_numbers(&self) -> Result<PublicNumbers, KeyRefused> {
        match &self.pair {
            Pair::Rsa(pair) => {
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
            Pair::Rsa(pair) => {
                let encoding: &dyn aws_lc_rs::signature::RsaEncoding = match self.algorithm {
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    Algorithm::Rs256 | Algorithm::Es256 => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &chance, token.as_bytes(), &mut signature)
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

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm.name())
    }
}

/// A public key with the one algorithm that it verifies.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl VerifyingKey {
    /// RSA keys need 2048 to 8192 bits and the exponent 65537.
    pub fn new(algorithm: Algorithm, numbers: &PublicNumbers) -> Result<Self, KeyRefused> {
        let key = match (algorithm, numbers) {
            (Algorithm::Rs256, PublicNumbers::Rsa { n, e }) => rsa(n, e, false)?,
            (Algorithm::Ps256, PublicNumbers::Rsa { n, e }) => rsa(n, e, true)?,
            (Algorithm::Es256, PublicNumbers::P256 { x, y }) => {
                let point = [&[4], &x[..], &y[..]].concat();
                crate::p256::PublicPoint::parse(&point).ok_or(KeyRefused)?;
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).map_err(|_| KeyRefused)?
            }
            _ => return Err(KeyRefused),
        };
        Ok(Self { algorithm, key })
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether the token's signature is one of this key. The caller still compares the header's `alg`.
    pub fn verifies(&self, token: &Compact<'_>) -> bool {
        self.key
            .verify_sig(token.signed.as_bytes(), &token.signature)
            .is_ok()
    }
}

/// For signatures by RSASSA-PKCS1-v1_5 with SHA-256, under the same rules.
pub(crate) fn rsa_pkcs1(n: &[u8], e: &[u8]) -> Result<ParsedPublicKey, KeyRefused> {
    rsa(n, e, false)
}

fn rsa(n: &[u8], e: &[u8], pss: bool) -> Result<ParsedPublicKey, KeyRefused> {
    if e != [1, 0, 1] || n.first() == Some(&0) || n.last().is_none_or(|low| low % 2 == 0) {
        return Err(KeyRefused);
    }
    let parameters = if pss {
        &RSA_PSS_2048_8192_SHA256
    } else {
        &RSA_PKCS1_2048_8192_SHA256
    };
    if !(256..=1024).contains(&n.len()) {
        return Err(KeyRefused);
    }
    let numbers = PublicKeyComponents { n, e };
    numbers
        .to_parsed_public_key(parameters)
        .map_err(|_| KeyRefused)
}

/// A token taken apart: three parts of strict base64url, nothing verified.
#[derive(Debug)]
pub struct Compact<'t> {
    signed: &'t str,
    pub header: Vec<u8>,
    pub payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> Compact<'t> {
    /// `None` unless it is exactly three parts without padding, white space or loose bits.
    pub fn split(token: &'t str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        Some(Self {
            signed,
            header: URL_SAFE_NO_PAD.decode(header).ok()?,
            payload: URL_SAFE_NO_PAD.decode(payload).ok()?,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256];

    fn pair(algorithm: Algorithm) -> (SigningKey, VerifyingKey) {
        let bytes = SigningKey::generate(algorithm).expect("a key");
        let key = SigningKey::from_pkcs8(algorithm, &bytes).expect("its own form");
        let public = VerifyingKey::new(algorithm, &key.public_numbers().expect("numbers"));
        (key, public.expect("its own numbers"))
    }

    #[test]
    fn each_algorithm_verifies_its_own_and_nothing_else() {
        let keys = ALL.map(pair);
        for (made, (key, _)) in keys.iter().enumerate() {
            let token = key.sign(b"{}", b"{\"a\":1}").expect("a token");
            let parts = Compact::split(&token).expect("three parts");
            assert_eq!(parts.payload, b"{\"a\":1}");
            for (read, (_, public)) in keys.iter().enumerate() {
                assert_eq!(public.verifies(&parts), made == read);
            }
            let changed = key.sign(b"{}", b"{\"a\":2}").expect("a token");
            let (signed, _) = changed.rsplit_once('.').expect("three parts");
            let forged = format!(
                "{signed}.{}",
                token.rsplit_once('.').expect("three parts").1
            );
            assert!(
                !keys[made]
                    .1
                    .verifies(&Compact::split(&forged).expect("three parts"))
            );
        }
    }

    #[test]
    fn a_token_has_exactly_three_strict_parts() {
        for bad in [
            "",
            "a",
            "e30.e30",
            "e30.e30.e30.e30",
            "e30=.e30.e30",
            "e30.e30 .e30",
            "e31.e30.e3",
        ] {
            assert!(Compact::split(bad).is_none(), "{bad}");
        }
        assert!(
            Compact::split("e30.e30.").is_some(),
            "an empty signature verifies with no key"
        );
    }

    #[test]
    fn weak_and_mismatched_keys_are_refused() {
        let (key, _) = pair(Algorithm::Rs256);
        let numbers = key.public_numbers().expect("numbers");
        assert!(VerifyingKey::new(Algorithm::Es256, &numbers).is_err());
        let PublicNumbers::Rsa { n, .. } = numbers else {
            unreachable!()
        };
        for (n, e) in [
            (n.clone(), vec![3]),
            (n[1..].to_vec(), vec![1, 0, 1]),
            (vec![1; 128], vec![1, 0, 1]),
        ] {
            assert!(VerifyingKey::new(Algorithm::Rs256, &PublicNumbers::Rsa { n, e }).is_err());
        }
        let off = PublicNumbers::P256 {
            x: [1; 32],
            y: [1; 32],
        };
        assert!(VerifyingKey::new(Algorithm::Es256, &off).is_err());
    }
}
