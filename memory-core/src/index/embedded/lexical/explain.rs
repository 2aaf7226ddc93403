//! Explanation of a row's BM25 score, term by term, for people. Invariant: the contributions add up, in their order, to
//! the row's score.

use super::{LexicalIndex, bm25::idf};
use crate::text::{QueryTerms, QueryWord};

/// The contribution of one query word to a row's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TermExplanation {
    /// Hash of the word's alternative that contributes most, the only one that counts.
    pub hash: u32,
    /// Count of the term in the row.
    pub count: u16,
    /// Live rows that have the term.
    pub document_frequency: u32,
    /// Inverse document frequency, in nats.
    pub idf: f32,
    /// The term's contribution to the score.
    pub contribution: f32,
}

impl LexicalIndex {
    /// The contributions of the query words that `row` has, in the order of the query. `None` when there is no such row.
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
