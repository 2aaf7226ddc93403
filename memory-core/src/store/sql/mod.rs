//! The SQL store. Statements are written once, in the dialect that SQLite and PostgreSQL share; [`dialect`] holds the
//! few that differ. The files of this folder speak of [`Db`] only, so that they can be compiled once per database
//! (ADR 0001); SQLite is the one that is connected.

mod access_log;
mod bulk;
mod commit;
mod counters;
mod dialect;
mod dir_lock;
mod embedders;
mod erase;
mod filtered;
mod idempotency;
mod insert_buffer;
mod integrity;
mod jobs;
mod links;
mod load;
mod maintenance;
mod read;
mod recognise;
mod rows;
mod versions;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

pub use dir_lock::DirectoryLock;
pub use recognise::{NotAStore, check_database, check_file};

use super::StoreError;
use crate::domain::embedder::EmbedderId;
use crate::domain::id::{PartitionId, TenantId};
use crate::domain::scope::Owner;

/// The database these files are compiled for.
type Db = sqlx::Sqlite;
/// One connection of it.
type Connection = sqlx::SqliteConnection;

/// The name of the database file in a data directory.
pub const DATABASE_FILE: &str = "engrain.db";

/// Rows that the database thread may be ahead of the one that reads them: with few, the two wake each other for every
/// other row of a partition.
const ROW_BUFFER: usize = 4_096;

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// Connections that read at the same time.
    pub read_connections: u32,
    /// How much of the database each connection may keep in memory, in KiB.
    pub cache_kib: u32,
    /// How much of the database file may be mapped into memory, in bytes.
    pub mmap_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { read_connections: 4, cache_kib: 16 * 1024, mmap_bytes: 256 * 1024 * 1024 }
    }
}

/// Everything that is kept, in one SQLite file.
///
/// One connection writes, several read; the file is in WAL mode and every commit is synced to disk. The directory
/// belongs to this process as long as the store lives.
#[derive(Debug)]
pub struct SqlStore {
    writer: sqlx::Pool<Db>,
    readers: sqlx::Pool<Db>,
    embedder: AtomicI64,
    /// Partitions are never taken away, so what is known of an owner stays true.
    known_partitions: parking_lot::Mutex<HashMap<(TenantId, Owner), PartitionId>>,
    _lock: DirectoryLock,
}

/// Owners whose partition is remembered; when there are more, all are looked up anew.
const KNOWN_PARTITIONS: usize = 65_536;

/// What [`SqlStore::embedder`] holds while no embedder is in use.
const NO_EMBEDDER: i64 = -1;

impl SqlStore {
    /// Opens the store in `directory`, which is made if it is missing, and brings its tables up to date.
    ///
    /// Errors: [`StoreError::InUse`] if another process has it open, [`StoreError::Unavailable`] for the rest, with
    /// [`NotAStore`] as its cause if the database is another program's or a newer version's.
    pub async fn open(directory: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let lock = DirectoryLock::take(directory)?;
        let file = directory.join(DATABASE_FILE);
        recognise::check_before_opening(&file).await.map_err(unavailable)?;
        let connect = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .page_size(8192)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(false) // statements keep the references; `check` verifies them
            .busy_timeout(Duration::from_secs(5))
            .row_buffer_size(ROW_BUFFER)
            .pragma("secure_delete", "ON") // what is erased is gone from the file
            .pragma("cache_size", format!("-{}", options.cache_kib))
            .pragma("mmap_size", options.mmap_bytes.to_string())
            .pragma("temp_store", "MEMORY")
            .optimize_on_close(true, None);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(connect.clone())
            .await
            .map_err(unavailable)?;
        recognise::MIGRATIONS.run(&writer).await.map_err(unavailable)?;
        recognise::mark(&mut *writer.acquire().await.map_err(unavailable)?).await.map_err(unavailable)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.read_connections.max(1))
            .min_connections(1)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(connect.pragma("query_only", "ON"))
            .await
            .map_err(unavailable)?;
        let store = Self {
            writer,
            readers,
            embedder: AtomicI64::new(NO_EMBEDDER),
            known_partitions: parking_lot::Mutex::default(),
            _lock: lock,
        };
        let in_use = super::Embedders::embedder_in_use(&store).await?;
        store.embedder.store(in_use.map_or(NO_EMBEDDER, |(id, _)| id.0), Ordering::Release);
        Ok(store)
    }

    /// Closes all connections: the write-ahead log is folded into the database file.
    pub async fn close(&self) {
        self.readers.close().await;
        // SQLite does this itself with the last connection, but not if one is still on its way out.
        if let Err(error) = sqlx::query(dialect::FOLD_LOG_AT_THE_END).execute(&self.writer).await {
            tracing::warn!(%error, "the write-ahead log is left to the next opening");
        }
        self.writer.close().await;
    }

    fn embedder(&self) -> EmbedderId {
        EmbedderId(self.embedder.load(Ordering::Acquire))
    }
}

/// Every database error means that the store did not do its work; which one is for the log.
fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}
