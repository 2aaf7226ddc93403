//! Normal forms of names and texts, by which facts are compared.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::text::entity_key;

/// Words that say little about the content of a sentence, for overlaps of terms.
const WEAK_WORDS: &[&str] = &[
    "a", "an", "the", "i", "im", "me", "my", "you", "youre", "your", "he", "she", "it", "its", "they", "we",
    "his", "her", "their", "our", "user", "users", "is", "are", "was", "were", "be", "been", "am", "has",
    "have", "had", "do", "does", "did", "that", "this", "of", "to", "in", "on", "at", "and", "or", "for",
    "with", "as",
];

/// Normal form of the name of an entity or of a value: its entity key. Empty for a text without a letter or digit.
pub fn normalised(text: &str) -> String {
    let key = entity_key(text);
    if key.chars().any(char::is_alphanumeric) { key } else { String::new() }
}

/// Words of a text in normal form, with their byte ranges. Apostrophes are dropped: `Don't` is `dont`.
pub(super) fn words(text: &str) -> Vec<(String, Range<usize>)> {
    let words = text.unicode_word_indices().map(|(at, word)| {
        let folded: String = word.nfkc().collect::<String>().to_lowercase();
        let kept: String =
            folded.chars().filter(|letter| letter.is_alphanumeric() || *letter == '.').collect();
        (kept, at..at + word.len())
    });
    words.filter(|(word, _)| !word.is_empty()).collect()
}

/// Text in normal form: its words, separated by blanks.
pub(super) fn text_key(text: &str) -> String {
    words(text).into_iter().map(|(word, _)| word).collect::<Vec<_>>().join(" ")
}

/// Words that carry content, without a plural or third-person ending, sorted and unique.
pub(super) fn content_terms(text: &str) -> Vec<String> {
    let strong =
        words(text).into_iter().map(|(word, _)| word).filter(|word| !WEAK_WORDS.contains(&word.as_str()));
    let mut terms: Vec<String> = strong
        .map(|word| match word.strip_suffix('s') {
            Some(stem) if stem.chars().count() > 2 => stem.to_owned(),
            _ => word,
        })
        .collect();
    terms.sort_unstable();
    terms.dedup();
    terms
}

/// Jaccard similarity of two sorted lists without repetitions, 0 to 1; 0 if both are empty.
pub(super) fn jaccard(one: &[String], other: &[String]) -> f64 {
    let shared = one.iter().filter(|term| other.binary_search(term).is_ok()).count();
    let all = one.len() + other.len() - shared;
    let count = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if all == 0 { 0.0 } else { count(shared) / count(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_equal_up_to_case_space_width_and_articles() {
        for name in ["The  Acme Corp.", "acme corp", "ＡＣＭＥ Corp", "my Acme Corp"] {
            assert_eq!(normalised(name), "acme corp", "{name}");
        }
        assert_eq!(normalised("..."), "");
        assert_eq!(normalised("A"), "a");
        assert_eq!(text_key("I don’t  LIKE it!"), text_key("i dont like it"));
    }

    #[test]
    fn overlap_counts_content_words_only() {
        let one = content_terms("The user lives in Paris.");
        assert_eq!(one, content_terms("You live in Paris"));
        assert!((jaccard(&one, &content_terms("I live in Rome")) - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(jaccard(&[], &[]).to_bits(), 0.0_f64.to_bits());
    }
}
