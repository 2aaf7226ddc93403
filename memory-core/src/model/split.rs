//! Splitting of a text into spans that fit a model's input.
//!
//! Without it, an embedder would truncate the end of a long memory silently. Invariants: the spans are consecutive,
//! without gap or overlap, and cover the text; each fits by the tokenizer's own count; memory is bounded by the span,
//! not by the text (a tokenizer's bookkeeping is about a hundred times its input).

use std::ops::Range;

/// Bytes of a span per token of its budget. English has 4 to 5. The bound keeps a blob, which the tokenizer takes for
/// one unknown word, from becoming one span of megabytes.
const MAX_BYTES_PER_TOKEN: usize = 6;

/// Tokenizer functions needed for splitting.
pub(crate) trait TokenBounds {
    /// Byte offsets at which the tokens of `text` start, ascending; special tokens are not counted.
    fn starts(&self, text: &str) -> Vec<usize>;

    /// True if the model reads `text` whole.
    fn fits(&self, text: &str) -> bool;
}

/// Spans of at most `budget` tokens (without special tokens) that cover `text`.
///
/// A single character that the tokenizer expands beyond the budget remains a span of its own.
pub(crate) fn split(text: &str, budget: usize, tokens: &impl TokenBounds) -> Vec<Range<usize>> {
    let window_bytes = budget.max(1).saturating_mul(MAX_BYTES_PER_TOKEN);
    let mut spans = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let window =
            &text[start..text.floor_char_boundary(start.saturating_add(window_bytes).max(start + 4))];
        let reaches_end = start + window.len() == text.len();
        let starts = tokens.starts(window);
        let mut end = match starts.get(budget) {
            Some(&over) => boundary(window, over),
            None if reaches_end => window.len(),
            None => boundary(window, window.len()),
        };
        // A cut can change the tokens next to it, so the count is repeated.
        while !tokens.fits(&window[..end]) && end > first_char(window) {
            end = boundary(window, end / 2);
        }
        spans.push(start..start + end);
        start += end;
    }
    spans
}

/// Best cut at or before `limit`, in its second half: after a blank line, a sentence, a word; else at the limit. At
/// least one character.
fn boundary(window: &str, limit: usize) -> usize {
    let limit = window.floor_char_boundary(limit);
    let half = window.floor_char_boundary(limit / 2);
    let tail = &window[half..limit];
    let found =
        tail.rfind("\n\n").map(|at| at + 2).or_else(|| after_sentence(tail)).or_else(|| after_word(tail));
    found.map_or(limit, |at| half + at).max(first_char(window))
}

fn first_char(window: &str) -> usize {
    window.chars().next().map_or(0, char::len_utf8)
}

/// End of the last full stop followed by white space (included), or of the last ideographic full stop.
fn after_sentence(tail: &str) -> Option<usize> {
    let mut found = None;
    let mut previous = None;
    for (at, current) in tail.char_indices() {
        let end = at + current.len_utf8();
        let ends_sentence = matches!(current, '。' | '！' | '？')
            || current == '\n'
            || (current.is_whitespace() && matches!(previous, Some('.' | '!' | '?' | ';' | ':')));
        if ends_sentence {
            found = Some(end);
        }
        previous = Some(current);
    }
    found
}

fn after_word(tail: &str) -> Option<usize> {
    tail.char_indices().rev().find(|(_, c)| c.is_whitespace()).map(|(at, c)| at + c.len_utf8())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Test tokenizer with one token per `per_token` characters of a word, so that a word's count changes when it is
    /// cut.
    struct Letters {
        per_token: usize,
        budget: usize,
    }

    impl TokenBounds for Letters {
        fn starts(&self, text: &str) -> Vec<usize> {
            let mut starts = Vec::new();
            let mut in_word = 0;
            for (at, c) in text.char_indices() {
                if c.is_whitespace() {
                    in_word = 0;
                    continue;
                }
                if in_word % self.per_token == 0 {
                    starts.push(at);
                }
                in_word += 1;
            }
            starts
        }

        fn fits(&self, text: &str) -> bool {
            self.starts(text).len() <= self.budget
        }
    }

    #[test]
    fn a_short_text_is_one_span_and_an_empty_one_none() {
        let tokens = Letters { per_token: 4, budget: 10 };
        assert_eq!(split("a short text", 10, &tokens), vec![0..12]);
        assert!(split("", 10, &tokens).is_empty());
    }

    #[test]
    fn cuts_fall_after_sentences() {
        let text = "One two three. Four five six. Seven eight nine. Ten eleven twelve.";
        let spans = split(text, 8, &Letters { per_token: 100, budget: 8 });
        let parts: Vec<_> = spans.into_iter().map(|span| &text[span]).collect();
        assert_eq!(parts, ["One two three. Four five six. ", "Seven eight nine. Ten eleven twelve."]);
    }

    #[test]
    fn a_word_longer_than_the_budget_is_cut_between_characters() {
        let text = "ä".repeat(1000);
        let spans = split(&text, 5, &Letters { per_token: 4, budget: 5 });
        assert!(spans.len() >= 50 && spans.iter().all(|span| text.is_char_boundary(span.end)));
    }

    proptest! {
        #[test]
        fn spans_cover_the_text_and_fit(text in "[a-z .\n。äß😀]{0,400}", budget in 1usize..20, per_token in 1usize..7) {
            let tokens = Letters { per_token, budget };
            let spans = split(&text, budget, &tokens);
            let mut end = 0;
            for span in spans {
                prop_assert_eq!(span.start, end);
                prop_assert!(span.end > span.start);
                prop_assert!(tokens.fits(&text[span.clone()]));
                end = span.end;
            }
            prop_assert_eq!(end, text.len());
        }
    }
}
