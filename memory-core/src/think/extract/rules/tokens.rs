//! Tokens of a sentence for pattern matching: words in lower case with contractions expanded, and punctuation marks.
//!
//! Invariant: the spans ascend, do not overlap, and only white space lies between them, so that a sentence can be written
//! again from its tokens.

use std::ops::Range;

use super::words::ADVERBS;

/// Word or punctuation mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Word in lower case: `am` for the second part of `I'm`, `'s` for a possessive.
    pub(super) word: String,
    /// Span in the sentence, in bytes.
    pub(super) span: Range<usize>,
    /// True if the first letter is a capital.
    pub(super) is_capital: bool,
    /// True for a word or number, false for a punctuation mark.
    pub(super) is_word: bool,
    /// True for an adverb that patterns may skip.
    pub(super) is_adverb: bool,
}

/// Endings of contractions, after the apostrophe, and their words.
const ENDINGS: &[(&str, &str)] =
    &[("m", "am"), ("ve", "have"), ("ll", "will"), ("d", "would"), ("re", "are")];
/// Words after which `'s` is `is`.
const IS_AFTER: &[&str] =
    &["it", "that", "he", "she", "there", "what", "who", "here", "how", "where", "this", "everything"];

/// Tokenises a sentence, in time linear in its length.
pub(super) fn tokens(sentence: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let letters: Vec<(usize, char)> = sentence.char_indices().collect();
    let mut at = 0;
    while let Some((start, letter)) = letters.get(at).copied() {
        let next = |by: usize| letters.get(at + by).map(|(_, letter)| *letter);
        let is_sign = matches!(letter, '$' | '€' | '£' | '#') && next(1).is_some_and(char::is_alphanumeric);
        if letter.is_whitespace() {
            at += 1;
        } else if letter.is_alphanumeric() || is_sign {
            at = word_end(&letters, at + 1);
            let end = letters.get(at).map_or(sentence.len(), |(end, _)| *end);
            push_word(sentence, start..end, &mut found);
        } else {
            let end = start + letter.len_utf8();
            let word = if matches!(letter, '“' | '”') { "\"".to_owned() } else { letter.to_string() };
            found.push(Token { word, span: start..end, is_capital: false, is_word: false, is_adverb: false });
            at += 1;
        }
    }
    found
}

/// End of the word whose first letter is before `at`: joiners belong to it between letters or digits.
fn word_end(letters: &[(usize, char)], mut at: usize) -> usize {
    let letter = |at: usize| letters.get(at).map(|(_, letter)| *letter);
    while let Some(this) = letter(at) {
        let is_after = |kind: fn(char) -> bool| letter(at + 1).is_some_and(kind);
        let is_before = |kind: fn(char) -> bool| at.checked_sub(1).and_then(letter).is_some_and(kind);
        let is_inside = match this {
            '\'' | '’' | '-' | '.' | '&' | '/' | '@' => {
                is_after(char::is_alphanumeric) && is_before(char::is_alphanumeric)
            }
            ',' | ':' => is_after(char::is_numeric) && is_before(char::is_numeric),
            '%' | '+' => true,
            _ => this.is_alphanumeric() || this == '_',
        };
        if !is_inside {
            break;
        }
        at += 1;
    }
    at
}

/// Appends a word, in two parts if it is a contraction.
fn push_word(sentence: &str, span: Range<usize>, found: &mut Vec<Token>) {
    let raw = sentence.get(span.clone()).unwrap_or_default();
    let is_capital = raw.chars().next().is_some_and(char::is_uppercase);
    let mut push = |word: &str, span: Range<usize>, is_capital: bool| {
        found.push(Token {
            word: word.to_owned(),
            span,
            is_capital,
            is_word: true,
            is_adverb: ADVERBS.contains(word),
        });
    };
    let lower = raw.to_lowercase().replace('’', "'");
    let Some(cut) = raw.rfind(['\'', '’']) else { return push(&lower, span, is_capital) };
    let (base, ending) = lower.rsplit_once('\'').unwrap_or((&lower, ""));
    let (first, second, cut) = match (base, ending) {
        ("can", "t") => ("can", "not", cut),
        ("won", "t") => ("will", "not", cut),
        (base, "t") if base.ends_with('n') => (base.strip_suffix('n').unwrap_or(base), "not", cut - 1),
        (base, "s") if IS_AFTER.contains(&base) => (base, "is", cut),
        (base, "s") => (base, "'s", cut),
        (base, ending) => match ENDINGS.iter().find(|(known, _)| *known == ending) {
            Some((_, word)) => (base, *word, cut),
            None => return push(&lower, span, is_capital),
        },
    };
    push(first, span.start..span.start + cut, is_capital);
    push(second, span.start + cut..span.end, false);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(sentence: &str) -> Vec<String> {
        tokens(sentence).into_iter().map(|token| token.word).collect()
    }

    #[test]
    fn contractions_are_expanded() {
        assert_eq!(words("I'm 32, don’t ask!"), ["i", "am", "32", ",", "do", "not", "ask", "!"]);
        assert_eq!(words("My dog's toy can't"), ["my", "dog", "'s", "toy", "can", "not"]);
        assert_eq!(words("It's $1,200.50 at 25:50"), ["it", "is", "$1,200.50", "at", "25:50"]);
    }
}
