use std::time::Duration;

use domain::limit::rate::Rate;
use domain::policy::SharedLimits;
use domain::time::{days, hours};

use crate::section::section;

section! {
    /// Limits that apply to all surfaces together. A limit of 0 is off.
    Limits {
        /// How many callers may wait for one subject (one key, one account). More get 503.
        queue_per_subject: usize = 64,
        /// Seconds that a caller waits while other nodes are checking all tries that are left.
        wait_seconds: u64 = 20,
        /// Messages that requests from one client network may cause in an hour, over all surfaces.
        network_messages_hour: u32 = 0,
        /// One-time tokens sent by SMS to the numbers of one country in a day.
        country_messages_day: u32 = 0,
        /// Messages sent in a day, over all surfaces.
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
