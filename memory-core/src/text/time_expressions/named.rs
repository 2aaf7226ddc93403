//! Grammar of calendar expressions: months, seasons, years, weekdays, holidays. Without a year, an expression denotes
//! the last such range that began by the day of the query.

use jiff::civil::Date;

use super::Days;
use super::calendar::{between, day, month, plus_days, plus_months, weekday_before, year};
use super::phrases::{Direction, ParsedPhrase, Reader};
use super::words::{HOLIDAYS, month_name, season, weekday};

/// Part of a month or of a year.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Early,
    Mid,
    Late,
}

impl Reader {
    /// Day of a month: "May 7th, 2022", "the 7th of May".
    pub(super) fn day_of_month(&self, at: usize) -> ParsedPhrase {
        let (number, month, end) = match month_name(self.word(at)) {
            Some((month, _)) => (self.tokens.get(at + 1)?.day_of_month()?, month, at + 2),
            None => {
                let number = self.tokens.get(at)?.day_of_month()?;
                let at = if self.word(at + 1) == "of" { at + 2 } else { at + 1 };
                (number, month_name(self.word(at))?.0, at + 1)
            }
        };
        if let Some((year, end)) = self.year_after(end)
            && let Ok(date) = Date::new(year, month, number)
        {
            return Some((day(date), end));
        }
        let this = Date::new(self.today.year(), month, number).ok().filter(|date| *date <= self.today);
        let before = || Date::new(self.today.year().checked_sub(1)?, month, number).ok();
        Some((day(this.or_else(before)?), end))
    }

    /// Part of a month or year: "early April 2021", "mid-February", "late 2022".
    pub(super) fn part(&self, at: usize) -> ParsedPhrase {
        let part = match self.word(at) {
            "early" => Part::Early,
            "mid" | "middle" => Part::Mid,
            "late" => Part::Late,
            _ => return None,
        };
        let after = if self.word(at + 1) == "of" { at + 2 } else { at + 1 };
        if let Some((number, _)) = month_name(self.word(after)) {
            let (days, end) = self.month_with_year(number, after)?;
            let on = |number| Date::new(days.first.year(), days.first.month(), number).ok();
            let days = match part {
                Part::Early => between(days.first, on(10)?),
                Part::Mid => between(on(11)?, on(20)?),
                Part::Late => between(on(21)?, days.last),
            };
            return Some((days, end));
        }
        let year = self.tokens.get(after)?.year()?;
        let (first, last) = match part {
            Part::Early => (1, 4),
            Part::Mid => (5, 8),
            Part::Late => (9, 12),
        };
        Some((between(month(year, first)?.first, month(year, last)?.last), after + 1))
    }

    fn month_with_year(&self, number: i8, at: usize) -> ParsedPhrase {
        match self.year_after(at + 1) {
            Some((year, end)) => Some((month(year, number)?, end)),
            None => Some((month(self.year_of_month(number, None)?, number)?, at + 1)),
        }
    }

    pub(super) fn bare_month(&self, at: usize) -> ParsedPhrase {
        let (number, has_other_meaning) = month_name(self.word(at))?;
        let is_meant =
            !has_other_meaning || self.follows_preposition(at) || self.year_after(at + 1).is_some();
        if is_meant { self.month_with_year(number, at) } else { None }
    }

    fn follows_preposition(&self, at: usize) -> bool {
        const PREPOSITIONS: [&str; 14] = [
            "in", "since", "until", "till", "by", "before", "after", "of", "from", "to", "through",
            "between", "and", "during",
        ];
        PREPOSITIONS.contains(&self.word_before(at))
    }

