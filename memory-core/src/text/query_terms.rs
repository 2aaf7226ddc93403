//! Query as term hashes.
//!
//! The language of a short query cannot be detected, so each of its words stands for its stems in every language of the
//! searched scope. Invariants: alternatives ascend strictly and are never empty; words are distinct and ordered by
//! their alternatives, so that scores are always summed in one order.

/// Words of a query. Made by [`Tokenizer::query`](super::Tokenizer::query).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryTerms {
    words: Vec<QueryWord>,
}

/// Word of a query: the hashes of the terms as which it may occur in a document.
///
/// A document that contains several of them gets the score of the best one only, because they are one word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueryWord {
    alternatives: Vec<u32>,
}

impl QueryTerms {
    /// Maximum number of words in a query; longer than any real query, and short enough for fast search.
    pub const MAX_WORDS: usize = 256;

    /// Query with these words, each given by its alternatives. Duplicates and empty words are dropped, as are words
    /// after the first [`MAX_WORDS`](Self::MAX_WORDS) distinct ones.
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

    /// Words, ordered by their alternatives.
    pub fn words(&self) -> &[QueryWord] {
        &self.words
    }

    /// True if the query has no words and cannot match.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

impl QueryWord {
    /// Hashes of the terms as which the word may occur, ascending.
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
    fn a_query_is_bounded() {
        let query = QueryTerms::from_words((0..1_000).map(|hash| vec![hash]));
        assert_eq!(query.words().len(), QueryTerms::MAX_WORDS);
    }
}
