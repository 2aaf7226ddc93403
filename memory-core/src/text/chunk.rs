//! Chunking: splitting of a long text into spans that an embedding model reads whole.
//!
//! A span ends between paragraphs where possible, else between sentences, else between words, and between graphemes
//! only within a word that is longer than a span. Spans are byte ranges, so that the text is kept once, by the caller.
//! Invariants: the fresh parts of the spans are the text, in order and without gap; no span is empty; none is cut
//! within a grapheme; none exceeds the token limit, except for a single grapheme that does; every byte is counted a
//! bounded number of times, so that time is linear in the text.

use std::ops::Range;

use super::chunk_pieces::{Piece, pieces, sentences};

/// Limits of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// Maximum number of model tokens in a span, overlap included; 0 is taken as 1.
    pub max_tokens: usize,
    /// Number of sentences of the previous span that are repeated at the start of a span, so that pronouns keep their
    /// antecedents. The overlap takes at most half of a span; a longer one is omitted.
    pub overlap_sentences: usize,
}

/// Span of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextSpan {
    /// Byte range in the text, on grapheme boundaries.
    pub range: Range<usize>,
    /// Start of the span's own text; the bytes before it are overlap from the previous span.
    pub fresh_from: usize,
}

/// Splits `text` into spans of at most `limits.max_tokens` by `count`, which returns the number of model tokens in a
/// text. An empty text has no span.
pub fn split_text(text: &str, limits: ChunkLimits, count: impl Fn(&str) -> usize) -> Vec<TextSpan> {
    let max_tokens = limits.max_tokens.max(1);
    let pieces = pieces(text, max_tokens, &count);
    let mut packer = Packer { text, pieces: &pieces, max_tokens, count: &count };
    let mut spans: Vec<TextSpan> = Vec::new();
    let mut next = 0;
    while let Some(first) = pieces.get(next) {
        let fresh_from = first.range.start;
        let overlap = spans.last().and_then(|before| {
            let repeated = last_sentences(&text[before.fresh_from..fresh_from], limits.overlap_sentences);
            packer.overlap(fresh_from - repeated.len()..fresh_from, first)
        });
        let (start, overlap_tokens) = overlap.unwrap_or((fresh_from, 0));
        next = packer.pack(start, next, overlap_tokens);
        spans.push(TextSpan { range: start..pieces[next - 1].range.end, fresh_from });
    }
    spans
}

struct Packer<'a, C> {
    text: &'a str,
    pieces: &'a [Piece],
    max_tokens: usize,
    count: &'a C,
}

impl<C: Fn(&str) -> usize> Packer<'_, C> {
    /// Start and number of tokens of the overlap, if it fits before `first`.
    fn overlap(&mut self, repeated: Range<usize>, first: &Piece) -> Option<(usize, usize)> {
        if repeated.is_empty() {
            return None;
        }
        let tokens = (self.count)(&self.text[repeated.clone()]);
        let whole = (self.count)(&self.text[repeated.start..first.range.end]);
        (tokens <= self.max_tokens / 2 && whole <= self.max_tokens).then_some((repeated.start, tokens))
    }

    /// End (exclusive) of the pieces of the span that starts at byte `start` with piece `first`.
    fn pack(&mut self, start: usize, first: usize, overlap_tokens: usize) -> usize {
        let mut tokens = overlap_tokens + self.pieces[first].tokens;
        let mut end = first + 1;
        while let Some(piece) = self.pieces.get(end)
            && tokens + piece.tokens <= self.max_tokens
        {
            tokens += piece.tokens;
            end += 1;
        }
        // Pieces may have more tokens together than separately, so as many are given back as the excess is worth.
        while end > first + 1 {
            let counted = (self.count)(&self.text[start..self.pieces[end - 1].range.end]);
            let mut surplus = counted.saturating_sub(self.max_tokens);
            if surplus == 0 {
                break;
            }
            while surplus > 0 && end > first + 1 {
                end -= 1;
                surplus = surplus.saturating_sub(self.pieces[end].tokens.max(1));
            }
        }
        end
    }
}

