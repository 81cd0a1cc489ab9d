//! The token endpoint, the claims of its tokens, and what is published about them (§2.1, §3).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::proof::signing::{PublicNumbers, PublicSigningKey};
use domain::secret::SecretText;
use domain::tenant::access_token::{TokenFacts, TokenForm};
use domain::tenant::{ApplicationId, ClientId, TenantId};
use domain::{Error, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// §3.5
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenError {
    pub(crate) error: &'static str,
    pub(crate) error_description: &'static str,
    pub(crate) message: &'static str,
    pub(crate) error_code: u16,
}

/// §3.1
#[derive(Deserialize, ToSchema)]
pub(crate) struct TokenForm31 {
    #[schema(example = "client_credentials")]
    pub(crate) grant_type: String,
    pub(crate) client_id: Option<String>,
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    pub(crate) client_secret: Option<SecretText>,
    pub(crate) client_assertion_type: Option<String>,
    pub(crate) client_assertion: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) scope: Option<String>,
}

fn secret<'de, D: Deserializer<'de>>(text: D) -> Result<Option<SecretText>, D::Error> {
    Ok(Option::<String>::deserialize(text)?.map(SecretText::new))
}

/// §3.2
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenAnswer {
    pub(crate) access_token: String,
    #[schema(example = "Bearer")]
    pub(crate) token_type: &'static str,
    pub(crate) expires_in: u32,
    pub(crate) scope: String,
}

/// §3.3
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    tid: String,
    app_id: String,
    app_name: String,
    iat: i64,
    exp: i64,
    jti: String,
    scope: String,
    roles: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Vec<String>>,
    ts_roles: Vec<String>,
    ts_permissions: Option<Vec<String>>,
    nbf: Option<i64>,
}

/// The claims of this wire.
pub(crate) struct ClaimsForm;

pub(crate) const CLAIMS: ClaimsForm = ClaimsForm;

const ADMIN: &str = "Admin";

impl TokenForm for ClaimsForm {
    fn audience(&self) -> &'static str {
        "userid-api"
    }

    fn write(&self, facts: &TokenFacts) -> Result<Vec<u8>, Error> {
        let permissions = facts.permissions.clone().unwrap_or_default();
        let admin = if facts.manager {
            vec![ADMIN.to_owned()]
        } else {
            Vec::new()
        };
        let claims = Claims {
            iss: facts.issuer.clone(),
            aud: facts.audience.clone(),
            sub: facts.client.to_string(),
            client_id: facts.client.to_string(),
            tid: facts.tenant.to_string(),
            app_id: facts.application.to_string(),
            app_name: facts.application_name.clone(),
            iat: facts.issued.millis().div_euclid(1000),
            exp: facts.expires.millis().div_euclid(1000),
            jti: facts.id.clone(),
            scope: permissions.join(" "),
            role: facts.manager.then(|| admin.clone()),
            roles: admin,
            ts_roles: facts.role_names.clone(),
            ts_permissions: Some(permissions),
            nbf: None,
        };
        let mut value = serde_json::to_value(claims).map_err(Error::bug)?;
        if let Some(members) = value.as_object_mut() {
            members.shift_remove("nbf");
        }
        serde_json::to_vec(&value).map_err(Error::bug)
    }

    fn read(&self, claims: &[u8]) -> Option<TokenFacts> {
        let claims: Claims = serde_json::from_slice(claims).ok()?;
        let at = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
        let consistent = claims.sub == claims.client_id;
        consistent.then_some(TokenFacts {
            client: ClientId::parse(&claims.client_id)?,
            tenant: TenantId::parse(&claims.tid)?,
            application: ApplicationId::parse(&claims.app_id)?,
            issuer: claims.iss,
            audience: claims.aud,
            application_name: claims.app_name,
            manager: claims.roles.iter().any(|role| role == ADMIN),
            permissions: claims.ts_permissions,
            role_names: claims.ts_roles,
            id: claims.jti,
            issued: at(claims.iat.max(claims.nbf.unwrap_or(i64::MIN))),
            expires: at(claims.exp),
        })
    }
}

/// §2.1: one published signing key.
#[derive(Serialize, ToSchema)]
pub(crate) struct Jwk {
    kty: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    kid: String,
    n: String,
    e: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct JwkSet {
    pub(crate) keys: Vec<Jwk>,
}

impl Jwk {
    pub(crate) fn of(key: PublicSigningKey) -> Option<Self> {
        let PublicNumbers::Rsa { n, e } = key.numbers else {
            return None;
        };
        Some(Self {
            kty: "RSA",
            usage: "sig",
            alg: key.algorithm.name(),
            kid: key.kid,
            n: URL_SAFE_NO_PAD.encode(n),
            e: URL_SAFE_NO_PAD.encode(e),
        })
    }
}

/// OpenID Connect Discovery 1.0 §3, as far as this server goes.
#[derive(Serialize, ToSchema)]
pub(crate) struct Discovery {
    pub(crate) issuer: String,
    pub(crate) token_endpoint: String,
    pub(crate) jwks_uri: String,
    pub(crate) grant_types_supported: [&'static str; 1],
    pub(crate) response_types_supported: [&'static str; 0],
    pub(crate) token_endpoint_auth_methods_supported: [&'static str; 3],
    pub(crate) token_endpoint_auth_signing_alg_values_supported: [&'static str; 3],
    pub(crate) id_token_signing_alg_values_supported: [&'static str; 1],
    pub(crate) subject_types_supported: [&'static str; 1],
    pub(crate) claims_supported: [&'static str; 16],
}
