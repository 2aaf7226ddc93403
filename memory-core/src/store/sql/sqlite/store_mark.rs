//! Mark of a store beside its database: the id of the store, and the number of its commits. A store whose files were
//! lost would open as a new, empty one, or as it was at its last checkpoint; the mark tells the two apart (ADR 0032).
//!
//! The mark is made with the first memory, or when a store that has one is opened or restored. It is made whole and synced,
//! and then overwritten in place after each commit, without a sync: a process that is killed loses nothing of it, and after
//! a power cut it is at worst older than the database, which is never refused. One that cannot be read is damaged, and
//! refused: it tells nothing about what may be missing.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use sqlx::Row as _;

use super::{Connection, DATABASE_FILE, DirectoryLock, StoreError, unavailable};

/// Name of the mark in a data directory.
pub const MARK_FILE: &str = "store.mark";
/// Name of a mark that is not complete yet.
const UNFINISHED_MARK_FILE: &str = "store.mark.new";
/// First word of a mark.
const MAGIC: &str = "engrain-store-1";
/// Name of the write-ahead log in a data directory.
const LOG_FILE: &str = "engrain.db-wal";
/// Advice on an incomplete store.
const WHAT_TO_DO: &str = "put the missing file back, or restore a backup (`engrain restore FILE --force`); to go on \
     with what is there, even if that is nothing, remove store.mark and engrain.db-wal from the directory";

/// Advice on a mark that cannot be read.
const WITHOUT_MARK: &str = "if all other files of the directory are in place, remove store.mark, and the next start makes \
     it anew; else restore a backup (`engrain restore FILE --force`)";

const READ_SETTING: &str = "SELECT value FROM settings WHERE name = $1";
const STORE_ID: &str = "store_id";
const COMMITS: &str = "commits";
const HAS_MEMORIES: &str = "SELECT EXISTS (SELECT 1 FROM partitions) OR EXISTS (SELECT 1 FROM memories)";
const MAKE_ID: &str = "INSERT INTO settings (name, value) VALUES ('store_id', lower(hex(randomblob(16))))
     ON CONFLICT (name) DO NOTHING";
const PUT_COMMITS: &str = "INSERT INTO settings (name, value) VALUES ('commits', $1)
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// Content of a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    id: String,
    commits: u64,
    is_closed: bool,
}

impl Mark {
    /// Content in a fixed number of bytes, so that it can be overwritten in place.
    fn text(&self) -> String {
        let state = if self.is_closed { "closed" } else { "opened" };
        format!("{MAGIC} {} {:020} {state}\n", self.id, self.commits)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let (magic, id, commits, state) = (words.next()?, words.next()?, words.next()?, words.next()?);
        (magic == MAGIC).then_some(())?;
        let mark = Self { id: id.to_owned(), commits: commits.parse().ok()?, is_closed: state == "closed" };
        // A mark that was cut is none.
        (mark.text() == text).then_some(mark)
    }
}

/// Data directory that belongs to this process, with the mark of its store.
#[derive(Debug)]
pub(super) struct MarkedDirectory {
    _lock: Arc<DirectoryLock>,
    directory: PathBuf,
    /// Number of commits of the store.
    commits: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Id of the store; none before its first commit.
    id: Option<String>,
    /// Id in a transaction that is not committed yet.
    made: Option<String>,
    file: Option<File>,
}

