//! Recognition of time expressions in a query or a sentence ("last Tuesday", "three weeks ago", "between Christmas and
//! March"), rule-based and pure (time-aware query expansion: LongMemEval, arXiv 2410.10813, section 4.3).
//!
//! The tokens are scanned from left to right. An expression becomes a [`Mention`]: a range of days, relative to the
//! day of the query. The resolution is one day, because the time of day in benchmarks and conversations is rarely
//! reliable. An expression without a year denotes the last such range that began by the day of the query: "in March" is
//! this year's in May and last year's in February. Only "next" denotes the future. Seasons are those of the northern
//! hemisphere. The rules are for English; a query in another language gives no mentions.
//!
//! A mention may be wrong. It therefore only adds to scores and never excludes a memory: see `recall/fuse.rs`.

mod asked_state;
mod calendar;
mod named;
mod phrases;
mod words;

use std::ops::Range;

use jiff::civil::Date;

pub use asked_state::{AskedState, asked_state};
use phrases::Reader;

/// Range of days, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// First day.
    pub first: Date,
    /// Last day; not before the first.
    pub last: Date,
}

/// Time expression in a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Days that it denotes.
    pub days: Days,
    /// Span in the query, in bytes.
    pub span: Range<usize>,
}

/// Tolerance around a range, in days.
const NEAR_DAYS: f32 = 7.0;
/// Length of a range, in days, at which its information is half that of a moment.
const DAYS_THAT_TELL_HALF: f32 = 30.0;

/// Maximum number of mentions; a text with more is not a query about a time.
pub const MAX_MENTIONS: usize = 8;

/// Parses the time expressions of a query asked on the day `today` of the person who asks: at most [`MAX_MENTIONS`], in
/// their order in the query. Time is linear in the length of the query.
pub fn read(query: &str, today: Date) -> Vec<Mention> {
    if (1..=9999).contains(&today.year()) { Reader::new(query, today).read() } else { Vec::new() }
}

/// Match between a day, as days since 1970, and the mentions, 0 to 1: the maximum over the mentions.
pub(crate) fn fit(mentions: &[Mention], day: i64) -> f32 {
    mentions.iter().map(|mention| mention.days.fit(day)).fold(0.0, f32::max)
}

impl Days {
    /// Match between a day, as days since 1970, and these days, 0 to 1. It decreases linearly to 0 over [`NEAR_DAYS`] outside the range,
    /// because people say "last weekend" of the Friday before it and "a month ago" of five weeks. It also decreases
    /// with the length of the range, because a longer range is less selective: a month counts half as much as a day.
    pub fn fit(self, day: i64) -> f32 {
        let near = 1.0 - self.distance(day) as f32 / NEAR_DAYS;
        near.max(0.0) / (1.0 + self.count() as f32 / DAYS_THAT_TELL_HALF)
    }

    /// Distance of a day, as days since 1970, from the range, in days; 0 inside.
    pub fn distance(self, day: i64) -> i64 {
        let (first, last) = (calendar::day_number(self.first), calendar::day_number(self.last));
        if day < first { first - day } else { (day - last).max(0) }
    }

