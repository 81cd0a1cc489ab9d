//! `duo-auth-vectors.json`: device ids and signatures, canonical JSON, webhook signatures. What the file
//! says about access tokens and face matchers is tested where those live.

use crypto::canonical_json::{NotCanonical, canonicalize, to_string};
use crypto::device_signature::{DeviceId, DeviceIdError, SignatureFormat, verify_challenge};
use crypto::webhook_signature::{Message, Secret};
use serde_json::Value;

use crate::{list, read, text};

fn file() -> Value {
    read(include_str!("duo-auth-vectors.json"))
}

#[test]
fn devices_prove_themselves_with_either_s() {
    let file = file();
    assert_eq!(list(&file, "device_signature_valid").len(), 10);
    for vector in list(&file, "device_signature_valid") {
        let id = text(vector, "id");
        let device = DeviceId::parse(text(vector, "device_id")).expect(id);
        let challenge = text(vector, "challenge");
        for signature in ["signature_der_hex", "other_s_signature_der_hex"] {
            let verdict = verify_challenge(&device, challenge, text(vector, signature));
            assert_eq!(verdict, Ok(true), "{id} {signature}");
        }
        let other = challenge.replace('0', "1");
        let verdict = verify_challenge(&device, &other, text(vector, "signature_der_hex"));
        assert_eq!(verdict, Ok(other == challenge), "{id}");
    }
}

#[test]
fn every_variant_gets_its_verdict_and_its_kind_of_refusal() {
    let file = file();
    assert_eq!(list(&file, "device_signature_variants").len(), 60);
    for vector in list(&file, "device_signature_variants") {
        let id = text(vector, "id");
        let outcome = DeviceId::parse(text(vector, "device_id")).map(|device| {
            assert_eq!(
                device.as_str(),
                text(vector, "device_id").to_lowercase(),
                "{id}"
            );
            verify_challenge(
                &device,
                text(vector, "challenge"),
                text(vector, "signature"),
            )
        });
        let expected = match (text(vector, "verdict"), vector["error_code"].as_u64()) {
            ("accept", None) => Ok(Ok(true)),
            ("reject", Some(100_205)) => Err(DeviceIdError),
            ("reject", Some(100_401)) => Ok(Err(SignatureFormat)),
            ("reject", Some(100_202)) => Ok(Ok(false)),
            other => panic!("{id}: {other:?}"),
        };
        assert_eq!(outcome, expected, "{id}");
    }
}

#[test]
fn json_has_one_form() {
    let file = file();
    assert_eq!(list(&file, "jcs").len(), 8);
    for vector in list(&file, "jcs") {
        let id = text(vector, "id");
        let canonical = canonicalize(text(vector, "input")).expect(id);
        assert_eq!(canonical, text(vector, "expected"), "{id}");
        assert_eq!(
            hex::encode(&canonical),
            text(vector, "expected_utf8_hex"),
            "{id}"
        );
        assert_eq!(canonicalize(&canonical), Ok(canonical), "{id}");
    }
}

#[test]
fn numbers_have_one_form() {
    let file = file();
    let number = |vector: &Value| {
        let bits = u64::from_str_radix(text(vector, "ieee754_hex"), 16).expect("16 digits");
        f64::from_bits(bits)
    };
    let numbers = &file["jcs_numbers"];
    assert_eq!(list(numbers, "vectors").len(), 24);
    for vector in list(numbers, "vectors") {
        let expected = text(vector, "expected");
        assert_eq!(to_string(&number(vector)).as_deref(), Ok(expected));
        assert_eq!(canonicalize(expected).as_deref(), Ok(expected));
    }
    for vector in list(numbers, "rejects") {
        assert_eq!(
            to_string(&number(vector)),
            Err(NotCanonical),
            "{}",
            text(vector, "what")
        );
    }
}

#[test]
fn ambiguous_json_has_no_form() {
    let file = file();
    assert_eq!(list(&file, "jcs_reject_inputs").len(), 3);
    for vector in list(&file, "jcs_reject_inputs") {
        let what = text(vector, "what");
        assert_eq!(
            canonicalize(text(vector, "input")),
            Err(NotCanonical),
            "{what}"
        );
    }
}

#[test]
fn webhook_requests_and_answers_are_signed() {
    let file = file();
    assert_eq!(list(&file, "webhook_verifier").len(), 2);
    for vector in list(&file, "webhook_verifier") {
        let id = text(vector, "id");
        let secret = Secret::new(text(vector, "secret_utf8").as_bytes());
        let request = Message {
            prefix: "v1",
            timestamp: text(vector, "timestamp").parse().ok(),
            id: text(vector, "request_id"),
            body: text(vector, "request_body").as_bytes(),
        };
        let answer = Message {
            prefix: "v1r",
            timestamp: None,
            body: text(vector, "response_body").as_bytes(),
            ..request
        };
        for (message, signature) in [
            (request, "request_signature"),
            (answer, "response_signature"),
        ] {
            let signature = text(vector, signature);
            assert_eq!(secret.sign(&message), signature, "{id}");
            assert!(secret.verify(&message, signature), "{id}");
            for wrong in [
                "",
                "v1=",
                &signature[..66],
                &signature[3..],
                &format!("{signature}0"),
                &format!("v2={}", &signature[3..]),
            ] {
                assert!(!secret.verify(&message, wrong), "{id} {wrong}");
            }
            assert!(
                !Secret::new(b"another secret").verify(&message, signature),
                "{id}"
            );
            let changed = [
                Message {
                    id: "other",
                    ..message
                },
                Message {
                    timestamp: Some(1),
                    ..message
                },
                Message {
                    body: b"",
                    ..message
                },
            ];
            for other in changed {
                assert!(!secret.verify(&other, signature), "{id}");
            }
        }
        assert!(
            !secret.verify(&answer, text(vector, "request_signature")),
            "{id}"
        );
    }
}
