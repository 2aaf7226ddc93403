//! Recognition of a database file as a store of this program: file header, applied migrations, integrity.
//!
//! It precedes every migration or replacement: the migrations run on any SQLite file, and would make an empty store of
//! another program's database. A store written before [`APPLICATION_ID`] was introduced is recognised by its migrations
//! alone.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;

use super::{Connection, dialect};

/// Migrations of the schema.
pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");

/// Application id in the header of a store's file: `ENGR` in ASCII.
const APPLICATION_ID: i64 = 0x454e_4752;
/// Statement that sets [`APPLICATION_ID`]. It contains the number as text, since a pragma takes no parameters.
const SET_APPLICATION_ID: &str = "PRAGMA application_id = 1162757970";

/// First bytes of every SQLite file.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";
/// Length of the header of an SQLite file, in bytes.
const SQLITE_HEADER_BYTES: u64 = 100;
/// Suffixes of the files beside a database that hold a part of its contents while it is open, or after its process was
/// killed.
const LOGS: [&str; 2] = ["-wal", "-journal"];
/// Result code of SQLite for a damaged file.
const SQLITE_CORRUPT: i32 = 11;
/// Result code of SQLite for a file of another format.
const SQLITE_NOTADB: i32 = 26;
/// Result code of SQLite for a statement that does not match the schema.
const SQLITE_ERROR: i32 = 1;
/// Maximum number of rows read of a list of migrations: far more than there will be.
const MAX_MIGRATIONS: i64 = 10_000;
/// Maximum time to wait for another process's lock on the file.
const BUSY_WITHIN: Duration = Duration::from_secs(5);

/// Error of a file that is not a store which this version can open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAStore {
    /// The path is a directory or a device.
    #[error("it is {0}, not a file")]
    NotAFile(&'static str),
    /// The file is empty.
    #[error("the file is empty")]
    Empty,
    /// The file has another format.
    #[error("the file is not an SQLite database")]
    NotSqlite,
    /// The file is a database of another program.
    #[error("the file is an SQLite database, but not a store of Engrain: {0}")]
    Foreign(String),
    /// The file holds only a part of the store: the store is open, or its process was killed.
    #[error(
        "a part of its contents is in {}: `engrain --data-dir DIRECTORY backup FILE` makes a whole copy",
        .0.display()
    )]
    Unfinished(PathBuf),
    /// The store's schema is newer than this version.
    #[error(
        "the file was written by a newer version of Engrain (tables {found}; this version knows tables up to {known})"
    )]
    Newer {
        /// Number of its last migration.
        found: i64,
        /// Number of the last migration of this version.
        known: i64,
    },
    /// The integrity check of the database fails.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<io::Error> for NotAStore {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(Box::new(error))
    }
}

impl From<sqlx::Error> for NotAStore {
    fn from(error: sqlx::Error) -> Self {
        match result_code(&error) {
            Some(SQLITE_CORRUPT) => Self::Damaged("its pages contradict each other".to_owned()),
            Some(SQLITE_NOTADB) => Self::NotSqlite,
            _ => Self::Unreadable(Box::new(error)),
        }
    }
}

/// Checks `file` without opening it as a database: it must be a complete, closed SQLite file.
///
/// Nothing is written. Errors: the variants of [`NotAStore`] that are about the file.
pub fn check_file(file: &Path) -> Result<(), NotAStore> {
    let metadata = fs::metadata(file)?;
    if metadata.is_dir() {
        return Err(NotAStore::NotAFile("a directory"));
    }
    if !metadata.is_file() {
        return Err(NotAStore::NotAFile("a device"));
    }
    if metadata.len() == 0 {
        return Err(NotAStore::Empty);
    }
    let mut beginning = Vec::with_capacity(SQLITE_MAGIC.len());
    File::open(file)?.take(SQLITE_MAGIC.len() as u64).read_to_end(&mut beginning)?;
    if beginning != SQLITE_MAGIC {
        return Err(NotAStore::NotSqlite);
    }
    if metadata.len() < SQLITE_HEADER_BYTES {
        return Err(NotAStore::Damaged("it ends within its header".to_owned()));
    }
    for ending in LOGS {
        let log = with_ending(file, ending);
        if fs::metadata(&log).is_ok_and(|metadata| metadata.len() > 0) {
            return Err(NotAStore::Unfinished(log));
        }
    }
    Ok(())
}

/// Checks that the database in `file` is an intact store that this version can open.
///
/// Reads the file completely. To be called on a copy: SQLite may create files beside it. Errors: see [`NotAStore`].
pub async fn check_database(file: &Path) -> Result<(), NotAStore> {
    let mut connection = connect(file).await?;
    let recognised = recognise(&mut connection).await;
    let checked = match recognised {
        Ok(0) => Err(NotAStore::Foreign("it has no tables".to_owned())),
        Ok(_) => check_integrity(&mut connection).await,
        Err(error) => Err(error),
    };
    let closed = connection.close().await;
    checked?; // says more than what may follow from it
    Ok(closed?)
}

