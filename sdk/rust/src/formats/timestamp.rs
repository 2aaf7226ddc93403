//! Parser of the time formats of import files; the result is RFC 3339, as the API takes it: with the offset from UTC that
//! the file tells, because it tells the local day, else in UTC.
//!
//! A time without a zone is read as UTC: files do not tell their zone, and a guess would differ between machines. A zone by
//! name (RFC 9557) decides; one that contradicts the offset makes the text no time. Texts beyond RFC 3339 are read by
//! [`super::timestamp_text`], which states the rule for days and months written as numbers.
//!
//! A number, also written as a text, is a date `YYYYMMDD` or a time `YYYYMMDDhhmmss` if it is one of the years 1970 to
//! 2100, else seconds, milliseconds, microseconds or nanoseconds since 1970 in the same years. The ranges do not overlap,
//! since none begins before March 1973 (nanoseconds: September 2001). Smaller numbers are no times: they are years, days of a
//! spreadsheet, or stand for a missing time. Neither are times before 1900, such as the year 1 of .NET and Go.

use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ZonedDateTime};
use serde_json::Value;

use super::local_instant::LocalInstant;
use super::timestamp_text;

/// A time in UTC, written in the local time of an offset from UTC in minutes. One that cannot be so written stays as it is.
pub(super) fn with_offset(moment: String, minutes: Option<i16>) -> String {
    let local = || {
        let offset = Offset::from_seconds(i32::from(minutes?) * 60).ok()?;
        Some(moment.parse::<Timestamp>().ok()?.display_with_offset(offset).to_string())
    };
    local().unwrap_or(moment)
}

/// Units of numbers since 1970: first and last number, and the number of nanoseconds.
const UNITS: [(f64, f64, f64); 4] = [
    (1e8, LAST_SECOND, 1e9),
    (1e11, LAST_SECOND * 1e3, 1e6),
    (1e14, LAST_SECOND * 1e6, 1e3),
    (1.000_000_001e18, LAST_SECOND * 1e9, 1.0),
];

/// Last second of the year 2100.
const LAST_SECOND: f64 = 4_133_980_799.0;

/// Years of numbers that are dates.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2100;

/// First year of a time in a text.
const FIRST_YEAR: i16 = 1900;

/// Time of a JSON value: a string in any format of [`parse`], a number, `$date` of MongoDB, or seconds of Firestore.
pub(super) fn of_value(value: &Value) -> Option<String> {
    instant(value).map(LocalInstant::to_text)
}

/// Time of a JSON value in seconds since 1970.
pub(super) fn seconds_of_value(value: &Value) -> Option<f64> {
    instant(value).map(|moment| moment.at.as_duration().as_secs_f64())
}

/// Time of a string: RFC 3339 with or without a zone, RFC 2822, a date, a number, or a text such as `2023/05/20 (Sat)
/// 02:21`, `1:56 pm on 8 May, 2023`, `May 1, 2024 at 9:00 AM`.
pub(super) fn parse(text: &str) -> Option<String> {
    instant_of_text(text).map(LocalInstant::to_text)
}

fn instant(value: &Value) -> Option<LocalInstant> {
    match value {
        Value::String(text) => instant_of_text(text),
        Value::Number(number) => from_number(&number.to_string()).map(LocalInstant::from),
        Value::Object(fields) => {
            let inner = ["$date", "$numberLong", "_seconds", "seconds"].into_iter();
            match inner.filter_map(|name| fields.get(name)).next()? {
                // One level more at most: `{"$date": {"$numberLong": "..."}}`.
                Value::Object(inner) => instant(inner.get("$numberLong").filter(|value| value.is_string())?),
                value => instant(value),
            }
        }
        _ => None,
    }
}

fn instant_of_text(text: &str) -> Option<LocalInstant> {
    let text = text.trim();
    if text.contains('[') {
        let zoned: ZonedDateTime = text.parse().ok()?;
        return plausible(LocalInstant { at: zoned.timestamp(), offset: Some(zoned.offset()) });
    }
    if text.parse::<f64>().is_ok() {
        return from_number(text).map(LocalInstant::from);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        let offset = Pieces::parse(text).ok().and_then(|pieces| pieces.to_numeric_offset());
        return plausible(LocalInstant { at, offset });
    }
    if let Ok(civil) = text.parse::<DateTime>() {
        return plausible(TimeZone::UTC.to_timestamp(civil).ok()?.into());
    }
    plausible(timestamp_text::parse(text)?)
}

fn plausible(moment: LocalInstant) -> Option<LocalInstant> {
    let offset = moment.offset.unwrap_or(Offset::UTC);
    (offset.to_datetime(moment.at).year() >= FIRST_YEAR).then_some(moment)
}

