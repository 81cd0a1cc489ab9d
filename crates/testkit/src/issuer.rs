//! A trusted issuer of tokens.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::jws::{PublicNumbers, SigningKey};
use domain::Error;
use domain::port::KeySets;
use domain::proof::federated::{Algorithm, KeySet, Rules, Scopes, TrustedIssuer};
use serde_json::{Value, json};

/// The issuer's name.
pub const ISSUER: &str = "https://idp.example.test/";
/// The audience of its tokens.
pub const AUDIENCE: &str = "keyward-test";

/// Signs tokens with its own key, and publishes that key. A test can make it unreachable.
pub struct TestIssuer {
    key: SigningKey,
    published: Mutex<Option<Arc<KeySet>>>,
}

impl Default for TestIssuer {
    fn default() -> Self {
        let pkcs8 = SigningKey::generate(Algorithm::Es256).expect("a key can be generated");
        let key = SigningKey::from_pkcs8(Algorithm::Es256, &pkcs8).expect("its own form");
        let issuer = Self {
            key,
            published: Mutex::default(),
        };
        issuer.come_back();
        issuer
    }
}

impl TestIssuer {
    /// A server's rules for this issuer.
    pub fn rules() -> TrustedIssuer {
        TrustedIssuer {
            rules: Rules {
                issuer: ISSUER.to_owned(),
                audiences: vec![AUDIENCE.to_owned()],
                algorithms: vec![Algorithm::Es256],
                leeway: 30,
            },
            scopes: Scopes::Enforced,
            fresh: None,
        }
    }

    /// A token with exactly these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "kid": "test", "typ": "JWT"}).to_string();
        let signed = self
            .key
            .sign(header.as_bytes(), claims.to_string().as_bytes());
        signed.expect("a key signs")
    }

    /// A token of an hour for `subject`.
    pub fn token(&self, subject: &str, scope: &str, now: domain::Timestamp) -> String {
        let now = now.seconds();
        let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "scope": scope,
            "iat": now, "exp": now + 3600});
        self.sign(&claims)
    }

    /// Makes the key set unreachable from now on.
    pub fn go_away(&self) {
        *self.published() = None;
    }

    pub fn come_back(&self) {
        let Ok(PublicNumbers::P256 { x, y }) = self.key.public_numbers() else {
            panic!("a key of P-256");
        };
        let jwk = json!({"kty": "EC", "crv": "P-256", "kid": "test", "use": "sig",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)});
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
