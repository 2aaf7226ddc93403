//! Output file that replaces its destination when it is complete. Until then it has a name of its own in the same
//! directory, by which the next command there finds and deletes it if this one was killed; only its owner can read it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use memory_core::store::sql::leftovers::{PART_PREFIX, clear_parts};
use tempfile::NamedTempFile;

use super::print;

/// Maximum number of names tried. Another command deletes the new file only in the moment before it is locked.
const TRIES: usize = 8;

/// Incomplete file, locked against deletion by others.
pub(super) struct PartFile {
    part: NamedTempFile,
    target: PathBuf,
}

impl PartFile {
    /// Creates the file beside its destination, and deletes unfinished files of killed commands there.
    pub(super) fn beside(target: &Path) -> io::Result<Self> {
        let folder = folder_of(target);
        for left in clear_parts(folder) {
            print::note(&format!("engrain: deleted the unfinished file {}", left.display()));
        }
        for _ in 0..TRIES {
            let part = tempfile::Builder::new().prefix(PART_PREFIX).tempfile_in(folder)?;
            match part.as_file().try_lock() {
                Ok(()) if part.path().exists() => return Ok(Self { part, target: target.to_owned() }),
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                // A file system without locks: nobody can tell that the file is in use.
                Err(TryLockError::Error(_)) => return Ok(Self { part, target: target.to_owned() }),
            }
        }
        Err(io::Error::other("other commands delete the new files of this folder"))
    }

    /// The file, to be written to.
    pub(super) fn file(&self) -> &File {
        self.part.as_file()
    }

    /// Moves the file to its destination, durably.
    pub(super) fn persist(self) -> io::Result<()> {
        self.part.as_file().sync_all()?;
        self.part.persist(&self.target).map_err(|error| error.error)?;
        sync_directory(folder_of(&self.target))
    }
}

/// Directory of a file.
pub(super) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Syncs the entries of a directory to disk, where the system supports it.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(directory)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_killed_commands_file_is_deleted_by_the_next_and_a_live_ones_is_not() {
        let folder = tempfile::tempdir().expect("a directory");
        let target = folder.path().join("out");
        let left = folder.path().join(format!("{PART_PREFIX}left"));
        fs::write(&left, "half").expect("written");
        let other = PartFile::beside(&folder.path().join("other")).expect("a file");
        assert!(!left.exists());
        let part = PartFile::beside(&target).expect("a file");
        assert!(other.part.path().exists(), "it is being written");
        part.file().write_all(b"whole").expect("written");
        part.persist().expect("in place");
        assert_eq!(fs::read(&target).expect("a file"), b"whole");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&target).expect("a file").permissions().mode() & 0o777, 0o600);
        }
    }
}
