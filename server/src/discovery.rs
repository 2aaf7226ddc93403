//! How a command finds the server of a data directory: `server.json`, written there by the server and removed when it
//! stops.
//!
//! The file is a hint and may be stale. What decides is the answer of `/health`, and the directory's lock, which the
//! operating system drops with the process.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use memory_core::store::StoreError;
use memory_core::store::sql::DirectoryLock;
use serde::{Deserialize, Serialize};

const FILE: &str = "server.json";

/// What a server tells about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announcement {
    /// Its process.
    pub(crate) pid: u32,
    /// Where it answers.
    pub(crate) url: String,
    /// Its version.
    pub(crate) version: String,
}

impl Announcement {
    /// This process, at `url`.
    pub(crate) fn here(url: String) -> Self {
        Self { pid: std::process::id(), url, version: env!("CARGO_PKG_VERSION").to_owned() }
    }

    /// What stands in the data directory, if anything legible does.
    pub(crate) fn read(data_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(data_dir.join(FILE)).ok()?).ok()
    }

    /// Writes it, whole or not at all. Only for the holder of the directory's lock. The file is gone when the
    /// [`Announced`] is dropped.
    pub(crate) fn write(&self, data_dir: &Path) -> io::Result<Announced> {
        let mut file = tempfile::NamedTempFile::new_in(data_dir)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.flush()?;
        let path = data_dir.join(FILE);
        file.persist(&path).map_err(|error| error.error)?;
        Ok(Announced { path })
    }
}

/// The file, as long as it is true.
#[derive(Debug)]
pub(crate) struct Announced {
    path: PathBuf,
}

impl Drop for Announced {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, "server.json could not be removed");
        }
    }
}

/// Whether a process has the store of this directory open. A directory that is not there is nobody's.
pub(crate) fn is_in_use(data_dir: &Path) -> Result<bool, StoreError> {
    if !data_dir.is_dir() {
        return Ok(false);
    }
    match DirectoryLock::take(data_dir) {
        Ok(_dropped_at_once) => Ok(false),
        Err(StoreError::InUse { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_lasts_as_long_as_it_is_held() {
        let folder = tempfile::tempdir().expect("a directory");
        assert_eq!(Announcement::read(folder.path()), None);
        let here = Announcement::here("http://127.0.0.1:1".to_owned());
        let announced = here.write(folder.path()).expect("written");
        assert_eq!(Announcement::read(folder.path()), Some(here));
        drop(announced);
        assert_eq!(Announcement::read(folder.path()), None);
        std::fs::write(folder.path().join(FILE), "{").expect("written");
        assert_eq!(Announcement::read(folder.path()), None, "an illegible file is none");
    }

    #[test]
    fn the_lock_tells_whether_a_store_is_open() {
        let folder = tempfile::tempdir().expect("a directory");
        assert!(!is_in_use(folder.path()).expect("readable"));
        let held = DirectoryLock::take(folder.path()).expect("free");
        assert!(is_in_use(folder.path()).expect("readable"));
        drop(held);
        assert!(!is_in_use(folder.path()).expect("readable"));
        assert!(!is_in_use(&folder.path().join("none")).expect("nobody's"));
    }
}
