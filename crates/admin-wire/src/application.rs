use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An application to create, or what to change of one; what is left out stays.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplicationRequest {
    pub name: Option<String>,
    pub description: Option<String>,
    /// Accept only challenges that this server made.
    pub require_server_challenge: Option<bool>,
}

/// An application with its first client, whose secret is shown only this once.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct NewApplication {
    pub app_id: String,
    pub name: String,
    pub client_id: String,
    pub client_secret: String,
}
