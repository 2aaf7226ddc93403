//! LLM token counts, for context budgets and chunk sizes.
//!
//! The count is that of `o200k_base`, the byte-pair encoding of OpenAI's current models (crate `bpe-openai`, vocabulary
//! compiled in). Counts of other models differ by some percent, for which a budget should leave room. An estimate by
//! characters is off by a factor of two in many languages. The vocabulary takes tens of megabytes once loaded, so it is
//! loaded by the first count. Invariant: the result of [`TokenCounter::truncate`] never exceeds the budget.

use std::cell::RefCell;
use std::collections::HashMap;

use bpe_openai::{Tokenizer as BytePairTokenizer, o200k_base};

/// Counter of LLM tokens. Free to construct and to copy; the first count in a process loads the vocabulary.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenCounter;

/// Number of LLM tokens in `text`, as memories record it.
pub(crate) fn count_tokens(text: &str) -> u32 {
    u32::try_from(TokenCounter.count(text)).unwrap_or(u32::MAX)
}

impl TokenCounter {
    /// Identity of the encoding: counts of one identity agree.
    pub const IDENTITY: &'static str = "o200k_base";

    /// Number of tokens in `text`, with special tokens read as plain text. Linear in the text; counts of short texts
    /// are cached.
    pub fn count(self, text: &str) -> usize {
        if text.len() <= KNOWN_BYTES {
            known_or(text, || tokenizer().count(text))
        } else {
            tokenizer().count(text)
        }
    }

    /// Number of tokens in `before` + `text` + `after`, given the `text_tokens` of `text`. Only the ends of the text
    /// are read, however long it is.
    ///
    /// The encoding splits before it merges, and always before a single blank between two words. In a text of words
    /// with single blanks, the part between the first and the last word therefore has the same count in any context.
    /// Any other text is counted in full.
    pub fn count_between(self, before: &str, text: &str, text_tokens: usize, after: &str) -> usize {
        let whole = || self.count(&[before, text, after].concat());
        let (Some(first_end), Some(last_start)) = (text.find(' '), text.rfind(' ')) else { return whole() };
        if !has_single_blanks_only(text) {
            return whole();
        }
        let (first, last) = (&text[..first_end], &text[last_start..]);
        let ends = self.count(first) + self.count(last);
        let ends_joined = self.count(&[before, first].concat()) + self.count(&[last, after].concat());
        text_tokens.saturating_sub(ends) + ends_joined
    }

    /// Number of tokens in `text`; `None` above `budget_tokens`. Reads little more of a long text than the budget.
    pub fn count_within(self, text: &str, budget_tokens: usize) -> Option<usize> {
        let tokenizer = tokenizer();
        tokenizer.count_till_limit(&tokenizer.normalize(text), budget_tokens)
    }

    /// Longest prefix of `text`, within a few bytes, of at most `budget_tokens` tokens; it ends on a character
    /// boundary. Reads little more of a long text than the budget.
    pub fn truncate(self, text: &str, budget_tokens: usize) -> &str {
        let mut left = budget_tokens;
        let mut end = 0;
        for piece in tokenizer().split(text) {
            let tokens = tokenizer().bpe.encode_via_backtracking(piece.as_bytes());
            if tokens.len() <= left {
                left -= tokens.len();
                end += piece.len();
                continue;
            }
            let kept_bytes = tokenizer().bpe.decode_tokens(&tokens[..left]).len();
            end += kept_bytes;
            return self.shrink_to_budget(&text[..text.floor_char_boundary(end)], budget_tokens);
        }
        text
    }

    /// Removes characters, in doubling steps, until the count is within the budget: a text cut within a word may be
    /// tokenised differently from the whole.
    fn shrink_to_budget(self, cut: &str, budget_tokens: usize) -> &str {
        let mut kept = cut;
        let mut step_bytes = 1;
        while self.count_within(kept, budget_tokens).is_none() {
            kept = &kept[..kept.floor_char_boundary(kept.len().saturating_sub(step_bytes))];
            step_bytes *= 2;
        }
        kept
    }
}

/// Maximum length of a cached text, in bytes: words, speakers and headings, from which contexts are joined.
const KNOWN_BYTES: usize = 48;
/// Maximum number of cached counts per thread, about 200 KB; the cache is then cleared.
const KNOWN_TEXTS: usize = 8_192;

