//! Elapsed time, for batching and waiting only. Nothing that is stored or decided depends on it.

use std::time::{Duration, Instant};

/// Measures the time since it was created.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "bounds waiting; no decision depends on it"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "bounds waiting; no decision depends on it"
    )]
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
