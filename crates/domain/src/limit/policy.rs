//! The numbers that limits work with.

use std::time::Duration;

use crypto::password::Cost;

use super::rate::Rate;

/// How slow secrets are hashed.
#[derive(Debug, Clone)]
pub struct HashPolicy {
    pub cost: Cost,
    pub threads: usize,
    /// Callers admitted to the hash queue, per kind of work.
    pub queue: usize,
}

/// Budgets that cut across all surfaces.
#[derive(Debug, Clone)]
pub struct SharedLimits {
    /// Callers that may wait for one subject.
    pub queue_per_subject: usize,
    /// How long a caller waits while all tries left are in flight elsewhere.
    pub wait: Duration,
    /// Messages one client network may cause, over all surfaces.
    pub network_messages: Rate,
    /// Texts to one country in a day, by calling code.
    pub country_messages: Rate,
    /// Messages in a day, over all surfaces.
    pub day_messages: Rate,
}
