use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The issuer of the installation's own accounts.
pub const OWN_ISSUER: &str = "self";

/// A user of wallets, as an identity provider names it.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WalletUser {
    pub issuer: String,
    pub subject: String,
}

/// The device to deactivate.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceKey {
    /// 130 hex digits.
    pub device_key: String,
}
