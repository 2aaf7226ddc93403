//! Grammar of time expressions, tried at every token, longest match first. This file has the expressions relative to
//! the day of the query; calendar expressions are in [`super::named`].

use jiff::civil::{Date, Weekday};

use super::calendar::{
    between, centred, day, month, plus_days, plus_months, week_of, weekday_after, weekday_before, year,
};
use super::words::{Token, Unit, month_name, tokens, unit, weekday};
use super::{Days, MAX_MENTIONS, Mention};

/// Parse result: the days, and the index of the first token after the expression.
pub(super) type ParsedPhrase = Option<(Days, usize)>;

/// Length of "lately", in days.
const LATELY_DAYS: i64 = 30;
/// Largest count of days, weeks, months or years in an expression.
const MAX_COUNTED: i64 = 1_000;

/// Parser over the tokens of a query.
pub(super) struct Reader {
    pub(super) tokens: Vec<Token>,
    pub(super) today: Date,
}

/// Direction of an expression relative to the day of the query, by the word before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Last,
    This,
    Next,
}

impl Reader {
    pub(super) fn new(query: &str, today: Date) -> Self {
        Self { tokens: tokens(query), today }
    }

    pub(super) fn read(&self) -> Vec<Mention> {
        let (mut mentions, mut at) = (Vec::new(), 0);
        while at < self.tokens.len() && mentions.len() < MAX_MENTIONS {
            if let Some((days, end)) = self.phrase(at) {
                let span = self.tokens[at].span.start..self.tokens[end - 1].span.end;
                mentions.push(Mention { days, span });
                at = end;
            } else {
                at += 1;
            }
        }
        mentions
    }

