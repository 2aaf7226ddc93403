//! Moments and intervals, in one representation: microseconds since 1970-01-01 in UTC, as a signed 64-bit number.
//!
//! Engrain distinguishes three times: of the event (*happened*), of its recording (*recorded*), and of its validity
//! (*valid*). All are of these types; the name of a field says which one it holds.

use std::fmt;

/// Moment: microseconds since 1970-01-01T00:00:00Z, leap seconds ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const MICROS_PER_DAY: i64 = 86_400_000_000;

impl Timestamp {
    /// Earliest moment: 0001-01-01T00:00:00Z.
    pub const MIN: Timestamp = Timestamp(-62_135_596_800_000_000);
    /// Latest moment: 9999-12-31T23:59:59.999999Z.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999_999);
    /// First moment of the last day, 9999-12-31T00:00:00Z. That date stands for "for ever", and is this moment in every
    /// zone; see [`super::zone::Zone::beginning`].
    pub const LAST_DAY: Timestamp = Timestamp(253_402_214_400_000_000);

    /// From microseconds since 1970, clamped to [`Timestamp::MIN`] and [`Timestamp::MAX`].
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

    /// This moment plus `by_us` microseconds, clamped to the bounds.
    pub const fn plus_micros(self, by_us: i64) -> Self {
        Self::from_micros(self.0.saturating_add(by_us))
    }

    /// This moment plus whole days of 24 hours, clamped to the bounds.
    pub const fn plus_days(self, days: i64) -> Self {
        self.plus_micros(days.saturating_mul(MICROS_PER_DAY))
    }

    /// Parses `2023-05-20T02:21:00Z` (RFC 3339, any offset, up to nanoseconds, truncated to microseconds), or a bare
    /// date `2023-05-20`, which is its first moment in UTC: a request means the day of its zone and is read by
    /// [`super::given_time::GivenTime`]. `None` for anything else, and for years outside 1 to 9999.
    ///
    /// A moment of the year 9999 that lies after [`Timestamp::MAX`] in UTC, for its offset, is [`Timestamp::MAX`]: the
    /// end of that year stands for "for ever".
    pub fn parse(text: &str) -> Option<Self> {
        let micros = match text.parse::<jiff::Timestamp>() {
            Ok(moment) => moment.as_microsecond(),
            // Civil times reach further than the moments of `jiff`, which end on 30 December 9999.
            Err(_) => civil_micros(text)?,
        };
        (Self::MIN.0..=Self::MAX.0).contains(&micros).then_some(Self(micros))
    }

    /// Days since 1970 in UTC. The days of a person are those of [`super::zone::Zone::day`].
    pub const fn day(self) -> i64 {
        self.0.div_euclid(MICROS_PER_DAY)
    }

    /// Calendar date and time in UTC. Every [`Timestamp`] has one.
    pub(super) fn civil(self) -> Option<jiff::civil::DateTime> {
        EPOCH.checked_add(jiff::SignedDuration::from_micros(self.0)).ok()
    }

    /// The moment of a calendar date and time in UTC; `None` outside the years 1 to 9999.
    pub(super) fn of_civil(civil: jiff::civil::DateTime) -> Option<Self> {
        let micros = i64::try_from(civil.duration_since(EPOCH).as_micros()).ok()?;
        (Self::MIN.0..=Self::MAX.0).contains(&micros).then_some(Self(micros))
    }
}

/// 1970-01-01T00:00:00.
const EPOCH: jiff::civil::DateTime = jiff::civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Microseconds since 1970 of a bare date, or of a date and time with an offset, clamped to [`Timestamp::MAX`].
fn civil_micros(text: &str) -> Option<i64> {
    let pieces = jiff::fmt::temporal::Pieces::parse(text).ok()?;
    let offset_s = match (pieces.time(), pieces.to_numeric_offset()) {
        (Some(_), Some(offset)) => offset.seconds(),
        (None, None) if text.len() == "2023-05-20".len() => 0,
        _ => return None,
    };
    let civil = pieces.date().to_datetime(pieces.time().unwrap_or(jiff::civil::Time::MIN));
    let since_epoch = i64::try_from(civil.duration_since(EPOCH).as_micros()).ok()?;
    Some(since_epoch.saturating_sub(i64::from(offset_s) * 1_000_000).min(Timestamp::MAX.0))
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with as many decimals as needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.civil() {
            Some(civil) => write!(f, "{civil}Z"),
            None => write!(f, "{}us", self.0),
        }
    }
}

/// Half-open interval from `start` to `end`; a missing bound is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// First moment inside; `None` for no lower bound.
    pub start: Option<Timestamp>,
    /// First moment after; `None` for no upper bound.
    pub end: Option<Timestamp>,
}

impl Interval {
    /// True if `at` is inside.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= at) && self.end.is_none_or(|end| at < end)
    }

    /// True if the end is not before the start.
    pub fn is_ordered(&self) -> bool {
        !matches!((self.start, self.end), (Some(start), Some(end)) if end < start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_is_parsed_and_written() {
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
    fn the_end_of_the_year_9999_stands_for_ever() {
        for (text, shown) in [
            ("9999-12-31", "9999-12-31T00:00:00Z"),
            ("9999-12-31T00:00:00Z", "9999-12-31T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
            ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z"),
            ("9999-12-31T23:59:59+00:00", "9999-12-31T23:59:59Z"),
            ("9999-12-31T23:59:59-08:00", "9999-12-31T23:59:59.999999Z"),
        ] {
            let read = Timestamp::parse(text).unwrap_or_else(|| panic!("{text} was not read"));
            assert_eq!(read.to_string(), shown, "{text}");
            assert_eq!(Timestamp::parse(shown), Some(read), "{shown} does not return");
        }
        assert_eq!(Timestamp::MIN.to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(Timestamp::parse("9999-12-31T23:59:59"), None, "no offset");
    }

    #[test]
    fn texts_that_are_not_moments_are_refused() {
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
                // ISO 8601's compact form is a moment; all others in the list are not.
                assert_eq!(text, "20230520T022100", "{text} was read as {read}");
            }
        }
    }

    #[test]
    fn an_interval_excludes_its_end() {
        let at = Timestamp::from_micros;
        let week = Interval { start: Some(at(10)), end: Some(at(20)) };
        assert!(
            week.contains(at(10)) && week.contains(at(19)) && !week.contains(at(20)) && !week.contains(at(9))
        );
        assert!(Interval::default().contains(at(0)));
        assert!(!Interval { start: Some(at(2)), end: Some(at(1)) }.is_ordered());
    }
}