async fn check_integrity(connection: &mut Connection) -> Result<(), NotAStore> {
    let complaints: Vec<String> = sqlx::query_scalar(dialect::INTEGRITY_CHECK).fetch_all(connection).await?;
    if complaints == ["ok"] { Ok(()) } else { Err(NotAStore::Damaged(complaints.join("; "))) }
}

/// Refuses to open a database of another program, or of a newer version, as a store. A missing or empty file becomes a
/// new store.
pub(super) async fn check_before_opening(file: &Path) -> Result<(), NotAStore> {
    match fs::metadata(file) {
        Ok(metadata) if metadata.len() > 0 => {}
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let mut connection = connect(file).await?;
    let recognised = recognise(&mut connection).await;
    let closed = connection.close().await;
    recognised?; // says more than what may follow from it
    Ok(closed?)
}

/// Writes the application id into the header. To be called once the schema is up to date.
pub(super) async fn mark(connection: &mut Connection) -> Result<(), sqlx::Error> {
    let id: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    if id != APPLICATION_ID {
        sqlx::query(SET_APPLICATION_ID).execute(connection).await?;
    }
    Ok(())
}

async fn connect(file: &Path) -> Result<Connection, NotAStore> {
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(BUSY_WITHIN);
    Ok(options.create_if_missing(false).connect().await?)
}

/// Number of this version's migrations that were applied to the database, in order and with equal checksums.
async fn recognise(connection: &mut Connection) -> Result<usize, NotAStore> {
    let id: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    if id != 0 && id != APPLICATION_ID {
        return Err(NotAStore::Foreign(format!("its application id is {id:#x}")));
    }
    let (has_history, others): (bool, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE name = '_sqlx_migrations') > 0,
                count(*) FILTER (WHERE name <> '_sqlx_migrations' AND name NOT LIKE 'sqlite_%')
         FROM sqlite_schema",
    )
    .fetch_one(&mut *connection)
    .await?;
    let applied = if has_history { history(connection).await? } else { Vec::new() };
    if applied.is_empty() && others > 0 {
        return Err(NotAStore::Foreign("its tables were not made by Engrain".to_owned()));
    }
    let last_known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    let mut known = MIGRATIONS.iter().map(|migration| (migration.version, migration.checksum.as_ref()));
    for (version, checksum) in &applied {
        match known.next() {
            Some(migration) if migration == (*version, checksum.as_slice()) => {}
            None if *version > last_known => {
                let found = applied.last().map_or(*version, |(version, _)| *version);
                return Err(NotAStore::Newer { found, known: last_known });
            }
            _ => {
                let reason = format!("its tables {version} are not those of any release");
                return Err(NotAStore::Foreign(reason));
            }
        }
    }
    Ok(applied.len())
}

/// Applied migrations in order, with their checksums.
async fn history(connection: &mut Connection) -> Result<Vec<(i64, Vec<u8>)>, NotAStore> {
    let rows = sqlx::query_as(
        "SELECT coalesce(CAST(version AS INTEGER), 0), coalesce(CAST(checksum AS BLOB), x'')
         FROM _sqlx_migrations ORDER BY 1 LIMIT $1",
    )
    .bind(MAX_MIGRATIONS)
    .fetch_all(connection)
    .await;
    rows.map_err(|error| match result_code(&error) {
        Some(SQLITE_ERROR) => NotAStore::Foreign("its list of migrations has another form".to_owned()),
        _ => error.into(),
    })
}

