//! Pieces from which spans are packed: the largest natural units of a text that fit into a span.
//!
//! A paragraph that fits is one piece; otherwise it is split into sentences, and so on down to graphemes. Invariants:
//! pieces are the text, in order and without gap; each begins and ends on a grapheme boundary; each fits, unless it is
//! one grapheme; every byte is counted at most once per [`Unit`].

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// Part of the text that is not split further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Byte range in the text.
    pub(super) range: Range<usize>,
    /// Number of model tokens, counted separately.
    pub(super) tokens: usize,
}

/// Pieces of `text`, each of at most `max_tokens` unless it is a single grapheme.
pub(super) fn pieces(text: &str, max_tokens: usize, count: &impl Fn(&str) -> usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    split_recursively(&Fit { text, max_tokens, count }, 0..text.len(), Unit::Paragraph, &mut pieces);
    pieces
}

/// Sentences of `text`, in order and without gap, each on grapheme boundaries.
pub(super) fn sentences(text: &str) -> Vec<Range<usize>> {
    parts(text, Unit::Sentence)
}

/// Units of splitting, from large to small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Paragraph,
    /// Sentence by UAX #29, in which a line is one as well.
    Sentence,
    /// Word with the white space before it, as in tokenizers.
    Word,
    /// Several graphemes of a very long word, so that they need not be counted one by one.
    Fragment,
    Grapheme,
}

struct Fit<'a, C> {
    text: &'a str,
    max_tokens: usize,
    count: &'a C,
}

const FRAGMENT_BYTES: usize = 48;

/// Splits `range` into pieces, recursively by ever smaller units; the depth is bounded by the number of units.
fn split_recursively<C: Fn(&str) -> usize>(
    fit: &Fit<'_, C>,
    range: Range<usize>,
    unit: Unit,
    pieces: &mut Vec<Piece>,
) {
    for part in parts(&fit.text[range.clone()], unit) {
        let part = range.start + part.start..range.start + part.end;
        let tokens = (fit.count)(&fit.text[part.clone()]);
        match unit.smaller() {
            Some(smaller) if tokens > fit.max_tokens => split_recursively(fit, part, smaller, pieces),
            _ => pieces.push(Piece { range: part, tokens }),
        }
    }
}

impl Unit {
    fn smaller(self) -> Option<Self> {
        match self {
            Self::Paragraph => Some(Self::Sentence),
            Self::Sentence => Some(Self::Word),
            Self::Word => Some(Self::Fragment),
            Self::Fragment => Some(Self::Grapheme),
            Self::Grapheme => None,
        }
    }
}

fn parts(text: &str, unit: Unit) -> Vec<Range<usize>> {
    match unit {
        Unit::Paragraph => cut(text, paragraph_starts(text).into_iter()),
        Unit::Sentence => cut(text, text.split_sentence_bound_indices().map(|(at, _)| at)),
        Unit::Word => {
            let mut after_space = false;
            let starts = text.split_word_bound_indices().filter_map(|(at, word)| {
                let is_start = !after_space;
                after_space = word.chars().all(char::is_whitespace);
                is_start.then_some(at)
            });
            cut(text, starts)
        }
        Unit::Fragment => {
            let mut last = 0;
            let starts = text.grapheme_indices(true).filter_map(|(at, _)| {
                let is_start = at - last >= FRAGMENT_BYTES;
                if is_start {
                    last = at;
                }
                is_start.then_some(at)
            });
            cut(text, starts)
        }
        Unit::Grapheme => cut(text, text.grapheme_indices(true).map(|(at, _)| at)),
    }
}

/// Parts of `text` that begin at the ascending `starts` (0 is implied), without those inside a grapheme: word
/// boundaries split some Burmese and Khmer clusters, sentence boundaries split a full stop from the vowel sign that
/// joins it (Thai SARA AM). Every boundary from this module is therefore filtered here.
fn cut(text: &str, starts: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut graphemes = text.grapheme_indices(true).map(|(at, _)| at).peekable();
    let mut begin = 0;
    for start in starts {
        while graphemes.next_if(|grapheme| *grapheme < start).is_some() {}
        if start > begin && graphemes.peek() == Some(&start) {
            parts.push(begin..start);
            begin = start;
        }
    }
    if begin < text.len() {
        parts.push(begin..text.len());
    }
    parts
}

/// Starts of the lines after one or more blank lines.
fn paragraph_starts(text: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut newlines = 0;
    let mut after_newline = 0;
    for (at, c) in text.char_indices() {
        match c {
            '\n' | '\u{2029}' => {
                newlines += if c == '\n' { 1 } else { 2 };
                after_newline = at + c.len_utf8();
            }
            _ if c.is_whitespace() => {}
            _ => {
                if newlines >= 2 {
                    starts.push(after_newline);
                }
                newlines = 0;
            }
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_begin_after_blank_lines() {
        let text = "one\ntwo\n \n  three\r\n\r\nfour\n";
        let paragraphs: Vec<&str> =
            parts(text, Unit::Paragraph).into_iter().map(|part| &text[part]).collect();
        assert_eq!(paragraphs, ["one\ntwo\n \n", "  three\r\n\r\n", "four\n"]);
    }

    #[test]
    fn words_include_the_space_before_them() {
        let text = "a  dog, he said";
        let words: Vec<&str> = parts(text, Unit::Word).into_iter().map(|part| &text[part]).collect();
        assert_eq!(words, ["a", "  dog", ",", " he", " said"]);
    }

    #[test]
    fn only_units_that_do_not_fit_are_split() {
        let text = "Short one.\n\nA long one. It has two sentences.";
        let found = pieces(text, 4, &|part: &str| part.split_whitespace().count());
        let found: Vec<&str> = found.into_iter().map(|piece| &text[piece.range]).collect();
        assert_eq!(found, ["Short one.\n\n", "A long one. ", "It has two sentences."]);
    }
}
