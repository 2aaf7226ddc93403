//! Surprise of new memories: the cosine of each to the nearest memory that its owner has when it is learned, one of the index
//! or one before it in the same request (ADR 0053). A scan for each write, so it is made only where the policy makes use of it.

use std::sync::Arc;
use std::time::Duration;

use half::f16;
use tokio::time::{Instant, timeout_at};
use tracing::instrument;

use super::embed::lacks_vector;
use crate::domain::change::{ChangeSet, IndexRow};
use crate::domain::id::PartitionId;
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::error::Error;
use crate::index::{MAX_NEAREST_VECTORS, ValidTime, View};

/// Maximum number of vectors of one request that are compared. The nearest cosines of the memories after them are not known.
const COMPARED_VECTORS_AT_MOST: usize = 256;
/// Time for the comparisons of one request. What is not compared by then is not known.
const WAIT: Duration = Duration::from_secs(1);

/// Vectors of a new memory, one for each of its rows.
type Vectors = Vec<Arc<[f16]>>;

impl Engine {
    /// Writes into the new turns and memories of a set how near they are to what the owner has, if the owner's policy makes use
    /// of it. The write never depends on it: where the index fails or is slow, it is not known.
    #[instrument(level = "debug", skip_all)]
    pub(crate) async fn measure_surprise(&self, set: &mut ChangeSet) {
        if !self.policy_of(set.tenant, &set.owner).measures_surprise() {
            return;
        }
        let turns = set.turns.iter().flat_map(|new| &new.turns).map(|(_, new)| new);
        let new = compared(turns.chain(&set.memories).map(|new| vectors_of(&new.rows)));
        if new.iter().all(Vec::is_empty) {
            return;
        }
        let all: Vec<Arc<[f16]>> = new.iter().flatten().cloned().collect();
        let stored = self.nearest_stored(set, &all).await;
        let mut cosines = Vec::with_capacity(new.len());
        let mut first = 0;
        for vectors in &new {
            let end = first + vectors.len();
            cosines.push(nearest(&all, &stored, first..end));
            first = end;
            // Many long vectors take a while: other requests go on meanwhile.
            tokio::task::yield_now().await;
        }
        let turns = set.turns.iter_mut().flat_map(|new| &mut new.turns).map(|(_, new)| new);
        for (new, cosine) in turns.chain(&mut set.memories).zip(cosines) {
            new.memory.strength.nearest_cosine = cosine;
        }
    }

    /// For each of the vectors the cosine of the nearest row in the index, `None` if there is none. It ends before the first vector
    /// about which the index did not answer.
    async fn nearest_stored(&self, set: &ChangeSet, vectors: &[Arc<[f16]>]) -> Vec<Option<f32>> {
        let until = Instant::now() + WAIT;
        let partition = async { Ok::<_, Error>(self.store.partition_of(set.tenant, &set.owner).await?) };
        let partition = match answered(until, partition).await {
            Some(Some(partition)) => partition,
            Some(None) => return vec![None; vectors.len()],
            None => return Vec::new(),
        };
        let mut found = Vec::with_capacity(vectors.len());
        for some in vectors.chunks(MAX_NEAREST_VECTORS) {
            match answered(until, self.nearest_of(partition, some, set.now)).await {
                Some(nearest) => found.extend(nearest),
                None => break,
            }
        }
        found
    }

    async fn nearest_of(
        &self,
        partition: PartitionId,
        vectors: &[Arc<[f16]>],
        now: Timestamp,
    ) -> Result<Vec<Option<f32>>, Error> {
        let single = |vector: &Arc<[f16]>| vector.iter().map(|component| component.to_f32()).collect();
        let vectors: Vec<Arc<[f32]>> = vectors.iter().map(single).collect();
        // What has ceased to hold was learned all the same.
        let valid = ValidTime { at: now, hides_ended: false, hides_later: false };
        let view = View { valid, ..View::present(now) };
        let found = self.index.nearest(partition, &vectors, &view, 1).await?;
        Ok(found.iter().map(|nearest| nearest.first().map(|one| one.similarity)).collect())
    }
}

/// The answer, unless it fails or comes too late.
async fn answered<T>(until: Instant, answer: impl Future<Output = Result<T, Error>>) -> Option<T> {
    match timeout_at(until, answer).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the surprise of new memories is not known");
            None
        }
        Err(_) => {
            tracing::warn!("the surprise of new memories is not known in time");
            None
        }
    }
}

/// Vectors of a memory; none if some are made later.
fn vectors_of(rows: &[IndexRow]) -> Vectors {
    match rows.iter().any(lacks_vector) {
        true => Vectors::new(),
        false => rows.iter().filter_map(|row| row.vector.clone()).collect(),
    }
}

/// The first memories, as far as their vectors are within the bound.
fn compared(new: impl Iterator<Item = Vectors>) -> Vec<Vectors> {
    let mut count = 0;
    new.take_while(|vectors| {
        count += vectors.len();
        count <= COMPARED_VECTORS_AT_MOST
    })
    .collect()
}

/// Greatest cosine of the vectors of a memory to what is stored and to the vectors before it; `None` if there is nothing, if it
/// has no vectors, or if the index did not answer about all of them.
fn nearest(all: &[Arc<[f16]>], stored: &[Option<f32>], own: std::ops::Range<usize>) -> Option<f32> {
    let of_index = stored.get(own.clone())?.iter().copied().flatten();
    let before = all.get(..own.start)?;
    let of_request =
        all.get(own)?.iter().flat_map(|one| before.iter().map(|other| gpu_retrieval::dot(one, other)));
    of_index.chain(of_request).max_by(f32::total_cmp).map(|cosine| cosine.clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(components: [f32; 2]) -> Arc<[f16]> {
        gpu_retrieval::unit_fp16(&components).unwrap().into()
    }

    #[test]
    fn the_nearest_of_all_rows_counts_stored_or_earlier_in_the_request() {
        let all = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]].map(vector);
        let near = |found: Option<f32>, expected: f32| {
            assert!((found.unwrap() - expected).abs() < 1e-3, "{found:?}")
        };
        assert_eq!(nearest(&all, &[None; 3], 0..1), None, "the first memory");
        near(nearest(&all, &[None; 3], 1..3), 0.707);
        near(nearest(&all, &[None, Some(0.9), None], 1..3), 0.9);
        near(nearest(&all, &[Some(1.004), None, None], 0..1), 1.0);
        assert_eq!(nearest(&all, &[Some(0.5), None], 1..3), None, "not all of its rows were compared");
        assert_eq!(nearest(&all, &[], 0..0), None);
    }

    #[test]
    fn memories_are_compared_in_order_up_to_the_bound() {
        let of = |rows: usize| vec![vector([1.0, 0.0]); rows];
        let counts = |new: &[usize]| compared(new.iter().map(|rows| of(*rows))).len();
        let most = COMPARED_VECTORS_AT_MOST;
        assert_eq!(
            [counts(&[most]), counts(&[most, 0, 1]), counts(&[1, most, 1]), counts(&[])],
            [1, 2, 1, 0]
        );
    }
}
