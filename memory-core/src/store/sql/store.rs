//! The store over one database. Compiled once per database, below the module of that database (`sqlite`, `postgres`).

mod access_log;
mod bulk;
mod commit;
mod counters;
pub(super) mod digest_key;
mod earlier_records;
mod embedders;
mod erase;
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
mod retract;
mod rows;
mod stored_statement;
mod thinking;
mod thinking_queue;
mod touches;
mod usage;
mod versions;
mod write_transaction;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use super::{
    Connection, Db, Ownership, Row, after_erasure, copy_to, dialect, integrity_complaints, refuses_data,
};
use crate::domain::embedder::EmbedderId;
use crate::domain::id::{PartitionId, TenantId};
use crate::domain::keyed_digest::KeyedDigest;
use crate::domain::scope::Owner;
use crate::store::{Embedders, StoreError};

/// Durable store in one database, with separate connections for writes and reads.
#[derive(Debug)]
pub struct SqlStore {
    pub(super) writer: sqlx::Pool<Db>,
    pub(super) readers: sqlx::Pool<Db>,
    /// Digests of what must be recognised again but not be readable (ADR 0030).
    digests: KeyedDigest,
    embedder: AtomicI64,
    /// Partitions are never deleted, so the cached partition of an owner stays valid.
    known_partitions: parking_lot::Mutex<HashMap<(TenantId, Owner), PartitionId>>,
    _ownership: Ownership,
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
        digests: KeyedDigest,
        ownership: Ownership,
    ) -> Result<Self, StoreError> {
        digest_key::recognise_key(&writer, &digests).await?;
        if earlier_records::key_earlier_records(&writer, &digests).await? {
            after_erasure(&writer).await;
        }
        let store = Self {
            writer,
            readers,
            digests,
            embedder: AtomicI64::new(NO_EMBEDDER),
            known_partitions: parking_lot::Mutex::default(),
            _ownership: ownership,
        };
        let in_use = store.embedder_in_use().await?;
        store.embedder.store(in_use.map_or(NO_EMBEDDER, |(id, _)| id.0), Ordering::Release);
        Ok(store)
    }

    fn embedder(&self) -> EmbedderId {
        EmbedderId(self.embedder.load(Ordering::Acquire))
    }
}

/// True if the database works, but refuses the data of a statement.
fn is_refused_data(error: &StoreError) -> bool {
    let StoreError::Unavailable(cause) = error else { return false };
    let cause = cause.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    cause.is_some_and(|error| {
        let is_constraint = !matches!(error.kind(), sqlx::error::ErrorKind::Other);
        is_constraint || error.code().is_some_and(|code| refuses_data(&code))
    })
}

/// Maps every database error to a failure of the store; the details are for the log.
pub(super) fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}
