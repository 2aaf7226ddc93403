//! Budget of thinking, pure: what an owner has spent today, and whether another call is allowed.

use crate::store::{Usage, UsageEntry};
use crate::think::settings::Budget;

/// Bound that has been reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::think) enum Exhausted {
    /// Calls of the day.
    Calls,
    /// Tokens of the day.
    Tokens,
    /// Money of the day.
    Cost,
}

impl Exhausted {
    /// Error code of a job that stops for it.
    pub(in crate::think) const fn code(self) -> &'static str {
        match self {
            Exhausted::Calls => "budget_of_calls_exhausted",
            Exhausted::Tokens => "budget_of_tokens_exhausted",
            Exhausted::Cost => "budget_of_money_exhausted",
        }
    }
}

/// The first bound that today's usage has reached; `None` if another call is allowed. The last call of a day may go over
/// the bound by its own length, which is not known before.
pub(in crate::think) fn exhausted(budget: &Budget, today: &[UsageEntry]) -> Option<Exhausted> {
    let sum = |of: fn(&Usage) -> u64| today.iter().map(|entry| of(&entry.usage)).fold(0, u64::saturating_add);
    let reached = |bound: Option<u64>, spent: u64| bound.is_some_and(|bound| spent >= bound);
    if reached(budget.calls_per_day, sum(|usage| usage.calls)) {
        Some(Exhausted::Calls)
    } else if reached(
        budget.tokens_per_day,
        sum(|usage| usage.prompt_tokens.saturating_add(usage.reply_tokens)),
    ) {
        Some(Exhausted::Tokens)
    } else if reached(budget.cost_micros_per_day, sum(|usage| usage.cost_micros)) {
        Some(Exhausted::Cost)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(calls: u64, tokens: u64, cost_micros: u64) -> UsageEntry {
        let usage = Usage { calls, prompt_tokens: tokens, cost_micros, ..Usage::default() };
        UsageEntry { day: 0, task: "extract".to_owned(), model: "m".to_owned(), usage }
    }

    #[test]
    fn each_bound_is_over_all_models_of_the_day() {
        let today = [spent(2, 100, 5), spent(1, 50, 5)];
        let of = |calls, tokens, cost| Budget {
            calls_per_day: calls,
            tokens_per_day: tokens,
            cost_micros_per_day: cost,
        };
        assert_eq!(exhausted(&Budget::default(), &today), None);
        assert_eq!(exhausted(&of(Some(4), Some(151), Some(11)), &today), None);
        assert_eq!(exhausted(&of(Some(3), None, None), &today), Some(Exhausted::Calls));
        assert_eq!(exhausted(&of(None, Some(150), None), &today), Some(Exhausted::Tokens));
        assert_eq!(exhausted(&of(None, None, Some(10)), &today), Some(Exhausted::Cost));
        assert_eq!(exhausted(&of(Some(0), None, None), &[]), Some(Exhausted::Calls));
    }
}
