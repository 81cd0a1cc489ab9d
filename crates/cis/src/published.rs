//! What anybody may read: the signing keys and where things are (§2.1).

use axum::extract::State;
use http::StatusCode;

use crate::Tenants;
use crate::error::{self, APPLICATION, Reply};
use crate::wire::{Discovery, Jwk, JwkSet};

/// The keys that tokens are signed with, and those that still verify.
#[utoipa::path(get, path = "/cis/oidc/jwks", operation_id = "getJwks", tag = "tokens", security(()),
    responses((status = 200, description = "The keys", body = JwkSet)))]
pub(crate) async fn jwks(State(tenants): State<Tenants>) -> Reply {
    let ring = tenants.token_keys().await;
    let ring = ring.map_err(error::of(&tenants, APPLICATION))?;
    let published = ring.public(tenants.now());
    let keys = published.into_iter().filter_map(Jwk::of).collect();
    Ok(error::json(StatusCode::OK, &JwkSet { keys }))
}

/// OpenID Connect discovery, as far as client tokens go.
#[utoipa::path(get, path = "/cis/oidc/.well-known/openid-configuration", operation_id = "getDiscovery",
    tag = "tokens", security(()), responses((status = 200, description = "Where things are", body = Discovery)))]
pub(crate) async fn discovery(State(tenants): State<Tenants>) -> Reply {
    let base = tenants.public_url();
    let discovery = Discovery {
        issuer: tenants.token_issuer().to_owned(),
        token_endpoint: format!("{base}/oidc/token"),
        jwks_uri: format!("{base}/cis/oidc/jwks"),
        grant_types_supported: ["client_credentials"],
        response_types_supported: [],
        token_endpoint_auth_methods_supported: [
            "client_secret_post",
            "client_secret_basic",
            "private_key_jwt",
        ],
        token_endpoint_auth_signing_alg_values_supported: ["RS256", "PS256", "ES256"],
        id_token_signing_alg_values_supported: ["RS256"],
        subject_types_supported: ["public"],
        claims_supported: [
            "iss",
            "aud",
            "sub",
            "client_id",
            "tid",
            "app_id",
            "app_name",
            "iat",
            "exp",
            "jti",
            "scope",
            "roles",
            "role",
            "ts_roles",
            "ts_permissions",
            "nbf",
        ],
    };
    Ok(error::json(StatusCode::OK, &discovery))
}
