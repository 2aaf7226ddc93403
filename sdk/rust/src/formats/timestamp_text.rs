//! Parser of times written for people: `May 1, 2024 at 9:00 AM`, `05/01/2024 9:00 AM`, `2024-05-01 09:00:00 UTC`, and
//! their kin.
//!
//! Rules: a text is words, numbers and signs; weekdays, `at`, `on`, `of` and what stands in parentheses are ignored, so a
//! wrong weekday is, too. A month in words decides which number is the day. Three numbers are year, month, day if
//! the first has four digits. Otherwise they are month, day, year, as in the United States, unless the first is above 12:
//! then day, month, year. With dots they are day, month, year. Years of two digits are 1970 to 2069. A text with
//! anything else in it is no time.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::local_instant::LocalInstant;

/// Maximum length of a time, in bytes.
const MAX_TEXT_BYTES: usize = 128;

/// Months by the first three letters of their English names.
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Weekdays, of which a prefix of three letters or more is ignored.
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Words without meaning for a time, and separators written as letters.
const IGNORED: [&str; 9] = ["at", "on", "of", "the", "t", "st", "nd", "rd", "th"];

/// Zones by name, in hours from UTC; other names are ambiguous. From RFC 2822.
const ZONES: [(&str, i32); 11] = [
    ("utc", 0),
    ("gmt", 0),
    ("z", 0),
    ("est", -5),
    ("edt", -4),
    ("cst", -6),
    ("cdt", -5),
    ("mst", -7),
    ("mdt", -6),
    ("pst", -8),
    ("pdt", -7),
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// Number, with its digits.
    Number(u32, usize),
    Word(String),
    Sign(char),
}

/// Parts of a time found so far.
#[derive(Default)]
struct Parts {
    hour: Option<u32>,
    minute: u32,
    second: u32,
    nanos: u32,
    afternoon: Option<bool>,
    offset_seconds: Option<i32>,
    month: Option<u32>,
    /// Numbers of the date, each with its digits.
    numbers: Vec<(u32, usize)>,
    dots: bool,
    /// Number of date numbers before the month in words.
    before_month: usize,
}

/// Time of a text; without a zone in UTC.
pub(super) fn parse(text: &str) -> Option<LocalInstant> {
    if text.len() > MAX_TEXT_BYTES {
        return None;
    }
    let tokens = tokens(text)?;
    let mut parts = Parts::default();
    let mut rest = tokens.as_slice();
    if let [Token::Sign(_), ..] = rest {
        return None;
    }
    while !rest.is_empty() {
        rest = parts.take(rest)?;
    }
    parts.finish()
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let lower = text.to_lowercase();
    let mut chars = lower.chars().peekable();
    while let Some(&c) = chars.peek() {
        if c.is_ascii_digit() {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            tokens.push(Token::Number(digits.parse().ok()?, digits.len()));
        } else if c.is_alphabetic() {
            let mut word = String::new();
            while let Some(letter) = chars.next_if(|c| c.is_alphabetic()) {
                word.push(letter);
            }
            tokens.push(Token::Word(word));
        } else if c == '(' {
            while chars.next().is_some_and(|c| c != ')') {}
        } else {
            chars.next();
            match c {
                _ if c.is_whitespace() => {}
                ',' => {}
                ':' | '/' | '-' | '+' | '.' => tokens.push(Token::Sign(c)),
                _ => return None,
            }
        }
    }
    Some(tokens)
}

