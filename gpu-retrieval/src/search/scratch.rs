//! Queries made ready for the scan, and the memory that searches of one thread share.
//!
//! It exists so that a query allocates little more than its answer. The invariant: what a thread keeps between
//! searches is bounded, and nothing in it is read before it was written anew.

use std::cell::Cell;

use crate::contract::{VectorError, Weights};
use crate::rows::{QuantisedQuery, Rows};

use super::certified::Doubtful;
use super::top_groups::TopGroups;
use super::{Pass, Query, unit_fp16};

/// What a thread may keep for its next search, in bytes.
const MAX_KEPT_BYTES: usize = 8 << 20;

/// A query, widened and quantised: the same for all threads that work on it.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    pub(super) query: &'a Query<'a>,
    /// The canonical query: fp16 values as fp32, padded with zeros to the rows' stride.
    pub(super) wide: Vec<f32>,
    pub(super) quantised: QuantisedQuery,
    pub(super) weights: Weights,
    pub(super) pass: Pass,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(rows: &Rows, query: &'a Query<'a>, pass: Pass) -> Result<Self, VectorError> {
        let wide = widen(rows, query.vector)?;
        let mut quantised = QuantisedQuery::default();
        if pass == Pass::Certified {
            quantised.assign(&wide);
        }
        Ok(Self { query, wide, quantised, weights: query.weights.positive_zeros(), pass })
    }

    /// Whether the part of the score beside similarity is +0 for every row.
    pub(super) fn has_no_bias(&self) -> bool {
        self.weights.retention == 0.0 && self.weights.importance == 0.0
    }
}

/// A query and what one thread has found for it.
#[derive(Debug)]
pub(super) struct Running<'a> {
    pub(super) asked: &'a Prepared<'a>,
    pub(super) found: Found,
}

impl Running<'_> {
    /// The score below which a row changes nothing: what this thread has found, or what others have.
    pub(super) fn threshold(&self) -> Option<f32> {
        let Found { top, floor, .. } = &self.found;
        match (top.threshold(), *floor) {
            (Some(own), Some(others)) => Some(own.max(others)),
            (own, others) => own.or(others),
        }
    }
}

/// What one thread has found for a query. Its memory is used again for another.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) top: TopGroups,
    /// No row with a lower score is among the best of all, as other threads know.
    pub(super) floor: Option<f32>,
    /// The rows of the current run that this query may see, one word per tile.
    pub(super) allowed: Vec<u64>,
    /// Rows of the current run that are still to be scored.
    pub(super) doubtful: Vec<Doubtful>,
    pub(super) rows_scanned: u64,
    pub(super) rows_rescored: u64,
}

impl Found {
    /// Takes the place of what was found for an earlier query.
    fn begin(&mut self, k: usize) {
        self.top.reset(k);
        self.floor = None;
        self.allowed.clear();
        self.doubtful.clear();
        self.rows_scanned = 0;
        self.rows_rescored = 0;
    }

    fn kept_bytes(&self) -> usize {
        self.allowed.capacity() * size_of::<u64>()
            + self.doubtful.capacity() * size_of::<Doubtful>()
            + self.top.kept_bytes()
    }
}

/// The canonical form of a query vector: normalised, rounded to fp16, widened and padded.
pub(super) fn widen(rows: &Rows, vector: &[f32]) -> Result<Vec<f32>, VectorError> {
    if vector.len() != rows.dims() {
        return Err(VectorError::Dims { expected: rows.dims(), given: vector.len() });
    }
    let unit = unit_fp16(vector)?;
    let padding = rows.stride().saturating_sub(unit.len());
    Ok(unit.iter().map(|value| value.to_f32()).chain(std::iter::repeat_n(0.0, padding)).collect())
}

/// Calls `search` with the queries, nothing found yet, in memory that this thread has kept.
pub(super) fn with_running<T>(asked: &[Prepared<'_>], search: impl FnOnce(&mut [Running<'_>]) -> T) -> T {
    thread_local! {
        static KEPT: Cell<Vec<Found>> = const { Cell::new(Vec::new()) };
    }
    let mut kept = KEPT.take();
    let mut running: Vec<Running<'_>> = asked
        .iter()
        .map(|asked| {
            let mut found = kept.pop().unwrap_or_default();
            found.begin(asked.query.k);
            Running { asked, found }
        })
        .collect();
    let result = search(&mut running);
    kept.extend(running.into_iter().map(|running| running.found));
    if kept.iter().map(Found::kept_bytes).sum::<usize>() <= MAX_KEPT_BYTES {
        KEPT.set(kept);
    }
    result
}
