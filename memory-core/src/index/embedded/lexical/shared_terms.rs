//! Rare terms that two texts share: edges between memories over the terms of the index.
//!
//! A walk from a text takes one of its rare terms in proportion to idf, then any row with that term. Terms that many rows
//! have connect everything with everything, and say nothing.

use super::{LexicalIndex, bm25::idf};

/// Largest share of the live rows that a rare term occurs in, as its reciprocal: 5 %.
const ROWS_PER_RARE_TERM: usize = 20;

/// Rare terms of a text with their weights.
#[derive(Debug, Default)]
pub(in crate::index::embedded) struct RareTerms {
    /// Term id and `idf / df`, by ascending id.
    weights: Vec<(u32, f32)>,
    /// Sum of idf over the terms.
    total: f32,
}

impl LexicalIndex {
    /// Rare terms of these rows together. A row that is not in the index has none.
    pub(in crate::index::embedded) fn rare_terms(&self, rows: impl Iterator<Item = u32>) -> RareTerms {
        let most = u32::try_from(self.len() / ROWS_PER_RARE_TERM).unwrap_or(u32::MAX).max(2);
        let docs = rows.filter_map(|row| self.rows.doc_of(row));
        let mut ids: Vec<u32> = docs.flat_map(|doc| self.forward.terms(doc)).map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut terms = RareTerms::default();
        for id in ids {
            let df = self.vocabulary.term(id).document_frequency;
            if (2..=most).contains(&df) {
                let idf = idf(self.len(), df);
                terms.weights.push((id, idf / df as f32));
                terms.total += idf;
            }
        }
        terms
    }

    /// Share of the terms that the best of these rows has, 0 to 1; 0 without a rare term.
    pub(in crate::index::embedded) fn share_of(
        &self,
        terms: &RareTerms,
        rows: impl Iterator<Item = u32>,
    ) -> f32 {
        if terms.total <= 0.0 {
            return 0.0;
        }
        let docs = rows.filter_map(|row| self.rows.doc_of(row));
        let sums = docs.map(|doc| {
            let mut weights = terms.weights.iter().peekable();
            let mut sum = 0.0;
            for (id, _) in self.forward.terms(doc) {
                while weights.next_if(|(other, _)| *other < id).is_some() {}
                sum += weights.next_if(|(other, _)| *other == id).map_or(0.0, |(_, weight)| *weight);
            }
            sum
        });
        sums.fold(0.0, f32::max) / terms.total
    }
}
