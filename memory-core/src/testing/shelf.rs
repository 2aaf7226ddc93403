//! A source for the index without a database: partitions in memory that are written at once and read when the test
//! lets them be read, so that a test decides what happens while a partition is being read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{RwLock, RwLockWriteGuard};

use crate::domain::id::{MemoryId, PartitionId};
use crate::index::Update;
use crate::store::{ChangeEntry, IndexSource, Indexed, StoreError};
use crate::testing::material::DIMENSION;

/// Partitions in memory.
#[derive(Debug, Default)]
pub struct Shelf {
    partitions: Mutex<BTreeMap<PartitionId, Shelved>>,
    reads_begun: AtomicUsize,
    gate: RwLock<()>,
}

#[derive(Clone, Debug, Default)]
struct Shelved {
    seq: u64,
    memories: BTreeMap<MemoryId, Indexed>,
}

impl Shelf {
    /// Writes, and answers what the index is to be told.
    pub fn write(&self, partition: PartitionId, put: Vec<Indexed>, erased: Vec<MemoryId>) -> Update {
        let mut partitions = self.partitions.lock();
        let shelved = partitions.entry(partition).or_default();
        let seq_before = shelved.seq;
        shelved.seq += (put.len() + erased.len()) as u64;
        for indexed in &put {
            shelved.memories.insert(indexed.memory.id, indexed.clone());
        }
        for id in &erased {
            shelved.memories.remove(id);
        }
        Update { seq_before, seq_after: shelved.seq, put, erased }
    }

    /// What is in a partition.
    pub fn memories(&self, partition: PartitionId) -> Vec<Indexed> {
        let partitions = self.partitions.lock();
        partitions.get(&partition).map(|it| it.memories.values().cloned().collect()).unwrap_or_default()
    }

    /// How often a partition has begun to be read.
    pub fn reads_begun(&self) -> usize {
        self.reads_begun.load(Ordering::SeqCst)
    }

    /// While the guard lives, a read sees the moment at which it began but does not come to an end.
    pub async fn hold_reads(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().await
    }
}

#[async_trait]
impl IndexSource for Shelf {
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

    async fn changes(&self, _: PartitionId, _: u64, _: u32) -> Result<Vec<ChangeEntry>, StoreError> {
        Ok(Vec::new())
    }

    async fn indexed(&self, partition: PartitionId, ids: &[MemoryId]) -> Result<Vec<Indexed>, StoreError> {
        let partitions = self.partitions.lock();
        let Some(shelved) = partitions.get(&partition) else { return Ok(Vec::new()) };
        Ok(ids.iter().filter_map(|id| shelved.memories.get(id).cloned()).collect())
    }
}
