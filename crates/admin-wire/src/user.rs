use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A person to create as a member of one application.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserRequest {
    /// This or `phone_number` must be given.
    pub email: Option<String>,
    pub phone_number: Option<String>,
    pub external_user_id: Option<String>,
    pub username: Option<String>,
}
