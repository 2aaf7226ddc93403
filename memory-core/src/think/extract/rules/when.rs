//! Times of a sentence, resolved to days at the time of the utterance.
//!
//! Expressions about the past and dates are those of [`crate::text::time_expressions`]; this file adds what statements have
//! and queries have not: the future ("tomorrow", "in two weeks", "in June" of a plan) and durations ("for three months").

use std::ops::Range;

use jiff::civil::Date;
use jiff::{Span, ToSpan};

use super::tokens::Token;
use super::words::Words;
use crate::domain::memory::Happened;
use crate::domain::time::Timestamp;
use crate::domain::zone::Zone;
use crate::text::time_expressions;

/// Largest count in a duration or distance.
const MAX_COUNT: i64 = 1_000;

/// Form of a time in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Days: the event is in them.
    Days,
    /// Duration up to now: the state holds since its start.
    Since,
}

/// Time in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Time {
    /// Its tokens.
    pub(super) tokens: Range<usize>,
    pub(super) form: Form,
    first: Date,
    last: Date,
    /// Expression in lower case.
    words: String,
}

/// Times of a sentence that is said on the day `today` of its speaker, in its order.
pub(super) fn times(sentence: &str, tokens: &[Token], today: Date) -> Vec<Time> {
    let mut found = added(tokens, today);
    for mention in time_expressions::read(sentence, today) {
        let span = mention.span;
        let inside: Vec<usize> = (0..tokens.len())
            .filter(|at| {
                tokens
                    .get(*at)
                    .is_some_and(|token| token.span.start < span.end && span.start < token.span.end)
            })
            .collect();
        let (Some(first), Some(last)) = (inside.first().copied(), inside.last().copied()) else { continue };
        let words = sentence.get(span).unwrap_or_default().to_lowercase();
        let before =
            first.checked_sub(1).and_then(|at| tokens.get(at)).map_or("", |token| token.word.as_str());
        let word = |at: usize| tokens.get(at).map_or("", |token| token.word.as_str());
        let is_repeated =
            (first.saturating_sub(4)..first).any(|at| matches!(word(at), "every" | "each" | "most"));
        let is_habit = is_repeated
            || before == "of"
            || matches!(word(last + 1), "nights" | "mornings" | "evenings" | "afternoons")
            || VAGUE.contains(&words.as_str());
        let is_new = found.iter().all(|time| time.tokens.end <= first || last < time.tokens.start);
        if is_new && !is_habit {
            let form = if words.starts_with("since") { Form::Since } else { Form::Days };
            found.push(Time {
                tokens: first..last + 1,
                form,
                first: mention.days.first,
                last: mention.days.last,
                words,
            });
        }
    }
    found.sort_by_key(|time| time.tokens.start);
    found
}

/// Expressions that name no time that a fact should keep.
const VAGUE: &[&str] = &["lately", "recently", "these days", "this time"];

/// Future distances and durations.
fn added(tokens: &[Token], today: Date) -> Vec<Time> {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.word.as_str());
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let time = match word(at) {
            "tomorrow" => today.checked_add(1.day()).ok().map(|day| (at + 1, Form::Days, day, day)),
            "tonight" => Some((at + 1, Form::Days, today, today)),
            "in" | "for" => counted(tokens, at, today),
            _ => None,
        };
        if let Some((end, form, first, last)) = time {
            found.push(Time { tokens: at..end, form, first, last, words: word(at).to_owned() });
        }
    }
    found
}

/// `in two weeks`, `for about three months`, `for the past year`.
fn counted(tokens: &[Token], at: usize, today: Date) -> Option<(usize, Form, Date, Date)> {
    const SKIPPED: Words = Words("about around over almost nearly the past last just roughly");
    let word = |at: usize| tokens.get(at).map_or("", |token| token.word.as_str());
    let mut next = at + 1;
    while SKIPPED.contains(word(next)) {
        next += 1;
    }
    let (count, next) = match (word(next), word(next + 1), word(next + 2)) {
        ("a", "couple", "of") => (2, next + 3),
        ("a", "few", _) => (3, next + 2),
        (number, _, _) => match count(number) {
            Some(count) => (count, next + 1),
            None => (1, next),
        },
    };
    let span = match word(next) {
        "day" | "days" => Span::new().try_days(count),
        "week" | "weeks" => Span::new().try_weeks(count),
        "month" | "months" => Span::new().try_months(count),
        "year" | "years" => Span::new().try_years(count),
        _ => return None,
    }
    .ok()?;
    let is_past = (at..next).any(|at| matches!(word(at), "past" | "last"));
    let is_after_have = (0..at).any(|at| matches!(word(at), "been" | "have"));
    match word(at) {
        "in" if !is_past && word(next + 1) != "'s" => {
            let day = today.checked_add(span).ok()?;
            (next - at > 1).then_some((next + 1, Form::Days, day, day))
        }
        "for" if is_past || is_after_have => {
            Some((next + 1, Form::Since, today.checked_sub(span).ok()?, today))
        }
        _ => None,
    }
}

fn count(word: &str) -> Option<i64> {
    const WORDS: Words = Words("zero one two three four five six seven eight nine ten eleven twelve");
    if matches!(word, "a" | "an") {
        return Some(1);
    }
    let named = WORDS.iter().position(|known| known == word).and_then(|at| i64::try_from(at).ok());
    named.or_else(|| word.parse().ok().filter(|count| (1..=MAX_COUNT).contains(count)))
}

impl Time {
    /// The same time of a plan: a day or month without a year is the next one.
    pub(super) fn for_plan(&self, today: Date) -> Self {
        const PAST: Words = Words("last ago past yesterday since after previous");
        const WEEKDAYS: Words = Words("monday tuesday wednesday thursday friday saturday sunday");
        let has_year = self.has_year() || PAST.iter().any(|word| self.words.contains(word));
        if self.last >= today || has_year {
            return self.clone();
        }
        let is_weekday = WEEKDAYS.iter().any(|day| self.words.contains(day));
        let step = if is_weekday { 7.days() } else { 1.year() };
        let (mut first, mut last) = (self.first, self.last);
        for _ in 0..2 {
            if last >= today {
                break;
            }
            let (Ok(next_first), Ok(next_last)) = (first.checked_add(step), last.checked_add(step)) else {
                break;
            };
            (first, last) = (next_first, next_last);
        }
        Self { first, last, ..self.clone() }
    }

    fn has_year(&self) -> bool {
        self.words.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() == 4)
    }

    /// First moment.
    pub(super) fn start(&self, zone: &Zone) -> Option<Timestamp> {
        zone.start_of(self.first)
    }

    /// Time of the event, whole days of the speaker. The offset keeps them the days that were meant.
    pub(super) fn happened(&self, zone: &Zone) -> Option<Happened> {
        let (at, until) = (self.start(zone)?, zone.end_of(self.last)?);
        Some(Happened { at, until: (until > at).then_some(until), offset: Some(zone.offset(at)) })
    }

    /// Dates, to be written behind the expression; `None` where it names its year.
    pub(super) fn note(&self) -> Option<String> {
        if self.has_year() || self.form == Form::Since && !self.words.starts_with("since") {
            return None;
        }
        let (first, last) = (self.first, self.last);
        let is_month = first.day() == 1 && last == first.last_of_month();
        Some(match () {
            () if first == last => first.to_string(),
            () if is_month => format!("{:04}-{:02}", first.year(), first.month()),
            () if first.day_of_year() == 1 && last == first.last_of_year() => first.year().to_string(),
            () if self.form == Form::Since => first.to_string(),
            () => format!("{first} to {last}"),
        })
    }
}
