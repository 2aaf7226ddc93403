//! One owner per data directory: a lock that the operating system drops when the process dies, however it dies.

use std::fs::{File, OpenOptions};
use std::path::Path;

use super::{StoreError, unavailable};

const LOCK_FILE: &str = "engrain.lock";

/// The right to use a data directory, held until it is dropped.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the directory, making it if it is missing. Fails at once with [`StoreError::InUse`] if another process
    /// (or another store of this one) has it.
    pub fn take(directory: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(directory).map_err(unavailable)?;
        let path = directory.join(LOCK_FILE);
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(unavailable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(StoreError::InUse { path: directory.display().to_string() })
            }
            Err(std::fs::TryLockError::Error(error)) => Err(unavailable(error)),
        }
    }
}
