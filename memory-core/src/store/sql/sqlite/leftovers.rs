//! Files that killed commands and servers left behind: unfinished exports, backups and restores, each a store or a part
//! of one in clear. Their names begin with [`PART_PREFIX`], [`BACKUP_PREFIX`] or [`RESTORE_PREFIX`].
//!
//! A restore that was killed while it replaced the database is rolled back: the log of the old database is put back.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::DATABASE_FILE;

/// Name prefix of a file that is being written and will be renamed. Its writer holds a lock on it.
pub const PART_PREFIX: &str = ".engrain-part-";
/// Name prefix of a copy of the store in its data directory. Its server holds the lock of the directory.
pub const BACKUP_PREFIX: &str = ".engrain-backup-";
/// Name prefix of the directory of a restore in the data directory. Its command holds the lock of the directory.
pub const RESTORE_PREFIX: &str = ".engrain-restore-";
/// Name prefix of the logs of a replaced database in the directory of a restore, before `-wal` and `-shm`.
pub const REPLACED: &str = "replaced";

/// Name prefix of the directories of restores in earlier versions: that of all temporary files of a library.
const EARLIER_PREFIX: &str = ".tmp";
/// Length of such a name.
const EARLIER_LENGTH: usize = 10;

/// Unfinished files in a directory whose writer has died. An unreadable directory has none.
pub fn parts(directory: &Path) -> Vec<PathBuf> {
    entries(directory, |name, path| name.starts_with(PART_PREFIX) && lock_if_left(path).is_some())
}

/// Deletes the unfinished files of dead writers in a directory; returns their paths.
pub fn clear_parts(directory: &Path) -> Vec<PathBuf> {
    let mut cleared = entries(directory, |name, _| name.starts_with(PART_PREFIX));
    cleared.retain(|path| {
        // Locked until it is deleted, so that a new writer of this name notices.
        let lock = lock_if_left(path);
        lock.is_some() && fs::remove_file(path).is_ok()
    });
    cleared
}

/// Files and directories that a dead process left in a data directory, without those of [`parts`]. Only for the holder
/// of the directory's lock: nobody else uses them then.
pub fn of_store(directory: &Path) -> Vec<PathBuf> {
    entries(directory, |name, path| {
        name.starts_with(BACKUP_PREFIX) || name.starts_with(RESTORE_PREFIX) || is_earlier_restore(name, path)
    })
}

/// True for a file or directory that only this program makes in a data directory.
pub fn is_ours(name: &str) -> bool {
    ["engrain.", ".engrain-", "digest.key", "store.mark"].iter().any(|ours| name.starts_with(ours))
        || ["server.json", "segments"].contains(&name)
}

/// Rolls an interrupted restore back, and deletes all leftovers of a data directory. Only for the holder of its lock,
/// and before the database is opened.
///
/// Errors: those of putting a log back, since the database without its log is an earlier state.
pub fn recover(directory: &Path) -> io::Result<()> {
    for path in of_store(directory) {
        let is_directory = path.is_dir();
        if is_directory {
            roll_back(directory, &path)?;
        }
        let removed = if is_directory { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Ok(()) => tracing::info!(path = %path.display(), "an unfinished copy of the store was deleted"),
            Err(error) => tracing::warn!(%error, path = %path.display(), "a copy of the store is left over"),
        }
    }
    for path in clear_parts(directory) {
        tracing::info!(path = %path.display(), "an unfinished file was deleted");
    }
    Ok(())
}

/// Puts the logs of the old database back, unless the new one is in its place.
fn roll_back(directory: &Path, restore: &Path) -> io::Result<()> {
    if !restore.join(DATABASE_FILE).exists() {
        return Ok(());
    }
    for ending in ["-wal", "-shm"] {
        let log = directory.join(format!("{DATABASE_FILE}{ending}"));
        match fs::rename(restore.join(format!("{REPLACED}{ending}")), log) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn is_earlier_restore(name: &str, path: &Path) -> bool {
    let is_named_so = name.starts_with(EARLIER_PREFIX) && name.len() == EARLIER_LENGTH;
    let holds = |file: &str| path.join(file).exists();
    is_named_so && path.is_dir() && (holds(DATABASE_FILE) || holds("replaced-wal") || holds("engrain.lock"))
}

/// Lock of a file that no process holds.
fn lock_if_left(path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    match file.try_lock() {
        Ok(()) => Some(file),
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
    }
}

fn entries(directory: &Path, is_wanted: impl Fn(&str, &Path) -> bool) -> Vec<PathBuf> {
    let all = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = all
        .filter(|entry| is_wanted(&entry.file_name().to_string_lossy(), &entry.path()))
        .map(|entry| entry.path())
        .collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: PathBuf, content: &str) -> PathBuf {
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(&path, content).expect("written");
        path
    }

    #[test]
    fn leftovers_are_deleted_and_other_files_stay() {
        let folder = tempfile::tempdir().expect("a directory");
        let at = |name: &str| folder.path().join(name);
        let gone = [
            ".engrain-part-a",
            ".engrain-backup-b",
            ".engrain-restore-c/engrain.db",
            ".tmpAb12Cd/engrain.db",
        ];
        let kept = ["engrain.db", "engrain.lock", ".tmpAb12Ce/notes.txt", ".tmp/engrain.db", "part"];
        let gone = gone.map(|name| write(at(name), "x"));
        let kept = kept.map(|name| write(at(name), "x"));
        let used = write(at(".engrain-part-used"), "x");
        let lock = File::open(&used).expect("a file");
        lock.try_lock().expect("locked");
        assert_eq!(parts(folder.path()), [at(".engrain-part-a")]);
        recover(folder.path()).expect("recovered");
        assert!(gone.iter().all(|path| !path.exists()), "{gone:?}");
        assert!(kept.iter().all(|path| path.exists()), "{kept:?}");
        assert!(used.exists(), "its writer is alive");
        drop(lock);
        assert_eq!(clear_parts(folder.path()), [used]);
    }

    #[test]
    fn a_restore_that_was_killed_before_the_new_database_was_in_place_is_rolled_back() {
        let folder = tempfile::tempdir().expect("a directory");
        let at = |name: &str| folder.path().join(name);
        write(at("engrain.db"), "old");
        write(at(".engrain-restore-a/engrain.db"), "new");
        write(at(".engrain-restore-a/replaced-wal"), "old log");
        recover(folder.path()).expect("recovered");
        assert_eq!(fs::read(at("engrain.db-wal")).expect("put back"), b"old log");
        assert!(!at(".engrain-restore-a").exists());
    }

    #[test]
    fn a_restore_that_was_killed_after_the_new_database_was_in_place_stands() {
        let folder = tempfile::tempdir().expect("a directory");
        let at = |name: &str| folder.path().join(name);
        write(at("engrain.db"), "new");
        write(at(".engrain-restore-a/replaced-wal"), "old log");
        recover(folder.path()).expect("recovered");
        assert!(!at("engrain.db-wal").exists(), "the old log does not belong to the new database");
        assert!(!at(".engrain-restore-a").exists());
    }
}
