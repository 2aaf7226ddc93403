//! State of one write transaction. The files that write (`commit`, `append`, `partitions`, `versions`, `touches`, `feedback`, `erase`,
//! `links`, `groups`, `thinking_queue`, `idempotency`, `identities`, `erased_identities`, `recognised_restorations`, `restore`, `complete`, `consolidation`) extend it with methods; it names none of them.

use std::collections::HashMap;

use super::counters::Counters;
use super::insert_buffer::InsertBuffer;
use super::{Connection, StoreError};
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::keyed_digest::KeyedDigest;
use crate::domain::scope::Owner;

/// Write transaction in progress, with its counters and the rows that it has yet to insert.
pub(super) struct WriteTransaction<'c, 'a> {
    pub(super) connection: &'c mut Connection,
    pub(super) inserts: InsertBuffer<'a>,
    pub(super) counters: Counters,
    pub(super) embedder: i64,
    pub(super) digests: &'a KeyedDigest,
    /// True if the current set has asked for the digest of a session.
    pub(super) asks_digest: bool,
    /// Ids that the documents of the current set keep, by the ids that the set gives them.
    pub(super) kept_ids: HashMap<MemoryId, MemoryId>,
    /// Owners that were looked up, with their partitions.
    pub(super) partitions: HashMap<(TenantId, &'a Owner), Option<PartitionId>>,
}

impl<'c, 'a> WriteTransaction<'c, 'a> {
    pub(super) fn new(connection: &'c mut Connection, embedder: i64, digests: &'a KeyedDigest) -> Self {
        Self {
            connection,
            inserts: InsertBuffer::default(),
            counters: Counters::default(),
            embedder,
            digests,
            asks_digest: false,
            kept_ids: HashMap::new(),
            partitions: HashMap::new(),
        }
    }

    /// Inserts the buffered rows.
    pub(super) async fn flush(&mut self) -> Result<(), StoreError> {
        self.inserts.write(&mut *self.connection, self.embedder).await
    }

    /// Inserts the buffered rows, and writes the counters.
    pub(super) async fn finish(mut self) -> Result<(), StoreError> {
        self.flush().await?;
        self.counters.write(&mut *self.connection).await
    }
}
