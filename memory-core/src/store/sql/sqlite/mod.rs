//! SQLite: one file in a data directory that belongs to one process.
//!
//! One connection writes, several read; the file is in WAL mode and every commit is synced to disk.

mod copying;
mod dialect;
mod digest_key_file;
mod dir_lock;
pub mod leftovers;
mod log_file;
mod page_set;
pub mod private_files;
mod purging;
mod recognise;
mod reserve;
mod scrub;
#[path = "../store.rs"]
mod store;
mod store_mark;
mod value_types;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use copying::Copying;
pub use digest_key_file::DIGEST_KEY_FILE;
pub use dir_lock::DirectoryLock;
use purging::Purging;
pub use recognise::{NotAStore, check_database, check_file};
pub use store::SqlStore;
use store::unavailable;
use store_mark::MarkedDirectory;
pub use store_mark::{MARK_FILE, take_over_mark};
use value_types::values_of_wrong_type;

use crate::store::{FailureKind, StoreError};

/// Database that [`store`] is compiled for here.
type Db = sqlx::Sqlite;
/// Connection to the database.
type Connection = sqlx::SqliteConnection;
/// Row of a result.
type Row = sqlx::sqlite::SqliteRow;
/// The directory belongs to this process for the lifetime of the store.
type Ownership = MarkedDirectory;

/// Name of the database file in a data directory.
pub const DATABASE_FILE: &str = "engrain.db";

/// Number of rows that the database thread may buffer ahead of the reader: with few, the two threads wake each other
/// for every other row of a partition.
const ROW_BUFFER: usize = 4_096;

/// Result code for a text or blob over SQLite's own bound.
const SQLITE_TOOBIG: &str = "18";
/// Extended result code for a shared-memory file that could not be made larger: the disk is full.
const SQLITE_IOERR_SHMSIZE: i32 = 4_874;
/// Extended result codes for a page or a file system that is damaged.
const SQLITE_IOERR_DAMAGED: [i32; 2] = [8_202, 8_458];

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
    /// On a full disk the reserve (`reserve.rs`) is given up, so that the store can be read.
    ///
    /// Errors: [`StoreError::InUse`] if another process has it open, [`StoreError::NewerVersion`] and
    /// [`StoreError::Damaged`] for what the file is, [`StoreError::Full`] and [`StoreError::ReadOnly`] for what the file
    /// system refuses, [`StoreError::Unavailable`] for the rest, with [`NotAStore`] as its cause if the database belongs
    /// to another program.
    pub async fn open(directory: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        match Self::open_once(directory, options).await {
            Err(StoreError::Full(_)) if reserve::release(directory) => {
                tracing::warn!("the disk is full: the reserve of the store is used to open it");
                Self::open_once(directory, options).await
            }
            Ok(store) => {
                reserve::keep(directory);
                Ok(store)
            }
            refused => refused,
        }
    }

    async fn open_once(directory: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let lock = Arc::new(DirectoryLock::take(directory)?);
        leftovers::recover(directory).map_err(unavailable)?;
        let owned = MarkedDirectory::inspect(Arc::clone(&lock), directory)?;
        let narrowed = private_files::narrow(directory, leftovers::is_ours);
        if !narrowed.is_empty() {
            tracing::info!(
                ?narrowed,
                "other users of this machine could read these: their modes were narrowed"
            );
        }
        let file = directory.join(DATABASE_FILE);
        let is_new = std::fs::metadata(&file).map_or(0, |metadata| metadata.len()) == 0;
        recognise::check_before_opening(&file).await.map_err(not_a_store)?;
        let purging = Purging::open(&file, lock)?;
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
            .pragma("wal_autocheckpoint", "0") // `purging` notes what is in the log before
            .pragma("temp_store", "MEMORY")
            .optimize_on_close(false, None); // it keeps samples of keys: see `close`
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            // SQLite itself rolls back on a full disk; the connection then believes to be in a transaction for ever.
            .before_acquire(|connection, _| {
                let is_clean = !sqlx::Connection::is_in_transaction(connection);
                Box::pin(std::future::ready(Ok(is_clean)))
            })
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(connect.clone())
            .await
            .map_err(unavailable)?;
        recognise::MIGRATIONS.run(&writer).await.map_err(unavailable)?;
        recognise::mark(&mut *writer.acquire().await.map_err(unavailable)?).await.map_err(unavailable)?;
        owned.compare(&mut *writer.acquire().await.map_err(unavailable)?).await?;
        // A process that was killed has left its log, with whatever was erased: nothing reads it yet.
        match purging.purge_at_start(&writer).await {
            // It stays owed: the store can be read meanwhile.
            Err(error) if error.is_about_writing() => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the log was not purged at the start"
                );
            }
            purged => purged?,
        }
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
        let digests = digest_key_file::read_or_create(directory, is_new)?;
        Self::over(writer, readers, digests, (owned, purging, copying)).await
    }

    /// Closes all connections, and checkpoints the write-ahead log into the database file.
    pub async fn close(&self) {
        self.readers.close().await;
        // SQLite folds the log itself with the last connection, but not if another one is still closing.
        if let Err(error) = self.purging.purge_at_the_end(&self.writer).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the log is left to the next opening");
        }
        self.writer.close().await;
        self.ownership.note_closed();
    }
}

