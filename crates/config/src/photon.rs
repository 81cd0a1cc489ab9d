use std::time::Duration;

use domain::limit::budget::GuessLimits;
use domain::limit::rate::Rate;
use domain::policy::GuardedKeyPolicy;
use domain::time::{days, hours};

use crate::section::section;

section! {
    /// The Photon key server surface. A limit of 0 is off.
    Photon {
        /// Wrong PINs for each key, and wrong codes for each user, within the window.
        max_failures: u32 = 10,
        /// Length of the window in days, from the first failure.
        window_days: u64 = 7,
        /// Failures in a row, over all windows, after which only a recovery is possible.
        max_failures_in_a_row: u32 = 100,
        /// Days between the first and the last step of a PIN reset. Fractions are allowed; the minimum is one hour.
        lock_days: f64 = 30.0,
        /// Lifetime of a code in seconds.
        code_ttl_seconds: u64 = 3600,
        /// Codes sent to one user in an hour.
        sends_per_user_hour: u32 = 10,
        /// Codes sent to one user in a day.
        sends_per_user_day: u32 = 20,
        /// Codes sent to one address in a day, over all keys.
        sends_per_address_day: u32 = 30,
        /// Codes that requests from one client network may cause in an hour.
        sends_per_network_hour: u32 = 60,
        /// Keys that requests from one client network may create in an hour.
        new_keys_per_network_hour: u32 = 120,
        /// Codes sent in a day, in total.
        sends_per_day: u32 = 0,
        /// Store addresses, sealed, for notices. If false, nobody is told about a reset.
        store_addresses: bool = true,
    }
}

impl Photon {
    pub(crate) fn validate(&self) -> Result<(), String> {
        if !(self.lock_days >= 1.0 / 24.0 && self.lock_days <= 3650.0) {
            return Err(
                "configuration: [photon] lock_days must be between one hour (0.0417) and ten years"
                    .to_owned(),
            );
        }
        if self.code_ttl_seconds == 0 || self.window_days == 0 {
            return Err(
                "configuration: [photon] code_ttl_seconds and window_days must be at least 1"
                    .to_owned(),
            );
        }
        Ok(())
    }

    pub fn policy(&self) -> GuardedKeyPolicy {
        GuardedKeyPolicy {
            guesses: GuessLimits {
                failures: self.max_failures,
                window: days(self.window_days),
                in_a_row: self.max_failures_in_a_row,
            },
            lock: Duration::from_secs_f64((self.lock_days * 86_400.0).round()),
            code_life: Duration::from_secs(self.code_ttl_seconds),
            sends_per_contact: [
                Rate::per(self.sends_per_user_hour, hours(1)),
                Rate::per(self.sends_per_user_day, days(1)),
            ],
            sends_per_address: Rate::per(self.sends_per_address_day, days(1)),
            sends_per_network: Rate::per(self.sends_per_network_hour, hours(1)),
            sends_in_all: Rate::per(self.sends_per_day, days(1)),
            new_keys_per_network: Rate::per(self.new_keys_per_network_hour, hours(1)),
            store_addresses: self.store_addresses,
            ..domain::policy::Policy::default().guarded_key
        }
    }
}
