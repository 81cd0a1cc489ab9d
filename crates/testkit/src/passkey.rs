//! An authenticator with one passkey, and its client.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::wallet::step_up::passkey::{Party, PasskeyPolicy};
use serde_json::{Value, json};

use crate::device;

/// The relying party of its passkeys.
pub const PARTY: &str = "wallet.example.test";
/// The origin of its client.
pub const ORIGIN: &str = "https://wallet.example.test";

/// The user is present and verified.
const VERIFIED: u8 = 0x05;

/// Creates and uses a passkey as browsers do, with their JSON. Tests can set what it does wrong.
pub struct TestPasskey {
    key: EcdsaKeyPair,
    id: Vec<u8>,
    /// The flags of its data, without the one that a new passkey adds.
    pub flags: u8,
    /// Its count of signatures, which increases with each.
    pub count: u32,
    pub origin: String,
}

impl TestPasskey {
    /// The same number is the same passkey in every run.
    pub fn new(number: u8) -> Self {
        Self {
            key: device::pair(usize::from(number)),
            id: vec![number; 16],
            flags: VERIFIED,
            count: 0,
            origin: ORIGIN.to_owned(),
        }
    }

    /// The policy of a server that accepts its passkeys.
    pub fn policy() -> PasskeyPolicy {
        PasskeyPolicy {
            party: Party {
                id: PARTY.to_owned(),
                origins: vec![ORIGIN.to_owned()],
            },
            name: "Wallet".to_owned(),
        }
    }

    /// The result of `navigator.credentials.create` for this challenge (base64url).
    pub fn create(&mut self, challenge: &str) -> Value {
        let client = self.client_data("webauthn.create", challenge);
        let mut data = self.data(0x40);
        let point = self.key.public_key().as_ref();
        data.extend([0; 16]);
        data.extend([0, u8::try_from(self.id.len()).expect("short")]);
        data.extend(&self.id);
        // A COSE_Key: EC2, ES256, P-256, x, y.
        data.extend([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(&point[33..]);
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).expect("short"));
        object.extend(data);
        json!({"id": encode(&self.id), "rawId": encode(&self.id), "type": "public-key",
            "response": {"clientDataJSON": encode(&client), "attestationObject": encode(&object),
                "transports": ["internal"]}, "clientExtensionResults": {}})
    }

    /// The result of `navigator.credentials.get` for this challenge (base64url).
    pub fn get(&mut self, challenge: &str) -> Value {
        let client = self.client_data("webauthn.get", challenge);
        let data = self.data(0);
        let message = [data.as_slice(), digest(&SHA256, &client).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &message);
        let signature = signature.expect("a key signs");
        json!({"id": encode(&self.id), "rawId": encode(&self.id), "type": "public-key",
            "response": {"clientDataJSON": encode(&client), "authenticatorData": encode(&data),
                "signature": encode(signature.as_ref())}, "clientExtensionResults": {}})
    }

    fn client_data(&self, kind: &str, challenge: &str) -> Vec<u8> {
        let said = json!({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false});
        said.to_string().into_bytes()
    }

    fn data(&mut self, more: u8) -> Vec<u8> {
        self.count += 1;
        let mut data = digest(&SHA256, PARTY.as_bytes()).as_ref().to_vec();
        data.push(self.flags | more);
        data.extend(self.count.to_be_bytes());
        data
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