    /// Number of days in the range.
    pub fn count(self) -> i64 {
        calendar::day_number(self.last) - calendar::day_number(self.first) + 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::time::Timestamp;
    use crate::domain::zone::Zone;

    /// Tuesday, the day of the query in these tests.
    const ASKED: &str = "2023-05-30T10:00:00Z";

    fn moment(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a moment")
    }

    fn days(query: &str) -> Vec<String> {
        let read = read(query, Zone::UTC.date(moment(ASKED)));
        read.iter().map(|one| format!("{} {}", one.days.first, one.days.last)).collect()
    }

    fn assert_days(query: &str, expected: &[&str]) {
        assert_eq!(days(query), expected, "{query}");
    }

    #[test]
    fn days_are_recognised_by_name_and_number() {
        assert_days("What did I buy yesterday?", &["2023-05-29 2023-05-29"]);
        assert_days("the day before yesterday", &["2023-05-28 2023-05-28"]);
        assert_days("Where did I go last Tuesday?", &["2023-05-23 2023-05-23"]);
        assert_days("Who came on Saturday?", &["2023-05-27 2023-05-27"]);
        assert_days("Who came on Saturday morning?", &["2023-05-27 2023-05-27"]);
        assert_days("Who comes on Saturday mornings?", &[]);
        assert_days("a meeting next Friday", &["2023-06-02 2023-06-02"]);
        assert_days("What happened on May 7th?", &["2023-05-07 2023-05-07"]);
        assert_days("on the 7th of May, 2022", &["2022-05-07 2022-05-07"]);
        assert_days("on 12 December", &["2022-12-12 2022-12-12"]);
        assert_days("on 2023-02-11 or 2023/02/12", &["2023-02-11 2023-02-11", "2023-02-12 2023-02-12"]);
        assert_days("over Christmas", &["2022-12-24 2022-12-26"]);
        assert_days("for Thanksgiving in 2021", &["2021-11-25 2021-11-25"]);
        assert_days("on Valentine's Day", &["2023-02-14 2023-02-14"]);
    }

    #[test]
    fn offsets_into_the_past_are_recognised() {
        assert_days("three weeks ago", &["2023-05-06 2023-05-12"]);
        assert_days("two days ago", &["2023-05-28 2023-05-28"]);
        assert_days("a couple of months ago", &["2023-03-15 2023-04-14"]);
        assert_days("in the past two weeks", &["2023-05-16 2023-05-30"]);
        assert_days("over the last month and a half", &["2023-04-30 2023-05-30"]);
        assert_days("last week", &["2023-05-22 2023-05-28"]);
        assert_days("last weekend", &["2023-05-27 2023-05-28"]);
        assert_days("this month", &["2023-05-01 2023-05-31"]);
        assert_days("last year", &["2022-01-01 2022-12-31"]);
        assert_days("lately", &["2023-04-30 2023-05-30"]);
    }

    #[test]
    fn months_seasons_and_years_are_recognised() {
        assert_days("in March", &["2023-03-01 2023-03-31"]);
        assert_days("last November", &["2022-11-01 2022-11-30"]);
        assert_days("in early April 2021", &["2021-04-01 2021-04-10"]);
        assert_days("in mid-February", &["2023-02-11 2023-02-20"]);
        assert_days("last summer", &["2022-06-01 2022-08-31"]);
        assert_days("the summer before last", &["2021-06-01 2021-08-31"]);
        assert_days("in the winter of 2020", &["2020-12-01 2021-02-28"]);
        assert_days("since 2019", &["2019-01-01 2023-05-30"]);
    }

    #[test]
    fn ranges_are_recognised() {
        assert_days("between March and April", &["2023-03-01 2023-04-30"]);
        assert_days("from May 1 to May 7", &["2023-05-01 2023-05-07"]);
        assert_days("since last Tuesday", &["2023-05-23 2023-05-30"]);
        assert_days("after Christmas", &["2022-12-26 2023-05-30"]);
        assert_days("between my birthday and March", &["2023-03-01 2023-03-31"]);
    }

    #[test]
    fn ordinary_words_are_not_time_expressions() {
        for query in [
            "May I come in?",
            "I may go",
            "They march on",
            "How many cats do I have?",
            "2000 dollars",
            "the second one",
            "a day in the life",
            "Who is my last employer?",
            "the fall of Rome and the spring of a clock",
        ] {
            assert_days(query, &[]);
        }
    }

    #[test]
    fn the_match_decreases_with_distance_and_length_of_the_range() {
        let fits = |query: &str, at: &str| fit(&read(query, Zone::UTC.date(moment(ASKED))), moment(at).day());
        assert!(fits("yesterday", "2023-05-29T23:59:59Z") > 0.96);
        assert!(fits("yesterday", "2023-05-27") > fits("yesterday", "2023-05-25"));
        assert_eq!(fits("yesterday", "2023-05-22"), 0.0);
        assert!((fits("in April", "2023-04-17") - 0.5).abs() < 1e-6, "thirty days tell half");
        assert!(fits("in March or yesterday", "2023-05-29") > 0.96, "the best counts");
        assert_eq!(fits("What is it?", "2023-05-29"), 0.0);
    }

    proptest! {
        #[test]
        fn any_text_can_be_parsed(query in any::<String>(), at in any::<i64>()) {
            let read = read(&query, Zone::UTC.date(Timestamp::from_micros(at)));
            prop_assert!(read.len() <= MAX_MENTIONS);
            for mention in read {
                prop_assert!(mention.days.first <= mention.days.last);
                prop_assert!(query.get(mention.span).is_some());
            }
        }

        #[test]
        fn time_words_in_any_order_can_be_parsed(
            picked in prop::collection::vec(prop::sample::select(vec![
                "last", "next", "this", "the", "past", "two", "couple", "of", "days", "weeks", "month", "years", "ago",
                "before", "after", "since", "between", "and", "from", "to", "March", "may", "Tuesday", "summer", "31",
                "30th", "2024", "9999", "0", "99999999", "weekend", "yesterday", "Christmas", "early", "in",
            ]), 0..14),
            at in any::<i64>(),
        ) {
            let query = picked.join(" ");
            for mention in read(&query, Zone::UTC.date(Timestamp::from_micros(at))) {
                prop_assert!(mention.days.first <= mention.days.last, "{query}: {mention:?}");
                let fit = mention.days.fit(Timestamp::from_micros(at).day());
                prop_assert!((0.0..=1.0).contains(&fit), "{query}: {fit}");
            }
        }
    }
}
