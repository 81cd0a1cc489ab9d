use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The result of a check of the whole audit chain. `findings` is empty if the chain is intact.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    pub links: u64,
    pub events: u64,
    /// Committed, and not linked yet.
    pub waiting: u64,
    pub findings: Vec<String>,
}