impl Parts {
    /// Takes one part from the beginning of `tokens`, and returns the others.
    fn take<'t>(&mut self, tokens: &'t [Token]) -> Option<&'t [Token]> {
        match tokens {
            [Token::Number(hour, 1..=2), Token::Sign(':'), Token::Number(minute, 2), rest @ ..]
                if self.hour.is_none() =>
            {
                (self.hour, self.minute) = (Some(*hour), *minute);
                Some(self.seconds(rest))
            }
            [Token::Number(hour, 1..=2), Token::Word(half), ..]
                if self.hour.is_none() && matches!(half.as_str(), "am" | "pm") =>
            {
                self.hour = Some(*hour);
                tokens.get(1..)
            }
            [Token::Number(value, digits), rest @ ..] if self.numbers.len() < 3 => {
                self.numbers.push((*value, *digits));
                Some(rest)
            }
            [Token::Word(half), rest @ ..] if matches!(half.as_str(), "am" | "pm") && self.hour.is_some() => {
                self.half(half == "pm", rest)
            }
            [Token::Word(half), Token::Sign('.'), Token::Word(m), rest @ ..]
                if matches!(half.as_str(), "a" | "p") && m == "m" && self.hour.is_some() =>
            {
                let rest = if let [Token::Sign('.'), rest @ ..] = rest { rest } else { rest };
                self.half(half == "p", rest)
            }
            [Token::Word(word), rest @ ..] => self.word(word, rest),
            [Token::Sign(sign @ ('+' | '-')), Token::Number(value, digits), rest @ ..]
                if self.hour.is_some() && self.numbers.len() + usize::from(self.month.is_some()) >= 3 =>
            {
                self.offset(*sign == '-', *value, *digits, rest)
            }
            [Token::Sign('.' | '/' | '-'), Token::Sign(_), ..] => None,
            [Token::Sign('.'), rest @ ..] => {
                self.dots |= self.month.is_none();
                Some(rest)
            }
            [Token::Sign('/' | '-'), rest @ ..] if !rest.is_empty() => Some(rest),
            _ => None,
        }
    }

    /// Takes `:SS` and a fraction, if they follow.
    fn seconds<'t>(&mut self, tokens: &'t [Token]) -> &'t [Token] {
        let [Token::Sign(':'), Token::Number(second, 2), rest @ ..] = tokens else { return tokens };
        self.second = *second;
        match rest {
            [Token::Sign('.'), Token::Number(fraction, digits @ 1..=9), rest @ ..] => {
                let scale = u32::try_from(9 - digits).ok().and_then(|power| 10_u32.checked_pow(power));
                self.nanos = scale.and_then(|scale| fraction.checked_mul(scale)).unwrap_or_default();
                rest
            }
            rest => rest,
        }
    }

    fn half<'t>(&mut self, afternoon: bool, rest: &'t [Token]) -> Option<&'t [Token]> {
        self.afternoon.replace(afternoon).is_none().then_some(rest)
    }

    fn word<'t>(&mut self, word: &str, rest: &'t [Token]) -> Option<&'t [Token]> {
        let is_of = |name: &str| {
            word.len() >= 3 && (name.starts_with(word) || (word == "sept" && name == "september"))
        };
        if let Some(month) = (1..).zip(MONTHS).find_map(|(number, name)| is_of(name).then_some(number)) {
            self.before_month = self.numbers.len();
            return self.month.replace(month).is_none().then_some(after_dot(rest));
        }
        if IGNORED.contains(&word) {
            return Some(rest);
        }
        if WEEKDAYS.into_iter().any(|name| is_of(name) || (name.starts_with("thu") && word == "thurs")) {
            return Some(after_dot(rest));
        }
        let (_, hours) = ZONES.into_iter().find(|(name, _)| *name == word)?;
        match rest {
            // `GMT+0200`.
            [Token::Sign(sign @ ('+' | '-')), Token::Number(value, digits), rest @ ..] if hours == 0 => {
                self.offset(*sign == '-', *value, *digits, rest)
            }
            rest => self.offset_seconds.replace(hours * 3600).is_none().then_some(rest),
        }
    }

    /// Takes an offset of `H`, `HH`, `HHMM`, or `HH` before `:MM`.
    fn offset<'t>(
        &mut self,
        negative: bool,
        value: u32,
        digits: usize,
        rest: &'t [Token],
    ) -> Option<&'t [Token]> {
        let (hours, minutes, rest) = match (digits, rest) {
            (1..=2, [Token::Sign(':'), Token::Number(minutes, 2), rest @ ..]) => (value, *minutes, rest),
            (1..=2, rest) => (value, 0, rest),
            (4, rest) => (value / 100, value % 100, rest),
            _ => return None,
        };
        let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
        let seconds = if negative { -seconds } else { seconds };
        (minutes < 60 && self.offset_seconds.replace(seconds).is_none()).then_some(rest)
    }

    fn finish(self) -> Option<LocalInstant> {
        let (year, month, day) = self.date()?;
        let hour = match (self.hour, self.afternoon) {
            (None, None) => 0,
            (Some(hour), None) => hour,
            (Some(hour @ 1..=12), Some(afternoon)) => hour % 12 + if afternoon { 12 } else { 0 },
            _ => return None,
        };
        let small = |number: u32| i8::try_from(number).ok();
        let civil = DateTime::new(
            i16::try_from(year).ok()?,
            small(month)?,
            small(day)?,
            small(hour)?,
            small(self.minute)?,
            small(self.second.min(59))?,
            i32::try_from(self.nanos).ok()?,
        );
        if self.second > 60 {
            return None;
        }
        let offset = Offset::from_seconds(self.offset_seconds.unwrap_or_default()).ok()?;
        let at = TimeZone::fixed(offset).to_timestamp(civil.ok()?).ok()?;
        Some(LocalInstant { at, offset: Some(offset) })
    }

    /// Year, month and day.
    fn date(&self) -> Option<(u32, u32, u32)> {
        match (self.month, self.numbers.as_slice()) {
            // Year and month in words, then the day; or the day and the year, in whichever order to the month.
            (Some(month), [year @ (_, 4), day]) if self.before_month == 1 => {
                Some((full(*year)?, month, day.0))
            }
            (Some(month), [day @ (_, 1..=2), year]) => Some((full(*year)?, month, day.0)),
            (None, [year @ (_, 4), month, day]) => Some((full(*year)?, month.0, day.0)),
            (None, [day, month, year]) if self.dots || day.0 > 12 => Some((full(*year)?, month.0, day.0)),
            (None, [month, day, year]) => Some((full(*year)?, month.0, day.0)),
            _ => None,
        }
    }
}

/// Year of a number of four or two digits.
fn full((value, digits): (u32, usize)) -> Option<u32> {
    match (digits, value) {
        (4, _) => Some(value),
        (2, 70..) => Some(1900 + value),
        (2, _) => Some(2000 + value),
        _ => None,
    }
}

fn after_dot(tokens: &[Token]) -> &[Token] {
    if let [Token::Sign('.'), rest @ ..] = tokens { rest } else { tokens }
}