/// Counts a commit in its transaction.
async fn count_commit(owned: &Ownership, connection: &mut Connection) -> Result<(), StoreError> {
    owned.count_commit(connection).await
}

/// Marks a counted commit that is durable.
fn note_commit(owned: &Ownership) {
    owned.note_commit();
}

/// Result codes, beside those of violated constraints, that are about a value: it is too long for a row.
fn refuses_data(code: &str) -> bool {
    code == SQLITE_TOOBIG
}

/// Problems that SQLite's integrity check reports; empty for an intact file.
async fn integrity_complaints(readers: &sqlx::Pool<Db>) -> Result<Vec<String>, StoreError> {
    let checked = sqlx::query_scalar(dialect::INTEGRITY_CHECK).fetch_all(readers).await.map_err(unavailable);
    let mut complaints: Vec<String> = match checked {
        // The damage keeps the check itself from working.
        Err(StoreError::Damaged(cause)) => vec![cause.to_string()],
        complaints => complaints?,
    };
    complaints.retain(|complaint| complaint != "ok");
    Ok(complaints)
}

/// Kind of failure that a result code means: the low byte is the primary code.
fn failure_kind(code: &str) -> FailureKind {
    let Ok(code) = code.parse::<i32>() else { return FailureKind::Unavailable };
    match (code, code & 0xff) {
        (SQLITE_IOERR_SHMSIZE, _) | (_, 13) => FailureKind::Full, // SQLITE_FULL
        (code, _) if SQLITE_IOERR_DAMAGED.contains(&code) => FailureKind::Damaged,
        (_, 11 | 26) => FailureKind::Damaged, // SQLITE_CORRUPT, SQLITE_NOTADB
        (_, 3 | 8) => FailureKind::ReadOnly,  // SQLITE_PERM, SQLITE_READONLY
        _ => FailureKind::Unavailable,
    }
}

/// Failure of a file that is not a store of this version.
fn not_a_store(error: NotAStore) -> StoreError {
    match error {
        NotAStore::Newer { .. } => StoreError::NewerVersion(Box::new(error)),
        NotAStore::Damaged(_) | NotAStore::NotSqlite => StoreError::Damaged(Box::new(error)),
        NotAStore::Unreadable(cause) => match cause.downcast::<sqlx::Error>() {
            Ok(error) => unavailable(*error),
            Err(cause) => match cause.downcast::<std::io::Error>() {
                Ok(error) => unavailable(*error),
                Err(cause) => StoreError::Unavailable(cause),
            },
        },
        error => unavailable(error),
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::domain::change::Outcome;
    use crate::store::{Commit, Maintenance, Memories};
    use crate::testing::fixtures::{Fixtures, owner};

    /// Bounds the database file to its present size, which is what a full disk does.
    #[expect(clippy::expect_used, reason = "a test that cannot be set up has failed")]
    async fn fill_disk(store: &SqlStore) {
        let pages: i64 =
            sqlx::query_scalar("PRAGMA page_count").fetch_one(&store.writer).await.expect("pages");
        let bound = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(bound).execute(&store.writer).await.expect("bounded");
    }

    #[tokio::test]
    async fn a_full_disk_refuses_writes_leaves_reads_and_passes() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = SqlStore::open(directory.path(), StoreOptions::default()).await.expect("a store");
        let fixtures = Fixtures::for_store(&store).await.expect("fixtures");
        let ann = owner("ann");
        let first = fixtures.fact("first");
        let id = first.memory.id;
        store.commit(&[fixtures.adding(&ann, vec![first])]).await.expect("committed");
        fill_disk(&store).await;
        let large = || fixtures.adding(&ann, vec![fixtures.fact(&"large ".repeat(100_000))]);
        let refused = store.commit(&[large()]).await;
        assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
        let partition = store.partition_of(crate::domain::id::TenantId::DEFAULT, &ann).await.expect("read");
        let read = store.memories(partition.expect("there"), &[id]).await.expect("read");
        assert_eq!(read.len(), 1, "reads work");
        let erased = store.commit(&[fixtures.erasing(&ann, vec![id])]).await.expect("erasures work");
        assert!(matches!(erased[0], Ok(Outcome::Committed(_))), "{erased:?}");
        sqlx::query("PRAGMA max_page_count = 1000000").execute(&store.writer).await.expect("space again");
        let written = store.commit(&[large()]).await.expect("written");
        assert!(matches!(written[0], Ok(Outcome::Committed(_))), "{written:?}");
        assert_eq!(store.check(false).await.expect("checked"), []);
    }

    #[test]
    fn result_codes_have_their_kinds() {
        for (code, kind) in [
            ("11", FailureKind::Damaged),
            ("267", FailureKind::Damaged), // SQLITE_CORRUPT_VTAB
            ("26", FailureKind::Damaged),
            ("8202", FailureKind::Damaged),
            ("13", FailureKind::Full),
            ("4874", FailureKind::Full),
            ("8", FailureKind::ReadOnly),
            ("776", FailureKind::ReadOnly), // SQLITE_READONLY_ROLLBACK
            ("5", FailureKind::Unavailable),
            ("10", FailureKind::Unavailable),
            ("?", FailureKind::Unavailable),
        ] {
            assert_eq!(failure_kind(code), kind, "{code}");
        }
    }
}
