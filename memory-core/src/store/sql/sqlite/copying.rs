//! Copies of the whole database, for backups: `VACUUM INTO` on a connection of its own, so that writes go on.
//!
//! A copy holds one snapshot. An erasure that is committed while the copy is written is not in it, although the copy is
//! finished later: the copy is made anew then, and at last while the writer is held, so that no erased text comes back
//! with a copy that is younger than the erasure.

use std::fs;
use std::path::Path;

use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnectOptions;

use super::purging::Purging;
use super::{Db, dialect, private_files, unavailable};
use crate::store::StoreError;

/// Maximum number of copies made beside writes before the writer is held.
const COPIES_BESIDE_WRITES: usize = 2;

/// Writes copies.
#[derive(Debug)]
pub(super) struct Copying {
    connect: SqliteConnectOptions,
}

impl Copying {
    pub(super) fn new(connect: SqliteConnectOptions) -> Self {
        Self { connect }
    }

    /// Writes a consistent copy into a new file, which the owner alone can read. The file is removed after an error.
    /// Every erasure that was acknowledged before the return is in effect in the copy.
    pub(super) async fn copy_to(
        &self,
        writer: &sqlx::Pool<Db>,
        purging: &Purging,
        file: &Path,
    ) -> Result<(), StoreError> {
        private_files::create_new(file).map_err(unavailable)?;
        let copied = self.copy_over(writer, purging, file).await;
        if copied.is_err() {
            let _ = fs::remove_file(file);
        }
        copied
    }

    async fn copy_over(
        &self,
        writer: &sqlx::Pool<Db>,
        purging: &Purging,
        file: &Path,
    ) -> Result<(), StoreError> {
        let path = file.to_string_lossy().into_owned();
        for _ in 0..COPIES_BESIDE_WRITES {
            let before = purging.erasures();
            let mut connection = self.connect.connect().await.map_err(unavailable)?;
            let copied = sqlx::query(dialect::COPY_TO).bind(&path).execute(&mut connection).await;
            let closed = connection.close().await;
            copied.map_err(unavailable)?;
            closed.map_err(unavailable)?;
            if purging.erasures() == before {
                return Ok(());
            }
            fs::remove_file(file).map_err(unavailable)?;
            private_files::create_new(file).map_err(unavailable)?;
        }
        sqlx::query(dialect::COPY_TO).bind(&path).execute(writer).await.map_err(unavailable)?;
        Ok(())
    }
}
