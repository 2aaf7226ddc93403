//! The embedded index: exact hybrid search over partitions cached in this process. A partition is loaded from the store
//! by the first query to it, kept up to date by commits, and evicted under a memory budget, the least recently used first.
//!
//! Cold memories (`cold.rs`) are in no cached partition until a query asks for them; it is answered from a second state of the
//! partition that has all (`tiers.rs`), the first to be evicted.
//!
//! A load reads one snapshot of the store (a number of the change log) while commits go on. Their updates are queued and
//! applied after the load, so that a cached partition has every update that was applied to it. Loads are shared and outlive
//! their callers (`loading.rs`).

mod adjacent_turns;
mod associations;
mod bitmap;
mod candidates;
mod catch_up;
mod cold;
mod columns;
mod extent;
mod filtering;
mod forgetting;
mod growth;
mod heap_size;
mod hybrid_search;
mod interner;
pub mod lexical;
mod loading;
mod nearest;
mod partition;
mod partition_cache;
mod prepared_query;
mod scan_queue;
mod segment;
mod segments;
mod tiers;
mod traces;
mod visibility;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::loading::Loader;
use self::partition::Partition;
use self::partition_cache::{CachedPartition, Key, PartitionCache};
use self::scan_queue::ScanQueue;
pub use self::segments::SegmentOptions;
use self::segments::Segments;
use self::workers::Workers;
use super::{
    Answer, Association, ErasureGuard, Index, IndexError, IndexQuery, Inspection, Nearest, TurnPosition,
    Update, View,
};
use crate::domain::filter::Filter;
use crate::domain::id::{MemoryId, PartitionId};
use crate::retention::Policy;
use crate::store::IndexSource;

/// Longest time that [`Index::settle`] takes.
const SETTLE_WITHIN: Duration = Duration::from_secs(5);

/// Bounds of the embedded index.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedIndexOptions {
    /// Memory budget of all cached partitions, in bytes; the one in use stays even if it takes more.
    pub budget_bytes: usize,
    /// Threads that search large partitions at the same time; a query waits in the scan queue while none is free.
    pub threads: usize,
    /// Partitions of up to so many rows are searched on the caller's thread.
    pub inline_rows: usize,
}

impl EmbeddedIndexOptions {
    /// A search of so many rows takes some 0.3 ms: about as long as waking another thread, and too short to delay other
    /// requests.
    pub const INLINE_ROWS: usize = 16_384;
}

/// Exact hybrid search over cached partitions.
#[derive(Debug)]
pub struct EmbeddedIndex {
    source: Arc<dyn IndexSource>,
    cache: Arc<PartitionCache>,
    loader: Arc<Loader>,
    segments: Option<Arc<Segments>>,
    inline_rows: usize,
    scan_queue: Arc<ScanQueue>,
    /// Bounds the threads that inspect large partitions.
    inspections: Arc<tokio::sync::Semaphore>,
}

impl EmbeddedIndex {
    /// An index over `source` with an empty cache. Rows hold the decay of `policy`.
    pub fn new(source: Arc<dyn IndexSource>, policy: Arc<Policy>, options: EmbeddedIndexOptions) -> Self {
        Self::over(source, policy, options, None)
    }

