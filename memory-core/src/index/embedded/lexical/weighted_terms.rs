//! The query terms of one index, with idf and bounds, and the scoring of a row.
//!
//! Invariant: a row's score is the sum, in the order of the query words, of the contribution of each word's best
//! alternative. Every score that leaves the index is computed in this one order, so that equal rows have bit-equal scores.

use super::{
    LexicalIndex,
    bm25::{LengthNorm, idf},
};
use crate::text::QueryTerms;

/// A query term that a live row has.
#[derive(Debug, Clone, Copy)]
pub(super) struct WeightedTerm {
    pub(super) id: u32,
    /// Position of the query word of which the term is an alternative.
    pub(super) word: u32,
    pub(super) idf: f32,
    /// Upper bound of the term's contribution to any row.
    pub(super) bound: f32,
}

impl WeightedTerm {
    /// Raises the contribution of the term's word to this term's, unless an alternative contributes more.
    #[inline]
    fn raise(&self, best_by_word: &mut [f32], saturation: f32) {
        let best = &mut best_by_word[self.word as usize];
        *best = best.max(self.idf * saturation);
    }
}

/// The query terms by ascending id. Reused from one query to the next.
#[derive(Debug, Default)]
pub(super) struct WeightedTerms {
    pub(super) terms: Vec<WeightedTerm>,
    pub(super) norm: LengthNorm,
    /// By word, the contribution of its best alternative to the row being scored; zero between rows.
    best_by_word: Vec<f32>,
}

impl WeightedTerms {
    pub(super) fn prepare(&mut self, index: &LexicalIndex, query: &QueryTerms) {
        self.norm = index.bm25.length_norm(index.rows.average_length());
        self.best_by_word.clear();
        self.best_by_word.resize(query.words().len(), 0.0);
        self.terms.clear();
        for (word, position) in query.words().iter().zip(0..) {
            for &hash in word.alternatives() {
                let Some((id, postings)) = index.vocabulary.find(hash) else { continue };
                let idf = idf(index.rows.live(), postings.document_frequency);
                let most = self.norm.saturation(f32::from(postings.max_count), postings.min_length_tokens);
                self.terms.push(WeightedTerm { id, word: position, idf, bound: idf * most });
            }
        }
        self.terms.sort_unstable_by_key(|term| (term.id, term.word));
    }

    /// The score of a doc; 0 without a query term.
    pub(super) fn score(&mut self, index: &LexicalIndex, doc: u32) -> f32 {
        let length_tokens = index.rows.lengths_tokens()[doc as usize];
        let mut best_by_word = std::mem::take(&mut self.best_by_word);
        self.for_each_term_of(index, doc, |position, count| {
            self.terms[position]
                .raise(&mut best_by_word, self.norm.saturation(f32::from(count), length_tokens));
        });
        self.best_by_word = best_by_word;
        self.best_by_word.iter_mut().map(std::mem::take).sum()
    }

    /// The score of a text with these term counts, by position in `terms`. Resets the counts to zero.
    pub(super) fn score_counts(&mut self, counts: &mut [u32], length_tokens: u32) -> f32 {
        for (term, count) in self.terms.iter().zip(counts) {
            if *count > 0 {
                let saturation = self.norm.saturation(std::mem::take(count) as f32, length_tokens);
                term.raise(&mut self.best_by_word, saturation);
            }
        }
        self.best_by_word.iter_mut().map(std::mem::take).sum()
    }

    /// Calls `each` with the position in `terms` and the count of each query term that a doc has.
    #[inline]
    pub(super) fn for_each_term_of(&self, index: &LexicalIndex, doc: u32, mut each: impl FnMut(usize, u16)) {
        let mut position = 0;
        for (id, count) in index.forward.terms(doc) {
            while let Some(term) = self.terms.get(position)
                && term.id <= id
            {
                if term.id == id {
                    each(position, count);
                }
                position += 1;
            }
            if position == self.terms.len() {
                break;
            }
        }
    }
}
