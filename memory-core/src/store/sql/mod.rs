//! The SQL store: its statements are written once, in the dialect common to SQLite and PostgreSQL, and compiled once
//! per database (ADR 0001).
//!
//! The files of this folder are the modules of `store`, which the module of each database includes by its path. They
//! name no database. The module of a database provides:
//!
//! - `Db`, `Connection`, `Row`: the types of sqlx for it.
//! - `dialect`: the statements that differ between the databases, and the encoding of stored texts.
//! - `Ownership`: guard of an open store against other processes.
//! - `refuses_data`: tells errors about the data of a statement from failures of the database.
//! - `integrity_complaints`, `copy_to`, `after_erasure`: operations that the databases do without shared statements.

#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "sqlite")]
pub use sqlite::{
    DATABASE_FILE, DIGEST_KEY_FILE, DirectoryLock, NotAStore, SqlStore, StoreOptions, check_database,
    check_file,
};
