//! Parser of the time formats of import files; the result is RFC 3339, as the API takes it: with the offset from UTC that
//! the file tells, because it tells the local day, else in UTC.
//!
//! A time without a zone is read as UTC: files do not tell their zone, and a guess would differ between machines. A
//! number, also written as a text, counts seconds since 1970; milliseconds if as seconds it would be after the year
//! 5138; microseconds if as milliseconds it would be. Texts beyond RFC 3339 are read by
//! [`super::timestamp_text`], which states the rule for days and months written as numbers.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use serde_json::Value;

use super::timestamp_text;

/// A time in UTC, written in the local time of an offset from UTC in minutes. One that cannot be so written stays as it is.
pub(super) fn with_offset(moment: String, minutes: Option<i16>) -> String {
    let local = || {
        let offset = Offset::from_seconds(i32::from(minutes?) * 60).ok()?;
        Some(moment.parse::<Timestamp>().ok()?.display_with_offset(offset).to_string())
    };
    local().unwrap_or(moment)
}

/// Smallest number read as milliseconds; as seconds it is in the year 5138.
const FIRST_OF_MILLISECONDS: f64 = 1e11;

/// Smallest number read as microseconds; as milliseconds it is in the year 5138.
const FIRST_OF_MICROSECONDS: f64 = 1e14;

/// Largest number read as a time, in microseconds.
const LAST_OF_MICROSECONDS: f64 = 1e17;

/// Time of a JSON value: a string in any format of [`parse`], a number, `$date` of MongoDB, or seconds of Firestore.
pub(super) fn of_value(value: &Value) -> Option<String> {
    instant(value).map(Instant::to_text)
}

/// Time of a JSON value in seconds since 1970.
pub(super) fn seconds_of_value(value: &Value) -> Option<f64> {
    instant(value).map(|moment| moment.at.as_duration().as_secs_f64())
}

/// Time of a string: RFC 3339 with or without a zone, RFC 2822, a date, a number, or a text such as `2023/05/20 (Sat)
/// 02:21`, `1:56 pm on 8 May, 2023`, `May 1, 2024 at 9:00 AM`.
pub(super) fn parse(text: &str) -> Option<String> {
    instant_of_text(text).map(Instant::to_text)
}

/// Moment, with the offset from UTC that it is written with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instant {
    pub(super) at: Timestamp,
    /// Zero is no place: programs write all their times so.
    pub(super) offset: Option<Offset>,
}

impl Instant {
    fn to_text(self) -> String {
        match self.offset.filter(|offset| !offset.is_zero()) {
            Some(offset) => self.at.display_with_offset(offset).to_string(),
            None => self.at.to_string(),
        }
    }
}

impl From<Timestamp> for Instant {
    fn from(at: Timestamp) -> Self {
        Self { at, offset: None }
    }
}

fn instant(value: &Value) -> Option<Instant> {
    match value {
        Value::String(text) => instant_of_text(text),
        Value::Number(number) => from_number(number.as_f64()?).map(Instant::from),
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

fn instant_of_text(text: &str) -> Option<Instant> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        let offset = Pieces::parse(text).ok().and_then(|pieces| pieces.to_numeric_offset());
        return Some(Instant { at, offset });
    }
    if let Ok(civil) = text.parse::<DateTime>() {
        return TimeZone::UTC.to_timestamp(civil).ok().map(Instant::from);
    }
    if let Ok(number) = text.parse() {
        return from_number(number).map(Instant::from);
    }
    timestamp_text::parse(text)
}

/// Time of a number of seconds, milliseconds or microseconds since 1970, to the microsecond.
fn from_number(number: f64) -> Option<Timestamp> {
    let size = number.abs();
    let micros = if size >= FIRST_OF_MICROSECONDS {
        number
    } else if size >= FIRST_OF_MILLISECONDS {
        number * 1e3
    } else {
        number * 1e6
    };
    // NaN is refused as well. The checked conversion refuses times outside the calendar.
    if !(micros.abs() <= LAST_OF_MICROSECONDS * 10.0 && size <= LAST_OF_MICROSECONDS) {
        return None;
    }
    Timestamp::from_microsecond(micros.round() as i64).ok()
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
        assert_eq!(of_value(&json!(-1)).as_deref(), Some("1969-12-31T23:59:59Z"));
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
