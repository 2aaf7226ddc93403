//! PostgreSQL: the same store over a database server. The tests run it against a server; no program connects to it yet.

mod dialect;
#[cfg_attr(
    feature = "sqlite",
    expect(clippy::duplicate_mod, reason = "compiled once per database (ADR 0001)")
)]
#[path = "../store.rs"]
mod store;

use std::path::Path;
use std::str::FromStr;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

pub use store::SqlStore;
use store::digest_key::{hexadecimal, random_key};
use store::unavailable;

use crate::domain::keyed_digest::KeyedDigest;
use crate::domain::time::Timestamp;
use crate::store::{FailureKind, PurgeDebt, PurgeWait, StoreError};

/// Database that [`store`] is compiled for here.
type Db = sqlx::Postgres;
/// Connection to the database.
type Connection = sqlx::PgConnection;
/// Row of a result.
type Row = sqlx::postgres::PgRow;
/// No exclusive ownership is needed: row locks order concurrent writers.
#[derive(Debug)]
struct Ownership;

/// Migrations of the schema.
static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");

/// SQLSTATE classes of errors about a value: it cannot be represented (22), or exceeds a limit of a row or an index
/// (54).
const DATA_CLASSES: [&str; 2] = ["22", "54"];

/// Options of a connection to the database.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Number of connections for reads.
    pub read_connections: u32,
    /// Number of connections for writes.
    pub write_connections: u32,
    /// Keyed digests of the store (ADR 0030), the same for all its processes. Without them a key is made and kept in the
    /// database itself: it then goes with every dump, and protects digests only from who has no more than them.
    pub digests: Option<KeyedDigest>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { read_connections: 4, write_connections: 2, digests: None }
    }
}

impl SqlStore {
    /// Connects to the database at `url` and applies pending migrations.
    ///
    /// Errors: [`StoreError::Unavailable`].
    pub async fn connect(url: &str, options: StoreOptions) -> Result<Self, StoreError> {
        let connect = PgConnectOptions::from_str(url).map_err(unavailable)?;
        let pool = |connections: u32| PgPoolOptions::new().max_connections(connections.max(1));
        let writer =
            pool(options.write_connections).connect_with(connect.clone()).await.map_err(unavailable)?;
        MIGRATIONS.run(&writer).await.map_err(unavailable)?;
        let readers = pool(options.read_connections).connect_with(connect).await.map_err(unavailable)?;
        let digests = match options.digests {
            Some(digests) => digests,
            None => key_in_database(&writer).await?,
        };
        Self::over(writer, readers, digests, (Ownership, Purging, Copying)).await
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Key that the database keeps itself, made by the process that comes first.
async fn key_in_database(writer: &sqlx::Pool<Db>) -> Result<KeyedDigest, StoreError> {
    let made = hexadecimal(&random_key()?);
    sqlx::query(dialect::OFFER_DIGEST_KEY).bind(made).execute(writer).await.map_err(unavailable)?;
    let key: Vec<u8> =
        sqlx::query_scalar(dialect::DIGEST_KEY).fetch_one(writer).await.map_err(unavailable)?;
    let key = <[u8; KeyedDigest::KEY_BYTES]>::try_from(key).map_err(|_| StoreError::Corrupt {
        table: "settings",
        column: "value",
        row: "digest_key".to_owned(),
    })?;
    Ok(KeyedDigest::new(key))
}

/// Does nothing: a server keeps its own files together.
async fn count_commit(_: &Ownership, _: &mut Connection) -> Result<(), StoreError> {
    Ok(())
}

/// Does nothing, like [`count_commit`].
fn note_commit(_: &Ownership) {}

/// Kind of failure that an SQLSTATE means.
fn failure_kind(code: &str) -> FailureKind {
    match code {
        "53100" => FailureKind::Full,               // disk_full
        "XX001" | "XX002" => FailureKind::Damaged,  // data_corrupted, index_corrupted
        "25006" | "42501" => FailureKind::ReadOnly, // read_only_sql_transaction, insufficient_privilege
        _ => FailureKind::Unavailable,
    }
}

fn refuses_data(code: &str) -> bool {
    DATA_CLASSES.iter().any(|class| code.starts_with(class))
}

/// Reports nothing: a server verifies its own pages as it reads them.
async fn integrity_complaints(_: &sqlx::Pool<Db>) -> Result<Vec<String>, StoreError> {
    Ok(Vec::new())
}

/// Reports nothing: a column holds no value of another type.
async fn values_of_wrong_type(_: &sqlx::Pool<Db>) -> Result<Vec<(String, String, u64)>, StoreError> {
    Ok(Vec::new())
}

/// Copies are not supported: a server's backups are made by its own tools.
#[derive(Debug)]
struct Copying;

impl Copying {
    #[expect(clippy::unused_async, reason = "the counterpart for SQLite waits")]
    async fn copy_to(&self, _: &sqlx::Pool<Db>, _: &Purging, _: &Path) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("a PostgreSQL database is copied with pg_dump".into()))
    }
}

/// Nothing is purged: erased rows stay as dead tuples until a vacuum, which does not overwrite their bytes, and in the
/// server's write-ahead log and replicas. The server reports no end of this (ADR 0031).
#[derive(Debug)]
struct Purging;

impl Purging {
    #[expect(clippy::unused_self, reason = "the counterpart for SQLite has a state")]
    fn debt(&self) -> PurgeDebt {
        PurgeDebt::LEFT_TO_DATABASE
    }

    async fn due(&self, _: &sqlx::Pool<Db>) {
        std::future::pending().await
    }

    #[expect(clippy::unused_async, reason = "the counterpart for SQLite waits")]
    async fn purge(&self, _: &sqlx::Pool<Db>, _: PurgeWait) -> Result<PurgeDebt, StoreError> {
        Ok(self.debt())
    }

    #[expect(clippy::unused_async, reason = "the counterpart for SQLite waits")]
    async fn after_commit(&self, _: &sqlx::Pool<Db>, _: &[Timestamp]) {}
}
