//! Per-query state of a scan: the prepared query, and the collector of one thread.
//!
//! Collectors are reused between searches of a thread, so a query allocates little more than its answer. Invariants: the
//! memory a thread keeps between searches is bounded; nothing is read from it before it is written again.

use std::cell::Cell;
use std::sync::Arc;

use super::column::Column;
use super::request::{Pass, Query};
use super::top_groups::TopGroups;
use crate::rows::{QuantisedQuery, Rows};
use crate::scoring::{VectorError, Weights, unit_fp16};

/// The largest memory that a thread keeps for its next search, in bytes.
const MAX_KEPT_BYTES: usize = 8 << 20;

/// A query in canonical and quantised form, shared by all threads.
#[derive(Debug)]
pub(super) struct PreparedQuery<'a> {
    pub(super) query: &'a Query<'a>,
    pub(super) column: Option<Arc<Column<'a>>>,
    /// The canonical query: fp16 values as fp32, padded with zeros to the rows' stride.
    pub(super) wide: Vec<f32>,
    pub(super) quantised: QuantisedQuery,
    pub(super) weights: Weights,
    pub(super) pass: Pass,
}

impl<'a> PreparedQuery<'a> {
    pub(super) fn new(
        rows: &Rows,
        query: &'a Query<'a>,
        column: Option<Arc<Column<'a>>>,
        pass: Pass,
    ) -> Result<Self, VectorError> {
        let wide = canonical_query(rows, query.vector)?;
        let mut quantised = QuantisedQuery::default();
        if pass == Pass::Certified {
            quantised.assign(&wide);
        }
        Ok(Self { query, column, wide, quantised, weights: query.weights.positive_zeros(), pass })
    }

    /// The number of the retention column for a row.
    pub(super) fn given_retention(&self, row: usize) -> Option<f32> {
        self.column.as_ref()?.of_row(row)
    }

    /// Upper bound of the retention of a tile's rows, as far as it enters the score and is known without the rows. Tiles are
    /// counted over all blocks.
    pub(super) fn most_retention(&self, tile: usize) -> f32 {
        match &self.column {
            _ if self.weights.retention == 0.0 => 0.0,
            Some(column) => column.most_of_tile(tile),
            None => 1.0,
        }
    }

    /// True if the part of the score beside similarity is +0 for every row.
    pub(super) fn has_no_bias(&self) -> bool {
        self.weights.retention == 0.0 && self.weights.importance == 0.0
    }
}

/// A query and the collector of one thread.
#[derive(Debug)]
pub(super) struct QueryState<'a> {
    pub(super) prepared: &'a PreparedQuery<'a>,
    pub(super) collector: Collector,
}

impl QueryState<'_> {
    /// The score below which a row is not competitive: this thread's k-th best, or the floor of all threads.
    pub(super) fn threshold(&self) -> Option<f32> {
        let Collector { top, floor, .. } = &self.collector;
        match (top.threshold(), *floor) {
            (Some(own), Some(others)) => Some(own.max(others)),
            (own, others) => own.or(others),
        }
    }
}

/// The results of one thread for a query. Reused for other queries.
#[derive(Debug, Default)]
pub(super) struct Collector {
    pub(super) top: TopGroups,
    /// A lower bound of the final k-th score, from other threads.
    pub(super) floor: Option<f32>,
    /// The allowed live rows of the current run, one word per tile.
    pub(super) allowed: Vec<u64>,
    /// Rows of the current run still to be rescored.
    pub(super) survivors: Vec<Survivor>,
    pub(super) rows_scanned: u64,
    pub(super) rows_rescored: u64,
}

impl Collector {
    /// Resets it for another query.
    fn reset(&mut self, k: usize) {
        self.top.reset(k);
        self.floor = None;
        self.allowed.clear();
        self.survivors.clear();
        self.rows_scanned = 0;
        self.rows_rescored = 0;
    }

    fn kept_bytes(&self) -> usize {
        self.allowed.capacity() * size_of::<u64>()
            + self.survivors.capacity() * size_of::<Survivor>()
            + self.top.kept_bytes()
    }
}

/// A row that its upper bound did not prune.
#[derive(Debug, Clone, Copy)]
pub(super) struct Survivor {
    pub(super) at: usize,
    pub(super) upper: f32,
    pub(super) bias: f32,
}

/// The canonical form of a query vector: normalised, rounded to fp16, widened and padded.
pub(super) fn canonical_query(rows: &Rows, vector: &[f32]) -> Result<Vec<f32>, VectorError> {
    if vector.len() != rows.dims() {
        return Err(VectorError::Dims { expected: rows.dims(), given: vector.len() });
    }
    let unit = unit_fp16(vector)?;
    let padding = rows.stride().saturating_sub(unit.len());
    Ok(unit.iter().map(|value| value.to_f32()).chain(std::iter::repeat_n(0.0, padding)).collect())
}

/// Calls `search` with empty collectors, reusing memory kept by this thread.
pub(super) fn with_query_states<T>(
    prepared: &[PreparedQuery<'_>],
    search: impl FnOnce(&mut [QueryState<'_>]) -> T,
) -> T {
    thread_local! {
        static KEPT: Cell<Vec<Collector>> = const { Cell::new(Vec::new()) };
    }
    let mut kept = KEPT.take();
    let mut queries: Vec<QueryState<'_>> = prepared
        .iter()
        .map(|prepared| {
            let mut collector = kept.pop().unwrap_or_default();
            collector.reset(prepared.query.k);
            QueryState { prepared, collector }
        })
        .collect();
    let result = search(&mut queries);
    kept.extend(queries.into_iter().map(|queries| queries.collector));
    if kept.iter().map(Collector::kept_bytes).sum::<usize>() <= MAX_KEPT_BYTES {
        KEPT.set(kept);
    }
    result
}
