//! The state of one write transaction. The files that write (`commit`, `partitions`, `versions`, `touches`, `erase`,
//! `links`, `idempotency`) extend it by methods; it names none of them.

use std::collections::HashMap;

use super::counters::Counters;
use super::insert_buffer::InsertBuffer;
use super::{Connection, StoreError};
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::scope::Owner;

/// A transaction at work: the counters it has taken numbers from, and what it has still to insert.
pub(super) struct WriteTransaction<'c, 'a> {
    pub(super) connection: &'c mut Connection,
    pub(super) inserts: InsertBuffer<'a>,
    pub(super) counters: Counters,
    pub(super) embedder: i64,
    /// Ids that the documents of the set at hand keep, by the ids that the set gives them.
    pub(super) kept_ids: HashMap<MemoryId, MemoryId>,
    /// The owners that were looked up, with their partitions.
    pub(super) partitions: HashMap<(TenantId, &'a Owner), Option<PartitionId>>,
}

impl<'c, 'a> WriteTransaction<'c, 'a> {
    pub(super) fn new(connection: &'c mut Connection, embedder: i64) -> Self {
        Self {
            connection,
            inserts: InsertBuffer::default(),
            counters: Counters::default(),
            embedder,
            kept_ids: HashMap::new(),
            partitions: HashMap::new(),
        }
    }

    /// Writes what there is to insert.
    pub(super) async fn flush(&mut self) -> Result<(), StoreError> {
        self.inserts.write(&mut *self.connection, self.embedder).await
    }

    /// Writes what there is to insert, and the counters.
    pub(super) async fn finish(mut self) -> Result<(), StoreError> {
        self.flush().await?;
        self.counters.write(&mut *self.connection).await
    }
}
