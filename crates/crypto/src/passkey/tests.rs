//! The published vectors of Web Authentication Level 3, §16, and an authenticator that does everything
//! wrong once. The vectors are made for relying parties that do not ask for user verification; two of
//! them show the refusal here.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use ciborium::cbor;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).expect("hex")
}

fn party() -> Party {
    Party {
        id: "example.org".to_owned(),
        origins: vec!["https://example.org".to_owned()],
    }
}

/// §16.3: self attestation.
mod published {
    pub(super) const CHALLENGE: &str =
        "7869c2b772d4b58eba9378cf8f29e26cf935aa77df0da89fa99c0bdc0a76f7e5";
    pub(super) const ID: &str = "455ef34e2043a87db3d4afeb39bbcb6cc32df9347c789a865ecdca129cbef58c";
    pub(super) const CLIENT_DATA: &str = "7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a2265476e4374334c55745936366b336a506a796e6962506b31716e666644616966715a774c33417032392d55222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a205539685458764b453255526b4d6e625f307859485667227d";
    pub(super) const ATTESTATION: &str = "a363666d74667061636b65646761747453746d74a263616c672663736967584630440220067a20754ab925005dbf378097c92120031581c73228d1fb4f5b881bcd7da98302207fc7b147558c7c0eba3af18bd9d121fa3d3a26d17fe3f220272178f473b6006d68617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b55d00000000df850e09db6afbdfab51697791506cfc0020455ef34e2043a87db3d4afeb39bbcb6cc32df9347c789a865ecdca129cbef58ca5010203262001215820eb151c8176b225cc651559fecf07af450fd85802046656b34c18f6cf193843c5225820927b8aa427a2be1b8834d233a2d34f61f13bfd44119c325d5896e183fee484f2";

    pub(super) const GET_CHALLENGE: &str =
        "4478a10b1352348dd160c1353b0d469b5db19eb91c27f7dfa6fed39fe26af20b";
    pub(super) const GET_DATA: &str =
        "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b50900000000";
    pub(super) const GET_CLIENT_DATA: &str = "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a225248696843784e534e493352594d45314f7731476d3132786e726b634a5f6666707637546e2d4a71386773222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a206754623533727a36456853576f6d58477a696d433151227d";
    pub(super) const GET_SIGNATURE: &str = "304402203310b9431903c401f1be2bdc8d23a4007682dbbddcf846994947b7f465daf84002204e94dd00047b316061b3b99772b7efd95994a83ef584b3b6b825ea3550251b66";

    /// §16.2: no attestation, and a user that was not verified.
    pub(super) const UNVERIFIED_CHALLENGE: &str =
        "00c30fb78531c464d2b6771dab8d7b603c01162f2fa486bea70f283ae556e130";
    pub(super) const UNVERIFIED_CLIENT_DATA: &str = "7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a22414d4d507434557878475453746e63647134313759447742466938767049612d7077386f4f755657345441222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a20426b5165446a646354427258426941774a544c453551227d";
    pub(super) const UNVERIFIED_ATTESTATION: &str = "a363666d74646e6f6e656761747453746d74a068617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b559000000008446ccb9ab1db374750b2367ff6f3a1f0020f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4a5010203262001215820afefa16f97ca9b2d23eb86ccb64098d20db90856062eb249c33a9b672f26df61225820930a56b87a2fca66334b03458abf879717c12cc68ed73290af2e2664796b9220";
}

fn registered() -> Credential {
    let credential = register(
        &party(),
        &bytes(published::CHALLENGE),
        &bytes(published::CLIENT_DATA),
        &bytes(published::ATTESTATION),
    );
    credential.expect("a published vector")
}

#[test]
fn the_published_credential_is_taken_and_its_signature_is_right() {
    let credential = registered();
    assert_eq!(credential.id(), bytes(published::ID));
    let (data, client) = (
        bytes(published::GET_DATA),
        bytes(published::GET_CLIENT_DATA),
    );
    let signature = bytes(published::GET_SIGNATURE);
    let proof = Proof {
        credential: credential.id(),
        client_data: &client,
        authenticator_data: &data,
        signature: &signature,
    };
    assert!(credential.signed(&proof));
    let challenge = bytes(published::GET_CHALLENGE);
    let verdict = credential.verify(&party(), &challenge, &proof);
    assert_eq!(verdict, None, "the user was not verified");
    let text = serde_json::to_string(&credential).expect("plain");
    assert_eq!(
        serde_json::from_str::<Credential>(&text).expect("its own form"),
        credential
    );
}

