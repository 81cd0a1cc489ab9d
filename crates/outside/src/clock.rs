//! The system's clock, and one that development mode can set forward.

mod watched;

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use domain::Timestamp;
use domain::port::Clock;

use crate::disk::Replacement;

pub use watched::{ALLOWED_SKEW, Asked, WatchedClock};

/// The time of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the port meets the system"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock for development: the time below it plus an offset that can only grow.
///
/// The offset is stored in a file, so that after a restart locks and tokens are as old as before it. The clock
/// never returns an earlier time than before.
pub struct MovableClock<C = SystemClock> {
    below: C,
    file: PathBuf,
    state: Mutex<State>,
}

struct State {
    offset: Duration,
    told: Timestamp,
}

impl MovableClock<SystemClock> {
    /// The system's clock plus the offset kept in `file`; without that file the offset is zero.
    pub fn open(file: impl Into<PathBuf>) -> io::Result<Self> {
        Self::over(SystemClock, file)
    }
}

impl<C: Clock> MovableClock<C> {
    /// A movable clock over any other.
    pub fn over(below: C, file: impl Into<PathBuf>) -> io::Result<Self> {
        let file = file.into();
        let offset = match std::fs::read_to_string(&file) {
            Ok(text) => {
                let millis = text.trim().parse().map_err(|_| {
                    let why = "the clock file must contain one number of milliseconds: delete it to start at the system's time";
                    io::Error::new(io::ErrorKind::InvalidData, why)
                })?;
                Duration::from_millis(millis)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Duration::ZERO,
            Err(error) => return Err(error),
        };
        let state = State {
            offset,
            told: Timestamp::default(),
        };
        Ok(Self {
            below,
            file,
            state: Mutex::new(state),
        })
    }

    /// Moves the clock forward. Returns the new time after the offset was written to disk.
    pub fn advance(&self, by: Duration) -> io::Result<Timestamp> {
        let mut state = self.lock();
        let offset = state.offset.saturating_add(by);
        self.keep(offset)?;
        state.offset = offset;
        Ok(self.tell(&mut state))
    }

    /// How far the clock is ahead of the one below it.
    pub fn offset(&self) -> Duration {
        self.lock().offset
    }

    fn tell(&self, state: &mut State) -> Timestamp {
        state.told = state.told.max(self.below.now().plus(state.offset));
        state.told
    }

    fn keep(&self, offset: Duration) -> io::Result<()> {
        // A leftover replacement file comes from a killed process, because only one server uses a data directory.
        let _ = std::fs::remove_file(Replacement::beside(&self.file));
        Replacement::begin(&self.file)?.finish(format!("{}\n", offset.as_millis()).as_bytes())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<C: Clock> Clock for MovableClock<C> {
    fn now(&self) -> Timestamp {
        self.tell(&mut self.lock())
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

    impl Hand {
        fn at(millis: i64) -> Self {
            Self(Arc::new(AtomicI64::new(millis)))
        }
    }

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn advances_and_keeps_the_offset_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dev-clock");
        let hand = Hand::at(1_000);
        let clock = MovableClock::over(hand.clone(), &file).unwrap();
        assert_eq!(clock.now(), Timestamp::from_millis(1_000));
        let moved = clock.advance(days(30)).unwrap();
        assert_eq!(moved, Timestamp::from_millis(1_000).plus(days(30)));
        assert_eq!(
            clock.advance(days(1)).unwrap(),
            Timestamp::from_millis(1_000).plus(days(31))
        );

        let again = MovableClock::over(hand, &file).unwrap();
        assert_eq!(again.now(), Timestamp::from_millis(1_000).plus(days(31)));
    }

    #[test]
    fn never_tells_an_earlier_time_than_before() {
        let folder = tempfile::tempdir().unwrap();
        let hand = Hand::at(5_000);
        let clock = MovableClock::over(hand.clone(), folder.path().join("dev-clock")).unwrap();
        assert_eq!(clock.now(), Timestamp::from_millis(5_000));
        hand.0.store(4_000, Ordering::Relaxed);
        assert_eq!(clock.now(), Timestamp::from_millis(5_000));
        hand.0.store(6_000, Ordering::Relaxed);
        assert_eq!(clock.now(), Timestamp::from_millis(6_000));
    }

    #[test]
    fn a_broken_file_is_refused_and_not_taken_for_zero() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dev-clock");
        std::fs::write(&file, "30 days").unwrap();
        assert!(MovableClock::open(&file).is_err());
    }
}
