//! Why a row scores as it does, term by term.
//!
//! For people, not for ranking. Invariant: the contributions add up, in their order, to the row's score.

use super::{LexicalIndex, bm25::idf};
use crate::text::{QueryTerms, QueryWord};

/// What one word of a question adds to a row's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TermExplanation {
    /// Hash of the alternative that counted: the one that adds most.
    pub hash: u32,
    /// How often the row has the term.
    pub count: u16,
    /// Live rows that have the term.
    pub document_frequency: u32,
    /// Inverse document frequency, in nats.
    pub idf: f32,
    /// What the term adds to the score.
    pub contribution: f32,
}

impl LexicalIndex {
    /// What each word of the question adds to the score of `row`, for the words that the row has, in the
    /// order of the question's words. `None` when there is no such row.
    pub fn explain(&self, terms: &QueryTerms, row: u32) -> Option<Vec<TermExplanation>> {
        let doc = self.rows.doc_of(row)?;
        Some(terms.words().iter().filter_map(|word| self.explain_word(word, doc)).collect())
    }

    fn explain_word(&self, word: &QueryWord, doc: u32) -> Option<TermExplanation> {
        let length_tokens = self.rows.lengths_tokens()[doc as usize];
        let norm = self.bm25.length_norm(self.rows.average_length());
        let explained = word.alternatives().iter().filter_map(|&hash| {
            let (id, postings) = self.vocabulary.find(hash)?;
            let (_, count) = self.forward.terms(doc).find(|(other, _)| *other == id)?;
            let document_frequency = postings.document_frequency;
            let idf = idf(self.rows.live(), document_frequency);
            let contribution = idf * norm.saturation(f32::from(count), length_tokens);
            Some(TermExplanation { hash, count, document_frequency, idf, contribution })
        });
        explained.max_by(|left, right| left.contribution.total_cmp(&right.contribution))
    }
}
