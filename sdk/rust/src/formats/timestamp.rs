//! Parser of the time formats of import files; the result is RFC 3339 in UTC, as the API takes it.
//!
//! A time without a zone is read as UTC: files do not tell their zone, and a guess would differ between machines. A
//! number counts seconds since 1970, or milliseconds if as seconds it would be after the year 5138.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Smallest number read as milliseconds; as seconds it is in the year 5138.
const FIRST_OF_MILLISECONDS: f64 = 1e11;

/// Time of a JSON value: a string in any format of [`parse`], or a number.
pub(super) fn of_value(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => parse(text),
        Value::Number(number) => from_number(number.as_f64()?),
        _ => None,
    }
}

/// Time of a string: RFC 3339, with or without a zone, a date, a number, or one of the benchmarks' `2023/05/20 (Sat)
/// 02:21` and `1:56 pm on 8 May, 2023`.
pub(super) fn parse(text: &str) -> Option<String> {
    let text = text.trim();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment.to_string());
    }
    // RFC 2822, recognisable by its comma, is the format of mail archives.
    if let Ok(moment) = jiff::fmt::rfc2822::parse(text) {
        return Some(moment.timestamp().to_string());
    }
    let civil = text.parse::<DateTime>().ok();
    let civil = civil.or_else(|| DateTime::strptime("%Y/%m/%d (%a) %H:%M", text).ok());
    let civil = civil.or_else(|| DateTime::strptime("%I:%M %P on %d %B, %Y", text).ok());
    match civil {
        Some(civil) => Some(TimeZone::UTC.to_timestamp(civil).ok()?.to_string()),
        None => from_number(text.parse().ok()?),
    }
}

/// Time of a number of seconds or milliseconds since 1970, to the microsecond.
pub(super) fn from_number(number: f64) -> Option<String> {
    let seconds = if number.abs() >= FIRST_OF_MILLISECONDS { number / 1e3 } else { number };
    // Beyond 2^53 a float has gaps. The checked conversion refuses times outside the calendar, and NaN is none.
    let micros = (seconds * 1e6).round();
    if !micros.is_finite() || micros.abs() > 9e15 * 1e3 {
        return None;
    }
    Some(Timestamp::from_microsecond(micros as i64).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
            assert_eq!(parse(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(of_value(&json!(1700000000.25)).as_deref(), Some("2023-11-14T22:13:20.25Z"));
        assert_eq!(of_value(&json!(-1)).as_deref(), Some("1969-12-31T23:59:59Z"));
    }

    #[test]
    fn a_text_that_is_not_a_time_gives_none() {
        let texts =
            ["", "soon", "2023/02/30 (Thu) 02:21", "2023/05/20 (Sun) 02:21", "25:00 pm on 8 May, 2023"];
        for text in texts.into_iter().chain(["2024-02-30", "NaN", "inf", "1e300"]) {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(of_value(&json!(null)), None);
        assert_eq!(of_value(&json!(1e18)), None);
    }
}
