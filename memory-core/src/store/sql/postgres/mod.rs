//! PostgreSQL: the same store over a database server. It is compiled and held against a server by the tests; no program
//! connects to it yet.

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

use crate::store::StoreError;

/// The database that [`store`] is compiled for here.
type Db = sqlx::Postgres;
/// One connection of it.
type Connection = sqlx::PgConnection;
/// One row of an answer.
type Row = sqlx::postgres::PgRow;
/// Nobody has to be kept out: row locks order those who write.
#[derive(Debug)]
struct Ownership;

/// The tables of a store, step by step.
static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");

/// The classes of SQLSTATE that are about a value: it cannot be represented (22), or is over a bound of a row or an
/// index (54).
const DATA_CLASSES: [&str; 2] = ["22", "54"];

/// How a store is connected to.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// Connections that read at the same time.
    pub read_connections: u32,
    /// Connections that write at the same time.
    pub write_connections: u32,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { read_connections: 4, write_connections: 2 }
    }
}

impl SqlStore {
    /// Connects to the database at `url` and brings its tables up to date.
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

fn refuses_data(code: &str) -> bool {
    DATA_CLASSES.iter().any(|class| code.starts_with(class))
}

/// A server checks its own pages as it reads them.
async fn integrity_complaints(_: &sqlx::Pool<Db>) -> Result<Vec<String>, StoreError> {
    Ok(Vec::new())
}

/// A server's copies are made by its own tools.
async fn copy_to(_: &sqlx::Pool<Db>, _: &Path) -> Result<(), StoreError> {
    Err(StoreError::Unavailable("a PostgreSQL database is copied with pg_dump".into()))
}

/// What is erased leaves the tables when the server vacuums them, which it does by itself.
async fn after_erasure(_: &sqlx::Pool<Db>) {}
