//! The store over one database. Compiled once per database, below the module of that database (`sqlite`, `postgres`).

mod access_log;
mod append;
mod archive;
mod bulk;
mod commit;
mod complete;
mod consolidation;
mod counters;
mod decoded_tables;
mod detach;
mod detached;
pub(super) mod digest_key;
mod earlier_records;
mod embedders;
mod erase;
mod erased_identities;
mod erasure_closure;
mod failure;
mod feedback;
mod filtered;
mod forgettings;
mod given_grants;
mod grant_events;
mod grants;
mod graph;
mod groups;
mod idempotency;
mod identities;
mod insert_buffer;
mod integrity;
mod jobs;
mod known_partitions;
mod links;
mod load;
mod made_by;
mod maintenance;
mod packed_hits;
mod partitions;
mod read;
mod readable;
mod recognised_restorations;
mod restore;
mod restored_ids;
mod retention;
mod retract;
mod rows;
mod scan_slots;
mod sessions;
mod stored_annotation;
mod stored_derivations;
mod stored_grants;
mod stored_items;
mod stored_links;
mod stored_statement;
mod stored_values;
mod thinking;
mod thinking_queue;
mod touches;
mod unreadable;
mod usage;
mod vectors;
mod versions;
mod write_transaction;

use std::sync::atomic::{AtomicI64, Ordering};

use known_partitions::KnownPartitions;
use scan_slots::ScanSlots;

use super::{
    Connection, Copying, Db, Ownership, Purging, Row, count_commit, dialect, failure_kind,
    integrity_complaints, note_commit, refuses_data, values_of_wrong_type,
};
use crate::domain::embedder::EmbedderId;
use crate::domain::keyed_digest::KeyedDigest;
use crate::store::{Embedders, PurgeWait, StoreError};
use failure::is_refused_data;
pub(super) use failure::unavailable;

/// Durable store in one database, with separate connections for writes and reads.
#[derive(Debug)]
pub struct SqlStore {
    pub(super) writer: sqlx::Pool<Db>,
    pub(super) readers: sqlx::Pool<Db>,
    /// Digests of what must be recognised again but not be readable (ADR 0030).
    digests: KeyedDigest,
    embedder: AtomicI64,
    known_partitions: KnownPartitions,
    scan_slots: ScanSlots,
    pub(super) purging: Purging,
    pub(super) copying: Copying,
    pub(super) ownership: Ownership,
}

/// Value of [`SqlStore::embedder`] while no embedder is in use.
const NO_EMBEDDER: i64 = -1;

impl SqlStore {
    /// Creates the store over a database whose schema is up to date.
    pub(super) async fn over(
        writer: sqlx::Pool<Db>,
        readers: sqlx::Pool<Db>,
        digests: KeyedDigest,
        (ownership, purging, copying): (Ownership, Purging, Copying),
    ) -> Result<Self, StoreError> {
        digest_key::recognise_key(&writer, &digests).await?;
        if earlier_records::key_earlier_records(&writer, &digests).await? {
            // The plain hashes go from the file as well.
            purging.purge(&writer, PurgeWait::Long).await?;
        }
        let scan_slots = ScanSlots::for_connections(readers.options().get_max_connections());
        let store = Self {
            writer,
            readers,
            digests,
            embedder: AtomicI64::new(NO_EMBEDDER),
            known_partitions: KnownPartitions::default(),
            scan_slots,
            purging,
            copying,
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
