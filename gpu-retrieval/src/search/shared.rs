//! Parallel scan: runs of tiles taken from a shared counter by any number of threads.
//!
//! Threads take runs dynamically, so a thread that joins late or never delays nobody. Invariants: each run is scanned
//! once; the result does not depend on which thread scanned it. The rows of a group may be spread over threads. The best
//! row of a top-k group is always in the partial top-k of the thread that scanned it, since at most k − 1 groups are
//! better there than overall; so merging the partial top-k lists gives the exact top-k. The k-th best score of any
//! thread is a lower bound of the final k-th score, since k groups reach it; threads share the highest one as a floor.
//!
//! Runs are taken newest first: with decay in the score, new rows tend to rank high, and an early high threshold prunes
//! more. Correctness does not depend on the order.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::answer::{Answer, Hit};
use super::column::Column;
use super::query_state::{PreparedQuery, QueryState, with_query_states};
use super::request::{Batch, MAX_QUERIES, SearchOptions};
use super::scan::{choose_pass, scan_tiles};
use super::tile::BlockScan;
use super::top_groups::{Candidate, TopGroups};
use super::validate::{SearchError, check_query};
use crate::rows::{Rows, first_row};
use crate::simd::Kernels;

/// Tiles in a run. 1,024 rows take some 30 µs: far more than taking a run, and short against a request.
const RUN_TILES: usize = 16;

/// Consecutive tiles of one block.
#[derive(Debug)]
struct Run {
    block: usize,
    tiles: Range<usize>,
}

/// The scan of a batch, made by [`Rows::share`]. Any number of threads may [join](Self::join), at any time.
pub struct SharedSearch<'a> {
    rows: &'a Rows,
    kernels: &'static Kernels,
    now_us: i64,
    queries: Vec<PreparedQuery<'a>>,
    /// The oldest first.
    runs: Vec<Run>,
    /// The number of runs not taken yet.
    runs_left: AtomicUsize,
    /// For each query the best k-th score of any thread, as [`order_key`].
    floors: Vec<AtomicU32>,
    /// The results of each thread that joined, per query.
    partials: Mutex<Vec<Vec<PartialTopK>>>,
}

impl std::fmt::Debug for SharedSearch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedSearch")
            .field("queries", &self.queries.len())
            .field("runs", &self.runs.len())
            .field("runs_left", &self.runs_left)
            .finish_non_exhaustive()
    }
}

/// The partial top-k of one thread for a query.
#[derive(Debug)]
struct PartialTopK {
    best_first: Vec<Candidate>,
    rows_scanned: u64,
    rows_rescored: u64,
}

impl Rows {
    /// The best groups of every query, in the order of the batch.
    ///
    /// # Errors
    /// The batch is refused as a whole for the first query that is not valid: see [`SearchError`].
    pub fn search(&self, batch: &Batch<'_>) -> Result<Vec<Answer>, SearchError> {
        self.search_with(batch, &SearchOptions::default())
    }

    /// [`Rows::search`] by a given way, for tests and measurements.
    ///
    /// # Errors
    /// Those of [`Rows::search`], and [`SearchError::InstructionSet`].
    pub fn search_with(
        &self,
        batch: &Batch<'_>,
        options: &SearchOptions,
    ) -> Result<Vec<Answer>, SearchError> {
        Ok(self.share_with(batch, options)?.finish())
    }

    /// Makes a batch ready to be searched by several threads. [`Rows::search`] is the same with one.
    ///
    /// # Errors
    /// Those of [`Rows::search`].
    pub fn share<'a>(&'a self, batch: &Batch<'a>) -> Result<SharedSearch<'a>, SearchError> {
        self.share_with(batch, &SearchOptions::default())
    }

    pub(super) fn share_with<'a>(
        &'a self,
        batch: &Batch<'a>,
        options: &SearchOptions,
    ) -> Result<SharedSearch<'a>, SearchError> {
        let set = options.instruction_set;
        let kernels = set.kernels().ok_or(SearchError::InstructionSet(set))?;
        if batch.queries.len() > MAX_QUERIES {
            return Err(SearchError::TooManyQueries);
        }
        for (index, query) in batch.queries.iter().enumerate() {
            check_query(index, query)?;
        }
        let columns = Column::of_batch(batch.queries, self.len(), kernels)?;
        let prepare = |((index, query), column)| {
            let pass = choose_pass(self, query, options.pass);
            PreparedQuery::new(self, query, column, pass)
                .map_err(|reason| SearchError::Vector { query: index, reason })
        };
        let queries =
            batch.queries.iter().enumerate().zip(columns).map(prepare).collect::<Result<Vec<_>, _>>()?;
        let runs: Vec<Run> = runs(self).collect();
        Ok(SharedSearch {
            rows: self,
            kernels,
            now_us: batch.now_us,
            runs_left: AtomicUsize::new(runs.len()),
            runs,
            floors: queries.iter().map(|_| AtomicU32::new(0)).collect(),
            partials: Mutex::default(),
            queries,
        })
    }
}

