//! Price of tokens, from which the cost of calls follows.

use serde::{Deserialize, Serialize};

use super::Usage;

/// Price of a model, in the currency that the operator counts in. The default is free, as a local model is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Price of one million tokens of prompts.
    #[serde(default)]
    pub per_million_prompt_tokens: f64,
    /// Price of one million tokens of replies.
    #[serde(default)]
    pub per_million_reply_tokens: f64,
}

impl Price {
    /// True if both prices are finite and not negative.
    pub fn is_valid(&self) -> bool {
        [self.per_million_prompt_tokens, self.per_million_reply_tokens]
            .iter()
            .all(|price| price.is_finite() && *price >= 0.0)
    }

    /// Cost of a usage.
    pub fn cost(&self, usage: &Usage) -> f64 {
        let prompt = usage.prompt_tokens as f64 * self.per_million_prompt_tokens;
        let reply = usage.reply_tokens as f64 * self.per_million_reply_tokens;
        (prompt + reply) / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_and_replies_have_their_own_price() {
        let price = Price { per_million_prompt_tokens: 0.5, per_million_reply_tokens: 2.0 };
        let usage = Usage { prompt_tokens: 2_000_000, reply_tokens: 500_000, is_estimate: false };
        assert!((price.cost(&usage) - 2.0).abs() < 1e-12);
        assert!(price.is_valid() && Price::default().is_valid());
        assert!(!Price { per_million_prompt_tokens: f64::NAN, ..price }.is_valid());
        assert!(!Price { per_million_reply_tokens: -1.0, ..price }.is_valid());
    }
}
