use std::time::Duration;

use domain::policy::SharedLimits;
use domain::rate::Rate;
use domain::time::{days, hours};

use crate::section::section;

section! {
    /// Budgets that cut across the surfaces. 0 is off.
    Limits {
        /// Callers that may wait for one subject (one key, one account); more get 503.
        queue_per_subject: usize = 64,
        /// Seconds that a caller waits while all tries left are in flight on other nodes.
        wait_seconds: u64 = 20,
        /// Messages that one client network may cause in an hour, over all surfaces.
        network_messages_hour: u32 = 0,
        /// One-time tokens by SMS to the numbers of one country in a day.
        country_messages_day: u32 = 0,
        /// Messages in a day, over all surfaces.
        day_messages: u32 = 0,
    }
}

impl Limits {
    pub fn policy(&self) -> SharedLimits {
        SharedLimits {
            queue_per_subject: self.queue_per_subject,
            wait: Duration::from_secs(self.wait_seconds),
            network_messages: Rate::per(self.network_messages_hour, hours(1)),
            country_messages: Rate::per(self.country_messages_day, days(1)),
            day_messages: Rate::per(self.day_messages, days(1)),
        }
    }
}
