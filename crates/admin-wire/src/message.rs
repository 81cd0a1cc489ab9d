use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which message to show, with sample values.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Preview {
    pub operation: String,
    #[serde(default)]
    pub language: Option<String>,
    /// `EMAIL` (default) or `SMS`.
    #[serde(default)]
    pub channel: Option<Channel>,
    #[serde(default)]
    pub anti_phishing_code: Option<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Channel {
    Email,
    Sms,
    /// Not a person: a program of the operator that hears of recoveries.
    Operator,
}
