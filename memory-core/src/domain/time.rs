//! Moments and intervals. One representation everywhere: microseconds since 1970 in UTC, as a signed 64-bit number.
//!
//! Engrain keeps three kinds of time apart: when something *happened*, when it was *recorded*, and how long it
//! *held*. All three are made of these types; which one is meant is in the name of the field.

use std::fmt;

/// A moment: microseconds since 1970-01-01T00:00:00Z, leap seconds ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const MICROS_PER_DAY: i64 = 86_400_000_000;

impl Timestamp {
    /// The first moment that can be named: 0001-01-01T00:00:00Z.
    pub const MIN: Timestamp = Timestamp(-62_135_596_800_000_000);
    /// The last moment that can be named: 9999-12-31T23:59:59.999999Z.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999_999);

    /// From microseconds since 1970, held within [`Timestamp::MIN`] and [`Timestamp::MAX`].
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This moment moved by `by_us`, held within the bounds.
    pub const fn plus_micros(self, by_us: i64) -> Self {
        Self::from_micros(self.0.saturating_add(by_us))
    }

    /// This moment moved by whole days of 24 hours.
    pub const fn plus_days(self, days: i64) -> Self {
        self.plus_micros(days.saturating_mul(MICROS_PER_DAY))
    }

    /// From `2023-05-20T02:21:00Z`, any offset, up to nanoseconds (cut to micro), or a bare date `2023-05-20`, which
    /// means its first moment in UTC. `None` for anything else, and for years outside 1 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let micros = match text.parse::<jiff::Timestamp>() {
            Ok(moment) => moment.as_microsecond(),
            Err(_) if text.len() == "2023-05-20".len() => {
                let date = text.parse::<jiff::civil::Date>().ok()?;
                jiff::tz::TimeZone::UTC
                    .to_timestamp(date.to_datetime(jiff::civil::Time::MIN))
                    .ok()?
                    .as_microsecond()
            }
            Err(_) => return None,
        };
        (Self::MIN.0..=Self::MAX.0).contains(&micros).then_some(Self(micros))
    }

    /// Days since 1970 in UTC.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(MICROS_PER_DAY)
    }

    /// The calendar date in UTC, as `2023-05-20`.
    pub fn date(self) -> String {
        self.civil().map_or_else(String::new, |civil| civil.date().to_string())
    }

    /// Year, month, day and weekday as a reader of a prompt likes them: `2023-05-20 (Sat) 02:21`.
    pub fn for_readers(self) -> String {
        self.civil().map_or_else(String::new, |civil| civil.strftime("%Y-%m-%d (%a) %H:%M").to_string())
    }

    fn civil(self) -> Option<jiff::civil::DateTime> {
        Some(jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::from_microsecond(self.0).ok()?))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, as many decimals as there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(moment) => moment.fmt(f),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

/// From `start` (included) to `end` (not included); a missing bound is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// The first moment inside, or open towards the past.
    pub start: Option<Timestamp>,
    /// The first moment after, or open towards the future.
    pub end: Option<Timestamp>,
}

impl Interval {
    /// Whether `at` lies inside.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= at) && self.end.is_none_or(|end| at < end)
    }

    /// Whether the end does not lie before the start.
    pub fn is_ordered(&self) -> bool {
        !matches!((self.start, self.end), (Some(start), Some(end)) if end < start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_rfc_3339() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2023-05-20T02:21:00Z", 1_684_549_260_000_000),
            ("2023-05-20T04:21:00+02:00", 1_684_549_260_000_000),
            ("2023-05-20T02:21:00.123456Z", 1_684_549_260_123_456),
            ("2023-05-20", 1_684_540_800_000_000),
        ] {
            let read = Timestamp::parse(text).unwrap_or_else(|| panic!("{text} was not read"));
            assert_eq!(read.as_micros(), micros, "{text}");
            assert_eq!(Timestamp::parse(&read.to_string()), Some(read), "{text} does not return");
        }
    }

    #[test]
    fn refuses_what_is_no_moment() {
        for text in [
            "",
            "yesterday",
            "2023-13-01",
            "2023-02-30T00:00:00Z",
            "20230520T022100",
            "12023-05-20T00:00:00Z",
            "2023-05-20T25:00:00Z",
            "1684549260",
            "-0001-01-01T00:00:00Z",
        ] {
            if let Some(read) = Timestamp::parse(text) {
                // ISO's compact form is a moment; anything else in the list is not.
                assert_eq!(text, "20230520T022100", "{text} was read as {read}");
            }
        }
    }

    #[test]
    fn readers_see_weekdays() {
        let at = Timestamp::parse("2023-05-20T02:21:00Z").expect("a moment");
        assert_eq!(at.for_readers(), "2023-05-20 (Sat) 02:21");
        assert_eq!(at.date(), "2023-05-20");
    }

    #[test]
    fn an_interval_leaves_its_end_out() {
        let at = Timestamp::from_micros;
        let week = Interval { start: Some(at(10)), end: Some(at(20)) };
        assert!(
            week.contains(at(10)) && week.contains(at(19)) && !week.contains(at(20)) && !week.contains(at(9))
        );
        assert!(Interval::default().contains(at(0)));
        assert!(!Interval { start: Some(at(2)), end: Some(at(1)) }.is_ordered());
    }
}