/// The last `wanted` sentences of `text`.
fn last_sentences(text: &str, wanted: usize) -> &str {
    let all = sentences(text);
    let first = all.len().saturating_sub(wanted);
    all.get(first).map_or("", |sentence| &text[sentence.start..])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation;

    use super::{super::TokenCounter, *};

    /// Approximate token count: one per word, and one per three bytes of a long word.
    fn rough_count(text: &str) -> usize {
        text.split_whitespace().map(|word| word.len().div_ceil(3)).sum()
    }

    fn spans_of(text: &str, max_tokens: usize, overlap_sentences: usize) -> Vec<&str> {
        let limits = ChunkLimits { max_tokens, overlap_sentences };
        split_text(text, limits, |span| TokenCounter.count(span))
            .into_iter()
            .map(|span| &text[span.range])
            .collect()
    }

    #[test]
    fn a_short_text_is_one_span_and_an_empty_one_none() {
        assert_eq!(spans_of("One. Two.", 100, 2), ["One. Two."]);
        assert!(spans_of("", 100, 0).is_empty());
    }

    #[test]
    fn paragraphs_that_fit_are_not_split() {
        let text = "First of all. It is short.\n\nSecond, a little longer one.\n\nThird.";
        assert_eq!(
            spans_of(text, 8, 0),
            ["First of all. It is short.\n\n", "Second, a little longer one.\n\n", "Third."]
        );
    }

    #[test]
    fn a_long_paragraph_is_cut_between_sentences_and_a_long_sentence_between_words() {
        let text =
            "Ann has a dog. He is called Zuzu. They live together in a small house by the northern sea.";
        assert_eq!(
            spans_of(text, 11, 0),
            [
                "Ann has a dog. ",
                "He is called Zuzu. They live together in",
                " a small house by the northern sea."
            ]
        );
    }

    #[test]
    fn overlap_repeats_the_last_sentences_of_the_previous_span() {
        let text = "Ann has a dog. He is called Zuzu. He likes long walks. So does she.";
        let limits = ChunkLimits { max_tokens: 13, overlap_sentences: 1 };
        let spans = split_text(text, limits, |span| TokenCounter.count(span));
        assert_eq!(&text[spans[0].range.clone()], "Ann has a dog. He is called Zuzu. ");
        assert_eq!(&text[spans[1].range.clone()], "He likes long walks. So does she.");
        let limits = ChunkLimits { max_tokens: 16, ..limits };
        let spans = split_text(text, limits, |span| TokenCounter.count(span));
        assert!(text[spans[1].range.clone()].starts_with("He is called Zuzu. He likes"));
        assert!(text[spans[1].fresh_from..].starts_with("He likes"));
    }

    #[test]
    fn a_very_long_word_is_cut_between_graphemes() {
        let text = "e\u{301}".repeat(500);
        for span in spans_of(&text, 16, 0) {
            assert!(span.starts_with('e') && span.ends_with('\u{301}'));
            assert!(TokenCounter.count(span) <= 16);
        }
    }

    /// UAX #29 has a sentence boundary between a full stop and a vowel sign, which are one grapheme.
    #[test]
    fn overlap_begins_on_a_grapheme_boundary() {
        for (mark, after) in [("\u{E33}", "\r\n"), ("\u{EB3}", "\n"), ("\u{E33}", " on and on")] {
            let text = format!(".{mark}{after}");
            for max_tokens in 1..8 {
                for span in spans_of(&text, max_tokens, 1) {
                    assert!(!span.starts_with(mark), "{span:?} of {text:?} begins within a grapheme");
                }
            }
        }
        let repeated = last_sentences(".\u{E33}", 1);
        assert_eq!(repeated, ".\u{E33}");
    }

    /// Linear time: a megabyte of each difficult kind takes a moment even without optimisation; quadratic time would
    /// take hours.
    #[test]
    fn chunking_takes_linear_time() {
        for unit in ["word ", "a", "Yes. ", "\n\n", "🇫🇷", "a.1 ", "昨日"] {
            let text = unit.repeat(1_000_000 / unit.len());
            let limits = ChunkLimits { max_tokens: 256, overlap_sentences: 1 };
            let spans = split_text(&text, limits, rough_count);
            assert_eq!(spans.last().map(|span| span.range.end), Some(text.len()));
        }
    }

    /// Code points of every class that joins its neighbours into one grapheme, with the marks that end sentences, words
    /// and paragraphs: a boundary of each larger unit can fall within such a grapheme.
    const JOINING: &str = ".?!。,\u{2026}\u{301}\u{FE0F}\u{1F3FD}\u{200D}\u{E33}\u{EB3}\u{903}กक\u{94D}षက\u{1039}\u{600}\
        \u{110BD}\u{1100}\u{1161}\u{11A8}\u{AC00}🇫👩❤\r\n\u{85}\u{2029}\u{200B} 1a";

    fn texts() -> impl Strategy<Value = String> {
        let joining = proptest::sample::select(JOINING.chars().collect::<Vec<char>>());
        let unit = prop_oneof![
            proptest::collection::vec(joining, 1..6).prop_map(String::from_iter),
            "[a-zé ]{1,12}",
            "\\PC{1,6}",
            Just(". ".to_owned()),
            Just("\n\n \u{301}".to_owned()),
            Just("👨\u{200D}👩\u{200D}👧".to_owned()),
            Just("က္ကក္က".to_owned()),
            Just("🇫🇷🇩🇪".to_owned()),
            Just("\r\n".to_owned()),
        ];
        proptest::collection::vec(unit, 0..40).prop_map(|units| units.concat())
    }

    proptest! {
        #[test]
        fn spans_partition_the_text_within_limits(
            text in texts(), max_tokens in 1_usize..20, overlap_sentences in 0_usize..3, rough in any::<bool>(),
        ) {
            let count = |span: &str| if rough { rough_count(span) } else { TokenCounter.count(span) };
            let limits = ChunkLimits { max_tokens, overlap_sentences };
            let graphemes: BTreeSet<usize> =
                text.grapheme_indices(true).map(|(at, _)| at).chain([text.len()]).collect();
            let mut covered = 0;
            for span in split_text(&text, limits, count) {
                prop_assert!(span.range.start <= span.fresh_from && span.fresh_from < span.range.end);
                prop_assert_eq!(span.fresh_from, covered);
                prop_assert!(graphemes.contains(&span.range.start) && graphemes.contains(&span.range.end));
                let own = &text[span.range.clone()];
                prop_assert!(count(own) <= max_tokens || own.graphemes(true).count() == 1, "{:?}", own);
                if overlap_sentences == 0 {
                    prop_assert_eq!(span.range.start, span.fresh_from);
                }
                covered = span.range.end;
            }
            prop_assert_eq!(covered, text.len());
        }
    }
}