#[test]
fn a_user_that_was_not_verified_makes_no_passkey() {
    let made = register(
        &party(),
        &bytes(published::UNVERIFIED_CHALLENGE),
        &bytes(published::UNVERIFIED_CLIENT_DATA),
        &bytes(published::UNVERIFIED_ATTESTATION),
    );
    assert_eq!(made, None);
}

/// A changed bit anywhere in what a self attestation signs, or in the signature, is seen.
#[test]
fn no_bit_of_a_signed_registration_may_change() {
    let attestation = bytes(published::ATTESTATION);
    for at in 0..attestation.len() {
        let mut changed = attestation.clone();
        changed[at] ^= 1;
        let made = register(
            &party(),
            &bytes(published::CHALLENGE),
            &bytes(published::CLIENT_DATA),
            &changed,
        );
        assert_eq!(made, None, "byte {at}");
    }
}

/// An authenticator and its client, to be led astray one thing at a time.
struct Bench {
    key: EcdsaKeyPair,
    party: &'static str,
    flags: u8,
    count: u32,
    extensions: &'static [u8],
    client: Json,
}

const CHALLENGE: &[u8] = &[7; 32];
const ID: &[u8] = &[9; 16];

impl Bench {
    fn new(kind: &str) -> Self {
        Self {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key"),
            party: "example.org",
            flags: 0x05,
            count: 1,
            extensions: &[],
            client: json!({"type": kind, "challenge": URL_SAFE_NO_PAD.encode(CHALLENGE),
                "origin": "https://example.org", "crossOrigin": false}),
        }
    }

    fn client_data(&self) -> Vec<u8> {
        self.client.to_string().into_bytes()
    }

    fn data(&self, made: &[u8]) -> Vec<u8> {
        let mut data = sha256(self.party.as_bytes()).to_vec();
        data.push(self.flags);
        data.extend(self.count.to_be_bytes());
        data.extend(made);
        data.extend(self.extensions);
        data
    }

    fn cose(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let (x, y) = (
            Value::Bytes(point[1..33].to_vec()),
            Value::Bytes(point[33..].to_vec()),
        );
        cbor!({1 => 2, 3 => -7, -1 => 1, -2 => x, -3 => y}).expect("plain")
    }

    fn made(id: &[u8], key: &Value) -> Vec<u8> {
        let mut made = vec![0; 16];
        made.extend(u16::try_from(id.len()).expect("short").to_be_bytes());
        made.extend(id);
        made.extend(encoded(key));
        made
    }

    fn register(&self, id: &[u8], key: &Value) -> Option<Credential> {
        let data = Value::Bytes(self.data(&Self::made(id, key)));
        let statement = Value::Map(Vec::new());
        let object = cbor!({"fmt" => "none", "attStmt" => statement, "authData" => data});
        let object = encoded(&object.expect("plain"));
        register(&party(), CHALLENGE, &self.client_data(), &object)
    }

    fn show(&self, to: &Credential) -> Option<u32> {
        let (data, client) = (self.data(&[]), self.client_data());
        let message = [data.as_slice(), &sha256(&client)].concat();
        let signature = self.key.sign(&SystemRandom::new(), &message);
        let signature = signature.expect("a key signs");
        let proof = Proof {
            credential: ID,
            client_data: &client,
            authenticator_data: &data,
            signature: signature.as_ref(),
        };
        to.verify(&party(), CHALLENGE, &proof)
    }
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("to memory");
    out
}

/// Everything that can be wrong, and nothing.
const WRONGS: [&str; 14] = [
    "nothing",
    "type",
    "challenge",
    "challenge's padding",
    "origin",
    "origin's port",
    "a frame",
    "a frame's top",
    "party",
    "nobody there",
    "nobody recognised",
    "backed up and cannot be",
    "extensions without their flag",
    "extensions that are none",
];

fn spoil(bench: &mut Bench, what: &str) {
    let client = &mut bench.client;
    match what {
        "type" => client["type"] = json!("webauthn.other"),
        "challenge" => client["challenge"] = json!("AAAA"),
        "challenge's padding" => {
            client["challenge"] = json!(format!("{}=", URL_SAFE_NO_PAD.encode(CHALLENGE)));
        }
        "origin" => client["origin"] = json!("https://example.org.evil.test"),
        "origin's port" => client["origin"] = json!("https://example.org:444"),
        "a frame" => client["crossOrigin"] = json!(true),
        "a frame's top" => client["topOrigin"] = json!("https://example.org"),
        "party" => bench.party = "example.com",
        "nobody there" => bench.flags &= !0x01,
        "nobody recognised" => bench.flags &= !0x04,
        "backed up and cannot be" => bench.flags |= 0x10,
        "extensions without their flag" => bench.extensions = &[0xa0],
        "extensions that are none" => {
            bench.flags |= 0x80;
            bench.extensions = &[0x01];
        }
        _ => {}
    }
}