    /// An index as [`EmbeddedIndex::new`] makes it, with segment files, from which partitions are loaded. Only one index
    /// may use the folder.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn with_segments(
        source: Arc<dyn IndexSource>,
        policy: Arc<Policy>,
        options: EmbeddedIndexOptions,
        segments: &SegmentOptions,
    ) -> std::io::Result<Self> {
        let segments = Segments::open(segments, &policy)?;
        Ok(Self::over(source, policy, options, Some(Arc::new(segments))))
    }

    fn over(
        source: Arc<dyn IndexSource>,
        policy: Arc<Policy>,
        options: EmbeddedIndexOptions,
        segments: Option<Arc<Segments>>,
    ) -> Self {
        let cache = Arc::new(PartitionCache::new(options.budget_bytes));
        Self {
            loader: Arc::new(Loader::new(Arc::clone(&source), policy, Arc::clone(&cache), segments.clone())),
            segments,
            source,
            cache,
            inline_rows: options.inline_rows,
            scan_queue: Arc::new(ScanQueue::new(options.threads)),
            inspections: Arc::new(tokio::sync::Semaphore::new(options.threads.max(1))),
        }
    }

    /// Bytes and number of the cached partitions, each tier counted.
    pub fn in_memory(&self) -> (usize, usize) {
        self.cache.in_memory()
    }

    /// Runs `work` on a partition: on this thread if the partition is small for so many scans, else on a blocking thread.
    async fn run_on<T: Send + 'static>(
        &self,
        cached: Arc<CachedPartition>,
        scans: usize,
        work: impl FnOnce(&Partition) -> T + Send + 'static,
    ) -> Result<T, IndexError> {
        {
            let state = cached.state.read();
            if let Some(partition) = self.small(&state, scans)? {
                return Ok(work(partition));
            }
        }
        let permit = self.inspections.clone().acquire_owned().await.map_err(|_| IndexError::Abandoned)?;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            cached.state.read().as_ref().map(work)
        });
        done.await.ok().flatten().ok_or(IndexError::Abandoned)
    }

    /// Runs `work`, which evaluates the view and little else; the default if the partition is gone meanwhile. Without a
    /// filter it is quick on every partition.
    async fn run_under<T: Default + Send + 'static>(
        &self,
        id: PartitionId,
        view: &View,
        work: impl FnOnce(&Partition) -> T + Send + 'static,
    ) -> Result<T, IndexError> {
        let cached = self.for_view(id, view).await?;
        if view.filter.is_everything() {
            let state = cached.state.read();
            return Ok(state.as_ref().map(work).unwrap_or_default());
        }
        match self.run_on(cached, scans_of(&view.filter), work).await {
            Err(IndexError::Abandoned) => Ok(T::default()),
            done => done,
        }
    }

    /// The partition, if it is small enough to be scanned so many times on the caller's thread.
    fn small<'a>(
        &self,
        state: &'a Option<Partition>,
        scans: usize,
    ) -> Result<Option<&'a Partition>, IndexError> {
        match state {
            Some(partition) if partition.rows().saturating_mul(scans) <= self.inline_rows => {
                Ok(Some(partition))
            }
            Some(_) => Ok(None),
            None => Err(IndexError::Abandoned),
        }
    }
}

/// Scans that take as long as one scan under this filter.
fn scans_of(filter: &Filter) -> usize {
    /// Cost of a filter whose evaluation takes as long as the scan itself.
    const COST_OF_A_SCAN: usize = 8;
    1 + filter.cost() / COST_OF_A_SCAN
}

impl Drop for EmbeddedIndex {
    fn drop(&mut self) {
        self.loader.close();
    }
}

#[async_trait]
impl Index for EmbeddedIndex {
    async fn ready(&self, partition: PartitionId) -> Result<(), IndexError> {
        self.loader.loaded(Key::resident(partition)).await.map(drop)
    }

    async fn search(&self, partition: PartitionId, query: &IndexQuery) -> Result<Answer, IndexError> {
        let cached = self.for_view(partition, &query.view).await?;
        {
            let state = cached.state.read();
            if let Some(partition) = self.small(&state, scans_of(&query.view.filter))? {
                let answers = partition.search(std::slice::from_ref(query), &Workers::own());
                return answers.into_iter().next().unwrap_or(Err(IndexError::Abandoned));
            }
        }
        self.scan_queue.search(cached, query.clone()).await
    }

    async fn inspect(
        &self,
        partition: PartitionId,
        memory: MemoryId,
        query: &IndexQuery,
    ) -> Result<Option<Inspection>, IndexError> {
        let query = query.clone();
        let scans = scans_of(&query.view.filter);
        let cached = self.for_inspection(partition, memory, &query.view).await?;
        self.run_on(cached, scans, move |partition| partition.inspect(memory, &query)).await?
    }

