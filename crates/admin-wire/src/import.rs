use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What became of the lines of one call.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Imported {
    pub keys: u64,
    pub users: u64,
    /// Lines of keys and users that this server already had.
    pub skipped: u64,
    /// Lines that could not be read.
    pub failed: Vec<FailedLine>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FailedLine {
    /// The number of the line within the call, from 1.
    pub line: usize,
    pub why: String,
}
