//! Term vector: a document as a bag of term hashes.
//!
//! It is all that lexical search keeps of a document, in any index back end. Invariants: hashes ascend strictly, every
//! count is at least one, and the counts add up to the length unless one is saturated.

use super::Language;

/// Terms of one document. Made by [`Tokenizer::document`](super::Tokenizer::document).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermVector {
    pub(super) terms: Vec<Term>,
    pub(super) length_tokens: u32,
    pub(super) language: Language,
    pub(super) ends_with_question: bool,
}

/// Term with its frequency in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Hash of the term.
    pub hash: u32,
    /// Occurrences in the document, at least 1, saturating at 65 535.
    pub count: u16,
}

impl TermVector {
    /// Vector of a document whose tokens have these `hashes`, in any order, duplicates included.
    pub fn from_hashes(mut hashes: Vec<u32>, language: Language) -> Self {
        let length_tokens = u32::try_from(hashes.len()).unwrap_or(u32::MAX);
        hashes.sort_unstable();
        let terms = hashes
            .chunk_by(|left, right| left == right)
            .map(|run| Term { hash: run[0], count: u16::try_from(run.len()).unwrap_or(u16::MAX) })
            .collect();
        Self { terms, length_tokens, language, ends_with_question: false }
    }

    /// The same vector, of a document that does or does not end with a question.
    pub fn asking(self, ends_with_question: bool) -> Self {
        Self { ends_with_question, ..self }
    }

    /// Distinct terms, by ascending hash.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Length of the document in tokens, duplicates included.
    pub fn length_tokens(&self) -> u32 {
        self.length_tokens
    }

    /// Language in which most of the document was stemmed.
    pub fn language(&self) -> Language {
        self.language
    }

    /// True if the document ends with a question: the next turn is then likely its answer.
    pub fn ends_with_question(&self) -> bool {
        self.ends_with_question
    }

    /// True if the document has no tokens.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_per_hash_and_saturate() {
        let mut hashes = vec![7; 70_000];
        hashes.extend([3, 9, 3]);
        let vector = TermVector::from_hashes(hashes, Language::English);
        let expected = [(3, 2), (7, u16::MAX), (9, 1)].map(|(hash, count)| Term { hash, count });
        assert_eq!(vector.terms(), expected);
        assert_eq!(vector.length_tokens(), 70_003);
    }
}
