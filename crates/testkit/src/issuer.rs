//! Somebody who issues tokens, and is trusted.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Error;
use domain::port::KeySets;
use domain::vouched::{Algorithm, Issuer, KeySet, Rules, Scopes};
use serde_json::{Value, json};

/// The issuer's name.
pub const ISSUER: &str = "https://idp.example.test/";
/// For whom its tokens are.
pub const AUDIENCE: &str = "keyward-test";

/// Signs tokens with a key of its own, and publishes that key. It can be away.
pub struct TestIssuer {
    key: EcdsaKeyPair,
    published: Mutex<Option<Arc<KeySet>>>,
}

impl Default for TestIssuer {
    fn default() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .expect("a key can be generated");
        let issuer = Self {
            key,
            published: Mutex::default(),
        };
        issuer.come_back();
        issuer
    }
}

impl TestIssuer {
    /// The rules a server has for it.
    pub fn rules() -> Issuer {
        Issuer {
            rules: Rules {
                issuer: ISSUER.to_owned(),
                audiences: vec![AUDIENCE.to_owned()],
                algorithms: Algorithm::named("ES256").into_iter().collect(),
                leeway: 30,
            },
            scopes: Scopes::Enforced,
            fresh: None,
        }
    }

    /// A token with exactly these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "ES256", "kid": "test", "typ": "JWT"});
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .expect("a key signs");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token of an hour for `subject`.
    pub fn token(&self, subject: &str, scope: &str, now: domain::Timestamp) -> String {
        let now = now.seconds();
        let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "scope": scope,
            "iat": now, "exp": now + 3600});
        self.sign(&claims)
    }

    /// From now on no key set can be had.
    pub fn go_away(&self) {
        *self.published() = None;
    }

    pub fn come_back(&self) {
        let point = self.key.public_key().as_ref();
        let jwk = json!({"kty": "EC", "crv": "P-256", "kid": "test", "use": "sig",
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..])});
        let set = json!({ "keys": [jwk] }).to_string();
        *self.published() = KeySet::parse(set.as_bytes()).map(Arc::new);
    }

    fn published(&self) -> std::sync::MutexGuard<'_, Option<Arc<KeySet>>> {
        self.published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl KeySets for TestIssuer {
    async fn keys(&self, _: &str, _: Option<&str>) -> Result<Arc<KeySet>, Error> {
        let published = self.published().clone();
        published.ok_or_else(|| Error::unavailable("the issuer is away"))
    }
}