#[test]
fn one_wrong_thing_is_enough() {
    for what in WRONGS {
        let right = what == "nothing";
        let mut bench = Bench::new("webauthn.create");
        bench.flags |= 0x40;
        let credential = bench.register(ID, &bench.cose()).expect("right");
        spoil(&mut bench, what);
        let made = bench.register(ID, &bench.cose());
        assert_eq!(made.is_some(), right, "made: {what}");

        let mut shown = Bench::new("webauthn.get");
        shown.key = bench.key;
        spoil(&mut shown, what);
        let count = shown.show(&credential);
        assert_eq!(count, right.then_some(1), "shown: {what}");
    }
}

#[test]
fn extensions_are_read_over() {
    let mut bench = Bench::new("webauthn.create");
    bench.flags = 0xc5;
    bench.extensions = &[0xa1, 0x61, 0x61, 0x01];
    assert!(bench.register(ID, &bench.cose()).is_some());
}

#[test]
fn only_keys_that_were_asked_for() {
    let mut bench = Bench::new("webauthn.create");
    bench.flags |= 0x40;
    let point = bench.key.public_key().as_ref();
    let (x, y) = (
        Value::Bytes(point[1..33].to_vec()),
        Value::Bytes(point[33..].to_vec()),
    );
    let off = Value::Bytes(vec![1; 32]);
    let short = Value::Bytes(vec![1; 31]);
    let modulus = Value::Bytes(vec![0xff; 128]);
    for (name, key) in [
        (
            "algorithm",
            cbor!({1 => 2, 3 => -8, -1 => 1, -2 => &x, -3 => &y}),
        ),
        (
            "curve",
            cbor!({1 => 2, 3 => -7, -1 => 2, -2 => &x, -3 => &y}),
        ),
        (
            "kind",
            cbor!({1 => 1, 3 => -7, -1 => 1, -2 => &x, -3 => &y}),
        ),
        (
            "off the curve",
            cbor!({1 => 2, 3 => -7, -1 => 1, -2 => &x, -3 => &off}),
        ),
        (
            "length",
            cbor!({1 => 2, 3 => -7, -1 => 1, -2 => &x, -3 => &short}),
        ),
        (
            "twice",
            cbor!({1 => 2, 3 => -7, 3 => -7, -1 => 1, -2 => &x, -3 => &y}),
        ),
        (
            "1024 bits",
            cbor!({1 => 3, 3 => -257, -1 => &modulus, -2 => &off}),
        ),
    ] {
        let made = bench.register(ID, &key.expect("plain"));
        assert_eq!(made, None, "{name}");
    }
    for length in [0, 15, 1024] {
        assert_eq!(bench.register(&vec![9; length], &bench.cose()), None);
    }
    assert!(bench.register(&[9; 1023], &bench.cose()).is_some());
}

#[test]
fn a_copy_is_seen_by_its_count() {
    let mut credential = registered();
    assert!(credential.count_on(0), "this one does not count");
    assert!(credential.count_on(5));
    for old in [0, 4, 5] {
        assert!(!credential.count_on(old));
    }
    assert!(credential.count_on(6));
}

#[test]
fn an_empty_challenge_is_never_right() {
    let mut bench = Bench::new("webauthn.create");
    bench.flags |= 0x40;
    bench.client["challenge"] = json!("");
    let data = Value::Bytes(bench.data(&Bench::made(ID, &bench.cose())));
    let statement = Value::Map(Vec::new());
    let object = cbor!({"fmt" => "none", "attStmt" => statement, "authData" => data});
    let object = encoded(&object.expect("plain"));
    assert_eq!(register(&party(), &[], &bench.client_data(), &object), None);
}

proptest! {
    #[test]
    fn no_bytes_panic(
        attestation in prop::collection::vec(any::<u8>(), 0..200),
        data in prop::collection::vec(any::<u8>(), 0..200),
        client in ".{0,80}",
    ) {
        let client = client.as_bytes();
        prop_assert_eq!(register(&party(), CHALLENGE, client, &attestation), None);
        let proof = Proof { credential: ID, client_data: client, authenticator_data: &data, signature: &data };
        prop_assert_eq!(registered().verify(&party(), CHALLENGE, &proof), None);
        let _ = challenge(client);
    }
}
