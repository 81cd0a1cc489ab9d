//! Skips a failing provider for some time, so that not every message waits for its timeout.

use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::Timestamp;

use super::BreakerOptions;

pub(super) struct Breaker {
    options: BreakerOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    in_a_row: u32,
    until: Option<Timestamp>,
}

impl Breaker {
    pub(super) fn new(options: BreakerOptions) -> Self {
        Self {
            options,
            state: Mutex::default(),
        }
    }

    /// Whether the provider should be skipped now.
    pub(super) fn rests(&self, now: Timestamp) -> bool {
        self.lock().until.is_some_and(|until| now < until)
    }

    /// Records that it answered, even if it refused a message.
    pub(super) fn worked(&self) {
        *self.lock() = State::default();
    }

    /// Records that it did not accept a message that another provider might accept. After it was skipped, one more
    /// failure is enough to skip it again.
    pub(super) fn failed(&self, now: Timestamp) {
        let mut state = self.lock();
        state.in_a_row = state.in_a_row.saturating_add(1);
        if self.options.failures > 0 && state.in_a_row >= self.options.failures {
            state.until = Some(now.plus(self.options.rest));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const REST: Duration = Duration::from_secs(30);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn rests_after_failures_in_a_row_and_only_then() {
        let breaker = Breaker::new(BreakerOptions {
            failures: 2,
            rest: REST,
        });
        breaker.failed(at(0));
        assert!(!breaker.rests(at(0)));
        breaker.worked();
        breaker.failed(at(1));
        assert!(!breaker.rests(at(1)));
        breaker.failed(at(2));
        assert!(breaker.rests(at(31)));
        assert!(!breaker.rests(at(32)));
    }

    #[test]
    fn one_failure_after_a_rest_is_enough_for_the_next() {
        let breaker = Breaker::new(BreakerOptions {
            failures: 2,
            rest: REST,
        });
        breaker.failed(at(0));
        breaker.failed(at(0));
        assert!(!breaker.rests(at(30)));
        breaker.failed(at(30));
        assert!(breaker.rests(at(59)));
        breaker.worked();
        assert!(!breaker.rests(at(59)));
    }

    #[test]
    fn zero_failures_switch_it_off() {
        let breaker = Breaker::new(BreakerOptions {
            failures: 0,
            rest: REST,
        });
        breaker.failed(at(0));
        assert!(!breaker.rests(at(0)));
    }
}
