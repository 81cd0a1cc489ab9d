//! `enceeper-srp-vectors.json`, and a client of our own that shares no code with the server.

use crypto::Key;
use crypto::mac::sha256;
use crypto::srp::{
    self, ClientHandshake, ClientProof, ClientPublic, ClientPublicError, FormatError, NUMBER_LEN,
    Salt, ServerHandshake, Verifier, VerifierError, WrongProof,
};
use num_bigint::BigUint;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use crate::{bytes, list, read, text};

fn file() -> Value {
    read(include_str!("enceeper-srp-vectors.json"))
}

fn handshake(vector: &Value) -> ServerHandshake {
    let verifier = Verifier::parse(text(vector, "verifier")).expect("in range");
    let b = Key::from_slice(&bytes(vector, "b")).expect("32 bytes");
    ServerHandshake::start(&verifier, &b).expect("B is not 0")
}

#[test]
fn the_server_says_what_the_public_client_expects() {
    let file = file();
    assert_eq!(list(&file, "vectors").len(), 10);
    for vector in list(&file, "vectors") {
        let name = text(vector, "name");
        let server = handshake(vector);
        assert_eq!(hex::encode(server.public()), text(vector, "B"), "{name}");
        let a = ClientPublic::parse(text(vector, "A")).expect("in range");
        let m1 = ClientProof::parse(text(vector, "M1")).expect("128 digits");
        let m2 = server.prove(&a, &m1).expect(name);
        assert_eq!(hex::encode(m2), text(vector, "M2"), "{name}");
        let salt = Salt::parse(&text(vector, "salt").to_uppercase()).expect("64 digits");
        assert_eq!(salt.to_hex(), text(vector, "salt"), "{name}");
    }
}

#[test]
fn our_client_says_what_the_public_client_says() {
    let file = file();
    for vector in list(&file, "vectors") {
        let name = text(vector, "name");
        let x = bytes(vector, "x").try_into().expect("64 bytes");
        let a = Key::from_slice(&bytes(vector, "a")).expect("32 bytes");
        let client = ClientHandshake::new(x, a);
        let verifier = client.verifier().expect("in range");
        assert_eq!(
            hex::encode(verifier.as_bytes()),
            text(vector, "verifier"),
            "{name}"
        );
        let public = client.public().expect("in range");
        assert_eq!(hex::encode(&public[..]), text(vector, "A"), "{name}");
        let proof = client.prove(&bytes(vector, "B")).expect("in range");
        assert_eq!(hex::encode(proof), text(vector, "M1"), "{name}");
        for refused in ["00".to_owned(), text(&file["parameters"], "N").to_owned()] {
            let refused = hex::decode(refused).expect("hex");
            assert_eq!(client.prove(&refused), None, "a B that is 0 modulo N");
        }
        assert_eq!(client.prove(&[1; NUMBER_LEN + 1]), None);
    }
}

#[test]
fn what_must_be_refused_is() {
    let file = file();
    assert_eq!(list(&file, "negative").len(), 8);
    for vector in list(&file, "negative") {
        let name = text(vector, "name");
        let base = list(&file, "vectors")
            .iter()
            .find(|base| base["name"] == vector["base"])
            .expect("known base");
        let a = ClientPublic::parse(text(vector, "A"));
        let m1 = ClientProof::parse(text(vector, "M1"));
        match name {
            "A-is-zero" | "A-is-N" => assert_eq!(a, Err(ClientPublicError::Refused), "{name}"),
            "A-is-2N" => assert_eq!(a, Err(ClientPublicError::Format), "{name}"),
            "M1-truncated" | "M1-empty" => assert_eq!(m1.err(), Some(FormatError), "{name}"),
            _ => {
                let (a, m1) = (a.expect(name), m1.expect(name));
                assert_eq!(handshake(base).prove(&a, &m1), Err(WrongProof), "{name}");
            }
        }
    }
}