/// SQLite's primary result code: the low byte of the extended one.
fn result_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// Path of a file beside `file` with the suffix `ending` added to its name.
fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::super::{DATABASE_FILE, SqlStore, StoreOptions};
    use super::*;
    use crate::store::{Maintenance, StoreError};

    /// Backup of an empty store, as `engrain backup` makes it.
    async fn copy(folder: &Path) -> PathBuf {
        let store = SqlStore::open(&folder.join("store"), StoreOptions::default()).await.expect("a store");
        let file = folder.join("copy.db");
        store.copy_to(&file).await.expect("copied");
        store.close().await;
        file
    }

    /// Database on which these statements were run.
    async fn changed(file: PathBuf, statements: &'static str) -> PathBuf {
        let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
        let mut connection = options.connect().await.expect("a database");
        sqlx::raw_sql(statements).execute(&mut connection).await.expect("run");
        connection.close().await.expect("closed");
        file
    }

    async fn check(file: &Path) -> Result<(), NotAStore> {
        check_file(file)?;
        check_database(file).await
    }

    fn mark_of(file: &Path) -> Vec<u8> {
        fs::read(file).expect("a file").get(68..72).expect("a header").to_vec()
    }

    #[tokio::test]
    async fn a_copy_is_recognised_with_and_without_the_application_id() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = copy(folder.path()).await;
        assert_eq!(mark_of(&file), b"ENGR");
        check(&file).await.expect("a store");
        let file = changed(file, "PRAGMA application_id = 0").await;
        assert_eq!(mark_of(&file), [0; 4]);
        check(&file).await.expect("a store of an earlier version");
    }

    #[tokio::test]
    async fn a_store_of_an_earlier_version_gets_the_application_id_when_it_is_opened() {
        let folder = tempfile::tempdir().expect("a directory");
        for before in [*b"ENGR", [0; 4]] {
            let store = SqlStore::open(folder.path(), StoreOptions::default()).await.expect("a store");
            store.close().await;
            drop(store);
            let file = folder.path().join(DATABASE_FILE);
            assert_eq!(mark_of(&file), b"ENGR", "before: {before:?}");
            changed(file, "PRAGMA application_id = 0").await;
        }
    }

    #[tokio::test]
    async fn files_that_are_not_databases_are_refused_by_name() {
        let folder = tempfile::tempdir().expect("a directory");
        let directory = check_file(folder.path());
        assert!(matches!(directory, Err(NotAStore::NotAFile("a directory"))), "{directory:?}");
        let file = folder.path().join("copy.db");
        assert!(matches!(check_file(&file), Err(NotAStore::Unreadable(_))), "there is no such file");
        for (content, sentence) in [
            (&b""[..], "the file is empty"),
            (b"SQLite", "the file is not an SQLite database"),
            (b"PK\x03\x04 not a database", "the file is not an SQLite database"),
            (b"SQLite format 3\0...", "the file is damaged: it ends within its header"),
        ] {
            fs::write(&file, content).expect("written");
            let refused = check_file(&file).expect_err("no store").to_string();
            assert_eq!(refused, sentence);
        }
    }

    #[tokio::test]
    async fn a_file_that_is_only_a_part_of_its_store_is_refused() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = copy(folder.path()).await;
        let log = with_ending(&file, "-wal");
        fs::write(&log, "").expect("written");
        check_file(&file).expect("an empty log holds nothing");
        fs::write(&log, "what was written last").expect("written");
        assert!(matches!(check_file(&file), Err(NotAStore::Unfinished(found)) if found == log));
    }

    #[tokio::test]
    async fn databases_of_other_programs_are_refused_and_not_opened() {
        let history = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, checksum BLOB);";
        let statements: [(&'static str, bool); 6] = [
            ("CREATE TABLE notes (text TEXT)", true),
            ("PRAGMA application_id = 252006674", true),
            ("CREATE TABLE _sqlx_migrations (moment TEXT); CREATE TABLE notes (text TEXT)", true),
            (history, false), // the beginning of a store that was killed while it was made
            ("PRAGMA user_version = 7", false),
            (
                "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, checksum BLOB);
                 INSERT INTO _sqlx_migrations VALUES (1, x'00')",
                true,
            ),
        ];
        for (statements, also_when_opened) in statements {
            let folder = tempfile::tempdir().expect("a directory");
            let file = changed(folder.path().join(DATABASE_FILE), statements).await;
            let before = fs::read(&file).expect("a file");
            let refused = check(&file).await;
            assert!(matches!(refused, Err(NotAStore::Foreign(_))), "{statements}: {refused:?}");
            if also_when_opened {
                let refused = SqlStore::open(folder.path(), StoreOptions::default()).await;
                assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{statements}");
            }
            assert_eq!(fs::read(&file).expect("a file"), before, "{statements}");
        }
    }

    #[tokio::test]
    async fn a_store_of_a_newer_version_is_named_so() {
        let folder = tempfile::tempdir().expect("a directory");
        let insert = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                      VALUES (9001, 'later', true, x'01', 0)";
        let file = changed(copy(folder.path()).await, insert).await;
        let refused = check(&file).await;
        assert!(matches!(refused, Err(NotAStore::Newer { found: 9001, known: 1.. })), "{refused:?}");
    }

    #[tokio::test]
    async fn a_damaged_store_is_refused() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = copy(folder.path()).await;
        let whole = fs::read(&file).expect("a file");
        let (page, half) = (8192, whole.len() / 2);
        let mut overwritten = whole.clone();
        overwritten[page * 3..page * 6].fill(0xa5);
        for (what, bytes) in [("cut short", &whole[..half]), ("overwritten", &overwritten)] {
            fs::write(&file, bytes).expect("written");
            let refused = check(&file).await;
            assert!(matches!(refused, Err(NotAStore::Damaged(_))), "{what}: {refused:?}");
        }
    }
}
