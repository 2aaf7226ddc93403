//! The embedded index: partitions in this process's memory, read from the store when they are first asked for, kept
//! up to date by commits, and let go under a memory budget, the least recently used first.
//!
//! A partition is read at one moment of the store (its number in the change log) while commits go on; what they change
//! meanwhile waits and is applied on top. So a partition in memory always bears every commit that was applied.

mod adjacent_turns;
mod bitmap;
mod candidates;
mod columns;
mod filtering;
mod heap_size;
mod hybrid_search;
mod interner;
pub mod lexical;
mod partition;
mod partition_cache;
mod prepared_query;
mod scan_queue;
mod workers;

use std::sync::Arc;

use async_trait::async_trait;

use self::partition::Partition;
use self::partition_cache::{CachedPartition, PartitionCache};
use self::scan_queue::ScanQueue;
use self::workers::Workers;
use super::{Answer, Index, IndexError, IndexQuery, Inspection, TurnPosition, Update, View};
use crate::domain::id::{MemoryId, PartitionId};
use crate::store::IndexSource;

/// How often a partition is read because an update was missing among those that waited. Commits are shown in the
/// order of the log, so even one is a sign of trouble.
const READS: usize = 3;

/// Bounds of the embedded index.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedIndexOptions {
    /// What partitions in memory may take together, in bytes; the last one in use stays even if it takes more.
    pub budget_bytes: usize,
    /// Threads that compute at the same time: a search takes what is free, and waits if nothing is.
    pub threads: usize,
    /// Partitions of up to so many rows are searched on the thread that asks.
    pub inline_rows: usize,
}

impl EmbeddedIndexOptions {
    /// So many rows take about as long as it takes to wake another thread, and less than other requests notice: some
    /// 0.3 ms.
    pub const INLINE_ROWS: usize = 16_384;
}

/// Exact search over partitions in memory.
#[derive(Debug)]
pub struct EmbeddedIndex {
    source: Arc<dyn IndexSource>,
    cache: PartitionCache,
    inline_rows: usize,
    scan_queue: Arc<ScanQueue>,
    /// For what is done with a large partition besides searching it.
    looking: Arc<tokio::sync::Semaphore>,
}

impl EmbeddedIndex {
    /// An index over `source` with nothing in memory yet.
    pub fn new(source: Arc<dyn IndexSource>, options: EmbeddedIndexOptions) -> Self {
        Self {
            source,
            cache: PartitionCache::new(options.budget_bytes),
            inline_rows: options.inline_rows,
            scan_queue: Arc::new(ScanQueue::new(options.threads)),
            looking: Arc::new(tokio::sync::Semaphore::new(options.threads.max(1))),
        }
    }

    /// What partitions in memory take, in bytes, and how many they are.
    pub fn in_memory(&self) -> (usize, usize) {
        self.cache.in_memory()
    }

    /// Lets `work` see a partition: at once if it is small, else on a thread of its own.
    async fn with<T: Send + 'static>(
        &self,
        id: PartitionId,
        work: impl FnOnce(&Partition) -> T + Send + 'static,
    ) -> Result<T, IndexError> {
        let cached = self.cached(id).await?;
        {
            let state = cached.state.read();
            if let Some(partition) = self.small(&state)? {
                return Ok(work(partition));
            }
        }
        let permit = self.looking.clone().acquire_owned().await.map_err(|_| IndexError::Abandoned)?;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            cached.state.read().as_ref().map(work)
        });
        done.await.ok().flatten().ok_or(IndexError::Abandoned)
    }

    /// The partition, if it is searched on the thread that asks.
    fn small<'a>(&self, state: &'a Option<Partition>) -> Result<Option<&'a Partition>, IndexError> {
        match state {
            Some(partition) if partition.rows() <= self.inline_rows => Ok(Some(partition)),
            Some(_) => Ok(None),
            None => Err(IndexError::Abandoned),
        }
    }

    /// The partition in memory; read now if it is not there.
    async fn cached(&self, id: PartitionId) -> Result<Arc<CachedPartition>, IndexError> {
        let cached = self.cache.touch(id);
        if cached.state.read().is_none() {
            self.fill(id, &cached).await?;
        }
        Ok(cached)
    }

    /// Reads a partition into its place, unless somebody else has done so meanwhile.
    async fn fill(&self, id: PartitionId, cached: &CachedPartition) -> Result<(), IndexError> {
        let _reading = cached.reading.lock().await;
        if cached.state.read().is_some() {
            return Ok(());
        }
        for _ in 0..READS {
            let reading = cached.begin_load();
            let partition = self.read(id).await?;
            if reading.install(partition)? {
                self.cache.measure(id);
                return Ok(());
            }
        }
        Err(IndexError::Abandoned)
    }

    async fn read(&self, id: PartitionId) -> Result<Partition, IndexError> {
        let mut partition = Partition::new(self.source.dimension().await?)?;
        let mut damage = None;
        let seq = self
            .source
            .load(id, &mut |indexed| {
                if damage.is_none() {
                    damage = partition.put(&indexed).err();
                }
            })
            .await?;
        partition.set_seq(seq);
        damage.map_or(Ok(partition), Err)
    }
}

#[async_trait]
impl Index for EmbeddedIndex {
    async fn search(&self, partition: PartitionId, query: &IndexQuery) -> Result<Answer, IndexError> {
        let cached = self.cached(partition).await?;
        {
            let state = cached.state.read();
            if let Some(partition) = self.small(&state)? {
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
        self.with(partition, move |partition| partition.inspect(memory, &query)).await?
    }

    async fn turns_at(
        &self,
        partition: PartitionId,
        positions: &[TurnPosition],
        view: &View,
    ) -> Result<Vec<(TurnPosition, MemoryId)>, IndexError> {
        let cached = self.cached(partition).await?;
        let state = cached.state.read();
        Ok(state.as_ref().map(|partition| partition.turns_at(positions, view)).unwrap_or_default())
    }

    async fn apply(&self, partition: PartitionId, update: Update) -> Result<(), IndexError> {
        self.cache.apply(partition, update)
    }

    async fn clear_partition(&self, partition: PartitionId) {
        self.cache.remove(partition);
    }

    async fn clear_cache(&self) {
        self.cache.clear();
    }

    async fn differences(&self, partition: PartitionId) -> Result<u64, IndexError> {
        let Some(cached) = self.cache.peek(partition) else { return Ok(0) };
        let Some((seq, held)) =
            cached.state.read().as_ref().map(|partition| (partition.seq(), partition.versions()))
        else {
            return Ok(0);
        };
        let mut kept = Vec::with_capacity(held.len());
        let stored_seq =
            self.source.load(partition, &mut |one| kept.push((one.memory.id, one.memory.version))).await?;
        if stored_seq != seq {
            // A commit came in between: compare again another time.
            return Ok(0);
        }
        let held: std::collections::HashSet<_> = held.into_iter().collect();
        let kept: std::collections::HashSet<_> = kept.into_iter().collect();
        Ok(held.symmetric_difference(&kept).count() as u64)
    }
}
