//! A question made ready for one index: its terms looked up and weighed.
//!
//! Invariant: a row's score is the sum, in the order of the question's words, of what the best alternative
//! of each word adds. Every score that leaves the index is computed by [`WeightedTerms::score`], in this one
//! order, so equal rows have equal scores to the last bit.

use super::{
    LexicalIndex,
    bm25::{LengthNorm, idf},
};
use crate::text::QueryTerms;

/// A term of the question that some live row has.
#[derive(Debug, Clone, Copy)]
pub(super) struct WeightedTerm {
    pub(super) id: u32,
    /// Position of the word that this is an alternative of.
    pub(super) word: u32,
    pub(super) idf: f32,
    /// No row gets more from this term.
    pub(super) bound: f32,
}

impl WeightedTerm {
    /// Lets the term add its share of the idf to its word, if no alternative adds more.
    #[inline]
    fn raise(&self, best_by_word: &mut [f32], saturation: f32) {
        let best = &mut best_by_word[self.word as usize];
        *best = best.max(self.idf * saturation);
    }
}

/// The terms of a question by ascending id. Reused from one question to the next.
#[derive(Debug, Default)]
pub(super) struct WeightedTerms {
    pub(super) terms: Vec<WeightedTerm>,
    pub(super) norm: LengthNorm,
    /// By word, what its best alternative adds to the row being scored; zero in between.
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

    /// The score of a doc; 0 when it has none of the terms.
    pub(super) fn score(&mut self, index: &LexicalIndex, doc: u32) -> f32 {
        let length_tokens = index.rows.lengths_tokens()[doc as usize];
        let mut best_by_word = std::mem::take(&mut self.best_by_word);
        self.for_each_term_of(index, doc, |place, count| {
            self.terms[place].raise(&mut best_by_word, self.norm.saturation(f32::from(count), length_tokens));
        });
        self.best_by_word = best_by_word;
        self.best_by_word.iter_mut().map(std::mem::take).sum()
    }

    /// The same of a text that has the terms so often, by their places; the counts are zero afterwards.
    pub(super) fn score_counts(&mut self, counts: &mut [u32], length_tokens: u32) -> f32 {
        for (term, count) in self.terms.iter().zip(counts) {
            if *count > 0 {
                let saturation = self.norm.saturation(std::mem::take(count) as f32, length_tokens);
                term.raise(&mut self.best_by_word, saturation);
            }
        }
        self.best_by_word.iter_mut().map(std::mem::take).sum()
    }

    /// The places of the terms that a doc has, with how often it has them.
    #[inline]
    pub(super) fn for_each_term_of(&self, index: &LexicalIndex, doc: u32, mut each: impl FnMut(usize, u16)) {
        let mut place = 0;
        for (id, count) in index.forward.terms(doc) {
            while let Some(term) = self.terms.get(place)
                && term.id <= id
            {
                if term.id == id {
                    each(place, count);
                }
                place += 1;
            }
            if place == self.terms.len() {
                break;
            }
        }
    }
}
