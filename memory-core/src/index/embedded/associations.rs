//! Associations between candidates of one query: cosines of their rows, and rare terms that they share. Nothing is scanned.

use super::hybrid_search::unscorable;
use super::partition::Partition;
use crate::domain::id::MemoryId;
use crate::index::{Association, IndexError, MAX_ASSOCIATED, MAX_ASSOCIATION_SEEDS, ScanWeights};

/// Rows of one memory that are compared: the first ones. A long text has more, and its beginning tells what it is about.
const ROWS_PER_MEMORY: usize = 4;

/// Refuses what is out of bounds, before a partition is loaded for it.
pub(super) fn check(seeds: &[MemoryId], among: &[MemoryId]) -> Result<(), IndexError> {
    if seeds.len() > MAX_ASSOCIATION_SEEDS || among.len() > MAX_ASSOCIATED {
        let (seeds, among) = (seeds.len(), among.len());
        return Err(IndexError::Unscorable(format!("associations of {seeds} memories among {among}")));
    }
    Ok(())
}

/// Memory that may be associated, with its rows.
struct Target {
    memory: MemoryId,
    rows: Vec<u32>,
}

impl Partition {
    /// Edges from each seed to each other memory.
    pub(super) fn associations(
        &self,
        seeds: &[MemoryId],
        among: &[MemoryId],
    ) -> Result<Vec<Association>, IndexError> {
        let target = |memory: &MemoryId| {
            let rows = self.rows_of(self.columns.ordinal(*memory)?).take(ROWS_PER_MEMORY).collect();
            Some(Target { memory: *memory, rows })
        };
        let targets: Vec<Target> = among.iter().filter_map(target).collect();
        let mut edges = Vec::with_capacity(seeds.len().saturating_mul(targets.len()));
        for seed in seeds.iter().filter_map(target) {
            let similarities = self.similarities(&seed, &targets)?;
            let terms = self.lexical.rare_terms(seed.rows.iter().copied());
            for (to, similarity) in targets.iter().zip(similarities) {
                if to.memory != seed.memory {
                    let shared_terms = self.lexical.share_of(&terms, to.rows.iter().copied());
                    edges.push(Association { from: seed.memory, to: to.memory, similarity, shared_terms });
                }
            }
        }
        Ok(edges)
    }

    /// The greatest cosine of a row of the seed to each target.
    fn similarities(&self, seed: &Target, targets: &[Target]) -> Result<Vec<Option<f32>>, IndexError> {
        let (mut places, mut rows) = (Vec::new(), Vec::new());
        for (place, target) in targets.iter().enumerate() {
            for row in target.rows.iter().copied().filter(|row| self.has_vector(*row)) {
                places.push(place);
                rows.push(row);
            }
        }
        let mut best: Vec<Option<f32>> = vec![None; targets.len()];
        for row in seed.rows.iter().copied().filter(|row| self.has_vector(*row)) {
            let Some(vector) = self.dense.vector(row) else { continue };
            let vector: Vec<f32> = vector.into_iter().map(f32::from).collect();
            let scored = self.dense.score_rows(&vector, ScanWeights::SIMILARITY.into(), 0, &rows, None);
            for (place, scored) in places.iter().zip(scored.map_err(unscorable)?) {
                if let Some(best) = best.get_mut(*place) {
                    let similarity = scored.similarity;
                    *best = Some(best.map_or(similarity, |before| before.max(similarity)));
                }
            }
        }
        Ok(best)
    }
}
