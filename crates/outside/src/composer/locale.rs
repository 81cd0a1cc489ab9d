//! Times and spans in the words of a language.

use domain::Timestamp;
use time::{OffsetDateTime, UtcOffset};

/// The names of months and units in a language.
#[derive(Debug)]
pub(super) struct Locale {
    language: &'static str,
    months: [&'static str; 12],
    /// Singular and plural.
    day: [&'static str; 2],
    hour: [&'static str; 2],
    minute: [&'static str; 2],
    second: [&'static str; 2],
    date: fn(day: u8, month: &str, year: i32, hour: u8, minute: u8) -> String,
}

static LOCALES: [Locale; 2] = [
    Locale {
        language: "en",
        months: [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
        day: ["day", "days"],
        hour: ["hour", "hours"],
        minute: ["minute", "minutes"],
        second: ["second", "seconds"],
        date: |day, month, year, hour, minute| {
            format!("{day} {month} {year}, {hour:02}:{minute:02} UTC")
        },
    },
    Locale {
        language: "de",
        months: [
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ],
        day: ["Tag", "Tage"],
        hour: ["Stunde", "Stunden"],
        minute: ["Minute", "Minuten"],
        second: ["Sekunde", "Sekunden"],
        date: |day, month, year, hour, minute| {
            format!("{day}. {month} {year}, {hour:02}:{minute:02} Uhr (UTC)")
        },
    },
];

impl Locale {
    /// The words of `language`; English for a language that has only an operator's templates.
    pub(super) fn of(language: &str) -> &'static Self {
        LOCALES
            .iter()
            .find(|locale| locale.language == language)
            .unwrap_or(&LOCALES[0])
    }

    /// `16 November 2020, 13:56 UTC`.
    pub(super) fn time(&self, at: Timestamp) -> String {
        let Ok(utc) = OffsetDateTime::from_unix_timestamp(at.seconds()) else {
            return at.rfc3339_seconds();
        };
        let utc = utc.to_offset(UtcOffset::UTC);
        let month = self.months[usize::from(u8::from(utc.month()) - 1)];
        (self.date)(utc.day(), month, utc.year(), utc.hour(), utc.minute())
    }

    pub(super) fn days(&self, days: u64) -> String {
        count(days, self.day)
    }

    /// Formats a span in the largest unit that needs no fraction: `30 minutes`, `1 hour`, `90 seconds`.
    pub(super) fn span(&self, seconds: u64) -> String {
        for (length, unit) in [(86_400, self.day), (3_600, self.hour), (60, self.minute)] {
            if seconds >= length && seconds.is_multiple_of(length) {
                return count(seconds / length, unit);
            }
        }
        count(seconds, self.second)
    }
}

fn count(number: u64, [one, many]: [&str; 2]) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_write_them() {
        let at = Timestamp::parse("2020-11-16T13:56:45.840Z").unwrap();
        assert_eq!(Locale::of("en").time(at), "16 November 2020, 13:56 UTC");
        assert_eq!(
            Locale::of("de").time(at),
            "16. November 2020, 13:56 Uhr (UTC)"
        );
        assert_eq!(Locale::of("fr").time(at), "16 November 2020, 13:56 UTC");
        let march = Timestamp::parse("2021-03-01T00:05:00+02:00").unwrap();
        assert_eq!(
            Locale::of("de").time(march),
            "28. Februar 2021, 22:05 Uhr (UTC)"
        );
    }

    #[test]
    fn spans_take_the_largest_whole_unit() {
        let english = Locale::of("en");
        assert_eq!(english.span(3_600), "1 hour");
        assert_eq!(english.span(1_800), "30 minutes");
        assert_eq!(english.span(90), "90 seconds");
        assert_eq!(english.span(0), "0 seconds");
        assert_eq!(Locale::of("de").span(604_800), "7 Tage");
        assert_eq!(Locale::of("de").days(1), "1 Tag");
    }
}
