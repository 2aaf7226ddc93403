//! A document as a bag of term hashes.
//!
//! It is all that lexical search keeps of a document, in whichever back end. Invariants: hashes ascend
//! strictly, every count is at least one, and the counts add up to the length unless one is saturated.

use super::Language;

/// The terms of one document. Made by [`Tokenizer::document`](super::Tokenizer::document).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermVector {
    pub(super) terms: Vec<Term>,
    pub(super) length_tokens: u32,
    pub(super) language: Language,
    pub(super) ends_with_question: bool,
}

/// A term and how often a document has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Hash of the term.
    pub hash: u32,
    /// Occurrences in the document, at least 1, saturating at 65 535.
    pub count: u16,
}

impl TermVector {
    /// The vector of a document whose tokens hash to `hashes`, in any order, repeats included.
    pub fn from_hashes(mut hashes: Vec<u32>, language: Language) -> Self {
        let length_tokens = u32::try_from(hashes.len()).unwrap_or(u32::MAX);
        hashes.sort_unstable();
        let terms = hashes
            .chunk_by(|left, right| left == right)
            .map(|run| Term { hash: run[0], count: u16::try_from(run.len()).unwrap_or(u16::MAX) })
            .collect();
        Self { terms, length_tokens, language, ends_with_question: false }
    }

    /// The same, of a document that ends with a question, or does not.
    pub fn asking(self, ends_with_question: bool) -> Self {
        Self { ends_with_question, ..self }
    }

    /// The distinct terms, by ascending hash.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The document's length in tokens, repeats included.
    pub fn length_tokens(&self) -> u32 {
        self.length_tokens
    }

    /// The language that most of the document was stemmed in.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Whether the document ends with a question: what is said next answers it.
    pub fn ends_with_question(&self) -> bool {
        self.ends_with_question
    }

    /// Whether the document has no tokens at all.
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
