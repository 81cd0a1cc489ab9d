//! `device-keys-vectors.json`, and moduli of lengths that file lacks.

use std::collections::HashMap;

use crypto::device_key::{KeyError, PublicKey};
use serde_json::Value;

use crate::{list, read, text};

fn file() -> Value {
    read(include_str!("device-keys-vectors.json"))
}

fn registered(file: &Value) -> HashMap<&str, PublicKey> {
    list(file, "keys")
        .iter()
        .filter_map(|key| {
            let parsed = PublicKey::parse(text(key, "public_key")).ok()?;
            Some((text(key, "id"), parsed))
        })
        .collect()
}

#[test]
fn keys_are_accepted_or_refused_and_have_their_fingerprint() {
    let file = file();
    assert_eq!(list(&file, "keys").len(), 22);
    for key in list(&file, "keys") {
        let id = text(key, "id");
        let parsed = PublicKey::parse(text(key, "public_key"));
        assert_eq!(
            parsed.is_ok(),
            key["register_status"] == 201,
            "{id}: {parsed:?}"
        );
        if let Ok(parsed) = parsed {
            assert_eq!(
                hex::encode(parsed.fingerprint()),
                text(key, "spki_sha256_hex"),
                "{id}"
            );
            assert_eq!(PublicKey::from_spki(parsed.spki()), Ok(parsed), "{id}");
        }
    }
}

#[test]
fn refused_keys_say_why() {
    let file = file();
    let why = |id: &str| {
        let mut cases = list(&file, "keys")
            .iter()
            .chain(list(&file, "public_key_encodings"));
        let case = cases.find(|case| text(case, "id") == id).expect("known id");
        PublicKey::parse(text(case, "public_key")).expect_err(id)
    };
    for (id, reason) in [
        ("rsa1024", KeyError::ModulusSize),
        ("rsa2047", KeyError::ModulusSize),
        ("rsa4097-fake", KeyError::ModulusSize),
        ("rsa8192-fake", KeyError::ModulusSize),
        ("rsa2048-e1", KeyError::Exponent),
        ("rsa2048-e2", KeyError::Exponent),
        ("rsa2048-e3", KeyError::Exponent),
        ("rsa2048-ehuge", KeyError::Exponent),
        ("rsa2048-even-n", KeyError::Modulus),
        ("p384", KeyError::Algorithm),
        ("ed25519", KeyError::Algorithm),
        ("pss-oid", KeyError::Algorithm),
        ("rsa-oid-no-params", KeyError::Algorithm),
        ("ec-off-curve", KeyError::Point),
        ("ec-x-too-big", KeyError::Point),
        ("ec-infinity", KeyError::Point),
        ("ec-spki-compressed", KeyError::Point),
        ("private-pkcs8", KeyError::Structure),
        ("der-trailing-byte", KeyError::Structure),
        ("private-pkcs8-pem", KeyError::Text),
        ("jwk-json", KeyError::Text),
        ("too-long", KeyError::Length),
        ("empty", KeyError::Length),
    ] {
        assert_eq!(why(id), reason, "{id}");
    }
}

#[test]
fn encodings_are_refused_or_become_the_same_key() {
    let file = file();
    let keys = registered(&file);
    assert_eq!(list(&file, "public_key_encodings").len(), 41);
    for case in list(&file, "public_key_encodings") {
        let id = text(case, "id");
        let parsed = PublicKey::parse(text(case, "public_key"));
        assert_eq!(
            parsed.is_ok(),
            case["register_status"] == 201,
            "{id}: {parsed:?}"
        );
        if let Ok(parsed) = parsed {
            assert_eq!(parsed, keys[text(case, "same_key_as")], "{id}");
        }
    }
}

#[test]
fn signatures_verify_as_they_should() {
    let file = file();
    let keys = registered(&file);
    assert_eq!(list(&file, "validations").len(), 109);
    for case in list(&file, "validations") {
        let id = text(case, "id");
        let challenge = text(case, "challenge");
        if let Some(hex) = case["challenge_utf8_hex"].as_str() {
            assert_eq!(hex::encode(challenge), hex, "{id}");
        }
        // A key that cannot be registered has no signature that counts.
        let valid = keys.get(text(case, "key")).is_some_and(|key| {
            key.verify(challenge.as_bytes(), text(case, "signature"))
                .is_valid()
        });
        assert_eq!(valid, case["result"] == true, "{id}");
    }
}

#[test]
fn a_wrong_salt_length_is_named_and_nothing_else_is() {
    let file = file();
    let keys = registered(&file);
    let mut named = 0;
    for case in list(&file, "validations") {
        let id = text(case, "id");
        let Some(key) = keys.get(text(case, "key")) else {
            continue;
        };
        let found = key.diagnose_salt(text(case, "challenge").as_bytes(), text(case, "signature"));
        let salted = case["why"].as_str().is_some_and(|why| why.contains("salt"));
        if case["result"] == true && case["scheme"] == "RSA-PSS" {
            assert_eq!(found, Some(32), "{id}");
        } else if salted && case["lenient_verifier_result"] == true {
            assert_eq!(
                found.map(Value::from).as_ref(),
                Some(&case["salt_length"]),
                "{id}"
            );
            named += 1;
        } else {
            assert_eq!(found, None, "{id}");
        }
    }
    assert_eq!(named, 19);
}

#[test]
fn moduli_of_any_bit_length_work() {
    let file = read(include_str!("device-keys-modulus-lengths.json"));
    for case in list(&file, "vectors") {
        let bits = &case["bits"];
        let key = PublicKey::parse(text(case, "public_key")).expect("accepted");
        let challenge = text(case, "challenge").as_bytes();
        let verdict = |name: &str| key.verify(challenge, text(case, name)).is_valid();
        let salt = |name: &str| {
            key.diagnose_salt(challenge, text(case, name))
                .map(Value::from)
        };
        assert!(verdict("salt_32"), "{bits} bits");
        assert!(!verdict("salt_0"), "{bits} bits");
        assert!(!verdict("salt_max"), "{bits} bits");
        assert!(
            !key.verify(b"another", text(case, "salt_32")).is_valid(),
            "{bits} bits"
        );
        assert_eq!(salt("salt_32"), Some(32.into()), "{bits} bits");
        assert_eq!(salt("salt_0"), Some(0.into()), "{bits} bits");
        assert_eq!(
            salt("salt_max").as_ref(),
            Some(&case["max_salt"]),
            "{bits} bits"
        );
    }
}
