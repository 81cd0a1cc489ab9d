use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The plan that an account with a vault gets.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanChoice {
    /// A plan of the configuration; null for the default one.
    pub plan: Option<String>,
}
