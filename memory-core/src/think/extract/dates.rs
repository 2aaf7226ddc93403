//! Dates of replies: `2023-05-20`, `2023-05` or `2023`, as the interval that they denote. Pure.

use jiff::Span;
use jiff::civil::Date;

use crate::domain::time::Timestamp;
use crate::domain::zone::Zone;

/// First and last microsecond of a day, month or year in a zone. `None` for another text, and for years outside 1900 to 2199,
/// which are mistakes of a model.
pub(super) fn day_range(text: &str, zone: &Zone) -> Option<(Timestamp, Timestamp)> {
    let parts: Vec<&str> = text.trim().split('-').collect();
    let (first, length) = match parts.as_slice() {
        [year] => (date(year, "1", "1")?, Span::new().years(1)),
        [year, month] => (date(year, month, "1")?, Span::new().months(1)),
        [year, month, day] => (date(year, month, day)?, Span::new().days(1)),
        _ => return None,
    };
    let end = first.checked_add(length).ok()?;
    Some((zone.start_of(first)?, zone.start_of(end)?.plus_micros(-1)))
}

fn date(year: &str, month: &str, day: &str) -> Option<Date> {
    let digits = |text: &str, most: usize| {
        (text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let year = digits(year, 4).filter(|year| (1900..2200).contains(year))?;
    let (month, day) = (digits(month, 2)?, digits(day, 2)?);
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_months_and_years_are_intervals() {
        for (text, start, end) in [
            ("2023-05-20", "2023-05-20T00:00:00Z", "2023-05-20T23:59:59.999999Z"),
            ("2024-02", "2024-02-01T00:00:00Z", "2024-02-29T23:59:59.999999Z"),
            ("2023", "2023-01-01T00:00:00Z", "2023-12-31T23:59:59.999999Z"),
        ] {
            let found =
                day_range(text, &Zone::UTC).map(|(first, last)| (first.to_string(), last.to_string()));
            assert_eq!(found, Some((start.to_owned(), end.to_owned())));
        }
    }

    #[test]
    fn days_begin_at_midnight_of_the_zone() {
        for (text, zone, start, end) in [
            ("2026-03-01", "+08:00", "2026-02-28T16:00:00Z", "2026-03-01T15:59:59.999999Z"),
            ("2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59.999999Z"),
            ("2026-11-01", "America/New_York", "2026-11-01T04:00:00Z", "2026-11-02T04:59:59.999999Z"),
        ] {
            let found = day_range(text, &Zone::parse(zone).expect("a zone"));
            let found = found.map(|(first, last)| (first.to_string(), last.to_string()));
            assert_eq!(found, Some((start.to_owned(), end.to_owned())), "{zone}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "-",
            "2023-13",
            "2023-02-30",
            "23",
            "2300",
            "tomorrow",
            "2023-05-20T10:00",
            "+2023",
            "２０２３",
        ] {
            assert_eq!(day_range(text, &Zone::UTC), None, "{text}");
        }
    }
}
