//! The keys that verify access tokens, for other services (§6).

use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::proof::signing::{PublicNumbers, PublicSigningKey};

use crate::People;
use crate::account::ok;
use crate::error::Reply;
use crate::wire::{Discovery, Jwk, Jwks};

/// The public keys of access tokens: the one that signs, and those that still verify.
#[utoipa::path(get, operation_id = "showKeySet", path = "/api/v1/.well-known/jwks.json", tag = "keys", security(()),
    responses((status = 200, body = Jwks)))]
pub(crate) async fn jwks(State(people): State<People>) -> Reply {
    let keys = people.access_keys().await?;
    Ok(ok(&Jwks {
        keys: keys.iter().filter_map(jwk).collect(),
    }))
}

/// Where the keys are, in the form of OpenID Connect Discovery.
#[utoipa::path(get, operation_id = "showDiscovery", path = "/api/v1/.well-known/openid-configuration", tag = "keys", security(()),
    responses((status = 200, body = Discovery)))]
pub(crate) async fn discovery(State(people): State<People>) -> Reply {
    let issuer = people.issuer();
    Ok(ok(&Discovery {
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        issuer,
        response_types_supported: ["none"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["ES256"],
        claims_supported: [
            "iss",
            "aud",
            "sub",
            "sid",
            "iat",
            "exp",
            "jti",
            "auth_time",
            "amr",
        ],
    }))
}

fn jwk(key: &PublicSigningKey) -> Option<Jwk> {
    match &key.numbers {
        PublicNumbers::P256 { x, y } => Some(Jwk {
            kty: "EC",
            crv: "P-256",
            alg: "ES256",
            usage: "sig",
            kid: key.kid.clone(),
            x: URL_SAFE_NO_PAD.encode(x),
            y: URL_SAFE_NO_PAD.encode(y),
        }),
        PublicNumbers::Rsa { .. } => None,
    }
}
