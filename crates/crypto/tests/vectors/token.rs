//! `duo-auth-vectors.json`, access tokens.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::jws::{Algorithm, PublicNumbers, SigningKey};
use crypto::token::{Claims, KeySet, Rules, Token, Unacceptable};
use serde_json::{Value, json};

use crate::{list, read, text};

fn rules(jwt: &Value) -> Rules {
    let names = list(jwt, "algorithms").iter().filter_map(Value::as_str);
    Rules {
        issuer: text(jwt, "issuer").to_owned(),
        audiences: vec![text(jwt, "audience").to_owned()],
        algorithms: names.filter_map(Algorithm::named).collect(),
        leeway: 30,
    }
}

fn judge(jwt: &Value, rules: &Rules, token: &str) -> Result<Claims, Unacceptable> {
    let keys = KeySet::parse(jwt["jwks"].to_string().as_bytes()).expect("a key set");
    let now = jwt["now_epoch"].as_f64().expect("a number");
    Token::parse(token)
        .ok_or(Unacceptable::Invalid)?
        .judge(rules, &keys, now)
}

#[test]
fn every_token_gets_its_verdict() {
    let file = read(include_str!("duo-auth-vectors.json"));
    let jwt = &file["jwt"];
    let rules = rules(jwt);
    assert_eq!(list(jwt, "vectors").len(), 40);
    for vector in list(jwt, "vectors") {
        let id = text(vector, "id");
        let judged = judge(jwt, &rules, text(vector, "token"));
        let granted = judged.as_ref().map(|claims| {
            assert_eq!(claims.subject, "auth0|user-1", "{id}");
            claims.scopes.iter().any(|scope| scope == "write:devices")
        });
        let expected = match (text(vector, "verdict"), vector["error_code"].as_u64()) {
            ("accept", None) => Ok(true),
            ("reject", Some(100_101)) => Err(&Unacceptable::Invalid),
            ("reject", Some(100_102)) => Err(&Unacceptable::Expired),
            ("reject", Some(100_103)) => Ok(false),
            other => panic!("{id}: {other:?}"),
        };
        assert_eq!(granted, expected, "{id}");
    }
}

#[test]
fn no_algorithm_is_for_shared_secrets() {
    for name in [
        "none", "None", "HS256", "HS384", "HS512", "ES256K", "rs256", "",
    ] {
        assert_eq!(Algorithm::named(name), None, "{name}");
    }
    for name in Algorithm::NAMES {
        assert!(Algorithm::named(name).is_some(), "{name}");
    }
}

#[test]
fn shapes_that_are_no_token() {
    let file = read(include_str!("duo-auth-vectors.json"));
    let good = text(&list(&file["jwt"], "vectors")[0], "token");
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let (header, payload) = signed.split_once('.').expect("three parts");
    for bad in [
        String::new(),
        "..".to_owned(),
        format!("{good}.{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.!"),
        format!("W10.{payload}.{signature}"),
        format!("{header}.W10.{signature}"),
        "a".repeat(8193),
    ] {
        assert!(Token::parse(&bad).is_none(), "{bad:.60}");
    }
    assert!(Token::parse(good).is_some());
}

#[test]
fn a_key_set_is_an_object_with_keys() {
    for bad in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
        assert!(KeySet::parse(bad.as_bytes()).is_none(), "{bad}");
    }
    let odd = r#"{"keys":[1,{},{"kty":"oct","k":"AAAA"},{"kty":"EC","crv":"P-521"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}"#;
    let set = KeySet::parse(odd.as_bytes()).expect("a key set");
    assert!(set.is_empty() && !set.knows("x"));
}

/// A key of an issuer: what it publishes, which algorithms it serves, and its signatures.
struct IssuerKey {
    jwk: Value,
    serves: &'static [Algorithm],
    sign: Sign,
}

/// Signs bytes with an algorithm that the key serves.
type Sign = Box<dyn Fn(Algorithm, &[u8]) -> Vec<u8>>;

