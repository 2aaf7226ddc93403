//! Tokens of a query, and the calendar meaning of single words.

use std::ops::Range;

use jiff::civil::{Date, Weekday};

use super::Days;
use super::calendar::{between, day, easter, nth_weekday, plus_days};

/// Word or number.
#[derive(Debug)]
pub(super) struct Token {
    /// Text in lower case.
    pub(super) text: String,
    /// Span in the query, in bytes.
    pub(super) span: Range<usize>,
    /// Character between this token and the previous one, if there is exactly one.
    pub(super) joint: Option<char>,
}

impl Token {
    /// Value of a number in digits.
    pub(super) fn number(&self) -> Option<i64> {
        (self.text.len() <= 6 && self.text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| self.text.parse().ok())
            .flatten()
    }

    /// Four-digit year within the supported range.
    pub(super) fn year(&self) -> Option<i16> {
        let number = self.number().filter(|number| self.text.len() == 4 && (1900..2100).contains(number))?;
        i16::try_from(number).ok()
    }

    /// Day of a month: `7`, `7th`.
    pub(super) fn day_of_month(&self) -> Option<i8> {
        let digits = self.text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let ending = self.text.get(digits.len()..)?;
        let number: i8 = digits.parse().ok().filter(|_| digits.len() <= 2)?;
        ((1..=31).contains(&number) && ["", "st", "nd", "rd", "th"].contains(&ending)).then_some(number)
    }

    /// Count: digits, a number word, or "a".
    pub(super) fn count(&self) -> Option<i64> {
        const WORDS: [&str; 13] = [
            "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
            "twelve",
        ];
        match self.text.as_str() {
            "a" | "an" => Some(1),
            "couple" => Some(2),
            "few" => Some(3),
            "several" => Some(4),
            word => self
                .number()
                .or_else(|| WORDS.iter().position(|known| *known == word).and_then(|at| at.try_into().ok())),
        }
    }
}

/// Tokenises a query.
pub(super) fn tokens(query: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut start = None;
    let ends = query.char_indices().chain(std::iter::once((query.len(), ' ')));
    for (at, letter) in ends {
        match (letter.is_alphanumeric(), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                let before = tokens.last().map_or(0, |token| token.span.end);
                let mut gap = query.get(before..from).unwrap_or_default().chars();
                let joint = gap.next().filter(|_| gap.next().is_none());
                let text = query.get(from..at).unwrap_or_default().to_lowercase();
                tokens.push(Token { text, span: from..at, joint });
                start = None;
            }
            _ => {}
        }
    }
    tokens
}

/// Calendar unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Day,
    Week,
    Month,
    Year,
}

pub(super) fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "day" | "days" => Unit::Day,
        "week" | "weeks" => Unit::Week,
        "month" | "months" => Unit::Month,
        "year" | "years" => Unit::Year,
        _ => return None,
    })
}

pub(super) fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

/// Month number from 1, with true if the name is also an ordinary word.
pub(super) fn month_name(word: &str) -> Option<(i8, bool)> {
    Some(match word {
        "january" | "jan" => (1, false),
        "february" | "feb" => (2, false),
        "march" => (3, true),
        "april" => (4, true),
        "may" => (5, true),
        "june" => (6, true),
        "july" => (7, false),
        "august" => (8, true),
        "september" | "sept" => (9, false),
        "october" | "oct" => (10, false),
        "november" | "nov" => (11, false),
        "december" | "dec" => (12, false),
        _ => return None,
    })
}

/// First month of a season.
pub(super) fn season(word: &str) -> Option<i8> {
    Some(match word {
        "spring" | "springtime" => 3,
        "summer" | "summertime" => 6,
        "fall" | "autumn" => 9,
        "winter" | "wintertime" => 12,
        _ => return None,
    })
}

/// Holiday, in any year.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holiday {
    NewYear,
    Valentine,
    Easter,
    MothersDay,
    FathersDay,
    IndependenceDay,
    LaborDay,
    Halloween,
    Thanksgiving,
    BlackFriday,
    Christmas,
}

/// Names of the holidays, as sequences of [`tokens`].
pub(super) const HOLIDAYS: &[(&[&str], Holiday)] = &[
    (&["new", "year", "s", "eve"], Holiday::NewYear),
    (&["new", "year", "s", "day"], Holiday::NewYear),
    (&["new", "years", "eve"], Holiday::NewYear),
    (&["new", "year", "s"], Holiday::NewYear),
    (&["valentine", "s", "day"], Holiday::Valentine),
    (&["valentines", "day"], Holiday::Valentine),
    (&["valentine", "s"], Holiday::Valentine),
    (&["easter"], Holiday::Easter),
    (&["mother", "s", "day"], Holiday::MothersDay),
    (&["father", "s", "day"], Holiday::FathersDay),
    (&["independence", "day"], Holiday::IndependenceDay),
    (&["fourth", "of", "july"], Holiday::IndependenceDay),
    (&["labor", "day"], Holiday::LaborDay),
    (&["halloween"], Holiday::Halloween),
    (&["thanksgiving"], Holiday::Thanksgiving),
    (&["black", "friday"], Holiday::BlackFriday),
    (&["christmas"], Holiday::Christmas),
];

impl Holiday {
    /// Days of the holiday in a year; New Year begins on the last day of the previous year.
    pub(super) fn days(self, year: i16) -> Option<Days> {
        let on = |month, number| Date::new(year, month, number).ok();
        Some(match self {
            Self::NewYear => between(plus_days(on(1, 1)?, -1)?, on(1, 1)?),
            Self::Valentine => day(on(2, 14)?),
            Self::Easter => between(plus_days(easter(year)?, -2)?, plus_days(easter(year)?, 1)?),
            Self::MothersDay => day(nth_weekday(year, 5, 2, Weekday::Sunday)?),
            Self::FathersDay => day(nth_weekday(year, 6, 3, Weekday::Sunday)?),
            Self::IndependenceDay => day(on(7, 4)?),
            Self::LaborDay => day(nth_weekday(year, 9, 1, Weekday::Monday)?),
            Self::Halloween => day(on(10, 31)?),
            Self::Thanksgiving => day(nth_weekday(year, 11, 4, Weekday::Thursday)?),
            Self::BlackFriday => day(plus_days(nth_weekday(year, 11, 4, Weekday::Thursday)?, 1)?),
            Self::Christmas => between(on(12, 24)?, on(12, 26)?),
        })
    }
}
