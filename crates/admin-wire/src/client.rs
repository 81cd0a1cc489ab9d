use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A client to create, or what to change of one; what is left out stays.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientRequest {
    pub name: Option<String>,
    /// An empty list gives full access to the client's own application.
    pub role_ids: Option<Vec<String>>,
    /// Seconds that a token is valid, 1 to 86,400.
    pub token_ttl: Option<u32>,
    /// If true, the client's tokens and secrets are refused.
    pub disabled: Option<bool>,
}

/// How long the older secrets of a client stay valid beside the new one.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRotation {
    pub overlap_seconds: Option<u64>,
}
