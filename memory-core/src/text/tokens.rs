//! Counting the tokens of a language model, for context budgets and chunk sizes.
//!
//! The count is that of `o200k_base`, the byte-pair encoding of OpenAI's current models (crate `bpe-openai`,
//! vocabulary compiled in); other models' counts differ by some percent, which a budget should leave room
//! for. A guess by characters is off by a factor of two in many languages. The vocabulary takes tens of
//! megabytes once it is loaded, so it is loaded by the first count. Invariant: what
//! [`TokenCounter::truncate`] returns counts no more than the budget.

use std::cell::RefCell;
use std::collections::HashMap;

use bpe_openai::{Tokenizer as BytePairTokenizer, o200k_base};

/// Counts model tokens. Free to make and to copy; the first count in a process loads the vocabulary.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenCounter;

/// The number of model tokens in `text`, as memories record it.
pub(crate) fn count_tokens(text: &str) -> u32 {
    u32::try_from(TokenCounter.count(text)).unwrap_or(u32::MAX)
}

impl TokenCounter {
    /// Names the encoding: counts of one identity agree.
    pub const IDENTITY: &'static str = "o200k_base";

    /// The number of tokens in `text`, special tokens read as plain text. Linear in the text; short texts that came
    /// before are known.
    pub fn count(self, text: &str) -> usize {
        if text.len() <= KNOWN_BYTES {
            known_or(text, || tokenizer().count(text))
        } else {
            tokenizer().count(text)
        }
    }

    /// The number of tokens in `before` + `text` + `after`, where that of `text` is known to be `text_tokens`: reads
    /// the ends of a text only, however long it is.
    ///
    /// The encoding cuts before it merges, and it always cuts before a single blank between two words. So of a text of
    /// words with single blanks, what stands between its first and its last word counts the same wherever it stands.
    /// Any other text is counted whole.
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

    /// The number of tokens in `text` if there are at most `budget_tokens`. Reads little more than the
    /// budget's worth of a long text.
    pub fn count_within(self, text: &str, budget_tokens: usize) -> Option<usize> {
        let tokenizer = tokenizer();
        tokenizer.count_till_limit(&tokenizer.normalize(text), budget_tokens)
    }

    /// The longest beginning of `text`, within a few bytes, that has at most `budget_tokens` tokens; it ends
    /// between two characters. Reads little more than the budget's worth of a long text.
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

    /// A text that is cut within a word may be tokenised otherwise than it was in one piece: takes characters
    /// off, in doubling steps, until the count is right.
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

/// Texts up to this length are remembered with their count: words, speakers and headings, of which contexts are joined.
const KNOWN_BYTES: usize = 48;
/// How many of them each thread remembers, some 200 KB; then it begins anew.
const KNOWN_TEXTS: usize = 8_192;

thread_local! {
    /// Counts by a hash of the text. The text itself is not kept: it may be a word of a memory that is erased.
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

/// Whether the white space in a text is single blanks between words, and nothing else.
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
    fn counts_are_those_of_o200k() {
        assert_eq!(TokenCounter.count(""), 0);
        assert_eq!(TokenCounter.count("hello world"), 2);
        assert_eq!(TokenCounter.count("The dog's name is Zuzu; it was 3 in 2023-05."), 18);
        assert_eq!(TokenCounter.count("昨日、東京の動物園に行きました。"), 12);
        assert_eq!(TokenCounter.count("  fn main() {\n    let x = 10_000;\n}\n"), 15);
    }

    #[test]
    fn a_budget_is_kept_or_refused() {
        assert_eq!(TokenCounter.count_within("hello world", 2), Some(2));
        assert_eq!(TokenCounter.count_within("hello world", 1), None);
        assert_eq!(TokenCounter.truncate("hello world", 1), "hello");
        assert_eq!(TokenCounter.truncate("hello world", 0), "");
        assert_eq!(TokenCounter.truncate("hello world", 9), "hello world");
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        // A family emoji is several tokens, some of which end within a character.
        let family = "👨\u{200D}👩\u{200D}👧\u{200D}👦";
        for budget_tokens in 0..TokenCounter.count(family) {
            let kept = TokenCounter.truncate(family, budget_tokens);
            assert!(family.starts_with(kept) && TokenCounter.count(kept) <= budget_tokens);
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_is_a_beginning_within_budget(text in "\\PC{0,120}", budget_tokens in 0_usize..60) {
            let kept = TokenCounter.truncate(&text, budget_tokens);
            prop_assert!(text.starts_with(kept));
            prop_assert!(TokenCounter.count(kept) <= budget_tokens);
            if TokenCounter.count(&text) <= budget_tokens {
                prop_assert_eq!(kept, text.as_str());
            }
        }

        /// Counting the ends is as good as counting everything, whatever a text is made of.
        #[test]
        fn a_count_between_is_a_count(
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

        /// Little of the budget is wasted.
        #[test]
        fn most_of_the_budget_is_used(words in proptest::collection::vec("[a-z]{1,12}", 40..60), budget_tokens in 10_usize..40) {
            let text = words.join(" ");
            let kept = TokenCounter.truncate(&text, budget_tokens);
            prop_assert!(TokenCounter.count(kept) + 3 >= budget_tokens);
        }
    }
}
