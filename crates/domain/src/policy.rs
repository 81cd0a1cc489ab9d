//! The numbers the rules work with: plain values, checked by whoever read them.

use std::time::Duration;

use crypto::password::Cost;

use crate::core::time::{days, hours};
pub use crate::guarded_key::policy::GuardedKeyPolicy;
use crate::limit::budget::GuessLimits;
pub use crate::limit::policy::{HashPolicy, SharedLimits};
use crate::limit::rate::Rate;
use crate::person::policy::PersonPolicy;
pub use crate::tenant::policy::DeviceKeyPolicy;
pub use crate::vault::policy::VaultPolicy;
pub use crate::wallet::policy::WalletPolicy;

/// Everything the domain can be told.
#[derive(Debug, Clone)]
pub struct Policy {
    pub hash: HashPolicy,
    pub limits: SharedLimits,
    pub guarded_key: GuardedKeyPolicy,
    pub device_keys: DeviceKeyPolicy,
    pub vault: VaultPolicy,
    pub wallet: WalletPolicy,
    pub person: PersonPolicy,
    /// Where owners reach this server, without a slash at the end.
    pub public_url: String,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            hash: HashPolicy {
                cost: Cost::OWASP,
                threads: 2,
                queue: 64,
            },
            limits: SharedLimits {
                queue_per_subject: 64,
                wait: Duration::from_secs(20),
                network_messages: Rate::per(0, hours(1)),
                country_messages: Rate::per(0, days(1)),
                day_messages: Rate::per(0, days(1)),
            },
            guarded_key: GuardedKeyPolicy {
                guesses: GuessLimits {
                    failures: 10,
                    window: days(7),
                    in_a_row: 100,
                },
                lock: days(30),
                lock_use: days(30),
                code_life: hours(1),
                contacts_per_key: 20,
                sends_per_contact: [Rate::per(10, hours(1)), Rate::per(20, days(1))],
                sends_per_address: Rate::per(30, days(1)),
                sends_per_network: Rate::per(60, hours(1)),
                sends_in_all: Rate::per(0, days(1)),
                new_keys_per_network: Rate::per(120, hours(1)),
                unknown_contacts_per_key: Rate::per(20, hours(1)),
                store_addresses: true,
            },
            device_keys: DeviceKeyPolicy::default(),
            vault: VaultPolicy::default(),
            wallet: WalletPolicy::default(),
            person: PersonPolicy::default(),
            public_url: "http://127.0.0.1:8080".to_owned(),
        }
    }
}
