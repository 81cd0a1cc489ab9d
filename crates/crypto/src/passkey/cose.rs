//! Public keys as `COSE_Key` (RFC 9052 §7, RFC 9053, RFC 8230), and the little CBOR around them.

use ciborium::Value;
use serde::{Deserialize, Serialize};

use crate::jws::{Algorithm, VerifyingKey};
use crate::p256::{self, PublicPoint};

/// ECDSA with SHA-256; here on P-256 (§5.8.5 of Web Authentication pins the curve).
pub(super) const ES256: i32 = -7;
/// RSASSA-PKCS1-v1_5 with SHA-256.
pub(super) const RS256: i32 = -257;

const KEY_TYPE: i32 = 1;
const ALGORITHM: i32 = 3;
const ELLIPTIC: i32 = 2;
const RSA: i32 = 3;
const P256: i32 = 1;

/// A key of one of the two requested algorithms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PublicKey {
    Es256 {
        /// `04 || X || Y`.
        #[serde(with = "hex::serde")]
        point: Vec<u8>,
    },
    Rs256 {
        #[serde(with = "hex::serde")]
        n: Vec<u8>,
        #[serde(with = "hex::serde")]
        e: Vec<u8>,
    },
}

impl PublicKey {
    /// Returns `None` for a key of another kind, or one that the libraries refuse.
    pub(super) fn read(key: &[(Value, Value)]) -> Option<Self> {
        let label = |label: i32| labelled(key, label);
        let number_at = |at: i32| label(at).and_then(number);
        match (number_at(KEY_TYPE)?, number_at(ALGORITHM)?) {
            (ELLIPTIC, ES256) if number_at(-1) == Some(P256) => {
                let (x, y) = (bytes(label(-2)?)?, bytes(label(-3)?)?);
                if x.len() != 32 || y.len() != 32 {
                    return None;
                }
                let point = [&[4], x, y].concat();
                PublicPoint::parse(&point)?;
                Some(Self::Es256 { point })
            }
            (RSA, RS256) => {
                let (n, e) = (bytes(label(-1)?)?.to_vec(), bytes(label(-2)?)?.to_vec());
                VerifyingKey::rsa(Algorithm::Rs256, &n, &e).ok()?;
                Some(Self::Rs256 { n, e })
            }
            _ => None,
        }
    }

    pub(super) fn algorithm(&self) -> i32 {
        match self {
            Self::Es256 { .. } => ES256,
            Self::Rs256 { .. } => RS256,
        }
    }

    /// Whether `signature` (DER for ES256) is one over `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256 { point } => PublicPoint::parse(point)
                .zip(p256::fixed_signature(signature))
                .is_some_and(|(point, signature)| point.verifies(message, &signature)),
            Self::Rs256 { n, e } => VerifyingKey::rsa(Algorithm::Rs256, n, e)
                .is_ok_and(|key| key.verifies_bytes(message, signature)),
        }
    }
}

/// Reads one CBOR item; `rest` then points behind it.
pub(super) fn item(rest: &mut &[u8]) -> Option<Value> {
    ciborium::de::from_reader(rest).ok()
}

/// The member of a map with this name; `None` also if there are two.
pub(super) fn member<'m>(map: &'m [(Value, Value)], name: &str) -> Option<&'m Value> {
    only(map, |key| key.as_text() == Some(name))
}

fn labelled(map: &[(Value, Value)], label: i32) -> Option<&Value> {
    only(map, |key| number(key) == Some(label))
}

fn only(map: &[(Value, Value)], is: impl Fn(&Value) -> bool) -> Option<&Value> {
    let mut found = map.iter().filter(|(key, _)| is(key));
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value)
}

pub(super) fn number(value: &Value) -> Option<i32> {
    i32::try_from(i128::from(value.as_integer()?)).ok()
}

fn bytes(value: &Value) -> Option<&[u8]> {
    value.as_bytes().map(Vec::as_slice)
}
