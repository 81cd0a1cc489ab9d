//! A device with a P-256 key.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

/// Signs challenges. The same number is the same device in every run.
pub struct TestDevice(EcdsaKeyPair);

/// Private and public keys of three devices, from the sheet's vectors.
const KEYS: [(&str, &str); 3] = [
    (
        "39913b6901232a4f0c7be3e4d18353d2bcbb254a94364c32fcff4bf748c10bef",
        "040ec22933859baa06ba222e7b4f395a46450022dc0679b1afbd4d2bd3febda7cff445707140bab689dc89924bc991ae55a743fe43dbe59f09ea05c224609ecaec",
    ),
    (
        "66be852c967b5333adcda318bd77da196534e93db59e5996650b1b227ed5aa8c",
        "047a2246aba2e224c587940a34e01df366d8e7329f265a9a1bf4fb519abbd40e82778f84d232eb0e0e5a51347814dfb93f9353cd014f09d35115cdbf49ac51da02",
    ),
    (
        "c9915d46609aff369a8655e1431592b65063696306161113a28c2ea5c8f5dfe6",
        "04f4e824e4f608f6916063fd698b2c2e1841dc413cd2adfeb6a201417efc5d5975bf20687f1000c51dff15360083061aa110a1a32c0acfd3494af39e0da21daa5f",
    ),
];

/// The key pair with this number.
pub(crate) fn pair(number: usize) -> EcdsaKeyPair {
    let (private, public) = KEYS[number % KEYS.len()];
    let bytes = |text| hex::decode(text).expect("hex");
    let pair = EcdsaKeyPair::from_private_key_and_public_key(
        &ECDSA_P256_SHA256_ASN1_SIGNING,
        &bytes(private),
        &bytes(public),
    );
    pair.expect("a key pair of the vectors")
}

impl TestDevice {
    pub fn new(number: usize) -> Self {
        Self(pair(number))
    }

    /// A new device.
    pub fn fresh() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING);
        Self(pair.expect("a key can be generated"))
    }

    /// 130 lower-case hex digits.
    pub fn id(&self) -> String {
        hex::encode(self.0.public_key())
    }

    /// The DER signature of a challenge, in hex.
    pub fn sign(&self, challenge: &str) -> String {
        let message = format!(r#"{{"challenge":"{challenge}"}}"#);
        let signature = self.0.sign(&SystemRandom::new(), message.as_bytes());
        hex::encode(signature.expect("a key signs"))
    }
}
