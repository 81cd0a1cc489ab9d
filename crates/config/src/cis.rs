use std::time::Duration;

use domain::policy::DeviceKeyPolicy;

use crate::section::section;

section! {
    /// The CIS device-key surface.
    Cis {
        /// The issuer in access tokens. Empty: the public URL with `/cis/oidc`.
        issuer: String = String::new(),
        /// Whether to limit failed client authentications and wrong signatures of one key.
        rate_limits: bool = true,
        /// Lifetime of a challenge created by this server, in seconds: 10 to 600.
        challenge_ttl_seconds: u64 = 120,
        /// Device keys that one user may have in one application. A limit of 0 is off.
        max_keys_per_user: u64 = 100,
        /// Wrong signatures of one key in a minute.
        wrong_signatures_per_key_minute: u32 = 120,
        /// Failed authentications of one client id from one network in a minute.
        client_failures_minute: u32 = 10,
        /// Failed authentications from one network in a minute.
        network_failures_minute: u32 = 30,
    }
}

impl Cis {
    pub(crate) fn validate(&self) -> Result<(), String> {
        if !(10..=600).contains(&self.challenge_ttl_seconds) {
            return Err("configuration: [cis] challenge_ttl_seconds must be 10 to 600".to_owned());
        }
        Ok(())
    }

    /// `public`: the URL under which clients reach this server.
    pub fn policy(&self, public: &str) -> DeviceKeyPolicy {
        let mut policy = DeviceKeyPolicy {
            issuer: if self.issuer.is_empty() {
                format!("{public}/cis/oidc")
            } else {
                self.issuer.clone()
            },
            challenge_life: Duration::from_secs(self.challenge_ttl_seconds),
            keys_per_member: self.max_keys_per_user,
            misses_per_minute: self.wrong_signatures_per_key_minute,
            ..DeviceKeyPolicy::default()
        };
        policy.failures_per_client.count = self.client_failures_minute;
        policy.failures_per_network.count = self.network_failures_minute;
        if self.rate_limits {
            policy
        } else {
            policy.without_rates()
        }
    }
}
