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
use store::unavailable;

use crate::store::{FailureKind, StoreError};

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
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// Number of connections for reads.
    pub read_connections: u32,
    /// Number of connections for writes.
    pub write_connections: u32,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { read_connections: 4, write_connections: 2 }
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
        Self::over(writer, readers, Ownership).await
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
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

/// Not supported: a server's backups are made by its own tools.
async fn copy_to(_: &sqlx::Pool<Db>, _: &Path) -> Result<(), StoreError> {
    Err(StoreError::Unavailable("a PostgreSQL database is copied with pg_dump".into()))
}

/// Does nothing: vacuum, which the server runs by itself, removes erased rows from the tables.
async fn after_erasure(_: &sqlx::Pool<Db>) {}
