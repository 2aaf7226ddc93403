//! A search as work that can be shared: runs of rows, each taken by one thread.
//!
//! It exists so that one question over many rows is answered by all processors that are free, and so that a thread
//! that comes late, or not at all, costs nothing: whoever is there takes the next run. Invariants: each run is taken
//! once; what is found does not depend on who took what. A group's rows may lie in the runs of several threads: its
//! best row is among what the thread of that row has found, since no more than k − 1 groups are better there than
//! anywhere; so the best of all findings are the best of all rows. Likewise the k-th best score of any thread is a
//! floor for all: k groups reach it.
//!
//! Runs are taken from the newest, because forgetting makes new rows score high, and an early high threshold spares
//! work; correctness does not depend on the order.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::scan::{BlockScan, choose, scan_tiles};
use super::scratch::{Prepared, Running, with_running};
use super::top_groups::{Candidate, TopGroups};
use super::{Answer, Batch, Hit, MAX_QUERIES, SearchError, SearchOptions, check_query};
use crate::rows::{Rows, first_slot};
use crate::simd::Kernels;

/// Tiles in a run: 1,024 rows take some 30 µs, more than it costs to take a run and less than anybody waits for.
const RUN_TILES: usize = 16;

/// Tiles of one block, one after the other.
#[derive(Debug)]
struct Run {
    block: usize,
    tiles: Range<usize>,
}

/// A batch under way, made by [`Rows::share`]. Any number of threads [take part](Self::take_part), at any time; from
/// what all of them have found comes the [answer](Self::answers).
pub struct SharedSearch<'a> {
    rows: &'a Rows,
    kernels: &'static Kernels,
    now_us: i64,
    queries: Vec<Prepared<'a>>,
    /// The oldest first.
    runs: Vec<Run>,
    /// Runs that nobody has taken.
    left: AtomicUsize,
    /// For each query the best k-th score of any thread, as [`ordered`].
    floors: Vec<AtomicU32>,
}

impl std::fmt::Debug for SharedSearch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedSearch")
            .field("queries", &self.queries.len())
            .field("runs", &self.runs.len())
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// What one thread has found.
#[derive(Debug)]
pub struct Findings(Vec<Finding>);

#[derive(Debug)]
struct Finding {
    best_first: Vec<Candidate>,
    rows_scanned: u64,
    rows_rescored: u64,
}

impl Rows {
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
        let prepare = |(index, query)| {
            let pass = choose(self, query, options.pass);
            Prepared::new(self, query, pass).map_err(|reason| SearchError::Vector { query: index, reason })
        };
        let queries = batch.queries.iter().enumerate().map(prepare).collect::<Result<Vec<_>, _>>()?;
        let runs: Vec<Run> = runs(self).collect();
        Ok(SharedSearch {
            rows: self,
            kernels,
            now_us: batch.now_us,
            left: AtomicUsize::new(runs.len()),
            runs,
            floors: queries.iter().map(|_| AtomicU32::new(0)).collect(),
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
    /// Searches runs of rows until none is left.
    #[must_use]
    pub fn take_part(&self) -> Findings {
        with_running(&self.queries, |running| {
            while let Some(run) = self.next_run() {
                self.learn(running);
                self.scan(run, running);
                self.tell(running);
            }
            Findings(running.iter().map(finding).collect())
        })
    }

    fn scan(&self, run: &Run, running: &mut [Running<'_>]) {
        let Self { rows, kernels, now_us, .. } = *self;
        let Some(block) = rows.blocks().get(run.block) else { return };
        let scan = BlockScan { rows, kernels, block, first_slot: first_slot(run.block), now_us };
        scan_tiles(&scan, run.tiles.clone(), running);
    }

    fn next_run(&self) -> Option<&Run> {
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        self.runs.get(left.ok()?.checked_sub(1)?)
    }

    fn learn(&self, running: &mut [Running<'_>]) {
        for (query, floor) in running.iter_mut().zip(&self.floors) {
            query.found.floor = score_of(floor.load(Ordering::Relaxed));
        }
    }

    fn tell(&self, running: &[Running<'_>]) {
        for (query, floor) in running.iter().zip(&self.floors) {
            if let Some(threshold) = query.found.top.threshold() {
                floor.fetch_max(ordered(threshold), Ordering::Relaxed);
            }
        }
    }

    /// The answers, in the order of the batch, from what all that took part have found.
    #[must_use]
    pub fn answers(&self, findings: &[Findings]) -> Vec<Answer> {
        let of_query = |index: usize| findings.iter().filter_map(move |of_thread| of_thread.0.get(index));
        let queries = self.queries.iter().enumerate();
        queries.map(|(index, asked)| self.answer(asked, of_query(index))).collect()
    }

    fn answer<'f>(&self, asked: &Prepared<'_>, findings: impl Iterator<Item = &'f Finding>) -> Answer {
        let mut top = TopGroups::default();
        top.reset(asked.query.k);
        let (mut rows_scanned, mut rows_rescored) = (0, 0);
        for finding in findings {
            rows_scanned += finding.rows_scanned;
            rows_rescored += finding.rows_rescored;
            finding.best_first.iter().for_each(|candidate| top.offer(*candidate));
        }
        let hits = top.best_first().iter().map(|best| self.hit(best)).collect();
        Answer { hits, rows_scanned, rows_rescored, pass: asked.pass }
    }

    fn hit(&self, best: &Candidate) -> Hit {
        let retention = self
            .rows
            .find(best.slot)
            .map_or(0.0, |(block, at)| (self.kernels.retention)(&block.entries()[at], self.now_us));
        let Candidate { slot, group, group_id, score, similarity, .. } = *best;
        Hit { slot, group, group_id, score, similarity, retention }
    }
}

fn finding(running: &Running<'_>) -> Finding {
    let found = &running.found;
    Finding {
        best_first: found.top.best_first().to_vec(),
        rows_scanned: found.rows_scanned,
        rows_rescored: found.rows_rescored,
    }
}

/// A number that is the greater the greater the score is; 0 is below all of them.
fn ordered(score: f32) -> u32 {
    const SIGN: u32 = 1 << 31;
    let bits = score.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// The score of a number from [`ordered`]; none for 0.
fn score_of(ordered: u32) -> Option<f32> {
    const SIGN: u32 = 1 << 31;
    let bits = if ordered & SIGN == 0 { !ordered } else { ordered & !SIGN };
    (ordered != 0).then(|| f32::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ordered_numbers_are_in_the_order_of_scores(a in -1e3f32..1e3, b in -1e3f32..1e3) {
            prop_assert_eq!(ordered(a).cmp(&ordered(b)), a.total_cmp(&b));
            prop_assert_eq!(score_of(ordered(a)), Some(a));
            prop_assert!(ordered(a) > 0 && score_of(0).is_none());
        }
    }
}
