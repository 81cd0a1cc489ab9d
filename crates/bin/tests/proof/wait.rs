//! Waiting for processes, which tell of no event: asked again and again, up to a deadline.

#![expect(
    clippy::disallowed_methods,
    reason = "another process is watched, against the wall clock"
)]

use std::time::{Duration, Instant};

/// How long anything may take before a test gives it up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The first thing that `look` finds.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let watch = Watch::start();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(watch.elapsed() < PATIENCE, "waited too long for {what}");
        pause(Duration::from_millis(3));
    }
}

/// Lets `span` of real time pass: how long something is left running before it is hit.
pub(crate) fn pause(span: Duration) {
    std::thread::sleep(span);
}

/// A stopwatch.
#[derive(Clone, Copy)]
pub(crate) struct Watch(Instant);

impl Watch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