fn runs(rows: &Rows) -> impl Iterator<Item = Run> + '_ {
    rows.blocks().iter().enumerate().flat_map(|(block, of)| {
        let tiles = of.alive().len();
        (0..tiles)
            .step_by(RUN_TILES)
            .map(move |start| Run { block, tiles: start..tiles.min(start + RUN_TILES) })
    })
}

impl SharedSearch<'_> {
    /// Scans runs until none is left.
    pub fn join(&self) {
        if self.runs_left.load(Ordering::Relaxed) == 0 {
            return;
        }
        let partials = with_query_states(&self.queries, |queries| {
            while let Some(run) = self.next_run() {
                self.load_floors(queries);
                self.scan(run, queries);
                self.publish_thresholds(queries);
            }
            queries.iter().map(partial_top_k).collect()
        });
        // A poisoned lock only means that another thread panicked between whole entries.
        self.partials.lock().unwrap_or_else(PoisonError::into_inner).push(partials);
    }

    fn scan(&self, run: &Run, queries: &mut [QueryState<'_>]) {
        let Self { rows, kernels, now_us, .. } = *self;
        let Some(block) = rows.blocks().get(run.block) else { return };
        let scan = BlockScan { rows, kernels, block, first_row: first_row(run.block), now_us };
        scan_tiles(&scan, run.tiles.clone(), queries);
    }

    fn next_run(&self) -> Option<&Run> {
        let runs_left = self
            .runs_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |runs_left| runs_left.checked_sub(1));
        self.runs.get(runs_left.ok()?.checked_sub(1)?)
    }

    fn load_floors(&self, queries: &mut [QueryState<'_>]) {
        for (query, floor) in queries.iter_mut().zip(&self.floors) {
            query.collector.floor = score_of_key(floor.load(Ordering::Relaxed));
        }
    }

    fn publish_thresholds(&self, queries: &[QueryState<'_>]) {
        for (query, floor) in queries.iter().zip(&self.floors) {
            if let Some(threshold) = query.collector.top.threshold() {
                floor.fetch_max(order_key(threshold), Ordering::Relaxed);
            }
        }
    }

    /// Scans the runs that no thread has taken, and returns the answers in the order of the batch.
    #[must_use]
    pub fn finish(self) -> Vec<Answer> {
        self.join();
        let partials = self.partials.lock().unwrap_or_else(PoisonError::into_inner);
        let of_query = |index: usize| partials.iter().filter_map(move |of_thread| of_thread.get(index));
        let queries = self.queries.iter().enumerate();
        queries.map(|(index, prepared)| self.answer(prepared, of_query(index))).collect()
    }

    fn answer<'f>(
        &self,
        prepared: &PreparedQuery<'_>,
        partials: impl Iterator<Item = &'f PartialTopK>,
    ) -> Answer {
        let mut top = TopGroups::default();
        top.reset(prepared.query.k);
        let (mut rows_scanned, mut rows_rescored) = (0, 0);
        for partial in partials {
            rows_scanned += partial.rows_scanned;
            rows_rescored += partial.rows_rescored;
            partial.best_first.iter().for_each(|candidate| top.offer(*candidate));
        }
        let hits = top.best_first().iter().map(|best| self.hit(prepared, best)).collect();
        Answer { hits, rows_scanned, rows_rescored, pass: prepared.pass }
    }

    fn hit(&self, prepared: &PreparedQuery<'_>, best: &Candidate) -> Hit {
        let by_decay = || {
            let (block, at) = self.rows.find(best.row)?;
            Some((self.kernels.retention)(block.metadata().get(at)?, self.now_us))
        };
        let retention = prepared.given_retention(best.row as usize).or_else(by_decay).unwrap_or(0.0);
        let Candidate { row, group, group_id, score, similarity, .. } = *best;
        Hit { row, group, group_id, score, similarity, retention }
    }
}

fn partial_top_k(query: &QueryState<'_>) -> PartialTopK {
    let collector = &query.collector;
    PartialTopK {
        best_first: collector.top.best_first().to_vec(),
        rows_scanned: collector.rows_scanned,
        rows_rescored: collector.rows_rescored,
    }
}

/// An integer in the order of scores; 0 is below the key of every score.
fn order_key(score: f32) -> u32 {
    const SIGN: u32 = 1 << 31;
    let bits = score.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// The inverse of [`order_key`]; none for 0.
fn score_of_key(key: u32) -> Option<f32> {
    const SIGN: u32 = 1 << 31;
    let bits = if key & SIGN == 0 { !key } else { key & !SIGN };
    (key != 0).then(|| f32::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ordered_numbers_are_in_the_order_of_scores(a in -1e3f32..1e3, b in -1e3f32..1e3) {
            prop_assert_eq!(order_key(a).cmp(&order_key(b)), a.total_cmp(&b));
            prop_assert_eq!(score_of_key(order_key(a)), Some(a));
            prop_assert!(order_key(a) > 0 && score_of_key(0).is_none());
        }
    }
}