#[test]
fn numbers_have_bounds() {
    let file = file();
    let prime = BigUint::from_bytes_be(&bytes(&file["parameters"], "N"));
    let hex = |number: BigUint| format!("{number:x}");
    let verifier = |hex: &str| Verifier::parse(hex).map(|_| ());
    for wrong in [
        "0",
        "1",
        "01",
        &hex(&prime - 1u8),
        &hex(prime.clone()),
        &"f".repeat(2048),
    ] {
        assert_eq!(verifier(wrong), Err(VerifierError::Range), "{wrong}");
    }
    for wrong in ["", "g", "0x2", " 2", &"0".repeat(2049), &"é".repeat(1024)] {
        assert_eq!(verifier(wrong), Err(VerifierError::Format), "{wrong}");
    }
    for good in ["2", "AbC", &hex(&prime - 2u8), &format!("{:0>2048}", 2)] {
        assert_eq!(verifier(good), Ok(()), "{good}");
    }
    let public = |hex: &str| ClientPublic::parse(hex).map(|_| ());
    for wrong in [
        "00",
        &"00".repeat(NUMBER_LEN),
        &hex(prime.clone()),
        &"f".repeat(2048),
    ] {
        assert_eq!(public(wrong), Err(ClientPublicError::Refused), "{wrong}");
    }
    for wrong in ["", "1", "123", "0g", "+1", &"0".repeat(2050)] {
        assert_eq!(public(wrong), Err(ClientPublicError::Format), "{wrong}");
    }
    for good in ["01", "Ff", &hex(&prime - 1u8)] {
        assert_eq!(public(good), Ok(()), "{good}");
    }
    for wrong in [
        "",
        &"0".repeat(30),
        &"0".repeat(33),
        &"0".repeat(258),
        &"x".repeat(64),
    ] {
        assert_eq!(Salt::parse(wrong), Err(FormatError), "{wrong}");
    }
    assert!(Salt::parse(&"Aa".repeat(16)).is_ok() && Salt::parse(&"0".repeat(256)).is_ok());
}

#[test]
fn a_short_verifier_and_a_short_public_number_are_padded() {
    let verifier = Verifier::parse("5").expect("in range");
    assert_eq!(verifier.as_bytes().len(), NUMBER_LEN);
    let again = Verifier::from_bytes(verifier.as_bytes()).expect("in range");
    assert_eq!(
        again.as_bytes(),
        Verifier::parse("0005").expect("in range").as_bytes()
    );
    let short = ClientPublic::parse("0102").expect("in range");
    assert_eq!(
        short.as_bytes(),
        [vec![0; NUMBER_LEN - 2], vec![1, 2]].concat()
    );
    assert_eq!(
        Verifier::from_bytes(&[5]).err(),
        Some(VerifierError::Format)
    );
    assert!(!format!("{verifier:?}").contains('5'));
}

/// The server's g^b is a table; v = 2 leaves it visible in B = 2k + g^b.
#[test]
fn powers_of_the_generator_are_right_for_any_exponent() {
    let client = Client::new(&file());
    let two = Verifier::parse("2").expect("in range");
    for b in [[0; 32], [0xff; 32], sha256(b"one"), sha256(b"two")] {
        let server = ServerHandshake::start(&two, &Key::new(b)).expect("not 0");
        let power = client.g.modpow(&BigUint::from_bytes_be(&b), &client.n);
        let expected = (&client.k * 2u8 + power) % &client.n;
        assert_eq!(server.public()[..], pad(&expected)[..]);
    }
}

#[test]
fn an_account_made_and_used_by_another_implementation_works() {
    let client = Client::new(&file());
    let salt = Salt::from_bytes(sha256(b"salt").to_vec()).expect("32 bytes");
    let verifier = client.verifier("Zoë@Example.org", "pass\u{fb01}ng", &salt);
    let verifier = Verifier::from_bytes(&verifier).expect("in range");
    let server = ServerHandshake::start(&verifier, &Key::new(sha256(b"b"))).expect("not 0");
    let login = |password: &str| {
        let (a, m1, m2) = client.login("Zoë@Example.org", password, &salt, server.public());
        let a = ClientPublic::parse(&hex::encode(a)).expect("in range");
        let m1 = ClientProof::parse(&hex::encode(m1)).expect("64 bytes");
        server.prove(&a, &m1).map(|proof| m2 == proof)
    };
    assert_eq!(login("passfing"), Ok(true));
    assert_eq!(login("passing"), Err(WrongProof));
}

