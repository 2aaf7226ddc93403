//! A fake of the index's source: partitions in memory, whose loads a test can hold, so that it decides what happens during
//! a load.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{RwLock, RwLockWriteGuard};

use crate::domain::id::{MemoryId, PartitionId};
use crate::index::Update;
use crate::store::{ChangeEntry, ChangeOp, Extent, IndexSource, Indexed, Retained, StoreError};
use crate::testing::fixtures::DIMENSION;

/// Partitions in memory.
#[derive(Debug, Default)]
pub struct MemorySource {
    partitions: Mutex<BTreeMap<PartitionId, SourcePartition>>,
    reads_begun: AtomicUsize,
    gate: RwLock<()>,
}

#[derive(Clone, Debug, Default)]
struct SourcePartition {
    seq: u64,
    log: Vec<ChangeEntry>,
    memories: BTreeMap<MemoryId, Indexed>,
}

impl MemorySource {
    /// Writes to a partition; returns the update for the index.
    pub fn write(&self, partition: PartitionId, put: Vec<Indexed>, erased: Vec<MemoryId>) -> Update {
        let mut partitions = self.partitions.lock();
        let stored = partitions.entry(partition).or_default();
        let seq_before = stored.seq;
        let changed = put.iter().map(|indexed| (ChangeOp::Put, indexed.memory.id));
        for (op, memory) in changed.chain(erased.iter().map(|id| (ChangeOp::Erase, *id))) {
            stored.seq += 1;
            stored.log.push(ChangeEntry { seq: stored.seq, op, memory });
        }
        for indexed in &put {
            stored.memories.insert(indexed.memory.id, indexed.clone());
        }
        for id in &erased {
            stored.memories.remove(id);
        }
        Update { seq_before, seq_after: stored.seq, put, erased, ..Update::default() }
    }

    /// Gives memories of a partition another retention; returns the update for the index.
    pub fn touch(&self, partition: PartitionId, touched: Vec<Retained>) -> Update {
        let mut partitions = self.partitions.lock();
        let stored = partitions.entry(partition).or_default();
        let seq_before = stored.seq;
        for one in &touched {
            let Some(indexed) = stored.memories.get_mut(&one.memory) else { continue };
            (indexed.memory.strength, indexed.memory.forgotten) =
                (one.strength.clone(), one.forgotten.clone());
            stored.seq += 1;
            stored.log.push(ChangeEntry { seq: stored.seq, op: ChangeOp::Touch, memory: one.memory });
        }
        Update { seq_before, seq_after: stored.seq, touched, ..Update::default() }
    }

    /// The memories of a partition.
    pub fn memories(&self, partition: PartitionId) -> Vec<Indexed> {
        let partitions = self.partitions.lock();
        partitions.get(&partition).map(|it| it.memories.values().cloned().collect()).unwrap_or_default()
    }

    /// Number of loads that have begun.
    pub fn reads_begun(&self) -> usize {
        self.reads_begun.load(Ordering::SeqCst)
    }

    /// While the guard lives, a load takes its snapshot but does not end.
    pub async fn hold_reads(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().await
    }
}

#[async_trait]
impl IndexSource for MemorySource {
    async fn dimension(&self) -> Result<usize, StoreError> {
        Ok(DIMENSION)
    }

    async fn load(
        &self,
        partition: PartitionId,
        each: &mut (dyn FnMut(Indexed) + Send),
    ) -> Result<u64, StoreError> {
        let snapshot = self.partitions.lock().get(&partition).cloned().unwrap_or_default();
        self.reads_begun.fetch_add(1, Ordering::SeqCst);
        let _through = self.gate.read().await;
        snapshot.memories.into_values().for_each(each);
        Ok(snapshot.seq)
    }

    async fn extent(&self, partition: PartitionId) -> Result<Extent, StoreError> {
        let partitions = self.partitions.lock();
        let extent = |it: &SourcePartition| Extent { last_seq: it.seq, memories: it.memories.len() as u64 };
        Ok(partitions.get(&partition).map(extent).unwrap_or_default())
    }

    async fn changes(
        &self,
        partition: PartitionId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        let partitions = self.partitions.lock();
        let log = partitions.get(&partition).map(|it| it.log.as_slice()).unwrap_or_default();
        Ok(log.iter().filter(|entry| entry.seq > after).take(limit as usize).copied().collect())
    }

    async fn indexed(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<Vec<Indexed>, StoreError> {
        let partitions = self.partitions.lock();
        let Some(stored) = partitions.get(&partition) else { return Ok(Vec::new()) };
        Ok(ids.iter().filter_map(|id| stored.memories.get(id).cloned()).collect())
    }

    async fn retained(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<Vec<Retained>, StoreError> {
        let indexed = self.indexed(partition, ids).await?;
        let retained = indexed.into_iter().map(|Indexed { memory, .. }| Retained {
            memory: memory.id,
            strength: memory.strength,
            forgotten: memory.forgotten,
        });
        Ok(retained.collect())
    }
}
