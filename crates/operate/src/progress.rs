//! How far a copy is, for the operator who waits.

use std::time::{Duration, Instant};

use store::transfer::Changes;

/// Reports the progress of a copy and the time left on standard error, about once a second.
pub(crate) struct Progress {
    /// About how many rows there are.
    total: u64,
    start: Instant,
    told: Duration,
}

impl Progress {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a copy takes, for the operator who waits"
    )]
    pub(crate) fn of(total: u64) -> Self {
        Self {
            total,
            start: Instant::now(),
            told: Duration::ZERO,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how long a copy takes, for the operator who waits"
    )]
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn tell(&mut self, done: &Changes) {
        let elapsed = self.elapsed();
        if elapsed < self.told + Duration::from_secs(1) {
            return;
        }
        self.told = elapsed;
        let seen = done.seen();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate"
        )]
        let left = (elapsed.as_secs_f64() / seen.max(1) as f64
            * self.total.saturating_sub(seen) as f64) as u64;
        eprintln!("{seen} of about {} rows, about {left} s left", self.total);
    }
}
