//! Calendar arithmetic. A result outside the years 1 to 9999 is `None`.

use jiff::Span;
use jiff::civil::{Date, Weekday};

use super::Days;

/// Days since 1970-01-01.
pub(super) fn day_number(date: Date) -> i64 {
    let epoch = jiff::civil::date(1970, 1, 1);
    date.since(epoch).map_or(0, |span| i64::from(span.get_days()))
}

/// Date that many days later; earlier for a negative number.
pub(super) fn plus_days(date: Date, days: i64) -> Option<Date> {
    date.checked_add(Span::new().try_days(days).ok()?).ok()
}

/// Same day of the month that many months later (earlier for a negative number); the last day of a shorter month.
pub(super) fn plus_months(date: Date, months: i64) -> Option<Date> {
    date.checked_add(Span::new().try_months(months).ok()?).ok()
}

/// Single day.
pub(super) fn day(date: Date) -> Days {
    Days { first: date, last: date }
}

/// Range between two dates, in either order.
pub(super) fn between(first: Date, last: Date) -> Days {
    if first <= last { Days { first, last } } else { Days { first: last, last: first } }
}

/// Range of `days` to either side of a date.
pub(super) fn centred(date: Date, days: i64) -> Option<Days> {
    Some(between(plus_days(date, -days)?, plus_days(date, days)?))
}

/// Week of a date, Monday to Sunday.
pub(super) fn week_of(date: Date) -> Option<Days> {
    let monday = plus_days(date, -i64::from(date.weekday().to_monday_zero_offset()))?;
    Some(between(monday, plus_days(monday, 6)?))
}

/// All days of a month.
pub(super) fn month(year: i16, month: i8) -> Option<Days> {
    let first = Date::new(year, month, 1).ok()?;
    Some(between(first, first.last_of_month()))
}

/// All days of a year.
pub(super) fn year(year: i16) -> Option<Days> {
    Some(between(Date::new(year, 1, 1).ok()?, Date::new(year, 12, 31).ok()?))
}

/// Last such weekday before `date`.
pub(super) fn weekday_before(date: Date, weekday: Weekday) -> Option<Date> {
    let back = i64::from(weekday.until(date.weekday()));
    plus_days(date, if back == 0 { -7 } else { -back })
}

/// First such weekday after `date`.
pub(super) fn weekday_after(date: Date, weekday: Weekday) -> Option<Date> {
    let ahead = i64::from(date.weekday().until(weekday));
    plus_days(date, if ahead == 0 { 7 } else { ahead })
}

/// The `nth` such weekday of a month, from 1.
pub(super) fn nth_weekday(year: i16, month: i8, nth: i8, weekday: Weekday) -> Option<Date> {
    Date::new(year, month, 1).ok()?.nth_weekday_of_month(nth, weekday).ok()
}

/// Easter Sunday, by the anonymous Gregorian computus (Meeus, Astronomical Algorithms, 1991, chapter 8).
pub(super) fn easter(year: i16) -> Option<Date> {
    let y = i32::from(year);
    let (a, b, c) = (y % 19, y / 100, y % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let (month, day) = ((h + l - 7 * m + 114) / 31, (h + l - 7 * m + 114) % 31 + 1);
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn easter_agrees_with_the_almanac() {
        for (year, month, day) in [(2000, 4, 23), (2019, 4, 21), (2023, 4, 9), (2024, 3, 31), (2025, 4, 20)] {
            assert_eq!(easter(year), Some(date(year, month, day)));
        }
    }

    #[test]
    fn the_weekday_before_or_after_a_date_is_not_that_date() {
        let tuesday = date(2023, 5, 30);
        assert_eq!(weekday_before(tuesday, Weekday::Tuesday), Some(date(2023, 5, 23)));
        assert_eq!(weekday_after(tuesday, Weekday::Tuesday), Some(date(2023, 6, 6)));
        assert_eq!(weekday_before(tuesday, Weekday::Wednesday), Some(date(2023, 5, 24)));
        assert_eq!(weekday_after(tuesday, Weekday::Wednesday), Some(date(2023, 5, 31)));
    }

    #[test]
    fn dates_outside_the_calendar_are_none() {
        assert_eq!(plus_days(date(9999, 12, 31), 1), None);
        assert_eq!(plus_months(date(9999, 12, 31), 1), None);
        assert_eq!(day_number(date(1970, 1, 2)), 1);
    }
}
