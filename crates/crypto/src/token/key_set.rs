//! Published keys (RFC 7517), as far as they may verify a token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::jws::{Algorithm, VerifyingKey};

/// The least length of an RSA modulus.
const RSA_BITS: usize = 2048;

/// The keys of one issuer.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<PublicKey>,
}

#[derive(Clone, Debug)]
struct PublicKey {
    id: Option<String>,
    /// The key once for each algorithm that it may serve; there is at least one.
    uses: Vec<VerifyingKey>,
}

impl KeySet {
    /// Reads a JSON object with a `keys` array. Entries that cannot verify anything here are left out:
    /// other kinds, other uses, short RSA keys, malformed ones. `None`: not a key set at all.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let whole: Value = serde_json::from_slice(json).ok()?;
        let entries = whole.as_object()?.get("keys")?.as_array()?;
        let keys = entries.iter().filter_map(PublicKey::parse).collect();
        Some(Self { keys })
    }

    /// Whether a key of that id is here, usable for something.
    pub fn knows(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id.as_deref() == Some(id))
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key for a token: the one with its id, or without an id the only one that fits the algorithm.
    pub(super) fn choose(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&VerifyingKey> {
        let fits = |key: &&VerifyingKey| key.algorithm() == algorithm;
        let mut fitting = self.keys.iter().filter_map(|key| {
            let fitting = key.uses.iter().find(fits)?;
            Some((key.id.as_deref(), fitting))
        });
        match id {
            Some(id) => fitting.find(|(known, _)| *known == Some(id)),
            None => {
                let only = fitting.next()?;
                fitting.next().is_none().then_some(only)
            }
        }
        .map(|(_, key)| key)
    }
}

impl PublicKey {
    fn parse(entry: &Value) -> Option<Self> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        if entry.get("use").is_some() && text("use") != Some("sig") {
            return None;
        }
        let key = Material::parse(entry)?;
        let uses: Vec<VerifyingKey> = Algorithm::ALL
            .into_iter()
            .filter(|algorithm| text("alg").is_none_or(|only| only == algorithm.name()))
            .filter_map(|algorithm| key.verifying(algorithm))
            .collect();
        let id = text("kid").map(str::to_owned);
        (!uses.is_empty()).then_some(Self { id, uses })
    }
}

/// What a JWK (RFC 7518 §6, RFC 8037 §2) says of a key.
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Point { x: Vec<u8>, y: Vec<u8> },
    Edwards { x: Vec<u8> },
}

impl Material {
    fn parse(entry: &Value) -> Option<Self> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let number = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let point = |width: usize| {
            let (x, y) = (number("x")?, number("y")?);
            (x.len() == width && y.len() == width).then_some(Self::Point { x, y })
        };
        match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let (mut n, e) = (number("n")?, number("e")?);
                let zeros = n.iter().take_while(|byte| **byte == 0).count();
                n.drain(..zeros);
                let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
                (bits >= RSA_BITS).then_some(Self::Rsa { n, e })
            }
            ("EC", Some("P-256")) => point(32),
            ("EC", Some("P-384")) => point(48),
            ("OKP", Some("Ed25519")) => number("x").map(|x| Self::Edwards { x }),
            _ => None,
        }
    }

    /// `None` if the algorithm is not for keys of this kind, or the numbers are no key.
    fn verifying(&self, algorithm: Algorithm) -> Option<VerifyingKey> {
        match self {
            Self::Rsa { n, e } => VerifyingKey::foreign_rsa(algorithm, n, e),
            Self::Point { x, y } => VerifyingKey::point(algorithm, x, y),
            Self::Edwards { x } => VerifyingKey::edwards(algorithm, x),
        }
        .ok()
    }
}