impl IssuerKey {
    fn rsa() -> Self {
        let pkcs8 = SigningKey::generate(Algorithm::Rs256).expect("a key");
        let key = SigningKey::from_pkcs8(Algorithm::Rs256, &pkcs8).expect("its own form");
        let Ok(PublicNumbers::Rsa { n, e }) = key.public_numbers() else {
            panic!("an RSA key");
        };
        let pair = RsaKeyPair::from_pkcs8(&pkcs8).expect("its own form");
        let sign = move |algorithm, message: &[u8]| {
            let encoding: &dyn RsaEncoding = match algorithm {
                Algorithm::Rs384 => &RSA_PKCS1_SHA384,
                Algorithm::Rs512 => &RSA_PKCS1_SHA512,
                Algorithm::Ps256 => &RSA_PSS_SHA256,
                Algorithm::Ps384 => &RSA_PSS_SHA384,
                Algorithm::Ps512 => &RSA_PSS_SHA512,
                _ => &RSA_PKCS1_SHA256,
            };
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
                .expect("a signature");
            signature
        };
        Self {
            jwk: json!({"kty": "RSA", "kid": "rsa",
                "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e)}),
            serves: &Algorithm::ALL[..6],
            sign: Box::new(sign),
        }
    }

    fn curve(
        algorithm: &'static EcdsaSigningAlgorithm,
        name: &str,
        serves: &'static [Algorithm],
    ) -> Self {
        let pair = EcdsaKeyPair::generate(algorithm).expect("a key");
        let (x, y) = {
            let point = &pair.public_key().as_ref()[1..];
            point.split_at(point.len() / 2)
        };
        Self {
            jwk: json!({"kty": "EC", "crv": name, "kid": name,
                "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)}),
            serves,
            sign: Box::new(move |_, message| {
                let signature = pair.sign(&SystemRandom::new(), message);
                signature.expect("a signature").as_ref().to_vec()
            }),
        }
    }

    fn edwards() -> Self {
        let pair = Ed25519KeyPair::generate().expect("a key");
        Self {
            jwk: json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed",
                "x": URL_SAFE_NO_PAD.encode(pair.public_key())}),
            serves: &[Algorithm::EdDsa],
            sign: Box::new(move |_, message| pair.sign(message).as_ref().to_vec()),
        }
    }

    fn all() -> [Self; 4] {
        let (p256, p384) = (
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &ECDSA_P384_SHA384_FIXED_SIGNING,
        );
        [
            Self::rsa(),
            Self::curve(p256, "P-256", &[Algorithm::Es256]),
            Self::curve(p384, "P-384", &[Algorithm::Es384]),
            Self::edwards(),
        ]
    }

    /// A good token, but for what its header may say and how it is signed.
    fn token(&self, claimed: &str, signed: Algorithm) -> String {
        let header = json!({"alg": claimed, "kid": self.jwk["kid"]});
        let claims = json!({"iss": "i", "aud": "a", "sub": "s", "exp": 100});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&header), encode(&claims));
        let signature = (self.sign)(signed, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Whether the token is believed when the rules allow one algorithm and the issuer publishes one key.
fn is_believed(token: &str, only: Algorithm, jwk: &Value) -> bool {
    let rules = Rules {
        issuer: "i".to_owned(),
        audiences: vec!["a".to_owned()],
        algorithms: vec![only],
        leeway: 0,
    };
    let set = json!({ "keys": [jwk] }).to_string();
    let keys = KeySet::parse(set.as_bytes()).expect("a key set");
    Token::parse(token).is_some_and(|token| token.judge(&rules, &keys, 50.0).is_ok())
}

#[test]
fn each_algorithm_is_believed_only_where_rules_header_key_and_signature_agree() {
    for key in IssuerKey::all() {
        for claimed in Algorithm::ALL {
            for &signed in key.serves {
                let token = key.token(claimed.name(), signed);
                for allowed in Algorithm::ALL {
                    let agree = claimed == signed && claimed == allowed;
                    assert_eq!(
                        is_believed(&token, allowed, &key.jwk),
                        agree,
                        "{claimed:?} {signed:?} {allowed:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_key_serves_only_the_algorithm_that_it_names() {
    let key = IssuerKey::rsa();
    let (named, other) = (Algorithm::Ps384, Algorithm::Rs256);
    let mut jwk = key.jwk.clone();
    jwk["alg"] = named.name().into();
    assert!(is_believed(&key.token(named.name(), named), named, &jwk));
    assert!(!is_believed(&key.token(other.name(), other), other, &jwk));
    jwk["alg"] = "RSA-OAEP".into();
    assert!(!is_believed(&key.token(named.name(), named), named, &jwk));
}
