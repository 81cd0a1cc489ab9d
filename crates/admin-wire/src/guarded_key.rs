use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Channel;

/// The state of a guarded key, without secrets and addresses.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct GuardedKey {
    /// The keyed hash by which the audit trail names the key.
    pub alias: String,
    pub created: String,
    pub failed_guesses: u32,
    pub failed_in_a_row: u32,
    pub exhausted_until: Option<String>,
    pub recoverable: bool,
    pub imported: bool,
    pub contacts: Vec<Contact>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct Contact {
    pub alias: String,
    pub channel: Option<Channel>,
    pub verified: bool,
    pub code_outstanding: bool,
    pub locked_until: Option<String>,
}
