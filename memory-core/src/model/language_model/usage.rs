//! Tokens of calls: what the service bills, reported or estimated.

use serde::{Deserialize, Serialize};

use super::ModelRequest;
use crate::text::count_tokens;

/// Tokens that a chat template adds to each message, and once to the prompt. OpenAI's documentation of `tiktoken` counts
/// 3 to 4.
const TEMPLATE_TOKENS: u64 = 4;

/// Tokens billed for one or more calls. The default is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompts.
    pub prompt_tokens: u64,
    /// Tokens of the replies, hidden reasoning included where the service reports it.
    pub reply_tokens: u64,
    /// True if a part is estimated, by the encoding of [`TokenCounter`](crate::text::TokenCounter).
    pub is_estimate: bool,
}

impl Usage {
    /// Estimated usage of a request with this text as its reply.
    pub fn estimate(request: &ModelRequest, reply: &str) -> Self {
        let messages =
            request.texts().map(|text| u64::from(count_tokens(text)) + TEMPLATE_TOKENS).sum::<u64>();
        let schema = request.schema.as_ref().map_or(0, |schema| count_tokens(&schema.schema.to_string()));
        Self {
            prompt_tokens: messages.saturating_add(u64::from(schema)).saturating_add(TEMPLATE_TOKENS),
            reply_tokens: u64::from(count_tokens(reply)),
            is_estimate: true,
        }
    }

    /// Sum of two usages; an estimate if one of them is.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            prompt_tokens: self.prompt_tokens.saturating_add(other.prompt_tokens),
            reply_tokens: self.reply_tokens.saturating_add(other.reply_tokens),
            is_estimate: self.is_estimate || other.is_estimate,
        }
    }

    /// Tokens of prompts and replies.
    pub fn tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.reply_tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_never_overflow_and_stay_estimates() {
        let most = Usage { prompt_tokens: u64::MAX, reply_tokens: u64::MAX, is_estimate: false };
        let sum = most.plus(Usage::estimate(&ModelRequest::new("", "hello world", 5), "hello"));
        assert_eq!(sum, Usage { is_estimate: true, ..most });
        assert_eq!(sum.tokens(), u64::MAX);
    }

    #[test]
    fn an_estimate_counts_messages_schema_and_reply() {
        let usage = Usage::estimate(&ModelRequest::new("", "hello world", 5), "hello");
        assert_eq!((usage.prompt_tokens, usage.reply_tokens), (2 + 3 * TEMPLATE_TOKENS, 1));
    }
}
