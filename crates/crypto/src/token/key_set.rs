//! Published keys (RFC 7517), as far as they may verify a token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::Value;

use super::Algorithm;

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
    /// The one algorithm the key is for, where it says so.
    algorithm: Option<String>,
    family: Family,
    key: DecodingKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Rsa,
    P256,
    P384,
    Ed25519,
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

    /// The key for a token: of its id, or without an id the only one that fits the algorithm.
    pub(super) fn choose(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut fitting = self.keys.iter().filter(|key| key.fits(algorithm));
        match id {
            Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)),
            None => {
                let only = fitting.next()?;
                fitting.next().is_none().then_some(only)
            }
        }
        .map(|key| &key.key)
    }
}

impl PublicKey {
    fn parse(entry: &Value) -> Option<Self> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        if entry.get("use").is_some() && text("use") != Some("sig") {
            return None;
        }
        let (family, key) = match (text("kty")?, text("crv")) {
            ("RSA", _) => (Family::Rsa, rsa(text("n")?, text("e")?)?),
            ("EC", Some("P-256")) => (Family::P256, curve(text("x")?, text("y")?, 32)?),
            ("EC", Some("P-384")) => (Family::P384, curve(text("x")?, text("y")?, 48)?),
            ("OKP", Some("Ed25519")) => {
                let x = URL_SAFE_NO_PAD.decode(text("x")?).ok()?;
                let key = (x.len() == 32).then(|| DecodingKey::from_ed_der(&x))?;
                (Family::Ed25519, key)
            }
            _ => return None,
        };
        Some(Self {
            id: text("kid").map(str::to_owned),
            algorithm: text("alg").map(str::to_owned),
            family,
            key,
        })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        let named = self.algorithm.as_deref();
        let family = match algorithm.name() {
            "ES256" => Family::P256,
            "ES384" => Family::P384,
            "EdDSA" => Family::Ed25519,
            _ => Family::Rsa,
        };
        family == self.family && named.is_none_or(|name| name == algorithm.name())
    }
}

fn rsa(n: &str, e: &str) -> Option<DecodingKey> {
    let modulus = URL_SAFE_NO_PAD.decode(n).ok()?;
    let exponent = URL_SAFE_NO_PAD.decode(e).ok()?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let significant = &modulus[zeros..];
    let first = significant.first()?;
    let bits = significant.len() * 8 - first.leading_zeros() as usize;
    (bits >= RSA_BITS).then(|| DecodingKey::from_rsa_raw_components(significant, &exponent))
}

fn curve(x: &str, y: &str, width: usize) -> Option<DecodingKey> {
    let full = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == width).then_some(bytes)
    };
    let point = [vec![4], full(x)?, full(y)?].concat();
    Some(DecodingKey::from_ec_der(&point))
}
