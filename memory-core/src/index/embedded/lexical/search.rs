//! Exact top-k BM25 retrieval by MaxScore (Turtle and Flood, 1995), in ranges of docs.
//!
//! Frequent terms contribute little to a score: once `k` groups are held, rows with no other terms cannot reach the
//! threshold, and the postings of those non-essential terms are skipped. In each range the essential terms are summed
//! term by term in an array that fits the first-level cache; rows whose sum, plus the bound of the other terms, reaches the
//! threshold are scored from the forward index. Invariant: sums in the array are upper bounds only, so that pruning is
//! safe; scores come from [`WeightedTerms::score`] alone.

use super::{
    LexicalIndex,
    top_groups::TopGroups,
    weighted_terms::WeightedTerms,
    windows::{self, Windows},
};
use crate::text::QueryTerms;

/// A lexical query.
#[derive(Debug, Clone, Copy)]
pub struct LexicalQuery<'a> {
    /// The query terms.
    pub terms: &'a QueryTerms,
    /// One bit per row, lowest first: the visible rows. `None` for all.
    pub mask: Option<&'a [u64]>,
    /// Number of groups to retrieve.
    pub k: usize,
}

/// A retrieved group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LexicalHit {
    /// The group's best row, the lowest of equal ones.
    pub row: u32,
    /// The group.
    pub group: u32,
    /// BM25 score of that row: above 0, and below the sum of the idf of the query words.
    pub score: f32,
}

impl LexicalIndex {
    /// Writes the top `query.k` groups to `out`, best first. Ties are ordered by `tie_key(group)`, ascending: a key that
    /// does not depend on the load, such as the memory's id. Groups without a query term are not retrieved.
    pub fn search(
        &self,
        query: &LexicalQuery<'_>,
        tie_key: impl Fn(u32) -> u128,
        scratch: &mut LexicalScratch,
        out: &mut Vec<LexicalHit>,
    ) {
        out.clear();
        if query.k == 0 {
            return;
        }
        scratch.reset(self, query);
        while let Some(range_start) = scratch.next_range(self) {
            scratch.sum_essential_terms(self, range_start);
            scratch.collect_candidates(range_start);
            scratch.drop_hidden_candidates(self, query.mask);
            let bound_left_out = scratch.refine_candidates(self, range_start);
            scratch.score_candidates(self, bound_left_out, &tie_key);
            scratch.update_essential_terms();
        }
        scratch.top.write_to(out);
    }

    /// Writes the score of each of `windows` to `out`, in their order; 0 for a window without a query term. A row that is
    /// not in the index has no terms. The score of a window of one row equals that of [`search`](Self::search).
    pub fn scores_of(
        &self,
        terms: &QueryTerms,
        windows: &Windows,
        scratch: &mut LexicalScratch,
        out: &mut Vec<f32>,
    ) {
        out.clear();
        scratch.weighted.prepare(self, terms);
        windows::score(self, &mut scratch.weighted, windows, out);
    }
}

/// Scratch memory of a search, some 20 KiB plus the query's terms. One per thread, for any index.
#[derive(Debug)]
pub struct LexicalScratch {
    pub(super) weighted: WeightedTerms,
    /// The query terms, the greatest bound first.
    cursors: Vec<Cursor>,
    /// The number of essential terms: no row reaches the threshold by the others alone.
    essential: usize,
    /// Sums of the current range, by doc; all zero between ranges.
    sums: Vec<f32>,
    candidates: Vec<Candidate>,
    top: TopGroups,
    /// Factor for the relative rounding error of a sum of so many terms.
    rounding: f32,
}

impl LexicalScratch {
    /// Scratch memory for any number of searches.
    pub fn new() -> Self {
        Self::with_range(RANGE_DOCS)
    }

    pub(super) fn with_range(range_docs: usize) -> Self {
        Self {
            weighted: WeightedTerms::default(),
            cursors: Vec::new(),
            essential: 0,
            sums: vec![0.0; range_docs],
            candidates: Vec::new(),
            top: TopGroups::default(),
            rounding: 0.0,
        }
    }

