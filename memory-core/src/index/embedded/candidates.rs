//! Candidates while their scores are collected: one entry per ordinal, with the best row of each retriever.

use crate::index::DenseScore;

/// A candidate whose scores are not all known yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartialCandidate {
    pub(super) ordinal: u32,
    /// True if dense or BM25 retrieved it; false if it is an adjacent turn of a retrieved one.
    pub(super) retrieved: bool,
    /// The ordinals of the visible turns right before and after it.
    pub(super) adjacent: [Option<u32>; 2],
    /// The best row of the scan.
    pub(super) dense: Option<(u32, DenseScore)>,
    /// The best row of BM25.
    pub(super) lexical: Option<(u32, f32)>,
    /// BM25 of its window.
    pub(super) window: f32,
}

impl PartialCandidate {
    pub(super) fn retrieved(ordinal: u32) -> Self {
        Self { ordinal, retrieved: true, adjacent: [None; 2], dense: None, lexical: None, window: 0.0 }
    }

    pub(super) fn adjacent(ordinal: u32, adjacent: [Option<u32>; 2]) -> Self {
        Self { retrieved: false, adjacent, ..Self::retrieved(ordinal) }
    }
}

/// One entry per ordinal, ascending. Each retriever names an ordinal at most once.
pub(super) fn merged(mut candidates: Vec<PartialCandidate>) -> Vec<PartialCandidate> {
    candidates.sort_unstable_by_key(|candidate| candidate.ordinal);
    candidates.dedup_by(|next, kept| {
        let is_same = next.ordinal == kept.ordinal;
        if is_same {
            kept.dense = kept.dense.or(next.dense);
            kept.lexical = kept.lexical.or(next.lexical);
        }
        is_same
    });
    candidates
}
