//! Budget of thinking, pure: what an owner has spent today, and whether another call is allowed.

use super::settings::Budget;
use crate::store::UsageEntry;

/// Bound that has been reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// Calls of the day.
    Calls,
    /// Tokens of the day.
    Tokens,
    /// Money of the day.
    Cost,
}

impl Exhausted {
    /// Error code of a job that stops for it.
    pub const fn code(self) -> &'static str {
        match self {
            Exhausted::Calls => "budget_of_calls_exhausted",
            Exhausted::Tokens => "budget_of_tokens_exhausted",
            Exhausted::Cost => "budget_of_money_exhausted",
        }
    }
}

/// The first bound that today's usage has reached; `None` if another call is allowed. The last call of a day may go over
/// the bound by its own length, which is not known before.
pub fn exhausted(budget: &Budget, today: &[UsageEntry]) -> Option<Exhausted> {
    let sum = |of: fn(&UsageEntry) -> u64| today.iter().map(of).fold(0, u64::saturating_add);
    let reached = |bound: Option<u64>, spent: u64| bound.is_some_and(|bound| spent >= bound);
    if reached(budget.calls_per_day, sum(|entry| entry.calls)) {
        Some(Exhausted::Calls)
    } else if reached(budget.tokens_per_day, sum(|entry| entry.prompt_tokens.saturating_add(entry.reply_tokens))) {
        Some(Exhausted::Tokens)
    } else if reached(budget.cost_micros_per_day, sum(|entry| entry.cost_micros)) {
        Some(Exhausted::Cost)
    } else {
        None
    }
}
