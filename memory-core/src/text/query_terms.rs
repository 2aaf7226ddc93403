//! A question as term hashes.
//!
//! Which language a short question is in cannot be told, so each of its words stands for its stems in every
//! language that the searched scope holds. Invariants: alternatives ascend strictly and are never empty,
//! words are distinct and ordered by them, so that scores are always added up in one order.

/// The words of a question. Made by [`Tokenizer::query`](super::Tokenizer::query).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryTerms {
    words: Vec<QueryWord>,
}

/// One word of a question: the hashes of the terms it may appear as in a document.
///
/// A document that has several of them is given the best one only: they are one word, not several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueryWord {
    alternatives: Vec<u32>,
}

impl QueryTerms {
    /// How many words a question may have; more than any question needs, and few enough to be answered fast.
    pub const MAX_WORDS: usize = 256;

    /// The question with these words, each given by its alternatives. Repeats and empty words are dropped,
    /// and so is what comes after the first [`MAX_WORDS`](Self::MAX_WORDS) distinct words.
    pub fn from_words(words: impl IntoIterator<Item = Vec<u32>>) -> Self {
        let mut distinct = std::collections::BTreeSet::new();
        for mut alternatives in words {
            alternatives.sort_unstable();
            alternatives.dedup();
            if !alternatives.is_empty() {
                distinct.insert(QueryWord { alternatives });
            }
            if distinct.len() == Self::MAX_WORDS {
                break;
            }
        }
        Self { words: distinct.into_iter().collect() }
    }

    /// The words, ordered by their alternatives.
    pub fn words(&self) -> &[QueryWord] {
        &self.words
    }

    /// Whether nothing can match.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

impl QueryWord {
    /// Hashes of the terms the word may appear as, ascending.
    pub fn alternatives(&self) -> &[u32] {
        &self.alternatives
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_distinct_and_ordered() {
        let query = QueryTerms::from_words([vec![9], vec![5, 3, 5], vec![], vec![3, 5]]);
        let alternatives: Vec<&[u32]> = query.words().iter().map(QueryWord::alternatives).collect();
        assert_eq!(alternatives, [&[3, 5][..], &[9]]);
    }

    #[test]
    fn a_question_is_bounded() {
        let query = QueryTerms::from_words((0..1_000).map(|hash| vec![hash]));
        assert_eq!(query.words().len(), QueryTerms::MAX_WORDS);
    }
}
