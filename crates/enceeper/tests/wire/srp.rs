//! The client's half of a login (sheet 3.2), written down once more: it shares no code with the server.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA512, digest};
use num_bigint::BigUint;

/// RFC 5054, 8192 bits.
static PRIME: LazyLock<BigUint> = LazyLock::new(|| {
    let file: serde_json::Value = serde_json::from_str(VECTORS).expect("the vectors are JSON");
    let hex = file["parameters"]["N"].as_str().expect("a number in hex");
    BigUint::parse_bytes(hex.as_bytes(), 16).expect("hex digits")
});

pub(crate) const VECTORS: &str =
    include_str!("../../../crypto/tests/vectors/enceeper-srp-vectors.json");
/// A fixed salt is good enough where nobody attacks.
pub(crate) const SALT: &str = "af2ace47e2ee40a032fa557eff2c36062c380702b56d4e98e34e7fbfc95e7f43";

/// What the client sends and what it expects back, in hex.
pub(crate) struct Proof {
    pub(crate) public: String,
    pub(crate) answer: String,
    pub(crate) expected: String,
}

pub(crate) fn verifier(identity: &str, password: &str, salt: &str) -> String {
    hex::encode(pad(
        &generator().modpow(&secret(identity, password, salt), &PRIME)
    ))
}

/// The proof for a challenge.
pub(crate) fn prove(identity: &str, password: &str, salt: &str, public: &str) -> Proof {
    let (n, g) = (&*PRIME, generator());
    let server = hex::decode(public).expect("the server's number is hex");
    let masking = number(&hash(&[&pad(n), &pad(&g)]));
    let own_secret = number(&hash(&[b"a"])[..32]);
    let own = pad(&g.modpow(&own_secret, n));
    let u = number(&hash(&[&own, &server]));
    let x = secret(identity, password, salt);
    let masked = masking * g.modpow(&x, n) % n;
    let base = (number(&server) + n - masked) % n;
    let key = hash(&[&pad(&base.modpow(&(own_secret + u * x), n))]);
    let proof = hash(&[&own, &server, &key]);
    let expected = hash(&[&own, &proof, &key]);
    Proof {
        public: hex::encode(own),
        answer: hex::encode(proof),
        expected: hex::encode(expected),
    }
}

fn secret(identity: &str, password: &str, salt: &str) -> BigUint {
    let inner = hash(&[identity.as_bytes(), b":", password.as_bytes()]);
    number(&hash(&[&hex::decode(salt).expect("hex"), &inner]))
}

fn generator() -> BigUint {
    BigUint::from(19_u8)
}

fn number(bytes: &[u8]) -> BigUint {
    BigUint::from_bytes_be(bytes)
}

fn pad(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; 1024 - bytes.len()], bytes].concat()
}

fn hash(parts: &[&[u8]]) -> Vec<u8> {
    digest(&SHA512, &parts.concat()).as_ref().to_vec()
}
