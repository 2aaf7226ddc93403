//! SQLite: one file in a data directory that belongs to one process.
//!
//! One connection writes, several read; the file is in WAL mode and every commit is synced to disk.

mod dialect;
mod dir_lock;
mod recognise;
#[path = "../store.rs"]
mod store;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

pub use dir_lock::DirectoryLock;
pub use recognise::{NotAStore, check_database, check_file};
pub use store::SqlStore;
use store::unavailable;

use crate::store::StoreError;

/// The database that [`store`] is compiled for here.
type Db = sqlx::Sqlite;
/// One connection of it.
type Connection = sqlx::SqliteConnection;
/// One row of an answer.
type Row = sqlx::sqlite::SqliteRow;
/// The directory belongs to this process as long as the store lives.
type Ownership = DirectoryLock;

/// The name of the database file in a data directory.
pub const DATABASE_FILE: &str = "engrain.db";

/// Rows that the database thread may be ahead of the one that reads them: with few, the two wake each other for every
/// other row of a partition.
const ROW_BUFFER: usize = 4_096;

/// The result code for a text or blob over SQLite's own bound.
const SQLITE_TOOBIG: &str = "18";

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
        Self::over(writer, readers, lock).await
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
}

/// Result codes, beside those of broken constraints, that are about a value: it is too long for a row.
fn refuses_data(code: &str) -> bool {
    code == SQLITE_TOOBIG
}

/// What the database's own check finds wrong with the file; empty for a file that is whole.
async fn integrity_complaints(readers: &sqlx::Pool<Db>) -> Result<Vec<String>, StoreError> {
    let mut complaints: Vec<String> =
        sqlx::query_scalar(dialect::INTEGRITY_CHECK).fetch_all(readers).await.map_err(unavailable)?;
    complaints.retain(|complaint| complaint != "ok");
    Ok(complaints)
}

/// Writes a consistent copy of the whole database to a new file.
async fn copy_to(writer: &sqlx::Pool<Db>, file: &Path) -> Result<(), StoreError> {
    let file = file.to_string_lossy().into_owned();
    sqlx::query(dialect::COPY_TO).bind(file).execute(writer).await.map_err(unavailable)?;
    Ok(())
}

/// Folds the write-ahead log away if nobody reads at this moment, so that erased text does not linger in it. Not part
/// of what was promised: with a reader in the way it is left to the next erasure or checkpoint, since waiting would
/// hold up every write.
async fn after_erasure(writer: &sqlx::Pool<Db>) {
    for statement in dialect::CHECKPOINT_WAL {
        if let Err(error) = sqlx::query(statement).execute(writer).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the log could not be folded");
        }
    }
}
