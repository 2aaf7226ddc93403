//! The SQL store: its statements are written once, in the dialect common to SQLite and PostgreSQL, and compiled once
//! per database (ADR 0001).
//!
//! The files of this folder are the modules of `store`, which the module of each database includes by its path. They
//! name no database. The module of a database provides:
//!
//! - `Db`, `Connection`, `Row`: the types of sqlx for it.
//! - `dialect`: the statements that differ between the databases, and the encoding of stored texts.
//! - `Ownership`: guard of an open store against other processes.
//! - `count_commit`, `note_commit`: the number of commits beside the database, by which lost files are noticed.
//! - `failure_kind`: tells failures of the database by their codes.
//! - `refuses_data`: tells errors about the data of a statement from failures of the database.
//! - `Purging`: removal of erased bytes from the files of the database.
//! - `Copying`: writes a copy of the whole database.
//! - `integrity_complaints`: a check that the databases do without shared statements.
//! - `values_of_wrong_type`: values of another type than their column's, if the database stores such.

#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "sqlite")]
pub use sqlite::{
    DATABASE_FILE, DIGEST_KEY_FILE, DirectoryLock, MARK_FILE, NotAStore, SqlStore, StoreOptions,
    check_database, check_file, leftovers, private_files, take_over_mark,
};
