//! A clock that stands still until a test moves it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::Timestamp;
use domain::port::Clock;

/// Returns the time to which it was last set.
#[derive(Debug)]
pub struct FakeClock(AtomicI64);

impl FakeClock {
    /// `text`: an RFC 3339 date-time.
    pub fn at(text: &str) -> Self {
        Self(AtomicI64::new(moment(text).millis()))
    }

    pub fn set(&self, to: Timestamp) {
        self.0.store(to.millis(), Ordering::SeqCst);
    }

    /// Moves the clock forward and returns the new time.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let to = self.now().plus(by);
        self.set(to);
        to
    }
}

impl Default for FakeClock {
    /// The moment in the example of the key server's reference.
    fn default() -> Self {
        Self::at("2020-11-16T13:56:45.848Z")
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Parses an RFC 3339 date-time in a test.
pub fn moment(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a test names its moments in RFC 3339")
}

/// Parses a span like `29d23h59m59s` or `1ms`.
pub fn span(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut all = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: u64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit());
        let end = unit_end.map_or(rest.len(), |length| digits + length);
        all += match &rest[digits..end] {
            "d" => domain::time::days(count),
            "h" => domain::time::hours(count),
            "m" => Duration::from_secs(count * 60),
            "s" => Duration::from_secs(count),
            "ms" => Duration::from_millis(count),
            _ => return None,
        };
        rest = &rest[end..];
    }
    (!text.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_sums_of_counted_units() {
        assert_eq!(span("30d"), Some(domain::time::days(30)));
        assert_eq!(span("1d2h3m4s5ms"), Some(Duration::from_millis(93_784_005)));
        for bad in ["", "30", "d", "3w", "-1s"] {
            assert_eq!(span(bad), None, "{bad}");
        }
    }
}
