//! A query made ready for the scan, and the memory that searches of one thread share.
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

/// A query, widened, quantised and running.
#[derive(Debug)]
pub(super) struct Running {
    /// The canonical query: fp16 values as fp32, padded with zeros to the rows' stride.
    pub(super) wide: Vec<f32>,
    pub(super) quantised: QuantisedQuery,
    pub(super) weights: Weights,
    pub(super) top: TopGroups,
    /// The rows of the current block that this query may see, one word per tile.
    pub(super) allowed: Vec<u64>,
    /// Rows of the current block that are still to be scored.
    pub(super) doubtful: Vec<Doubtful>,
    pub(super) pass: Pass,
    pub(super) rows_scanned: u64,
    pub(super) rows_rescored: u64,
}

impl Running {
    fn empty() -> Self {
        Self {
            wide: Vec::new(),
            quantised: QuantisedQuery::default(),
            weights: Weights::SIMILARITY,
            top: TopGroups::default(),
            allowed: Vec::new(),
            doubtful: Vec::new(),
            pass: Pass::Exact,
            rows_scanned: 0,
            rows_rescored: 0,
        }
    }

    /// Takes the place of an earlier query.
    pub(super) fn assign(&mut self, rows: &Rows, query: &Query<'_>, pass: Pass) -> Result<(), VectorError> {
        widen(rows, query.vector, &mut self.wide)?;
        if pass == Pass::Certified {
            self.quantised.assign(&self.wide);
        }
        self.weights = query.weights.positive_zeros();
        self.top.reset(query.k);
        self.doubtful.clear();
        self.pass = pass;
        self.rows_scanned = 0;
        self.rows_rescored = 0;
        Ok(())
    }

    /// Whether the part of the score beside similarity is +0 for every row.
    pub(super) fn has_no_bias(&self) -> bool {
        self.weights.retention == 0.0 && self.weights.importance == 0.0
    }

    fn kept_bytes(&self) -> usize {
        self.wide.capacity() * size_of::<f32>()
            + self.quantised.levels.capacity() * size_of::<i16>()
            + self.allowed.capacity() * size_of::<u64>()
            + self.doubtful.capacity() * size_of::<Doubtful>()
            + self.top.kept_bytes()
    }
}

/// The canonical form of a query vector: normalised, rounded to fp16, widened and padded.
pub(super) fn widen(rows: &Rows, vector: &[f32], wide: &mut Vec<f32>) -> Result<(), VectorError> {
    if vector.len() != rows.dims() {
        return Err(VectorError::Dims { expected: rows.dims(), given: vector.len() });
    }
    let unit = unit_fp16(vector)?;
    wide.clear();
    wide.extend(unit.iter().map(|value| value.to_f32()));
    wide.resize(rows.stride(), 0.0);
    Ok(())
}

/// Calls `search` with `count` running queries to be assigned, taken from those this thread has kept.
pub(super) fn with_running<T>(count: usize, search: impl FnOnce(&mut [Running]) -> T) -> T {
    thread_local! {
        static KEPT: Cell<Vec<Running>> = const { Cell::new(Vec::new()) };
    }
    let mut running = KEPT.take();
    running.resize_with(running.len().max(count), Running::empty);
    let result = search(&mut running[..count]);
    if running.iter().map(Running::kept_bytes).sum::<usize>() <= MAX_KEPT_BYTES {
        KEPT.set(running);
    }
    result
}