    fn reset(&mut self, index: &LexicalIndex, query: &LexicalQuery<'_>) {
        self.top.reset(query.k.min(index.len()));
        self.weighted.prepare(index, query.terms);
        let terms = &self.weighted.terms;
        self.rounding = 1.0 + (terms.len() + 8) as f32 * f32::EPSILON;
        self.cursors.clear();
        self.cursors.extend(terms.iter().map(|term| Cursor {
            id: term.id,
            idf: term.idf,
            bound: term.bound,
            bound_from_here: 0.0,
            next: 0,
        }));
        self.cursors.sort_unstable_by(|left, right| right.bound.total_cmp(&left.bound));
        let mut bound_from_here = 0.0;
        for cursor in self.cursors.iter_mut().rev() {
            bound_from_here += cursor.bound;
            cursor.bound_from_here = bound_from_here;
        }
        self.essential = self.cursors.len();
    }

    /// The first doc of the next range with an essential posting.
    fn next_range(&self, index: &LexicalIndex) -> Option<u32> {
        let next_docs = self.cursors[..self.essential].iter().filter_map(|cursor| {
            let posting = index.vocabulary.term(cursor.id).list().get(cursor.next)?;
            Some(posting.doc())
        });
        let range_docs = self.sums.len() as u32;
        next_docs.min().map(|doc| doc - doc % range_docs)
    }

    /// Sums the contributions of the essential terms to each doc of the range.
    fn sum_essential_terms(&mut self, index: &LexicalIndex, range_start: u32) {
        for position in 0..self.essential {
            self.sum_term(index, range_start, position);
        }
    }

    fn sum_term(&mut self, index: &LexicalIndex, range_start: u32, position: usize) {
        let norm = self.weighted.norm;
        let docs = range_start as usize..index.rows.docs().min(range_start as usize + self.sums.len());
        let lengths_tokens = &index.rows.lengths_tokens()[docs];
        let cursor = &mut self.cursors[position];
        let mut read = 0;
        for posting in &index.vocabulary.term(cursor.id).list()[cursor.next..] {
            let at = (posting.doc() - range_start) as usize;
            let (Some(sum), Some(length_tokens)) = (self.sums.get_mut(at), lengths_tokens.get(at)) else {
                break;
            };
            *sum += cursor.idf * norm.saturation(posting.count_bound(), *length_tokens);
            read += 1;
        }
        cursor.next += read;
    }

    /// Collects the docs of the range that can reach the threshold, given the bound of the other terms.
    fn collect_candidates(&mut self, range_start: u32) {
        let least = self.least_sum(self.bound_from(self.essential));
        // Branch-free: every doc is written and the count advances by the comparison. Where candidates are frequent, a
        // branch per doc would be mispredicted more often than not.
        self.candidates.resize(self.sums.len(), Candidate::default());
        let mut collected = 0;
        let mut collect = |sums: &[f32], first_doc: u32| {
            for (&sum, doc) in sums.iter().zip(first_doc..) {
                if let Some(candidate) = self.candidates.get_mut(collected) {
                    *candidate = Candidate { sum, doc };
                }
                collected += usize::from(sum >= least);
            }
        };
        let (blocks, rest) = self.sums.as_chunks::<BLOCK_DOCS>();
        for (block, first_doc) in blocks.iter().zip((range_start..).step_by(BLOCK_DOCS)) {
            // Counting compiles to vector comparisons.
            if block.iter().map(|sum| u32::from(*sum >= least)).sum::<u32>() > 0 {
                collect(block, first_doc);
            }
        }
        collect(rest, range_start + (blocks.len() * BLOCK_DOCS) as u32);
        self.candidates.truncate(collected);
    }

    /// Drops the candidates that the mask hides, before they are refined.
    fn drop_hidden_candidates(&mut self, index: &LexicalIndex, mask: Option<&[u64]>) {
        if let Some(mask) = mask {
            self.candidates.retain(|candidate| is_allowed(mask, index.rows.row(candidate.doc)));
        }
    }

