use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Every answer that is not a success.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    pub error: Problem,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Stable, for programs.
    pub code: String,
    /// For people.
    pub message: String,
}