impl MarkedDirectory {
    /// Looks at the files before any of them is opened as a database, since that may create or delete them.
    ///
    /// Errors: [`StoreError::Incomplete`] if a file of the store is missing, or is not its own.
    pub(super) fn inspect(lock: Arc<DirectoryLock>, directory: &Path) -> Result<Self, StoreError> {
        let size = |name: &str| fs::metadata(directory.join(name)).map_or(0, |metadata| metadata.len());
        let (database, log) = (size(DATABASE_FILE), size(LOG_FILE));
        let path = directory.join(MARK_FILE);
        let mark = match fs::read(&path) {
            Ok(bytes) => Some(String::from_utf8(bytes).ok().as_deref().and_then(Mark::parse)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(unavailable(error)),
        };
        if database == 0 && (path.exists() || log > 0) {
            let what = "engrain.db is missing or empty, but there was a store in this directory";
            return Err(incomplete(directory, what));
        }
        let Some(mark) = mark.map_or(Some(None), |mark| mark.map(Some)) else {
            let what = format!("store.mark cannot be read ({}): {WITHOUT_MARK}", directory.display());
            return Err(StoreError::Incomplete { what });
        };
        if log > 0 && mark.as_ref().is_some_and(|mark| mark.is_closed) {
            let what = "engrain.db-wal is not of this store, which was closed without one";
            return Err(incomplete(directory, what));
        }
        let found = Self {
            _lock: lock,
            directory: directory.to_owned(),
            commits: AtomicU64::new(mark.as_ref().map_or(0, |mark| mark.commits)),
            state: Mutex::new(State { id: mark.map(|mark| mark.id), made: None, file: None }),
        };
        found.write(false); // from here on, a log may come into being
        Ok(found)
    }

    /// Compares the mark with the database once it is open.
    ///
    /// Errors: [`StoreError::Incomplete`] if the database is another store's, or lacks commits that were acknowledged.
    pub(super) async fn compare(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let mut id = setting(connection, STORE_ID).await?;
        let commits = match setting(connection, COMMITS).await? {
            Some(commits) => commits.parse().map_err(|_| damaged(COMMITS))?,
            None => 0,
        };
        let marked = self.commits.load(Ordering::Acquire);
        let known = self.state.lock().id.clone();
        if let Some(known) = known {
            if id.as_ref() != Some(&known) {
                let what = "engrain.db or engrain.db-wal is of another store";
                return Err(incomplete(&self.directory, what));
            }
            if commits < marked {
                let what = format!(
                    "engrain.db-wal is missing or was emptied: the last {} commits are not there",
                    marked - commits
                );
                return Err(incomplete(&self.directory, &what));
            }
        }
        if id.is_none()
            && sqlx::query_scalar(HAS_MEMORIES).fetch_one(&mut *connection).await.map_err(unavailable)?
        {
            // It was last written to by a version without marks.
            match sqlx::query(MAKE_ID).execute(&mut *connection).await.map_err(unavailable) {
                Ok(_) => id = setting(connection, STORE_ID).await?,
                Err(error) if error.is_about_writing() => {}
                Err(error) => return Err(error),
            }
        }
        self.state.lock().id = id;
        self.commits.store(commits, Ordering::Release);
        self.write(false); // a store that has something has a mark, before its next commit as well
        Ok(())
    }

    /// Counts a commit within its transaction.
    pub(super) async fn count_commit(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let has_id = self.state.lock().id.is_some();
        if !has_id {
            sqlx::query(MAKE_ID).execute(&mut *connection).await.map_err(unavailable)?;
            let id = setting(connection, STORE_ID).await?;
            self.state.lock().made = id;
        }
        let next = self.commits.load(Ordering::Acquire).saturating_add(1);
        sqlx::query(PUT_COMMITS).bind(next.to_string()).execute(connection).await.map_err(unavailable)?;
        Ok(())
    }

    /// Marks a commit that [`Self::count_commit`] counted and that is durable.
    pub(super) fn note_commit(&self) {
        self.commits.fetch_add(1, Ordering::AcqRel);
        let mut state = self.state.lock();
        if let Some(made) = state.made.take() {
            state.id = Some(made);
        }
        drop(state);
        self.write(false);
    }

    /// Marks a store whose log was checkpointed and removed.
    pub(super) fn note_closed(&self) {
        let log = fs::metadata(self.directory.join(LOG_FILE)).map_or(0, |metadata| metadata.len());
        if log == 0 {
            self.write(true);
        }
    }

    /// Writes the mark, if the store has one. Best effort: an older mark refuses nothing that is whole.
    fn write(&self, is_closed: bool) {
        let mut state = self.state.lock();
        let State { id: Some(id), file, .. } = &mut *state else { return };
        let mark = Mark { id: id.clone(), commits: self.commits.load(Ordering::Acquire), is_closed };
        let written = match file {
            Some(file) => overwrite(file, &mark),
            None => open_or_make(&self.directory, &mark).map(|made| *file = Some(made)),
        };
        if let Err(error) = written {
            tracing::warn!(%error, "the mark of the store could not be written");
        }
    }
}

/// Makes the mark of a closed store whose files were just put in place, so that it has one before its next opening.
///
/// Errors: [`std::io::Error`] if the mark cannot be written.
pub fn take_over_mark(from: &Path, to: &Path) -> std::io::Result<()> {
    match fs::read_to_string(from.join(MARK_FILE)) {
        Ok(text) => Mark::parse(&text).map_or(Ok(()), |mark| make(to, &mark).map(drop)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn overwrite(file: &mut File, mark: &Mark) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(mark.text().as_bytes())
}

fn open_or_make(directory: &Path, mark: &Mark) -> std::io::Result<File> {
    match OpenOptions::new().write(true).open(directory.join(MARK_FILE)) {
        Ok(mut file) => overwrite(&mut file, mark).map(|()| file),
        Err(error) if error.kind() == ErrorKind::NotFound => make(directory, mark),
        Err(error) => Err(error),
    }
}

/// Writes a mark under another name first: a mark is there whole or not at all, after a kill and on a full disk as well.
fn make(directory: &Path, mark: &Mark) -> std::io::Result<File> {
    let unfinished = directory.join(UNFINISHED_MARK_FILE);
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    let made = file
        .write_all(mark.text().as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&unfinished, directory.join(MARK_FILE)));
    if let Err(error) = made {
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    Ok(file)
}

/// Setting of the store. Errors: [`StoreError::Corrupt`] with its name if it is no text.
async fn setting(connection: &mut Connection, name: &'static str) -> Result<Option<String>, StoreError> {
    let row = sqlx::query(READ_SETTING).bind(name).fetch_optional(connection).await.map_err(unavailable)?;
    row.map(|row| row.try_get(0).map_err(|_| damaged(name))).transpose()
}

fn damaged(setting: &'static str) -> StoreError {
    StoreError::Corrupt { table: "settings", column: "value", row: setting.to_owned() }
}

fn incomplete(directory: &Path, what: &str) -> StoreError {
    StoreError::Incomplete { what: format!("{what} ({}): {WHAT_TO_DO}", directory.display()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_keeps_its_length() {
        let mark = |commits, is_closed| Mark { id: "ab".repeat(16), commits, is_closed };
        for one in [mark(0, false), mark(u64::MAX, true)] {
            assert_eq!(Mark::parse(&one.text()), Some(one.clone()));
            assert_eq!(one.text().len(), mark(7, false).text().len());
        }
        let whole = mark(7, true).text();
        for length in 0..whole.len() {
            assert_eq!(whole.get(..length).and_then(Mark::parse), None, "{length}");
        }
        assert_eq!(Mark::parse("another file altogether 1"), None);
    }
}
