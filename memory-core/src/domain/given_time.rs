//! Times as a request writes them: a moment, or a bare date, which is a moment only in a zone (ADR 0040).

use jiff::civil::Date;

use super::time::Timestamp;
use super::zone::{UtcOffset, Zone};

/// Time of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenTime {
    /// Date and time with an offset or `Z`.
    Moment {
        /// The moment.
        at: Timestamp,
        /// Offset that it is written with, if it tells a local time; see [`UtcOffset::of_text`].
        offset: Option<UtcOffset>,
    },
    /// Bare date, of the years 1 to 9999. It stands for its first moment in the zone that applies.
    Day(Date),
}

impl GivenTime {
    /// Parses what [`Timestamp::parse`] does, and keeps a date a date. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let at = Timestamp::parse(text)?;
        Some(if is_date(text) {
            Self::Day(Zone::UTC.date(at))
        } else {
            Self::Moment { at, offset: UtcOffset::of_text(text) }
        })
    }

    /// The moment, with the bare date read in a zone.
    pub fn at(self, zone: &Zone) -> Timestamp {
        match self {
            Self::Moment { at, .. } => at,
            Self::Day(date) => zone.beginning(date),
        }
    }

    /// Offset that keeps the local day, in whatever zone it is shown later: that of the text, or for a bare date that of the
    /// zone on that day.
    pub fn offset(self, zone: &Zone) -> Option<UtcOffset> {
        match self {
            Self::Moment { offset, .. } => offset,
            Self::Day(date) => Some(zone.offset_of(date)),
        }
    }

    /// Offset that the text itself has. A bare date has none.
    pub fn own_offset(self) -> Option<UtcOffset> {
        match self {
            Self::Moment { offset, .. } => offset,
            Self::Day(_) => None,
        }
    }
}

/// True for the text of a bare date, if it is a time at all: every other form has a time of day.
fn is_date(text: &str) -> bool {
    text.len() == "2023-05-20".len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn given(text: &str) -> GivenTime {
        GivenTime::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    fn zone(text: &str) -> Zone {
        Zone::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn a_bare_date_is_the_first_moment_of_its_day_in_the_zone() {
        for (name, date, start, minutes) in [
            ("UTC", "2026-03-01", "2026-03-01T00:00:00Z", 0),
            ("America/New_York", "2026-03-01", "2026-03-01T05:00:00Z", -300),
            ("America/New_York", "2026-07-01", "2026-07-01T04:00:00Z", -240),
            ("Asia/Shanghai", "2026-03-01", "2026-02-28T16:00:00Z", 480),
            ("+05:45", "2026-03-01", "2026-02-28T18:15:00Z", 345),
            // Midnight was skipped, and happened twice.
            ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", -120),
            ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z", -240),
            ("America/Havana", "2025-11-02", "2025-11-02T04:00:00Z", -240),
            // The whole day was skipped.
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z", -600),
            // Local mean time, 8:05:43 before UTC.
            ("Asia/Shanghai", "1850-01-01", "1849-12-31T15:54:17Z", 486),
            ("Asia/Shanghai", "0001-01-01", "0001-01-01T00:00:00Z", 486),
            ("America/New_York", "0001-01-01", "0001-01-01T04:56:02Z", -296),
        ] {
            let (given, zone) = (given(date), zone(name));
            assert_eq!(given.at(&zone).to_string(), start, "{name} {date}");
            assert_eq!(given.offset(&zone).map(UtcOffset::minutes), Some(minutes), "{name} {date}");
            assert_eq!(given.own_offset(), None);
        }
    }

    #[test]
    fn the_last_day_is_one_moment_in_every_zone_and_shown_as_that_day_in_every_other() {
        let names = ["UTC", "+23:59", "-23:59", "America/New_York", "Pacific/Kiritimati"];
        for given_in in names.map(zone) {
            let last = given("9999-12-31");
            assert_eq!(last.at(&given_in), Timestamp::LAST_DAY);
            for shown_in in names.map(zone) {
                assert_eq!(shown_in.date(last.at(&given_in)).to_string(), "9999-12-31");
                assert_eq!(shown_in.or_own(last.offset(&given_in)).day(Timestamp::LAST_DAY), 2_932_896);
            }
        }
    }

    #[test]
    fn a_time_of_day_is_a_moment_in_every_zone() {
        for (text, minutes) in [
            ("2026-03-02T07:00:00+08:00", Some(480)),
            ("2026-03-02T07:00:00Z", None),
            ("2026-03-02T07:00:00-00:00", None),
        ] {
            let given = given(text);
            for name in ["UTC", "America/New_York", "+13:00"] {
                assert_eq!(Some(given.at(&zone(name))), Timestamp::parse(text), "{text}");
                assert_eq!(given.offset(&zone(name)).map(UtcOffset::minutes), minutes, "{text}");
            }
            assert_eq!(given.own_offset().map(UtcOffset::minutes), minutes, "{text}");
        }
        for text in ["2026-03-02T07:00:00", "2026-13-01", "0000-01-01", "12026-03-01", "tomorrow", ""] {
            assert_eq!(GivenTime::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_bare_date_is_shown_as_the_day_that_was_given(
            (year, month, day) in (1_i16..=9999, 1_i8..=12, 1_i8..=28),
            name in any_zone(),
            other in any_zone(),
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            let (given, zone, other) = (given(&text), zone(&name), self::zone(&other));
            let (at, offset) = (given.at(&zone), given.offset(&zone));
            prop_assert_eq!(zone.date(at).to_string(), text.as_str(), "in its zone");
            prop_assert_eq!(other.or_own(offset).date(at).to_string(), text.as_str(), "by its offset");
            // It is the first moment of that day.
            let before = at.plus_micros(-1);
            prop_assert!(at == Timestamp::MIN || at == Timestamp::LAST_DAY || zone.day(before) < zone.day(at));
        }

        #[test]
        fn any_text_is_a_time_or_none(text in any::<String>()) {
            let read = GivenTime::parse(&text).map(|given| given.at(&Zone::UTC));
            prop_assert_eq!(read, Timestamp::parse(&text));
        }

        #[test]
        fn in_utc_every_date_is_read_as_without_a_zone(
            (year, month, day) in (1_i16..=9999, 1_i8..=12, 1_i8..=31),
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            let read = GivenTime::parse(&text);
            prop_assert_eq!(read.map(|given| given.at(&Zone::UTC)), Timestamp::parse(&text));
            prop_assert_eq!(read.and_then(|given| given.offset(&Zone::UTC)), UtcOffset::of_text(&text));
        }
    }

    fn any_zone() -> impl Strategy<Value = String> {
        let database = jiff::tz::TimeZoneDatabase::bundled();
        let names = database.available().map(|name| name.to_string());
        let names: Vec<String> = names.filter(|name| Zone::parse(name).is_some()).collect();
        assert!(names.len() > 300, "the database is there");
        let fixed = (-UtcOffset::MAX_MINUTES..=UtcOffset::MAX_MINUTES)
            .prop_filter_map("an offset", |minutes| {
                Some(UtcOffset::from_minutes(minutes.into())?.to_string())
            });
        prop_oneof![3 => prop::sample::select(names), 1 => fixed]
    }
}
