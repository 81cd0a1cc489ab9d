use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A role to create, or what to change of one; what is left out stays.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleRequest {
    pub name: Option<String>,
    pub description: Option<String>,
    /// Each `subject:verb`, for example `devices:execute`.
    pub permissions: Option<Vec<String>>,
}
