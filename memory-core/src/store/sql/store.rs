//! The store over one database. Compiled once per database, below the module of that database (`sqlite`, `postgres`).

mod access_log;
mod bulk;
mod commit;
mod counters;
mod embedders;
mod erase;
mod failure;
mod filtered;
mod groups;
mod idempotency;
mod insert_buffer;
mod integrity;
mod jobs;
mod links;
mod load;
mod made_by;
mod maintenance;
mod packed_hits;
mod partitions;
mod read;
mod readable;
mod retract;
mod rows;
mod stored_statement;
mod thinking;
mod thinking_queue;
mod touches;
mod unreadable;
mod usage;
mod versions;
mod write_transaction;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use super::{
    Connection, Db, Ownership, Row, after_erasure, copy_to, count_commit, dialect, failure_kind,
    integrity_complaints, note_commit, refuses_data,
};
use crate::domain::embedder::EmbedderId;
use crate::domain::id::{PartitionId, TenantId};
use crate::domain::scope::Owner;
use crate::store::{Embedders, StoreError};
use failure::is_refused_data;
pub(super) use failure::unavailable;

/// Durable store in one database, with separate connections for writes and reads.
#[derive(Debug)]
pub struct SqlStore {
    pub(super) writer: sqlx::Pool<Db>,
    pub(super) readers: sqlx::Pool<Db>,
    embedder: AtomicI64,
    /// Partitions are never deleted, so the cached partition of an owner stays valid.
    known_partitions: parking_lot::Mutex<HashMap<(TenantId, Owner), PartitionId>>,
    pub(super) ownership: Ownership,
}

/// Maximum number of owners in the partition cache; the cache is cleared when it is full.
const KNOWN_PARTITIONS: usize = 65_536;

/// Value of [`SqlStore::embedder`] while no embedder is in use.
const NO_EMBEDDER: i64 = -1;

impl SqlStore {
    /// Creates the store over a database whose schema is up to date.
    pub(super) async fn over(
        writer: sqlx::Pool<Db>,
        readers: sqlx::Pool<Db>,
        ownership: Ownership,
    ) -> Result<Self, StoreError> {
        let store = Self {
            writer,
            readers,
            embedder: AtomicI64::new(NO_EMBEDDER),
            known_partitions: parking_lot::Mutex::default(),
            ownership,
        };
        let in_use = store.embedder_in_use().await?;
        store.embedder.store(in_use.map_or(NO_EMBEDDER, |(id, _)| id.0), Ordering::Release);
        Ok(store)
    }

    fn embedder(&self) -> EmbedderId {
        EmbedderId(self.embedder.load(Ordering::Acquire))
    }
}
