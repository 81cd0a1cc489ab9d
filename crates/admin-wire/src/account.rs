use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which wrong codes are forgotten.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    /// `login`, `password-recovery` or `signed-in`.
    pub class: String,
}