thread_local! {
    /// Counts by a hash of the text. The text itself is not kept, because it may be a word of an erased memory.
    static KNOWN: RefCell<HashMap<u128, usize>> = RefCell::default();
}

fn known_or(text: &str, count: impl FnOnce() -> usize) -> usize {
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= KNOWN_TEXTS {
            known.clear();
        }
        *known.entry(xxhash_rust::xxh3::xxh3_128(text.as_bytes())).or_insert_with(count)
    })
}

/// True if the white space in a text consists of single blanks between words.
pub(crate) fn has_single_blanks_only(text: &str) -> bool {
    let mut after_blank = true;
    for letter in text.chars() {
        if letter.is_whitespace() && (after_blank || letter != ' ') {
            return false;
        }
        after_blank = letter == ' ';
    }
    !after_blank
}

fn tokenizer() -> &'static BytePairTokenizer {
    o200k_base()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Counts by OpenAI's own `tiktoken` 0.14 for `o200k_base`.
    #[test]
    fn counts_agree_with_tiktoken() {
        assert_eq!(TokenCounter.count(""), 0);
        assert_eq!(TokenCounter.count("hello world"), 2);
        assert_eq!(TokenCounter.count("The dog's name is Zuzu; it was 3 in 2023-05."), 18);
        assert_eq!(TokenCounter.count("昨日、東京の動物園に行きました。"), 12);
        assert_eq!(TokenCounter.count("  fn main() {\n    let x = 10_000;\n}\n"), 15);
    }

    #[test]
    fn a_count_within_a_budget_is_exact_or_none() {
        assert_eq!(TokenCounter.count_within("hello world", 2), Some(2));
        assert_eq!(TokenCounter.count_within("hello world", 1), None);
        assert_eq!(TokenCounter.truncate("hello world", 1), "hello");
        assert_eq!(TokenCounter.truncate("hello world", 0), "");
        assert_eq!(TokenCounter.truncate("hello world", 9), "hello world");
    }

    #[test]
    fn a_text_is_truncated_between_characters() {
        // A family emoji is several tokens, some of which end within a character.
        let family = "👨\u{200D}👩\u{200D}👧\u{200D}👦";
        for budget_tokens in 0..TokenCounter.count(family) {
            let kept = TokenCounter.truncate(family, budget_tokens);
            assert!(family.starts_with(kept) && TokenCounter.count(kept) <= budget_tokens);
        }
    }

    proptest! {
        #[test]
        fn truncation_gives_a_prefix_within_the_budget(text in "\\PC{0,120}", budget_tokens in 0_usize..60) {
            let kept = TokenCounter.truncate(&text, budget_tokens);
            prop_assert!(text.starts_with(kept));
            prop_assert!(TokenCounter.count(kept) <= budget_tokens);
            if TokenCounter.count(&text) <= budget_tokens {
                prop_assert_eq!(kept, text.as_str());
            }
        }

        /// A count from the ends equals the full count, for any text.
        #[test]
        fn a_count_from_the_ends_equals_the_full_count(
            words in proptest::collection::vec(
                prop_oneof!["[a-zA-Z]{1,9}", "[0-9]{1,7}", "\\PC{1,4}", "[.,:;!?'\"/#*-]{1,4}", "[äß東京\u{301}\u{200d}👩]{1,3}"],
                1..12,
            ),
            before in prop_oneof![Just("- "), Just("- Ann: "), Just("- 7: ")],
            after in prop_oneof![Just("\n"), Just("\n\n")],
        ) {
            let text = words.join(" ");
            let joined = format!("{before}{text}{after}");
            let counted = TokenCounter.count_between(before, &text, TokenCounter.count(&text), after);
            prop_assert_eq!(counted, TokenCounter.count(&joined), "{:?}", joined);
        }

        /// Most of the budget is used.
        #[test]
        fn truncation_uses_most_of_the_budget(words in proptest::collection::vec("[a-z]{1,12}", 40..60), budget_tokens in 10_usize..40) {
            let text = words.join(" ");
            let kept = TokenCounter.truncate(&text, budget_tokens);
            prop_assert!(TokenCounter.count(kept) + 3 >= budget_tokens);
        }
    }
}
