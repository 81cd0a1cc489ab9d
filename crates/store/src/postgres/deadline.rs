//! The time that a call has left, and the waits between its attempts.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::stopwatch::Stopwatch;

/// The longest and the shortest wait between two attempts, before it is shortened randomly.
const WAITS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(250));

/// The moment by which a call must have ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    watch: Stopwatch,
    limit: Duration,
}

impl Deadline {
    pub(super) fn within(limit: Duration) -> Self {
        Self {
            watch: Stopwatch::start(),
            limit,
        }
    }

    pub(super) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.watch.elapsed())
    }

    /// Waits before the next attempt: twice as long each time, and shortened randomly so that transactions in
    /// conflict do not meet again. Returns `false` if there is no time for another attempt.
    #[expect(
        clippy::disallowed_methods,
        reason = "a wait between two attempts on a database"
    )]
    pub(super) async fn pause(&self, attempts: u32) -> bool {
        let longest = WAITS.0.saturating_mul(1 << attempts.min(10)).min(WAITS.1);
        let chance = RandomState::new().hash_one(attempts) % 1_024;
        let wait = longest.mul_f64(f64::from(u32::try_from(chance).unwrap_or(0)) / 1_024.0);
        if wait >= self.left() {
            return false;
        }
        tokio::time::sleep(wait).await;
        true
    }
}
