//! The times that a question names: "last Tuesday", "three weeks ago", "between Christmas and March".
//! Pure, and without a model (LongMemEval's third control point, time-aware queries, arXiv 2410.10813 section 4.3).
//!
//! Words are read from left to right; what stands for days becomes a [`Mention`], counted from the day on which the
//! question is asked. Days and no finer: of benchmarks and of people, the minute is rarely right. A mention without a
//! year is the last one that began by then ("in March" in May is this year's, in February last year's); only "next" looks
//! ahead. Seasons are those of the northern hemisphere. English; a question in another language names no times.
//!
//! A reading may be wrong, so it only ever moves what is found, and hides nothing: see [`super::fuse`].

mod calendar;
mod named;
mod phrases;
mod words;

use std::ops::Range;

use jiff::civil::Date;

use crate::domain::time::Timestamp;
use phrases::Reader;

/// Days, the first and the last included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// The first.
    pub first: Date,
    /// The last; not before the first.
    pub last: Date,
}

/// Some words of a question that stand for days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The days.
    pub days: Days,
    /// The bytes of the question.
    pub span: Range<usize>,
}

/// Days beside those that are meant within which something may still be meant.
const NEAR_DAYS: f32 = 7.0;
/// So many days tell half of what a moment would.
const DAYS_THAT_TELL_HALF: f32 = 30.0;

/// More mentions than this are no question about a time, but a text with many.
pub const MAX_MENTIONS: usize = 8;

/// Reads the times out of a question that is asked at `asked_at`: the days that it names, in its order, at most
/// [`MAX_MENTIONS`]. Takes time in proportion to the question's length.
pub fn read(question: &str, asked_at: Timestamp) -> Vec<Mention> {
    calendar::date_of(asked_at).map_or_else(Vec::new, |today| Reader::new(question, today).read())
}

/// How well a moment fits the times that a question names, 0 to 1: the best of them.
pub(super) fn fit(mentions: &[Mention], at: Timestamp) -> f32 {
    mentions.iter().map(|mention| mention.days.fit(at)).fold(0.0, f32::max)
}

impl Days {
    /// How well a moment fits, 0 to 1. It falls to nothing within [`NEAR_DAYS`], since people say "last weekend" of the
    /// Friday before it, and "a month ago" of five weeks; and the more days are meant, the less it tells to be among
    /// them: a month tells half of what a day does.
    pub fn fit(self, at: Timestamp) -> f32 {
        let near = 1.0 - self.distance(at) as f32 / NEAR_DAYS;
        near.max(0.0) / (1.0 + self.count() as f32 / DAYS_THAT_TELL_HALF)
    }

    /// How far a moment is from these days, in days; 0 inside.
    pub fn distance(self, at: Timestamp) -> i64 {
        let (first, last) = (calendar::day_number(self.first), calendar::day_number(self.last));
        let day = at.day();
        if day < first { first - day } else { (day - last).max(0) }
    }

    /// How many days they are.
    pub fn count(self) -> i64 {
        calendar::day_number(self.last) - calendar::day_number(self.first) + 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A Tuesday.
    const ASKED: &str = "2023-05-30T10:00:00Z";

    fn days(question: &str) -> Vec<String> {
        let read = read(question, Timestamp::parse(ASKED).expect("a moment"));
        read.iter().map(|one| format!("{} {}", one.days.first, one.days.last)).collect()
    }

    fn assert_days(question: &str, expected: &[&str]) {
        assert_eq!(days(question), expected, "{question}");
    }

    #[test]
    fn days_by_name_and_number() {
        assert_days("What did I buy yesterday?", &["2023-05-29 2023-05-29"]);
        assert_days("the day before yesterday", &["2023-05-28 2023-05-28"]);
        assert_days("Where did I go last Tuesday?", &["2023-05-23 2023-05-23"]);
        assert_days("Who came on Saturday?", &["2023-05-27 2023-05-27"]);
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
    fn spans_that_are_counted_back() {
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
    fn months_seasons_and_years() {
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
    fn ranges() {
        assert_days("between March and April", &["2023-03-01 2023-04-30"]);
        assert_days("from May 1 to May 7", &["2023-05-01 2023-05-07"]);
        assert_days("since last Tuesday", &["2023-05-23 2023-05-30"]);
        assert_days("after Christmas", &["2022-12-26 2023-05-30"]);
        assert_days("between my birthday and March", &["2023-03-01 2023-03-31"]);
    }

    #[test]
    fn what_is_no_time_is_not_taken_for_one() {
        for question in [
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
            assert_days(question, &[]);
        }
    }

    #[test]
    fn a_moment_fits_the_better_the_nearer_it_is_and_the_less_is_meant() {
        let fits = |question: &str, at: &str| {
            let moment = |text: &str| Timestamp::parse(text).expect("a moment");
            fit(&read(question, moment(ASKED)), moment(at))
        };
        assert!(fits("yesterday", "2023-05-29T23:59:59Z") > 0.96);
        assert!(fits("yesterday", "2023-05-27") > fits("yesterday", "2023-05-25"));
        assert_eq!(fits("yesterday", "2023-05-22"), 0.0);
        assert!((fits("in April", "2023-04-17") - 0.5).abs() < 1e-6, "thirty days tell half");
        assert!(fits("in March or yesterday", "2023-05-29") > 0.96, "the best counts");
        assert_eq!(fits("What is it?", "2023-05-29"), 0.0);
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(question in any::<String>(), at in any::<i64>()) {
            let read = read(&question, Timestamp::from_micros(at));
            prop_assert!(read.len() <= MAX_MENTIONS);
            for mention in read {
                prop_assert!(mention.days.first <= mention.days.last);
                prop_assert!(question.get(mention.span).is_some());
            }
        }

        #[test]
        fn words_of_time_in_any_order_can_be_read(
            picked in prop::collection::vec(prop::sample::select(vec![
                "last", "next", "this", "the", "past", "two", "couple", "of", "days", "weeks", "month", "years", "ago",
                "before", "after", "since", "between", "and", "from", "to", "March", "may", "Tuesday", "summer", "31",
                "30th", "2024", "9999", "0", "99999999", "weekend", "yesterday", "Christmas", "early", "in",
            ]), 0..14),
            at in any::<i64>(),
        ) {
            let question = picked.join(" ");
            for mention in read(&question, Timestamp::from_micros(at)) {
                prop_assert!(mention.days.first <= mention.days.last, "{question}: {mention:?}");
                let fit = mention.days.fit(Timestamp::from_micros(at));
                prop_assert!((0.0..=1.0).contains(&fit), "{question}: {fit}");
            }
        }
    }
}
