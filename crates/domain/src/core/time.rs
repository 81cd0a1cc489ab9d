//! Points in time, as the whole server counts them: UTC milliseconds since 1970.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// UTC milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The last moment that a four-digit year can name: "not before somebody acts".
    pub const NEVER: Self = Self(253_402_300_799_999);

    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)).min(Self::NEVER.0))
    }

    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// The time from `earlier` to `self`, zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whole seconds from `now` until `self`, rounded up, at least one: the value of a `Retry-After`.
    pub fn retry_after(self, now: Self) -> u64 {
        let left = u64::try_from(self.0.saturating_sub(now.0)).unwrap_or(0);
        left.div_ceil(1000).max(1)
    }

    /// RFC 3339 with exactly three fraction digits and `Z`: `2020-12-16T13:56:45.848Z`.
    pub fn rfc3339(self) -> String {
        let at = self.utc();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        )
    }

    /// RFC 3339 with whole seconds and `Z`: `2025-01-15T10:30:00Z`.
    pub fn rfc3339_seconds(self) -> String {
        let text = self.rfc3339();
        format!("{}Z", &text[..19])
    }

    /// Reads any RFC 3339 date-time.
    pub fn parse(text: &str) -> Option<Self> {
        let at = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
            .ok()?;
        i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000))
            .ok()
            .map(Self)
    }

    fn utc(self) -> time::OffsetDateTime {
        let clamped = self.0.clamp(-62_135_596_800_000, Self::NEVER.0);
        time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(clamped) * 1_000_000)
            .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// `days` times 24 hours.
pub const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// `hours` times 60 minutes.
pub const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3_600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_three_fraction_digits() {
        let at = Timestamp::from_millis(1_605_535_005_840);
        assert_eq!(at.rfc3339(), "2020-11-16T13:56:45.840Z");
        assert_eq!(at.rfc3339_seconds(), "2020-11-16T13:56:45Z");
        assert_eq!(Timestamp::parse("2020-11-16T13:56:45.84Z"), Some(at));
        assert_eq!(Timestamp::NEVER.rfc3339(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::NEVER.plus(days(1)), Timestamp::NEVER);
    }

    #[test]
    fn retry_after_is_rounded_up_and_never_zero() {
        let now = Timestamp::from_millis(10_000);
        assert_eq!(now.plus(Duration::from_millis(1)).retry_after(now), 1);
        assert_eq!(now.plus(Duration::from_millis(1_001)).retry_after(now), 2);
        assert_eq!(now.retry_after(now.plus(days(1))), 1);
    }

    #[test]
    fn sums_and_differences_stay_within_the_range_of_times() {
        let at = Timestamp::from_millis(5_000);
        assert_eq!(at.plus(Duration::MAX), Timestamp::NEVER);
        assert_eq!(at.minus(Duration::from_secs(6)).millis(), -1_000);
        let least = at.minus(Duration::MAX).minus(Duration::MAX);
        assert_eq!(least, Timestamp::from_millis(i64::MIN));
        assert_eq!(
            at.since(Timestamp::from_millis(3_000)),
            Duration::from_secs(2)
        );
        assert_eq!(at.since(at.plus(days(1))), Duration::ZERO);
    }

    #[test]
    fn seconds_are_rounded_down_on_both_sides_of_1970() {
        for (millis, seconds) in [(1_999, 1), (0, 0), (-1, -1), (-1_000, -1), (-1_001, -2)] {
            assert_eq!(
                Timestamp::from_millis(millis).seconds(),
                seconds,
                "{millis}"
            );
        }
    }

    #[test]
    fn a_time_with_an_offset_is_read_as_utc_and_other_texts_are_not_read() {
        let text = "2020-11-16T15:56:45.840+02:00";
        let at = Timestamp::parse(text).map(Timestamp::rfc3339);
        assert_eq!(at.as_deref(), Some("2020-11-16T13:56:45.840Z"));
        for bad in ["", "2020-11-16", "2020-11-16T13:56:45", "16.11.2020"] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_printed_time_is_read_back(millis in -62_135_596_800_000_i64..=253_402_300_799_999) {
            let at = Timestamp::from_millis(millis);
            proptest::prop_assert_eq!(Timestamp::parse(&at.rfc3339()), Some(at));
        }
    }
}