    pub(super) fn directed_season(&self, at: usize, direction: Direction) -> ParsedPhrase {
        let first = season(self.word(at))?;
        let this = season_days(first, self.today.year())?;
        let year = match direction {
            Direction::Last if this.last < self.today => self.today.year(),
            Direction::Last => self.today.year().checked_sub(1)?,
            Direction::Next if this.first > self.today => self.today.year(),
            Direction::Next => self.today.year().checked_add(1)?,
            Direction::This => self.today.year(),
        };
        Some((season_days(first, year)?, at + 1))
    }

    /// Season: "in the summer", "summer of 2022", "the summer before last".
    pub(super) fn bare_season(&self, at: usize) -> ParsedPhrase {
        let first = season(self.word(at))?;
        if let Some((year, end)) = self.year_after(at + 1) {
            return Some((season_days(first, year)?, end));
        }
        if (self.word(at + 1), self.word(at + 2)) == ("before", "last") {
            let (last, _) = self.directed_season(at, Direction::Last)?;
            return Some((season_days(first, last.first.year().checked_sub(1)?)?, at + 3));
        }
        let before = if self.word_before(at) == "the" { self.before_the(at) } else { self.word_before(at) };
        if !matches!(before, "in" | "during" | "over" | "since" | "after") {
            return None;
        }
        let this = season_days(first, self.today.year())?;
        let year =
            if this.first <= self.today { self.today.year() } else { self.today.year().checked_sub(1)? };
        Some((season_days(first, year)?, at + 1))
    }

    pub(super) fn holiday(&self, at: usize, direction: Option<Direction>) -> ParsedPhrase {
        let is_here =
            |name: &[&str]| name.iter().enumerate().all(|(step, word)| self.word(at + step) == *word);
        let (name, holiday) = HOLIDAYS.iter().find(|(name, _)| is_here(name))?;
        let end = at + name.len();
        if let Some((year, end)) = self.year_after(end) {
            return Some((holiday.days(year)?, end));
        }
        let this = self.today.year();
        let near = [this.checked_sub(1)?, this, this.checked_add(1)?].map(|year| holiday.days(year));
        let days = match direction {
            Some(Direction::Next) => near.into_iter().flatten().find(|days| days.first > self.today),
            Some(Direction::This) => holiday.days(this),
            _ => near.into_iter().flatten().rfind(|days| days.first <= self.today),
        };
        Some((days?, end))
    }

    /// Weekday: "on Saturday" is the last one, today included. "On Saturday mornings" is a habit and no day.
    pub(super) fn bare_weekday(&self, at: usize) -> ParsedPhrase {
        let weekday = weekday(self.word(at))?;
        if ["mornings", "afternoons", "evenings", "nights"].contains(&self.word(at + 1)) {
            return None;
        }
        let date =
            if self.today.weekday() == weekday { self.today } else { weekday_before(self.today, weekday)? };
        Some((day(date), at + 1))
    }

    pub(super) fn bare_year(&self, at: usize) -> ParsedPhrase {
        let number = self.tokens.get(at)?.year()?;
        self.follows_preposition(at).then(|| Some((year(number)?, at + 1))).flatten()
    }

    /// Year of the month that is denoted.
    pub(super) fn year_of_month(&self, number: i8, direction: Option<Direction>) -> Option<i16> {
        let this = self.today.year();
        let now = self.today.month();
        match direction {
            None if number > now => this.checked_sub(1),
            Some(Direction::Last) if number >= now => this.checked_sub(1),
            Some(Direction::Next) if number <= now => this.checked_add(1),
            _ => Some(this),
        }
    }

    /// Optional year after an expression, with or without "in" or "of".
    fn year_after(&self, at: usize) -> Option<(i16, usize)> {
        let at = if matches!(self.word(at), "in" | "of") { at + 1 } else { at };
        Some((self.tokens.get(at)?.year()?, at + 1))
    }
}

/// Days of a season, in whole months; a winter belongs to the year in which it begins.
fn season_days(first: i8, year: i16) -> Option<Days> {
    let first = month(year, first)?.first;
    Some(between(first, plus_days(plus_months(first, 3)?, -1)?))
}
