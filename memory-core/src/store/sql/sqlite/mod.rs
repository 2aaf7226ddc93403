//! SQLite: one file in a data directory that belongs to one process.
//!
//! One connection writes, several read; the file is in WAL mode and every commit is synced to disk.

mod copying;
mod dialect;
mod dir_lock;
pub mod leftovers;
pub mod private_files;
mod purging;
mod recognise;
mod scrub;
#[path = "../store.rs"]
mod store;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use copying::Copying;
pub use dir_lock::DirectoryLock;
use purging::Purging;
pub use recognise::{NotAStore, check_database, check_file};
pub use store::SqlStore;
use store::unavailable;

use crate::store::StoreError;

/// Database that [`store`] is compiled for here.
type Db = sqlx::Sqlite;
/// Connection to the database.
type Connection = sqlx::SqliteConnection;
/// Row of a result.
type Row = sqlx::sqlite::SqliteRow;
/// The directory belongs to this process for the lifetime of the store.
type Ownership = DirectoryLock;

/// Name of the database file in a data directory.
pub const DATABASE_FILE: &str = "engrain.db";

/// Number of rows that the database thread may buffer ahead of the reader: with few, the two threads wake each other
/// for every other row of a partition.
const ROW_BUFFER: usize = 4_096;

/// Length of the write-ahead log at which SQLite checkpoints it by itself, in pages: 128 MiB. `purging` does it before.
const LONGEST_LOG_PAGES: &str = "16384";

/// Result code for a text or blob over SQLite's own bound.
const SQLITE_TOOBIG: &str = "18";

/// Options of opening a store.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// Number of connections for reads.
    pub read_connections: u32,
    /// Page cache of each connection, in KiB.
    pub cache_kib: u32,
    /// Maximum size of the memory-mapped part of the database file, in bytes.
    pub mmap_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { read_connections: 4, cache_kib: 16 * 1024, mmap_bytes: 256 * 1024 * 1024 }
    }
}

impl SqlStore {
    /// Opens the store in `directory`, which is created if it is missing, and applies pending migrations.
    ///
    /// Errors: [`StoreError::InUse`] if another process has it open, [`StoreError::Unavailable`] for the rest, with
    /// [`NotAStore`] as its cause if the database belongs to another program or a newer version.
    pub async fn open(directory: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let lock = DirectoryLock::take(directory)?;
        leftovers::recover(directory).map_err(unavailable)?;
        let narrowed = private_files::narrow(directory, leftovers::is_ours);
        if !narrowed.is_empty() {
            tracing::info!(
                ?narrowed,
                "other users of this machine could read these: their modes were narrowed"
            );
        }
        let file = directory.join(DATABASE_FILE);
        recognise::check_before_opening(&file).await.map_err(unavailable)?;
        let purging = Purging::open(&file)?;
        let connect = SqliteConnectOptions::new()
            .filename(&file)
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
            .pragma("wal_autocheckpoint", LONGEST_LOG_PAGES)
            .pragma("temp_store", "MEMORY")
            .optimize_on_close(false, None); // it keeps samples of keys: see `close`
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
        // A process that was killed has left its log, with whatever was erased: nothing reads it yet.
        purging.purge_at_start(&writer).await?;
        let copying = Copying::new(connect.clone());
        let readers = SqlitePoolOptions::new()
            .max_connections(options.read_connections.max(1))
            .min_connections(1)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(connect.pragma("query_only", "ON"))
            .await
            .map_err(unavailable)?;
        Self::over(writer, readers, (lock, purging, copying)).await
    }

    /// Closes all connections, and checkpoints the write-ahead log into the database file.
    pub async fn close(&self) {
        self.readers.close().await;
        // SQLite folds the log itself with the last connection, but not if another one is still closing.
        if let Err(error) = self.purging.purge_at_the_end(&self.writer).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the log is left to the next opening");
        }
        self.writer.close().await;
    }
}

/// Result codes, beside those of violated constraints, that are about a value: it is too long for a row.
fn refuses_data(code: &str) -> bool {
    code == SQLITE_TOOBIG
}

/// Problems that SQLite's integrity check reports; empty for an intact file.
async fn integrity_complaints(readers: &sqlx::Pool<Db>) -> Result<Vec<String>, StoreError> {
    let mut complaints: Vec<String> =
        sqlx::query_scalar(dialect::INTEGRITY_CHECK).fetch_all(readers).await.map_err(unavailable)?;
    complaints.retain(|complaint| complaint != "ok");
    Ok(complaints)
}
