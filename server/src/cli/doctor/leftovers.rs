//! Checks of what should not be there: unfinished copies of the store, files open to other users, erased bytes.

use std::path::Path;

use engrain::wire::{Purge, PurgeStatus};
use memory_core::store::sql::{DirectoryLock, leftovers as left};

use super::{Finding, Grade};

/// Unfinished files of killed commands and servers, in the data directory and in the working directory.
pub(super) fn leftovers(data_dir: &Path) -> Vec<Finding> {
    let mut found = left::parts(data_dir);
    found.extend(left::parts(Path::new(".")));
    if data_dir.is_dir() && DirectoryLock::take(data_dir).is_ok() {
        found.extend(left::of_store(data_dir));
    }
    let named = |path: std::path::PathBuf| Finding {
        grade: Grade::Warning,
        subject: "leftovers",
        detail: format!(
            "{} is an unfinished copy of memories in clear: the next start of the server, or the next command that writes \
             into its folder, deletes it",
            path.display()
        ),
    };
    found.into_iter().map(named).collect()
}

/// Files of the store that other users of the machine can read.
#[cfg(unix)]
pub(super) fn modes(data_dir: &Path) -> Vec<Finding> {
    use std::os::unix::fs::PermissionsExt;

    let is_open = |entry: &std::fs::DirEntry| {
        let is_ours = left::is_ours(&entry.file_name().to_string_lossy());
        is_ours && entry.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
    };
    let open = std::fs::read_dir(data_dir).into_iter().flatten().flatten().filter(is_open);
    let named = |entry: std::fs::DirEntry| Finding {
        grade: Grade::Warning,
        subject: "data directory",
        detail: format!("{} is open to other users: the next start closes it", entry.path().display()),
    };
    open.map(named).collect()
}

/// Nothing is looked at: there are no modes.
#[cfg(not(unix))]
pub(super) fn modes(_: &Path) -> Vec<Finding> {
    Vec::new()
}

/// State of erased bytes in files.
pub(super) fn purge(status: &PurgeStatus) -> Finding {
    let subject = "erased data";
    let (grade, detail) = match status.state {
        Purge::Done => (Grade::Ok, "is in no file of the store".to_owned()),
        Purge::LeftToDatabase => {
            (Grade::Ok, "is overwritten by the database at a time of its own".to_owned())
        }
        Purge::Pending => {
            let since = status.since.as_deref().map(|since| format!(", since {since}")).unwrap_or_default();
            let detail = format!(
                "of {} erasures may still be in files{since}; {} backups wait on the server",
                status.erasures, status.copies
            );
            (Grade::Warning, detail)
        }
    };
    Finding { grade, subject, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debt_of_the_purge_is_a_warning() {
        let status = |state| PurgeStatus { state, erasures: 3, since: None, copies: 1 };
        assert_eq!(purge(&status(Purge::Done)).grade, Grade::Ok);
        let pending = purge(&status(Purge::Pending));
        assert_eq!(pending.grade, Grade::Warning);
        assert!(pending.detail.contains("3 erasures"), "{}", pending.detail);
    }

    #[test]
    fn unfinished_copies_are_named() {
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::write(folder.path().join(".engrain-backup-1"), "x").expect("written");
        std::fs::write(folder.path().join(".engrain-part-1"), "x").expect("written");
        let found = leftovers(folder.path());
        assert_eq!(found.iter().filter(|one| one.detail.contains(".engrain-")).count(), 2, "{found:?}");
    }
}
