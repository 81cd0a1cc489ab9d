//! Public keys of clients, which verify the assertions that the clients sign.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::jws::{Algorithm, PublicNumbers, VerifyingKey};
use serde::{Deserialize, Serialize};

/// A public key whose holder may sign assertions for the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionKey {
    pub kid: Option<String>,
    algorithm: String,
    /// `n` and `e`, or `x` and `y`, in base64url.
    numbers: [String; 2],
}

impl AssertionKey {
    /// The algorithms that an assertion may be signed with.
    const ALGORITHMS: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256];

    /// A key for this algorithm. `None` if the algorithm is not for assertions, or the key is weak or does not fit.
    pub fn new(kid: Option<String>, algorithm: Algorithm, numbers: &PublicNumbers) -> Option<Self> {
        if !Self::ALGORITHMS.contains(&algorithm) {
            return None;
        }
        VerifyingKey::new(algorithm, numbers).ok()?;
        let texts = match numbers {
            PublicNumbers::Rsa { n, e } => [URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e)],
            PublicNumbers::P256 { x, y } => [URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y)],
        };
        Some(Self {
            kid,
            algorithm: algorithm.name().to_owned(),
            numbers: texts,
        })
    }

    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    pub fn numbers(&self) -> &[String; 2] {
        &self.numbers
    }

    pub(crate) fn verifying(&self) -> Option<VerifyingKey> {
        let algorithm = Algorithm::named(&self.algorithm)?;
        let [first, second] = &self.numbers;
        let first = URL_SAFE_NO_PAD.decode(first).ok()?;
        let second = URL_SAFE_NO_PAD.decode(second).ok()?;
        let numbers = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => PublicNumbers::Rsa {
                n: first,
                e: second,
            },
            Algorithm::Es256 => PublicNumbers::P256 {
                x: first.try_into().ok()?,
                y: second.try_into().ok()?,
            },
            _ => return None,
        };
        VerifyingKey::new(algorithm, &numbers).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The base point of the curve, which is a public key like any other.
    fn point() -> PublicNumbers {
        let numbers = [
            "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
            "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
        ];
        let [x, y] = numbers.map(|text| hex::decode(text).unwrap().try_into().unwrap());
        PublicNumbers::P256 { x, y }
    }

    fn key() -> AssertionKey {
        let kid = Some("first".to_owned());
        AssertionKey::new(kid, Algorithm::Es256, &point()).unwrap()
    }

    #[test]
    fn a_key_is_kept_with_its_algorithm_and_its_numbers_in_base64url() {
        let key = key();
        assert_eq!(key.algorithm(), "ES256");
        assert_eq!(key.numbers()[0].len(), 43);
        assert!(key.numbers()[0].starts_with("axfR8uEsQkf4"));
        assert!(key.verifying().is_some());
    }

    #[test]
    fn a_key_comes_back_from_its_record() {
        let text = serde_json::to_string(&key()).unwrap();
        assert_eq!(serde_json::from_str::<AssertionKey>(&text).unwrap(), key());
    }

    #[test]
    fn a_key_of_another_kind_than_its_algorithm_is_refused() {
        for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
            assert!(AssertionKey::new(None, algorithm, &point()).is_none());
        }
    }

    #[test]
    fn a_point_off_the_curve_and_a_short_rsa_key_are_refused() {
        let off = PublicNumbers::P256 {
            x: [1; 32],
            y: [1; 32],
        };
        assert!(AssertionKey::new(None, Algorithm::Es256, &off).is_none());
        let short = PublicNumbers::Rsa {
            n: vec![0xff; 128],
            e: vec![1, 0, 1],
        };
        assert!(AssertionKey::new(None, Algorithm::Rs256, &short).is_none());
    }

    #[test]
    fn a_record_that_holds_no_key_verifies_nothing() {
        for algorithm in ["ES256", "RS256", "HS256", "none"] {
            let broken = AssertionKey {
                kid: None,
                algorithm: algorithm.to_owned(),
                numbers: ["AQ".to_owned(), "AQ".to_owned()],
            };
            assert!(broken.verifying().is_none(), "{algorithm}");
        }
    }
}
