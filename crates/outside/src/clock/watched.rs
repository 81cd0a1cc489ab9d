//! The system's clock, used only while it agrees with the database's clock.
//!
//! Several nodes work on one database with their own clocks. Each compares its clock with that of the database,
//! and between two comparisons with the machine's monotonic clock. So a clock that is changed while the server
//! runs is detected at the next call, not at the next comparison.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::Timestamp;
use domain::port::Clock;

use super::SystemClock;

/// How far a node's clock may differ from the database's.
pub const ALLOWED_SKEW: Duration = Duration::from_secs(60);

/// A clock that remembers the last time from the database's clock.
pub struct WatchedClock<C = SystemClock> {
    below: C,
    last: Mutex<Option<Told>>,
}

#[derive(Clone, Copy)]
struct Told {
    database: Timestamp,
    at: Instant,
}

/// The moment at which the database was asked for its time.
#[derive(Clone, Copy)]
pub struct Asked(Instant);

impl Asked {
    #[expect(
        clippy::disallowed_methods,
        reason = "the monotonic clock with which the clock is compared"
    )]
    pub fn now() -> Self {
        Self(Instant::now())
    }
}

impl Default for WatchedClock {
    fn default() -> Self {
        Self::over(SystemClock)
    }
}

impl<C: Clock> WatchedClock<C> {
    pub fn over(below: C) -> Self {
        Self {
            below,
            last: Mutex::default(),
        }
    }

    /// Stores the time of the database's clock. It was read between `asked` and now, so the duration of the answer
    /// is the possible error of the comparison.
    pub fn note(&self, database: Timestamp, asked: Asked) {
        let told = Told {
            database,
            at: asked.0,
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    }

    /// How many milliseconds this clock is ahead of the database's; 0 until the database has answered.
    pub fn skew_millis(&self) -> i64 {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.map_or(0, |told| {
            let elapsed = Asked::now().0.duration_since(told.at);
            let expected = told.database.plus(elapsed);
            self.below.now().millis().saturating_sub(expected.millis())
        })
    }

    /// The skew in milliseconds, if it is larger than allowed.
    pub fn too_far(&self) -> Option<i64> {
        let skew = self.skew_millis();
        let allowed = u64::try_from(ALLOWED_SKEW.as_millis()).unwrap_or(u64::MAX);
        (skew.unsigned_abs() > allowed).then_some(skew)
    }
}

impl<C: Clock> Clock for WatchedClock<C> {
    fn now(&self) -> Timestamp {
        self.below.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::time::days;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[derive(Clone)]
    struct Hand(Arc<AtomicI64>);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    const NOON: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn clock() -> (Hand, WatchedClock<Hand>) {
        let hand = Hand(Arc::new(AtomicI64::new(NOON.millis())));
        (hand.clone(), WatchedClock::over(hand))
    }

    #[test]
    fn a_clock_is_believed_until_the_database_tells_another_time() {
        let (_, clock) = clock();
        assert_eq!(clock.too_far(), None);
        clock.note(NOON, Asked::now());
        assert_eq!(clock.too_far(), None);
        clock.note(NOON.plus(Duration::from_secs(50)), Asked::now());
        assert_eq!(clock.too_far(), None);
        clock.note(NOON.plus(Duration::from_secs(62)), Asked::now());
        assert!(clock.too_far().unwrap() < -60_000);
        clock.note(NOON.minus(Duration::from_secs(92)), Asked::now());
        assert!(clock.too_far().unwrap() > 60_000);
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_without_asking_again() {
        let (hand, clock) = clock();
        clock.note(NOON, Asked::now());
        for jump in [NOON.plus(days(31)), NOON.minus(days(31))] {
            hand.0.store(jump.millis(), Ordering::Relaxed);
            assert!(clock.too_far().is_some());
        }
        hand.0.store(NOON.millis(), Ordering::Relaxed);
        assert_eq!(clock.too_far(), None);
    }
}
