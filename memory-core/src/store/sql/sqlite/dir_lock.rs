//! Exclusive lock of a data directory. The operating system releases it when the process ends, even after a crash.

use std::fs::File;
use std::path::Path;

use super::{StoreError, private_files, unavailable};

const LOCK_FILE: &str = "engrain.lock";

/// Guard of the lock on a data directory, held until it is dropped.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Locks the directory, and creates it, for its owner alone, if it is missing. Fails at once with [`StoreError::InUse`] if another
    /// process (or another store of this process) holds the lock.
    pub fn take(directory: &Path) -> Result<Self, StoreError> {
        private_files::create_directory(directory).map_err(unavailable)?;
        let path = directory.join(LOCK_FILE);
        let file = private_files::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(unavailable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(StoreError::InUse { path: directory.display().to_string() })
            }
            Err(std::fs::TryLockError::Error(error)) => Err(unavailable(error)),
        }
    }
}