#[test]
fn the_client_of_these_tests_makes_the_published_values() {
    let file = file();
    let client = Client::new(&file);
    assert_eq!(
        pad(&client.k)[NUMBER_LEN - 64..],
        bytes(&file["parameters"], "k")[..]
    );
    for vector in list(&file, "vectors").iter().take(3) {
        let salt = Salt::parse(text(vector, "salt")).expect("64 digits");
        let (identity, password) = (text(vector, "identity"), text(vector, "password_as_typed"));
        assert_eq!(
            client.verifier(identity, password, &salt),
            bytes(vector, "verifier")
        );
    }
}

#[test]
fn a_decoy_is_stable_and_nobody_elses() {
    let secret = Key::new([1; 32]);
    let (salt, verifier) = srp::decoy(&secret, b"nobody@example.org");
    let (salt_again, verifier_again) = srp::decoy(&secret, b"nobody@example.org");
    assert_eq!(salt, salt_again);
    assert_eq!(verifier.as_bytes(), verifier_again.as_bytes());
    assert_eq!(salt.as_bytes().len(), 32);
    assert!(Verifier::from_bytes(verifier.as_bytes()).is_ok());
    let (salt_other, verifier_other) = srp::decoy(&secret, b"somebody@example.org");
    assert_ne!(salt, salt_other);
    assert_ne!(verifier.as_bytes(), verifier_other.as_bytes());
    assert_ne!(
        salt,
        srp::decoy(&Key::new([2; 32]), b"nobody@example.org").0
    );
    assert!(ServerHandshake::start(&verifier, &Key::new([3; 32])).is_some());
}

/// The client's formulas of §3.2, written down once more.
struct Client {
    n: BigUint,
    g: BigUint,
    k: BigUint,
}

impl Client {
    fn new(file: &Value) -> Self {
        let n = BigUint::from_bytes_be(&bytes(&file["parameters"], "N"));
        let g = BigUint::from(19u8);
        let k = number(&hash(&[&pad(&n), &pad(&g)]));
        Self { n, g, k }
    }

    fn x(identity: &str, password: &str, salt: &Salt) -> BigUint {
        let password: String = password.nfkc().collect();
        let inner = hash(&[identity.as_bytes(), b":", password.as_bytes()]);
        number(&hash(&[salt.as_bytes(), &inner]))
    }

    fn verifier(&self, identity: &str, password: &str, salt: &Salt) -> Vec<u8> {
        pad(&self.g.modpow(&Self::x(identity, password, salt), &self.n))
    }

    /// A, M1 and the M2 to expect.
    fn login(
        &self,
        identity: &str,
        password: &str,
        salt: &Salt,
        b: &[u8],
    ) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let secret = number(&sha256(b"a"));
        let public = pad(&self.g.modpow(&secret, &self.n));
        let u = number(&hash(&[&public, b]));
        let x = Self::x(identity, password, salt);
        let masked = &self.k * self.g.modpow(&x, &self.n) % &self.n;
        let base = (number(b) + &self.n - masked) % &self.n;
        let shared = base.modpow(&(secret + u * x), &self.n);
        let key = hash(&[&pad(&shared)]);
        let m1 = hash(&[&public, b, &key]);
        let m2 = hash(&[&public, &m1, &key]);
        (public, m1, m2)
    }
}

fn number(bytes: &[u8]) -> BigUint {
    BigUint::from_bytes_be(bytes)
}

fn pad(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; NUMBER_LEN - bytes.len()], bytes].concat()
}

fn hash(parts: &[&[u8]]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, &parts.concat())
        .as_ref()
        .to_vec()
}