    /// Adds the other terms to the sums, the greatest bound first, while that is cheaper than scoring the candidates.
    /// Drops candidates that cannot reach the threshold, and clears the sums. Returns the bound of the terms left out.
    fn refine_candidates(&mut self, index: &LexicalIndex, range_start: u32) -> f32 {
        let mut position = self.essential;
        while let Some(cursor) = self.cursors.get_mut(position) {
            let postings = index.vocabulary.term(cursor.id).list().len();
            let postings_in_range = postings * self.sums.len() / index.rows.docs().max(1);
            if self.candidates.len() * POSTINGS_PER_SCORING <= postings_in_range {
                break;
            }
            cursor.seek(index, range_start);
            self.sum_term(index, range_start, position);
            position += 1;
            let least = self.least_sum(self.bound_from(position));
            self.candidates.retain_mut(|candidate| {
                candidate.sum = self.sums[(candidate.doc - range_start) as usize];
                candidate.sum >= least
            });
        }
        self.sums.fill(0.0);
        self.bound_from(position)
    }

    /// Scores the candidates, those with the greatest sums first, so that the threshold rises early.
    fn score_candidates(
        &mut self,
        index: &LexicalIndex,
        bound_left_out: f32,
        tie_key: &impl Fn(u32) -> u128,
    ) {
        let mut candidates = std::mem::take(&mut self.candidates);
        let promising = 2 * self.top.k();
        if candidates.len() > 2 * promising {
            candidates.select_nth_unstable_by(promising, |left, right| right.sum.total_cmp(&left.sum));
        }
        let mut least = self.least_sum(bound_left_out);
        for candidate in &candidates {
            let doc = candidate.doc;
            if candidate.sum < least || !index.rows.is_live(doc) {
                continue;
            }
            let score = self.weighted.score(index, doc);
            let hit = LexicalHit { row: index.rows.row(doc), group: index.rows.group(doc), score };
            self.top.offer(hit, tie_key);
            least = self.least_sum(bound_left_out);
        }
        self.candidates = candidates;
    }

    /// Leaves only the terms essential without which no row reaches the threshold.
    fn update_essential_terms(&mut self) {
        let Some(threshold) = self.top.threshold() else { return };
        let is_non_essential = |cursor: &Cursor| cursor.bound_from_here * self.rounding < threshold;
        self.essential = self.cursors.partition_point(|cursor| !is_non_essential(cursor));
    }

    /// Bound of the contributions of the terms from `position` on.
    fn bound_from(&self, position: usize) -> f32 {
        self.cursors.get(position).map_or(0.0, |cursor| cursor.bound_from_here)
    }

    /// The least sum with which a row can reach the threshold, if the terms left out contribute at most `bound_left_out`.
    fn least_sum(&self, bound_left_out: f32) -> f32 {
        let missing =
            self.top.threshold().map_or(0.0, |threshold| threshold / self.rounding - bound_left_out);
        missing.max(f32::MIN_POSITIVE)
    }
}

impl Default for LexicalScratch {
    fn default() -> Self {
        Self::new()
    }
}

/// A term and the position in its postings.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    id: u32,
    idf: f32,
    bound: f32,
    /// Sum of the bounds of this term and all after it.
    bound_from_here: f32,
    next: usize,
}

impl Cursor {
    /// Skips the postings before `doc` by galloping search, since few are skipped most of the time.
    fn seek(&mut self, index: &LexicalIndex, doc: u32) {
        let list = &index.vocabulary.term(self.id).list()[self.next..];
        let mut step = 1;
        while list.get(step).is_some_and(|posting| posting.doc() < doc) {
            step *= 2;
        }
        let within = &list[step / 2..list.len().min(step + 1)];
        self.next += step / 2 + within.partition_point(|posting| posting.doc() < doc);
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Candidate {
    sum: f32,
    doc: u32,
}

/// The cost of scoring a row, in postings summed.
const POSTINGS_PER_SCORING: usize = 64;

/// Sums and lengths of a range take 32 KiB together, the size of a first-level cache.
const RANGE_DOCS: usize = 4_096;

const BLOCK_DOCS: usize = 16;

fn is_allowed(mask: &[u64], row: u32) -> bool {
    mask.get(row as usize / 64).is_some_and(|bits| bits >> (row % 64) & 1 == 1)
}
