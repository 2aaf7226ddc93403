//! Tokenizer of a model, for counting and splitting only; `fastembed` makes the model's input itself.
//!
//! It is loaded apart from the sessions, so that `split` needs none of them. Invariant: truncation and padding, which
//! tokenizer files may enable, are off, so that counts are exact.

use std::ops::Range;

use tokenizers::Tokenizer;

use super::ModelError;
use super::split::{TokenBounds, split};

/// Minimum token budget for the text; splitting needs room for one character, and a smaller one makes no useful model.
const MIN_BUDGET: usize = 32;
/// Bytes per token above which a text is refused without being tokenised.
const MAX_BYTES_PER_TOKEN: usize = 64;

/// Counts and splits texts that follow a fixed prefix.
#[derive(Debug, Clone)]
pub(crate) struct PrefixedTokens {
    tokenizer: Tokenizer,
    prefix: String,
    max_tokens: usize,
    budget: usize,
}

impl PrefixedTokens {
    /// From the bytes of a `tokenizer.json`.
    pub(crate) fn new(model: &str, json: &[u8], prefix: &str, max_tokens: usize) -> Result<Self, ModelError> {
        let unusable = |reason: String| ModelError::Unusable { model: model.to_owned(), reason };
        let mut tokenizer =
            Tokenizer::from_bytes(json).map_err(|error| unusable(format!("tokenizer.json: {error}")))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| unusable(format!("tokenizer.json: {error}")))?;
        let mut tokens = Self { tokenizer, prefix: prefix.to_owned(), max_tokens, budget: 0 };
        let overhead =
            tokens.count("").ok_or_else(|| unusable("the tokeniser fails on its prefix".into()))?;
        tokens.budget = max_tokens.saturating_sub(overhead);
        if tokens.budget < MIN_BUDGET {
            return Err(unusable(format!(
                "only {} of {max_tokens} tokens are left for the text",
                tokens.budget
            )));
        }
        Ok(tokens)
    }

    /// Text with the prefix, as the model reads it.
    ///
    /// # Errors
    /// [`ModelError::OverLimit`] for a text over the model's input length.
    pub(crate) fn prefixed(&self, text: &str) -> Result<String, ModelError> {
        let limit = self.max_tokens.saturating_mul(MAX_BYTES_PER_TOKEN);
        if text.len() > limit {
            return Err(ModelError::OverLimit { what: "bytes in a text", limit, found: text.len() });
        }
        let found = self.count(text).unwrap_or(usize::MAX);
        if found > self.max_tokens {
            return Err(ModelError::OverLimit { what: "tokens in a text", limit: self.max_tokens, found });
        }
        Ok(format!("{}{text}", self.prefix))
    }

    /// Spans of `text` that fit the model's input.
    pub(crate) fn split(&self, text: &str) -> Vec<Range<usize>> {
        split(text, self.budget, self)
    }

    /// Number of tokens of prefix, text and special tokens; `None` if the tokenizer fails.
    fn count(&self, text: &str) -> Option<usize> {
        let whole = format!("{}{text}", self.prefix);
        self.tokenizer.encode_fast(whole, true).ok().map(|encoding| encoding.len())
    }
}

impl TokenBounds for PrefixedTokens {
    fn starts(&self, text: &str) -> Vec<usize> {
        // Byte offsets into the text. On failure there are none, and `fits` decides.
        self.tokenizer.encode(text, false).map_or_else(
            |_| Vec::new(),
            |encoding| encoding.get_offsets().iter().map(|(start, _)| *start).collect(),
        )
    }

    fn fits(&self, text: &str) -> bool {
        self.count(text).is_some_and(|count| count <= self.max_tokens)
    }
}
