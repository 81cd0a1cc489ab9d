//! The numbers that clients and device keys work with.

use std::time::Duration;

use crate::limit::rate::Rate;

/// Clients of back ends, and the device keys they register.
#[derive(Debug, Clone)]
pub struct DeviceKeyPolicy {
    /// What tokens name as their issuer.
    pub issuer: String,
    pub challenge_life: Duration,
    /// Keys of one person in one application; 0 is no limit.
    pub keys_per_member: u64,
    /// Wrong signatures of one key in a minute; 0 is no limit.
    pub misses_per_minute: u32,
    /// Failed proofs of one client id from one network.
    pub failures_per_client: Rate,
    /// Failed proofs from one network.
    pub failures_per_network: Rate,
}

impl Default for DeviceKeyPolicy {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self {
            issuer: "http://127.0.0.1:8080/oidc".to_owned(),
            challenge_life: Duration::from_secs(120),
            keys_per_member: 100,
            misses_per_minute: 120,
            failures_per_client: Rate::per(10, minute),
            failures_per_network: Rate::per(30, minute),
        }
    }
}

impl DeviceKeyPolicy {
    /// Without the limits on how often.
    #[must_use]
    pub fn without_rates(mut self) -> Self {
        self.misses_per_minute = 0;
        self.failures_per_client.count = 0;
        self.failures_per_network.count = 0;
        self
    }
}