/// Time of a number, to the microsecond.
fn from_number(text: &str) -> Option<Timestamp> {
    if let Some(civil) = compact(text) {
        return TimeZone::UTC.to_timestamp(civil).ok();
    }
    let number: f64 = text.parse().ok()?;
    // NaN is in no range.
    let (_, _, nanos) = UNITS.into_iter().find(|(first, last, _)| *first <= number && number <= *last)?;
    Timestamp::from_microsecond((number * (nanos / 1e3)).round() as i64).ok()
}

/// Date and time of a number such as `20240501` or `20240501090000`.
fn compact(text: &str) -> Option<DateTime> {
    if !matches!(text.len(), 8 | 14) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let small = |at: usize| text.get(at..at + 2).map_or(Some(0), |digits| digits.parse::<i8>().ok());
    let year: i16 = text.get(..4)?.parse().ok()?;
    let civil = DateTime::new(year, small(4)?, small(6)?, small(8)?, small(10)?, small(12)?, 0).ok()?;
    YEARS.contains(&civil.year()).then_some(civil)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// A time that was read, in UTC.
    fn in_utc(read: Option<String>) -> Option<String> {
        Some(read?.parse::<Timestamp>().expect("RFC 3339").to_string())
    }

    #[test]
    fn an_offset_of_a_file_is_kept() {
        for (text, expected) in [
            ("2024-02-29T12:00:00+02:00", "2024-02-29T12:00:00+02:00"),
            ("2024-07-20T01:30:36.275141-07:00", "2024-07-20T01:30:36.275141-07:00"),
            ("2024-05-01 09:00:00 +0545", "2024-05-01T09:00:00+05:45"),
            ("1 May 2024 09:00 EST", "2024-05-01T09:00:00-05:00"),
            ("2024-05-01 09:00:00 UTC", "2024-05-01T09:00:00Z"),
            ("2024-05-01T09:00:00+00:00", "2024-05-01T09:00:00Z"),
            ("2024-05-01 9:00:00", "2024-05-01T09:00:00Z"),
        ] {
            assert_eq!(parse(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(
            with_offset("2024-05-01T01:00:00.5Z".to_owned(), Some(480)),
            "2024-05-01T09:00:00.5+08:00"
        );
        assert_eq!(with_offset("2024-05-01T01:00:00Z".to_owned(), Some(0)), "2024-05-01T01:00:00+00:00");
        assert_eq!(with_offset("2024-05-01T01:00:00Z".to_owned(), None), "2024-05-01T01:00:00Z");
        assert_eq!(with_offset("soon".to_owned(), Some(480)), "soon");
    }

    #[test]
    fn every_supported_time_format_is_read() {
        let cases = [
            ("2023/05/20 (Sat) 02:21", "2023-05-20T02:21:00Z"),
            ("1:56 pm on 8 May, 2023", "2023-05-08T13:56:00Z"),
            ("12:09 am on 13 September, 2023", "2023-09-13T00:09:00Z"),
            ("2024-02-29T12:00:00+02:00", "2024-02-29T10:00:00Z"),
            ("2024-07-20T01:30:36.275141-07:00", "2024-07-20T08:30:36.275141Z"),
            ("2024-02-29 12:00", "2024-02-29T12:00:00Z"),
            (" 2024-02-29 ", "2024-02-29T00:00:00Z"),
            ("1700000000", "2023-11-14T22:13:20Z"),
            ("1700000000500", "2023-11-14T22:13:20.5Z"),
            ("Tue, 14 Nov 2023 22:13:20 +0000", "2023-11-14T22:13:20Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(in_utc(parse(text)).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(of_value(&json!(1700000000.25)).as_deref(), Some("2023-11-14T22:13:20.25Z"));
    }

    #[test]
    fn times_of_other_programs_are_read() {
        let cases = [
            ("2024-05-01 09:00:00 UTC", "2024-05-01T09:00:00Z"),
            ("2024-05-01 09:00:00 +0200", "2024-05-01T07:00:00Z"),
            ("2024-05-01 09:00:00 GMT+2", "2024-05-01T07:00:00Z"),
            ("2024-05-01 09:00:00.25 Z", "2024-05-01T09:00:00.25Z"),
            ("2024-05-01 9:00:00", "2024-05-01T09:00:00Z"),
            ("2024-5-1 9:00", "2024-05-01T09:00:00Z"),
            ("2024-05-01T09:00", "2024-05-01T09:00:00Z"),
            ("2024-05-01T09:00Z", "2024-05-01T09:00:00Z"),
            ("2024/05/01", "2024-05-01T00:00:00Z"),
            ("05/01/2024 9:00 AM", "2024-05-01T09:00:00Z"),
            ("05/01/2024, 9:00:05 p.m.", "2024-05-01T21:00:05Z"),
            ("13/05/2024 09:00", "2024-05-13T09:00:00Z"),
            ("5/1/24, 9:00 AM", "2024-05-01T09:00:00Z"),
            ("01.05.2024 09:00", "2024-05-01T09:00:00Z"),
            ("May 1, 2024 at 9:00 AM", "2024-05-01T09:00:00Z"),
            ("May 1, 2024, 9:00:00\u{202f}AM UTC", "2024-05-01T09:00:00Z"),
            ("Wednesday, May 1st, 2024 9am", "2024-05-01T09:00:00Z"),
            ("Sept. 1 2024 12:30 am", "2024-09-01T00:30:00Z"),
            ("1 May 2024 09:00 EST", "2024-05-01T14:00:00Z"),
            ("01-May-2024 09:00", "2024-05-01T09:00:00Z"),
            ("Mon, 14 Nov 2023 22:13:20 GMT", "2023-11-14T22:13:20Z"),
            ("Wed May  1 09:00:00 2024", "2024-05-01T09:00:00Z"),
            ("Wed May 01 2024 09:00:00 GMT+0200 (Central European Summer Time)", "2024-05-01T07:00:00Z"),
            ("2023/05/20 (Sun) 02:21", "2023-05-20T02:21:00Z"),
            ("1714554000.5", "2024-05-01T09:00:00.5Z"),
            ("1714554000000000", "2024-05-01T09:00:00Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(in_utc(parse(text)).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(of_value(&json!({"$date": "2024-05-01"})).as_deref(), Some("2024-05-01T00:00:00Z"));
        assert_eq!(of_value(&json!({"_seconds": 1714554000})).as_deref(), Some("2024-05-01T09:00:00Z"));
        assert_eq!(of_value(&json!(1714554000000000_i64)).as_deref(), Some("2024-05-01T09:00:00Z"));
    }

    #[test]
    fn numbers_are_times_only_in_plausible_years() {
        for (number, expected) in [
            (json!(20240501), "2024-05-01T00:00:00Z"),
            (json!("20240501"), "2024-05-01T00:00:00Z"),
            (json!(20240501090000_i64), "2024-05-01T09:00:00Z"),
            (json!("20240501090000"), "2024-05-01T09:00:00Z"),
            (json!("20240501T090000Z"), "2024-05-01T09:00:00Z"),
            (json!(1714554000), "2024-05-01T09:00:00Z"),
            (json!(1714554000000_i64), "2024-05-01T09:00:00Z"),
            (json!(1714554000000000_i64), "2024-05-01T09:00:00Z"),
            (json!(1714554000000000000_i64), "2024-05-01T09:00:00Z"),
        ] {
            assert_eq!(of_value(&number).as_deref(), Some(expected), "{number}");
        }
        let none = [
            json!(2024),
            json!("2024"),
            json!(45413.375),
            json!(0),
            json!(-1),
            json!(-1714554000),
            json!(20241301),
            json!(21500101),
            json!(5000000000_i64),
            json!(99999999999999_i64),
        ];
        for number in none {
            assert_eq!(of_value(&number), None, "{number}");
        }
    }

    #[test]
    fn a_zone_by_name_decides_and_a_wrong_one_makes_no_time() {
        for (text, expected) in [
            ("2024-05-01T09:00:00[Europe/Berlin]", Some("2024-05-01T09:00:00+02:00")),
            ("2024-05-01T09:00:00+02:00[Europe/Berlin]", Some("2024-05-01T09:00:00+02:00")),
            ("2024-05-01T07:00:00Z[Europe/Berlin]", Some("2024-05-01T09:00:00+02:00")),
            ("2024-05-01T09:00:00+05:00[Europe/Berlin]", None),
            ("2024-05-01T09:00:00[Nowhere/Else]", None),
            ("2024-05-01T09:00:00[", None),
        ] {
            assert_eq!(parse(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_text_with_stray_signs_or_of_a_year_long_past_is_no_time() {
        for text in [
            "-2024-05-01",
            "+2024-05-01",
            "2024--05-01",
            "2024-/05/01",
            "0001-01-01T00:00:00Z",
            "-000044-03-15",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_time_gives_none() {
        let texts = [
            "",
            "soon",
            "2023/02/30 (Thu) 02:21",
            "25:00 pm on 8 May, 2023",
            "May 2024",
            "9:00",
            "14/13/2024",
        ];
        let others = [
            "2024-02-30",
            "NaN",
            "inf",
            "1e300",
            "12:60 8 May 2024",
            "May 1, 2024 remotely",
            "13 pm 1 May 2024",
        ];
        for text in texts.into_iter().chain(others) {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(of_value(&json!(null)), None);
        assert_eq!(of_value(&json!(1e18)), None);
    }

    proptest! {
        #[test]
        fn arbitrary_texts_never_panic(text in "\\PC{0,40}", digits in "[0-9:/. +apmAPMTZ-]{0,24}") {
            let _ = (parse(&text), parse(&digits));
        }
    }
}