    async fn nearest(
        &self,
        partition: PartitionId,
        vectors: &[Arc<[f32]>],
        view: &View,
        k: usize,
    ) -> Result<Vec<Vec<Nearest>>, IndexError> {
        nearest::check(vectors, k)?;
        if vectors.is_empty() {
            return Ok(Vec::new());
        }
        let (vectors, view) = (vectors.to_vec(), view.clone());
        let scans = vectors.len().saturating_mul(scans_of(&view.filter));
        let cached = self.for_view(partition, &view).await?;
        self.run_on(cached, scans, move |partition| partition.nearest(&vectors, &view, k)).await?
    }

    async fn associations(
        &self,
        partition: PartitionId,
        seeds: &[MemoryId],
        among: &[MemoryId],
    ) -> Result<Vec<Association>, IndexError> {
        associations::check(seeds, among)?;
        let memories: Vec<MemoryId> = seeds.iter().chain(among).copied().collect();
        let cached = self.with_memories(partition, memories).await?;
        let state = cached.state.read();
        state.as_ref().ok_or(IndexError::Abandoned)?.associations(seeds, among)
    }

    async fn turns_at(
        &self,
        partition: PartitionId,
        positions: &[TurnPosition],
        view: &View,
    ) -> Result<Vec<(TurnPosition, MemoryId)>, IndexError> {
        let (positions, under) = (positions.to_vec(), view.clone());
        self.run_under(partition, view, move |partition| partition.turns_at(&positions, &under)).await
    }

    async fn contradictions(
        &self,
        partition: PartitionId,
        memories: &[MemoryId],
        view: &View,
    ) -> Result<Vec<(MemoryId, MemoryId)>, IndexError> {
        let (memories, under) = (memories.to_vec(), view.clone());
        self.run_under(partition, view, move |partition| partition.columns.contradictions(&memories, &under))
            .await
    }

    async fn begin_erasure(&self, partition: PartitionId) -> Result<ErasureGuard, IndexError> {
        let Some(segments) = self.segments.clone() else { return Ok(ErasureGuard::default()) };
        let erasure = tokio::task::spawn_blocking(move || segments.begin_erasure(partition)).await;
        let erasure = erasure.map_err(|_| IndexError::Abandoned)?;
        Ok(ErasureGuard::of(erasure.map_err(|error| IndexError::Files(Arc::new(error)))?))
    }

    async fn apply(&self, partition: PartitionId, update: Update) -> Result<(), IndexError> {
        // The caller should have begun an erasure before its commit; what is erased leaves the segments in any case.
        let _erasure = match update.erased.is_empty() {
            true => ErasureGuard::default(),
            false => self.begin_erasure(partition).await?,
        };
        self.loader.committed(partition, update.seq_before, update.seq_after);
        let restored = self.restored_by(partition, &update).await;
        self.cache.apply(partition, update, restored)
    }

    async fn settle(&self) {
        if tokio::time::timeout(SETTLE_WITHIN, self.loader.settle()).await.is_err() {
            tracing::info!("some segments of the index were not written in time");
        }
    }

    async fn clear_partition(&self, partition: PartitionId) {
        self.cache.remove(partition);
    }

    async fn clear_cache(&self) {
        self.cache.clear();
        let Some(segments) = self.segments.clone() else { return };
        match tokio::task::spawn_blocking(move || segments.remove_all()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "segments of the index were not removed"),
            Err(error) => tracing::error!(%error, "segments of the index were not removed"),
        }
        // Loads that began before the removal may have installed what it was to remove.
        self.cache.clear();
    }

    async fn differences(&self, partition: PartitionId) -> Result<u64, IndexError> {
        let Some(cached) = self.cache.peek(Key::resident(partition)) else { return Ok(0) };
        let Some((seq, held)) =
            cached.state.read().as_ref().map(|partition| (partition.seq(), partition.versions()))
        else {
            return Ok(0);
        };
        let mut stored = Vec::with_capacity(held.len());
        let stored_seq =
            self.source.load(partition, &mut |one| stored.push((one.memory.id, one.memory.version))).await?;
        if stored_seq != seq {
            // A commit came between the two reads: there is nothing to compare.
            return Ok(0);
        }
        let held: std::collections::HashSet<_> = held.into_iter().collect();
        let stored: std::collections::HashSet<_> = stored.into_iter().collect();
        Ok(held.symmetric_difference(&stored).count() as u64)
    }
}