    pub(super) fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text.as_str())
    }

    pub(super) fn word_before(&self, at: usize) -> &str {
        at.checked_sub(1).map_or("", |before| self.word(before))
    }

    /// Word before the article that precedes a token.
    pub(super) fn before_the(&self, at: usize) -> &str {
        at.checked_sub(2).map_or("", |before| self.word(before))
    }

    fn phrase(&self, at: usize) -> ParsedPhrase {
        self.range(at).or_else(|| self.point(at))
    }

    /// Range: "between … and …", "from … to …", "since …", "after …".
    fn range(&self, at: usize) -> ParsedPhrase {
        let ends: &[&str] = match self.word(at) {
            "between" => &["and"],
            "from" => &["to", "until", "till", "through"],
            "since" | "after" => {
                let (days, end) = self.point(at + 1)?;
                let first = if self.word(at) == "since" { days.first } else { days.last };
                return (first <= self.today).then(|| (between(first, self.today), end));
            }
            _ => return None,
        };
        let (first, end) = self.point(at + 1)?;
        if !ends.contains(&self.word(end)) {
            return None;
        }
        let (last, end) = self.point(end + 1)?;
        Some((between(first.first.min(last.first), first.last.max(last.last)), end))
    }

    /// Single expression, without a range.
    fn point(&self, at: usize) -> ParsedPhrase {
        self.date_in_digits(at)
            .or_else(|| self.near_day(at))
            .or_else(|| self.ago(at))
            .or_else(|| self.directed(at))
            .or_else(|| self.day_of_month(at))
            .or_else(|| self.part(at))
            .or_else(|| self.bare_month(at))
            .or_else(|| self.bare_season(at))
            .or_else(|| self.holiday(at, None))
            .or_else(|| self.bare_weekday(at))
            .or_else(|| self.bare_year(at))
    }

    /// Numeric date: `2023-05-07`, `2023/05/07`.
    fn date_in_digits(&self, at: usize) -> ParsedPhrase {
        let [first, second, third] = self.tokens.get(at..at + 3)? else { return None };
        let joint = second.joint.filter(|joint| matches!(joint, '-' | '/'))?;
        if third.joint != Some(joint) {
            return None;
        }
        let (month, number) = (second.number()?.try_into().ok()?, third.number()?.try_into().ok()?);
        Some((day(Date::new(first.year()?, month, number).ok()?), at + 3))
    }

    fn near_day(&self, at: usize) -> ParsedPhrase {
        let back = |days: i64, words: usize| Some((day(plus_days(self.today, -days)?), at + words));
        match (self.word(at), self.word(at + 1), self.word(at + 2)) {
            ("day", "before", "yesterday") => back(2, 3),
            ("yesterday", _, _) => back(1, 1),
            ("last", "night", _) => back(1, 2),
            ("today" | "tonight", _, _) => back(0, 1),
            ("this", "morning" | "afternoon" | "evening", _) => back(0, 2),
            ("recently" | "lately", _, _) => {
                Some((between(plus_days(self.today, -LATELY_DAYS)?, self.today), at + 1))
            }
            _ => None,
        }
    }

    /// Count at this token, including "a couple of", and the index after it.
    fn count(&self, at: usize) -> Option<(i64, usize)> {
        let is_article = self.word(at) == "a" && matches!(self.word(at + 1), "couple" | "few");
        let at = if is_article { at + 1 } else { at };
        let count = self.tokens.get(at)?.count().filter(|count| *count <= MAX_COUNTED)?;
        let has_of = matches!(self.word(at), "couple" | "several") && self.word(at + 1) == "of";
        Some((count, at + 1 + usize::from(has_of)))
    }

    fn before_today(&self, count: i64, unit: Unit) -> Option<Date> {
        match unit {
            Unit::Day => plus_days(self.today, -count),
            Unit::Week => plus_days(self.today, -7 * count),
            Unit::Month => plus_months(self.today, -count),
            Unit::Year => plus_months(self.today, -12 * count),
        }
    }

    /// Offset into the past: "three weeks ago". The range is wider for a coarser unit.
    fn ago(&self, at: usize) -> ParsedPhrase {
        let (count, end) = self.count(at)?;
        let unit = unit(self.word(end))?;
        if self.word(end + 1) != "ago" {
            return None;
        }
        let days_around = match unit {
            Unit::Day => 0,
            Unit::Week => 3,
            Unit::Month => 15,
            Unit::Year => 182,
        };
        Some((centred(self.before_today(count, unit)?, days_around)?, end + 2))
    }

    /// Expression after "last", "past", "this" or "next".
    fn directed(&self, at: usize) -> ParsedPhrase {
        let direction = match self.word(at) {
            "last" | "past" | "previous" => Direction::Last,
            "this" => Direction::This,
            "next" | "coming" => Direction::Next,
            _ => return None,
        };
        let after = at + 1;
        self.running(at)
            .or_else(|| Some((self.directed_unit(self.word(after), direction)?, after + 1)))
            .or_else(|| Some((self.weekend(self.word(after), direction)?, after + 1)))
            .or_else(|| Some((day(self.directed_weekday(weekday(self.word(after))?, direction)?), after + 1)))
            .or_else(|| {
                let (number, _) = month_name(self.word(after))?;
                Some((month(self.year_of_month(number, Some(direction))?, number)?, after + 1))
            })
            .or_else(|| self.directed_season(after, direction))
            .or_else(|| self.holiday(after, Some(direction)))
    }

    /// Range that ends today: "the past two weeks", "over the last month".
    fn running(&self, at: usize) -> ParsedPhrase {
        let word = self.word(at);
        let counted = self.count(at + 1).filter(|(_, end)| unit(self.word(*end)).is_some());
        let is_over =
            self.word_before(at) == "the" && matches!(self.before_the(at), "over" | "in" | "during" | "for");
        let (count, end) = match counted {
            Some(counted) if matches!(word, "last" | "past" | "previous") => counted,
            None if word == "past" || (word == "last" && is_over) => (1, at + 1),
            _ => return None,
        };
        let first = self.before_today(count, unit(self.word(end))?)?;
        Some((between(first, self.today), end + 1))
    }

    /// Current calendar week, month or year, or the previous or next one.
    fn directed_unit(&self, word: &str, direction: Direction) -> Option<Days> {
        let step = direction.step();
        match word {
            "week" => week_of(plus_days(self.today, 7 * step)?),
            "month" => {
                let there = plus_months(self.today.first_of_month(), step)?;
                month(there.year(), there.month())
            }
            "year" => year(self.today.year().checked_add(i16::try_from(step).ok()?)?),
            _ => None,
        }
    }

    fn weekend(&self, word: &str, direction: Direction) -> Option<Days> {
        if word != "weekend" {
            return None;
        }
        let sunday = week_of(self.today)?.last;
        let is_on = self.today >= plus_days(sunday, -1)?;
        let weeks = match direction {
            Direction::Last => -1,
            Direction::This => 0,
            Direction::Next => i64::from(is_on),
        };
        let last = plus_days(sunday, 7 * weeks)?;
        Some(between(plus_days(last, -1)?, last))
    }

    fn directed_weekday(&self, weekday: Weekday, direction: Direction) -> Option<Date> {
        match direction {
            Direction::Last => weekday_before(self.today, weekday),
            Direction::This => plus_days(week_of(self.today)?.first, weekday.to_monday_zero_offset().into()),
            Direction::Next => weekday_after(self.today, weekday),
        }
    }
}

impl Direction {
    fn step(self) -> i64 {
        match self {
            Self::Last => -1,
            Self::This => 0,
            Self::Next => 1,
        }
    }
}
