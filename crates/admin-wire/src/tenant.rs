use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The name of a tenant or of a management client to create.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// 1 to 255 characters.
    pub name: String,
}

/// A management client. Its secret is shown only this once.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct NewManager {
    pub tenant_id: String,
    pub client_id: String,
    pub client_secret: String,
}
