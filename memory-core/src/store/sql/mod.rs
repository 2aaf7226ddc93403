//! The SQL store: its statements are written once, in the dialect that SQLite and PostgreSQL share, and compiled once
//! per database (ADR 0001).
//!
//! The files of this folder are the modules of `store`, which the module of each database includes by
//! its path. They name no database. What a database's module offers them:
//!
//! - `Db`, `Connection`, `Row`: the types of sqlx for it.
//! - `dialect`: the statements of which one text does not serve both databases, and the form of stored texts.
//! - `Ownership`: what an open store holds to keep other processes out.
//! - `refuses_data`: which errors are about what a statement would write, and not about the database.
//! - `integrity_complaints`, `copy_to`, `after_erasure`: what the databases do by other means than statements.

#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "sqlite")]
pub use sqlite::{
    DATABASE_FILE, DirectoryLock, NotAStore, SqlStore, StoreOptions, check_database, check_file,
};
